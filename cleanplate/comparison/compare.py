"""Compares revisions by name, for `compare` and `sweep`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanplate.comparison.submission import read_true_answers
from cleanplate.experiments.cost import measure_cost
from cleanplate.experiments.git import WORKSPACE
from cleanplate.experiments.revisions import SUBMISSION, Revision, changed_code, changed_params
from cleanplate.experiments.sweep_file import SEED
from pipeline.runtime.errors import UserError
from pipeline.runtime.progress import say
from stages.shared.artefacts import LABELS

if TYPE_CHECKING:
    import pandas as pd

    from cleanplate.comparison.alignment import AlignedPredictions
    from cleanplate.comparison.verdict import Comparison, Pair


@dataclass(frozen=True)
class Options:
    """The command's options of the same names."""

    labels: str | None = None
    answers: Path | None = None
    seeds: bool = False
    draws: int = 2000
    swaps: int = 5000
    seed: int = 0
    same_within: float | None = None


@dataclass(frozen=True)
class ComparedRevisions:
    """Revisions and their comparison; `revisions` holds the first run of each name, `own` the photos of pairs
    that have more in common than all (`alignment.align_pairs`)."""

    revisions: dict[str, Revision]
    data: AlignedPredictions
    own: dict[tuple[str, str], AlignedPredictions]
    result: Comparison


def compare_revisions(
    pairs: Sequence[tuple[str, str]],
    options: Options,
    commits: Mapping[str, str] | None = None,
    runs: Mapping[str, Sequence[str]] | None = None,
) -> ComparedRevisions:
    """Reads the predictions of every name in `pairs` (reference, variant) and compares them.

    Args:
        pairs: names.
        options: of the command.
        commits: commits of names, if already known.
        runs: names of a name's runs with several seeds, if already known; `options.seeds` looks for them.
    """
    from cleanplate.comparison.alignment import align, align_pairs
    from cleanplate.comparison.verdict import compare
    from cleanplate.experiments.seed_runs import seed_runs

    names, known = list(dict.fromkeys(name for pair in pairs for name in pair)), commits or {}
    if options.seeds:
        groups = seed_runs(names, known)
    else:
        groups = {n: tuple(Revision(r, known.get(r)) for r in (runs or {}).get(n, (n,))) for n in names}
    revisions, run_names = _label(groups)
    source = options.answers
    if source and options.labels:
        raise UserError("--answers and --labels both say what is true", fix="give one of them")
    answers = read_true_answers(source) if source else None
    tables = {
        name: revision.predictions() if answers is None else _submitted(revision, answers)
        for name, revision in revisions.items()
    }
    if WORKSPACE in revisions and revisions[WORKSPACE].is_stale():
        say("warning: params.yaml has changed since the workspace's predictions were made; run `dvc repro`")
    truth, truth_name = (answers, str(source)) if answers is not None else _labels(tables, options.labels)
    data = align(tables, truth, truth_name, run_names)
    own = align_pairs(tables, pairs, data, truth, truth_name)
    return ComparedRevisions(
        {name: runs[0] for name, runs in groups.items()},
        data,
        own,
        compare(data, pairs, options.draws, options.swaps, options.seed, options.same_within, own),
    )


def _label(
    groups: Mapping[str, Sequence[Revision]],
) -> tuple[dict[str, Revision], dict[str, tuple[str, ...]]]:
    """All runs by names of their own, and the names of each group's; its first keeps the group's name."""
    labelled = {name: runs[0] for name, runs in groups.items()}
    names: dict[str, tuple[str, ...]] = {}
    for group, (_, *others) in groups.items():
        own = [group]
        for run in others:
            label = run.name if run.name not in labelled else f"{run.name} of {run.commit}"
            labelled[label] = run
            own.append(label)
        names[group] = tuple(own)
    return labelled, names


def _submitted(revision: Revision, answers: pd.DataFrame) -> pd.DataFrame:
    """reports/submission.csv beside the true answers, for the photos that both name."""
    from cleanplate.comparison.submission import read_submission

    where, data = f"{SUBMISSION} of {revision.name}", revision.read(SUBMISSION)
    if data is None:
        raise UserError("there is no submission", where=where, fix=revision.remedy())
    submission = read_submission(data, where).rename(columns={"ImageID": "image", "ans": "predicted"})
    found = answers.merge(submission, on="image")
    if found.empty:
        raise UserError(
            "the submission answers none of the photos of --answers",
            where=where,
            got=str(submission["image"].iloc[0]),
            allowed=str(answers["image"].iloc[0]) + " and the others there",
            fix="name the true answers to this project's eval photos",
        )
    if len(found) < len(answers):
        say(f"note: {where} lacks {len(answers) - len(found)} photos of --answers, which are left out")
    return found


def _labels(tables: dict[str, pd.DataFrame], name: str | None) -> tuple[pd.DataFrame | None, str]:
    """True labels for scoring, and their name; None = those of the first table.

    If corrections made the labels of two revisions differ, both are scored by the workspace's labels, the
    latest, if these cover the photos; else by those of the first revision.
    """
    from cleanplate.comparison.alignment import labels_differ

    if name and name != WORKSPACE:
        return Revision(name).predictions(), name
    if name == WORKSPACE or (labels_differ(tables) and LABELS.path.is_file()):
        labels = LABELS.read("image", "true_class")
        photos = next(iter(tables.values()))["image"]
        if name or photos.isin(labels["image"]).mean() >= 0.5:
            return labels, "the workspace"
    return None, ""


def as_json(comparison: ComparedRevisions, people: bool) -> dict[str, Any]:
    """The whole comparison as JSON values."""
    result = comparison.result
    return {
        "people": result.people,
        "photos": result.photos,
        "seeds": result.seeds,
        "notes": result.notes,
        "scores": result.scores,
        "pairs": [_pair_json(comparison, pair, people) for pair in result.pairs],
    }


def _pair_json(comparison: ComparedRevisions, pair: Pair, people: bool) -> dict[str, Any]:
    from cleanplate.comparison.alignment import flipped_people
    from cleanplate.comparison.wording import format_verdict

    a, b = comparison.revisions[pair.reference], comparison.revisions[pair.variant]
    params = changed_params(a, b)
    if max(pair.seeds) > 1:
        params.pop(SEED, None)
    row: dict[str, Any] = {
        "reference": pair.reference,
        "variant": pair.variant,
        "seeds": list(pair.seeds),
        "people": pair.people,
        "verdict": pair.verdict,
        "sentence": format_verdict(pair),
        "differences": {
            name: {
                "value": d.value,
                "low": d.low,
                "high": d.high,
                "error": d.error,
                "seed_error": d.seed_error,
                "p": d.p,
                "p_corrected": pair.p_corrected[name],
            }
            for name, d in pair.differences.items()
        },
        "changed_photos": int(pair.changed) if pair.seeds == (1, 1) else pair.changed,
        "people_needed": pair.needed,
        "smallest_seen": pair.smallest,
        "same_within": pair.same_within,
        "p_same": pair.p_same,
        "params": {name: list(values) for name, values in params.items()},
        "code": changed_code(a, b),
        "cost": measure_cost(a, b),
    }
    if people:
        names = (pair.reference, pair.variant)
        data = comparison.own.get(names, comparison.data)
        row["flipped_people"] = flipped_people(data, *names).to_dict("records")
    return row
