"""What `compare` and `sweep` share: from the names of revisions to all that is told about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cleanplate.experiments.cost import cost
from cleanplate.experiments.git import WORKSPACE
from cleanplate.experiments.revisions import Revision, changed_code, changed_params
from pipeline.runtime.progress import say
from stages.shared.artefacts import LABELS

if TYPE_CHECKING:
    import pandas as pd

    from cleanplate.comparison.alignment import Aligned
    from cleanplate.comparison.verdict import Comparison, Pair


@dataclass(frozen=True)
class Options:
    """How to compare; the command's options of the same names."""

    labels: str | None = None
    draws: int = 2000
    swaps: int = 5000
    seed: int = 0


@dataclass(frozen=True)
class Compared:
    """Revisions and what came of comparing them."""

    revisions: dict[str, Revision]
    data: Aligned
    result: Comparison


def compared(
    pairs: Sequence[tuple[str, str]], options: Options, commits: Mapping[str, str] | None = None
) -> Compared:
    """Reads the predictions of every name in `pairs` (reference, variant) and compares.

    `commits`: what a name means, where the caller knows.
    """
    from cleanplate.comparison.alignment import aligned
    from cleanplate.comparison.verdict import compare

    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    revisions = {name: Revision(name, (commits or {}).get(name)) for name in names}
    tables = {name: revision.predictions() for name, revision in revisions.items()}
    if WORKSPACE in revisions and revisions[WORKSPACE].is_stale():
        say("warning: params.yaml has changed since the workspace's predictions were made; run `dvc repro`")
    truth, truth_name = _labels(tables, options.labels)
    data = aligned(tables, truth, truth_name)
    return Compared(revisions, data, compare(data, pairs, options.draws, options.swaps, options.seed))


def _labels(tables: dict[str, pd.DataFrame], asked: str | None) -> tuple[pd.DataFrame | None, str]:
    """True labels to score everything by, and their name; None = those of the first table.

    Where corrections made the labels of two revisions differ, both are scored by one set: the labels of the
    workspace, which is what the user believes now, if they are about these photos; else those of the first
    revision.
    """
    from cleanplate.comparison.alignment import labels_differ

    if asked and asked != WORKSPACE:
        return Revision(asked).predictions(), asked
    if asked == WORKSPACE or (labels_differ(tables) and LABELS.path.is_file()):
        labels = LABELS.read("image", "true_class")
        photos = next(iter(tables.values()))["image"]
        if asked or photos.isin(labels["image"]).mean() >= 0.5:
            return labels, "the workspace"
    return None, ""


def as_json(found: Compared, people: bool) -> dict[str, Any]:
    """Everything, for machines."""
    result = found.result
    return {
        "people": result.people,
        "photos": result.photos,
        "notes": result.notes,
        "scores": result.scores,
        "pairs": [_pair_json(found, pair, people) for pair in result.pairs],
    }


def _pair_json(found: Compared, pair: Pair, people: bool) -> dict[str, Any]:
    from cleanplate.comparison.alignment import flipped_people
    from cleanplate.comparison.verdict import sentence

    a, b = found.revisions[pair.reference], found.revisions[pair.variant]
    told: dict[str, Any] = {
        "reference": pair.reference,
        "variant": pair.variant,
        "verdict": pair.verdict,
        "sentence": sentence(pair, found.result.people),
        "differences": {
            name: {
                "value": d.value,
                "low": d.low,
                "high": d.high,
                "error": d.error,
                "p": d.p,
                "p_corrected": pair.p_corrected[name],
            }
            for name, d in pair.differences.items()
        },
        "changed_photos": pair.changed,
        "people_needed": pair.needed,
        "smallest_seen": pair.smallest,
        "params": {name: list(values) for name, values in changed_params(a, b).items()},
        "code": changed_code(a, b),
        "cost": cost(a, b),
    }
    if people:
        told["flipped_people"] = flipped_people(found.data, pair.reference, pair.variant).to_dict("records")
    return told
