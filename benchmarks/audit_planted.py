"""How soon each ranking finds planted errors: the audit's, and those that teams used.

    python -m benchmarks.audit_planted TRUTH/planted.csv      (in a folder where `stages.audit` has run)

All rankings look at the same features. Baselines: the loss of a model that learnt the photo in question; the
share of ten models, each learnt on people drawn with replacement, that disagree with the label. One row per
task and ranking, people as candidates. TRUTH names few people, so the same is asked of further sets, drawn
with other seeds: the mean over these says what to expect, TRUTH's own row what came of one draw.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import threadpoolctl

from pipeline.analysis.audit.out_of_fold import fitted, predict_probabilities
from pipeline.analysis.audit.rules import mislabelled_pairs
from pipeline.labels import TASKS, gender_of, mask_of
from pipeline.params import load_params
from pipeline.seeds import generator
from stages.shared.audit_evidence import Evidence, gather_evidence, photo_table, predict_out_of_fold
from stages.shared.command import Stage

MODELS = 10
FIRST = 0.05  # of the rows
SETS, ERRORS = 10, 8  # of errors planted here, in people that TRUTH does not name for the task


@dataclass(frozen=True)
class Found:
    """What reading a ranking from the top gives.

    Attributes:
        average_precision: mean over the errors of the precision at each; one not listed counts 0.
        recall_first: share of the errors in the first 5 % of all that could be listed.
        rows_to_90: rows to read until 90 % of the errors are found; None where the list ends before.
        errors, rows: how many errors there are, how many rows the list has.
    """

    average_precision: float
    recall_first: float
    rows_to_90: int | None
    errors: int
    rows: int


def rank_planted(ranking: Sequence[str], errors: set[str], candidates: int) -> Found:
    """Judges `ranking`, names with the most suspicious first, each once.

    Args:
        ranking: people, or photos.
        errors: the names that are truly wrong; at least one.
        candidates: how many names there are in all: 5 % of these are "the first 5 %".
    """
    places = [place for place, name in enumerate(ranking, 1) if name in errors]
    precision = sum(n / place for n, place in enumerate(places, 1)) / len(errors)
    first = math.ceil(FIRST * candidates)
    needed = math.ceil(0.9 * len(errors))
    return Found(
        average_precision=precision,
        recall_first=sum(place <= first for place in places) / len(errors),
        rows_to_90=places[needed - 1] if len(places) >= needed else None,
        errors=len(errors),
        rows=len(ranking),
    )


def planted_people(path: Path) -> dict[str, set[str]]:
    """People with a wrong gender, and with swapped masks, by task; both layouts of planted.csv."""
    rows = pd.read_csv(path, dtype=str).fillna("")
    if "field" in rows.columns:
        return {task: set(rows.loc[rows["field"] == task, "person"]) for task in ("gender", "mask")}
    kinds = {"gender": "wrong_gender", "mask": "swapped", "age": "drawn_old"}
    return {task: set(rows.loc[rows["kind"] == kind, "person"]) for task, kind in kinds.items()}


def rankings(evidence: Evidence, task: str, l2: float) -> dict[str, np.ndarray]:
    """float64 [P] by name of the ranking: how suspicious each person is."""
    photos, size = evidence.photos, TASKS[task].size
    who = photos["person_id"].to_numpy()
    people = int(who.max()) + 1
    codes = TASKS[task].code_of(photos["true_class"].to_numpy(np.int64))
    rows = np.arange(len(codes))
    model = fitted(evidence.components, codes, l2)
    loss = -np.log(predict_probabilities(model, evidence.components, size)[rows, codes])
    votes = np.zeros(len(codes))
    for k in range(MODELS):
        drawn = generator(k, "benchmark: people").integers(0, people, people)
        taken = np.repeat(rows, np.bincount(drawn, minlength=people)[who])
        one = fitted(evidence.components[taken], codes[taken], l2)
        votes += predict_probabilities(one, evidence.components, size).argmax(axis=1) != codes
    together = np.maximum.reduceat if task == "mask" else np.add.reduceat
    order = np.argsort(who, kind="stable")
    starts = np.unique(who[order], return_index=True)[1]
    found = {"loss, seen in training": together(loss[order], starts)}
    found[f"disagreement of {MODELS}"] = together(votes[order], starts)
    if task == "mask":
        found["audit"] = np.zeros(people)
        for pair in mislabelled_pairs(evidence.p["mask"], evidence.codes["mask"], who, 0.0):
            found["audit"][who[pair.first]] = pair.confidence
    else:
        found["audit"] = 1 - evidence.p[task][np.arange(people), evidence.codes[task]]
    return found


def shifted(photos: pd.DataFrame, task: str, people: np.ndarray) -> pd.DataFrame:
    """`photos` with the gender of `people` flipped, or their incorrect and bare photos exchanged."""
    codes = photos["true_class"].to_numpy(np.int64)
    own = photos["person_id"].isin(people).to_numpy()
    if task == "gender":
        return photos.assign(true_class=np.where(own, codes + 3 - 6 * gender_of(codes), codes))
    mask = mask_of(codes)
    return photos.assign(true_class=np.where(own & (mask > 0), codes + 6 * (3 - 2 * mask), codes))


def further_sets(evidence: Evidence, task: str, spared: set[int], l2: float) -> dict[str, list[Found]]:
    """Judgements by ranking on SETS sets, each with ERRORS people made wrong who are not in `spared`."""
    photos = evidence.photos
    people = photos.drop_duplicates("person_id").sort_values("person_id")["person"].tolist()
    free = np.array([w for w in range(len(people)) if w not in spared])
    found: dict[str, list[Found]] = {}
    for k in range(SETS):
        wrong = generator(k, "benchmark: planted", task).choice(free, ERRORS, replace=False)
        planted = shifted(photos, task, wrong)
        p, codes = predict_out_of_fold(task, evidence.components, evidence.answers, planted, l2)
        one = replace(evidence, photos=planted, p={task: p}, codes={task: codes})
        for name, scores in rankings(one, task, l2).items():
            asked = [people[w] for w in free]  # who is wrong already would rank high, and rightly
            found.setdefault(name, []).append(judgement(scores[free], asked, {people[w] for w in wrong}))
    return found


def judgement(scores: np.ndarray, names: list[str], wrong: set[str]) -> Found:
    return rank_planted([names[i] for i in np.lexsort((names, -np.round(scores, 9)))], wrong, len(names))


def run(planted: Path) -> None:
    """Prints both tables."""
    stage = Stage("audit", load_params(Path("params.yaml")))
    l2 = stage.params.audit.l2
    evidence = gather_evidence(photo_table(stage), stage)
    names = evidence.photos.drop_duplicates("person_id").sort_values("person_id")["person"].tolist()
    print("task,ranking,average_precision,recall_first_5_percent,rows_to_90_percent,errors,people")
    spared = {}
    for task, errors in planted_people(planted).items():
        wrong = {n for n in names if n in errors or n.split("_")[0] in errors}
        spared[task] = {names.index(n) for n in wrong}
        for name, scores in rankings(evidence, task, l2).items():
            f = judgement(scores, names, wrong)
            print(
                f"{task},{name!r},{f.average_precision:.3f},{f.recall_first:.2f},{f.rows_to_90},"
                f"{f.errors},{len(names)}",
                flush=True,
            )
    print(f"\n{SETS} further sets of {ERRORS} errors")
    print("task,ranking,average_precision,least,most,recall_first_5_percent")
    for task in ("gender", "mask"):
        for name, sets in further_sets(evidence, task, spared[task], l2).items():
            ap = [f.average_precision for f in sets]
            recall = np.mean([f.recall_first for f in sets])
            print(f"{task},{name!r},{np.mean(ap):.3f},{min(ap):.3f},{max(ap):.3f},{recall:.2f}", flush=True)


def command_line(description: str | None) -> Path:
    """planted.csv, the one argument; ends the process where there is no such file, or after --help."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("planted", type=Path, help="planted.csv of the set: who is mislabelled")
    planted: Path = parser.parse_args().planted
    if not planted.is_file():
        parser.error(f"there is no file {planted}; name planted.csv of the set")
    return planted


def main() -> None:
    """The command."""
    planted = command_line(__doc__)
    with threadpoolctl.threadpool_limits(1):
        run(planted)


if __name__ == "__main__":
    main()
