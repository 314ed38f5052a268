"""What more people would bring to `train.model: features`, and what ages near a bound cost.

    python -m benchmarks.learning_curve TRUTH/truth.csv   (in a folder where `dvc repro faces split` has run)

A row per number of people learnt from, drawn from those outside `split.validation_fold`: macro-F1 on that
fold (its backgrounds may be tied to the labels as in training) and on the photos of eval/, by the true labels
of truth.csv. Then the share of wrong age groups by how many years a face is from the nearest bound, and the
macro-F1 of whoever knows every age but for a normal error: where ages err so much no model scores higher.

truth.csv has a row per photo and at least the columns split (`eval` for photos of eval/), image (there the
ImageID), person, age (years), code (class, 0-17).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import threadpoolctl

from pipeline.evaluate import metrics
from pipeline.labels import MIDDLE_FROM, OLD_FROM, TASKS
from pipeline.params import load_params
from pipeline.seeds import generator
from pipeline.train.face_features import Features, fit_features, predict_features, read_features
from stages.shared.artefacts import FACES, FOLDS, LABELS

PEOPLE = (125, 250, 500, 1000)
NEEDED = ("split", "image", "person", "age", "code")  # columns of truth.csv
DRAWS = 3  # of people, for each number but the largest
DISTANCES = ((0, 3), (3, 6), (6, 11), (11, 100))  # years, first and behind the last
ERRORS = (0, 2, 4, 6, 8, 10)  # standard deviations, years
SCORES = ("macro_f1", "mask.macro_f1", "gender.macro_f1", "age.macro_f1")


def free_photos(truth: Path) -> pd.DataFrame:
    """The photos of eval/: `image`, `person`, `age` and `true_class`."""
    rows = pd.read_csv(truth, dtype={"person": str})
    rows = rows[rows["split"] == "eval"]
    keys = "eval/images/" + rows["image"].astype(str)
    return pd.DataFrame(
        {"image": keys, "person": rows["person"], "age": rows["age"], "true_class": rows["code"]}
    )


def scores_of(truth: np.ndarray, answers: np.ndarray) -> list[float]:
    """SCORES of int classes 0-17."""
    found = metrics.scores(metrics.confusion(truth, answers))
    return [float(found[name]) for name in SCORES]


def curve(table: pd.DataFrame, fold: int, free: pd.DataFrame, balanced: bool) -> np.ndarray:
    """Prints a row per number of people; int [N], the answers about `free` of all people outside the fold."""
    faces = FACES.read()
    both = read_features(faces, [*table["image"], *free["image"]])
    own, other = both.of(np.arange(len(table))), both.of(np.arange(len(table), len(both.numbers)))
    held = np.flatnonzero(table["fold"] == fold)
    people = np.array(sorted(table.loc[table["fold"] != fold, "person"].unique()))
    print("people,draws," + ",".join(f"{side} {name}" for side in ("fold", "eval") for name in SCORES))
    answers = np.zeros(0, np.int64)
    for count in (*(n for n in PEOPLE if n < len(people)), len(people)):
        rows = []
        for draw in range(DRAWS if count < len(people) else 1):
            chosen = generator(draw, "benchmark: learning curve").permutation(people)[:count]
            learn = np.flatnonzero(table["person"].isin(chosen) & (table["train_class"] >= 0))
            model = fit_features(own.of(learn), table["train_class"].to_numpy(np.int64)[learn], balanced)
            tied = scores_of(table["true_class"].to_numpy(np.int64)[held], _answers(model, own.of(held)))
            answers = _answers(model, other)
            rows.append(tied + scores_of(free["true_class"].to_numpy(np.int64), answers))
        print(f"{count},{len(rows)}," + ",".join(f"{v:.3f}" for v in np.mean(rows, axis=0)), flush=True)
    return answers


def _answers(model: dict[str, np.ndarray], features: Features) -> np.ndarray:
    return predict_features(model, features).argmax(axis=1)


def near_bounds(free: pd.DataFrame, answers: np.ndarray) -> None:
    """Prints the share of wrong age groups by the distance of the age from the nearest bound, in years."""
    age = free["age"].to_numpy(np.float64)
    # the group below a bound ends half a year under it, as ages are whole years
    distance = np.min([np.abs(age - (bound - 0.5)) for bound in (MIDDLE_FROM, OLD_FROM)], axis=0)
    group = TASKS["age"].code_of
    wrong = group(answers) != group(free["true_class"].to_numpy(np.int64))
    print("\nyears from a bound,photos,wrong age group,share of all that are wrong")
    for low, high in DISTANCES:
        inside = (distance >= low) & (distance < high)
        part = wrong[inside].sum() / wrong.sum()
        print(f"{low} to {high - 1},{inside.sum()},{wrong[inside].mean():.3f},{part:.3f}")


def ceilings(free: pd.DataFrame) -> None:
    """Prints the age macro-F1 of whoever knows each person's age but for a normal error."""
    age = free.drop_duplicates("person")["age"].to_numpy(np.float64)
    print("\nstandard deviation of an age in years,age macro-F1 at best")
    for sd in ERRORS:
        print(f"{sd},{age_score_at_best(age, sd):.3f}", flush=True)


def age_score_at_best(age: np.ndarray, sd: float) -> float:
    """The age macro-F1 of whoever knows these ages in years but for a normal error; mean of 50 draws."""
    truth = np.digitize(age, [MIDDLE_FROM, OLD_FROM])
    found = []
    for draw in range(50):
        said = age + sd * generator(draw, "benchmark: age error").standard_normal(len(age))
        confusion = np.zeros((3, 3))
        np.add.at(confusion, (truth, np.digitize(np.round(said), [MIDDLE_FROM, OLD_FROM])), 1)
        hits = np.diag(confusion)
        found.append(np.mean(2 * hits / (confusion.sum(axis=0) + confusion.sum(axis=1))))
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path, help=f"the true labels: {', '.join(NEEDED)}")
    given = parser.parse_args()
    if not given.truth.is_file():
        parser.error(f"there is no file {given.truth}; name a table with {', '.join(NEEDED)}")
    columns = list(pd.read_csv(given.truth, nrows=0).columns)
    if missing := [name for name in NEEDED if name not in columns]:
        parser.error(
            f"{given.truth} lacks the columns {', '.join(missing)}; it has {', '.join(columns)}; "
            f"name a table with {', '.join(NEEDED)}"
        )
    params = load_params(Path("params.yaml"))
    labels = LABELS.read("image", "person", "true_class", "train_class")
    table = labels.merge(FOLDS.read("person", "fold"), on="person").sort_values("image", ignore_index=True)
    free = free_photos(given.truth)
    with threadpoolctl.threadpool_limits(1):
        balanced = params.train.class_weights == "inverse"
        near_bounds(free, curve(table, params.split.validation_fold, free, balanced))
    ceilings(free)


if __name__ == "__main__":
    main()
