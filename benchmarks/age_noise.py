"""How much the ages in the labels err, by two face networks that err apart.

    python -m benchmarks.age_noise TRUTH/truth.csv   (where `dvc repro faces` has run with two networks)

Of each person one photo without a mask is looked at. Each network's embedding predicts the labelled age by a
ridge regression, out of fold over people. With labels y = t + e and predictions a, b that are linear in the
true age t but for errors of their own, the one-factor model gives

    Var(t) = Cov(y, a) Cov(y, b) / Cov(a, b),   Var(e) = Var(y) - Var(t)

(Grubbs, On estimating precision of measuring instruments and product variability, Journal of the American
Statistical Association 43, 1948). What both networks miss alike makes Cov(a, b) larger and so counts as an
error of the labels: the result is an upper bound of what no face network could know. Printed with 95 %
intervals over people, and the age macro-F1 of whoever knows each age but for such an error.

truth.csv is that of a set in the competition's layout: a row per photo with the columns split, image,
person, mask (normal = none) and age (years).
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import threadpoolctl
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.learning_curve import age_score_at_best
from pipeline.seeds import generator
from stages.shared.artefacts import FACES

PENALTIES = np.logspace(0, 5, 11)
FOLDS, DRAWS = 5, 2000


def bare_photos(truth: Path) -> pd.DataFrame:
    """One photo without a mask of each person: `image` as in build/faces.parquet, `age`."""
    rows = pd.read_csv(truth, dtype={"person": str, "image": str})
    rows = rows[rows["mask"] == "normal"].sort_values("image").drop_duplicates("person")
    folder = np.where(rows["split"] == "eval", "eval/images/", "train/images/")
    keys = folder + rows["image"].to_numpy(object)
    return pd.DataFrame({"image": keys, "age": rows["age"].to_numpy(np.float64)})


def predicted_ages(embeddings: np.ndarray, age: np.ndarray) -> np.ndarray:
    """float64 [N]: each person's age in years as the others' photos teach it."""
    model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    return np.asarray(cross_val_predict(model, embeddings, age, cv=folds), np.float64)


def label_error(age: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """The standard deviation of the labels' errors in years, 0 where there is none to be seen."""
    c = np.cov(np.stack([age, one, other]))
    return float(np.sqrt(max(c[0, 0] - c[0, 1] * c[0, 2] / c[1, 2], 0.0)))


def report(photos: pd.DataFrame, faces: pd.DataFrame) -> None:
    """Prints a row per network, and one per pair of them."""
    age = photos["age"].to_numpy()
    ages: dict[str, np.ndarray] = {}
    print("network,people,mean absolute error in years,standard deviation of it")
    for network, rows in faces.groupby("network"):
        embeddings = np.stack(list(rows.set_index("image").loc[photos["image"], "embedding"]))
        ages[str(network)] = predicted_ages(embeddings.astype(np.float64), age)
        off = ages[str(network)] - age
        print(f"{network},{len(age)},{np.abs(off).mean():.2f},{off.std():.2f}", flush=True)
    print("\npair,standard deviation of the labels' errors at most,low,high,age macro-F1 at best")
    for one, other in combinations(sorted(ages), 2):
        found = label_error(age, ages[one], ages[other])
        random = generator(0, "benchmark: age noise")
        draws = [random.integers(0, len(age), len(age)) for _ in range(DRAWS)]
        spread = [label_error(age[d], ages[one][d], ages[other][d]) for d in draws]
        low, high = np.percentile(spread, [2.5, 97.5])
        best = age_score_at_best(age, found)
        print(f"{one} and {other},{found:.2f},{low:.2f},{high:.2f},{best:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path, help="the true labels, a row per photo")
    given = parser.parse_args()
    if not given.truth.is_file():
        parser.error(f"there is no file {given.truth}")
    faces = FACES.read()
    if faces["network"].nunique() < 2:
        parser.error("build/faces.parquet knows one network: set faces.network to two, e.g. [faceres, dlib]")
    with threadpoolctl.threadpool_limits(1):
        report(bare_photos(given.truth), faces)


if __name__ == "__main__":
    main()
