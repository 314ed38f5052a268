"""The evaluate stage: what it scores, against what, and what it writes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from cleanplate.comparison.alignment import align
from cleanplate.comparison.verdict import compare
from pipeline.params import Params
from pipeline.runtime.errors import UserError
from stages import evaluate, train
from stages.shared.command import Stage
from tests.fixtures.small_set import small_params, write_build

pytestmark = pytest.mark.usefixtures("project")


def scored(params: Params, limit: int | None = None) -> dict[str, dict[str, float]]:
    evaluate.run(Stage("evaluate", params, limit))
    folder = Path("quick/reports" if limit else "reports")
    return json.loads((folder / "evaluate.json").read_text(encoding="utf-8"))


def test_scores_unseen_people_against_the_truth_with_intervals() -> None:
    table = write_build()
    params = small_params(epochs=8, lr=0.02)
    train.run(Stage("train", params))
    found = scored(params)
    rows = pd.read_parquet("reports/predictions.parquet")
    held = table[table["fold"] == 0].sort_values("image")
    assert rows.columns.tolist() == [
        *("image", "person", "fold", "true_class", "predicted"),
        *(f"p{c}" for c in range(18)),
    ]
    assert rows["image"].tolist() == held["image"].tolist()
    assert rows["true_class"].tolist() == held["true_class"].tolist()
    p = rows[[f"p{c}" for c in range(18)]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-9)
    assert (p.argmax(axis=1) == rows["predicted"]).all()
    expected = f1_score(rows["true_class"], rows["predicted"], average="macro", zero_division=0)
    assert found["macro_f1"]["value"] == pytest.approx(expected)
    assert found["macro_f1"]["low"] <= expected <= found["macro_f1"]["high"]
    ages = f1_score(rows["true_class"] % 3, rows["predicted"] % 3, average="macro", zero_division=0)
    assert found["age"]["macro_f1"]["value"] == pytest.approx(ages)  # type: ignore[index]
    assert found["people"] == held["person"].nunique()
    assert found["photos"] == len(held)


def test_score_is_that_of_the_best_epoch_of_training() -> None:
    write_build()
    params = small_params(epochs=4, lr=0.02)
    train.run(Stage("train", params))
    best = json.loads(Path("build/model/config.json").read_text(encoding="utf-8"))["folds"]["0"]["macro_f1"]
    assert scored(params)["macro_f1"]["value"] == pytest.approx(best)


def test_intervals_are_those_that_compare_shows() -> None:
    write_build()
    params = small_params(epochs=1)
    train.run(Stage("train", params))
    found = scored(params)
    rows = pd.read_parquet("reports/predictions.parquet")
    drawn = compare(align({"it": rows}), [("it", "it")], draws=params.evaluate.bootstrap, seed=0)
    assert drawn.scores["it"]["macro_f1"] == found["macro_f1"]
    assert drawn.scores["it"]["age.macro_f1"] == found["age"]["macro_f1"]


def test_all_folds_answer_for_every_person_by_the_model_that_did_not_learn_them() -> None:
    table = write_build(12)
    params = small_params(folds="all", epochs=1)
    train.run(Stage("train", params))
    scored(params)
    rows = pd.read_parquet("reports/predictions.parquet").merge(table[["image", "fold"]], on="image")
    assert set(rows["image"]) == set(table["image"])
    assert (rows["fold_x"] == rows["fold_y"]).all()


def test_confusion_tables_hold_a_row_per_photo_in_words() -> None:
    write_build(12)
    params = small_params(epochs=1)
    train.run(Stage("train", params))
    scored(params)
    rows = pd.read_parquet("reports/predictions.parquet")
    gender = pd.read_csv("reports/confusion/gender.csv")
    assert gender.columns.tolist() == ["actual", "predicted"]
    assert (gender["actual"] == np.where(rows["true_class"] // 3 % 2, "female", "male")).all()
    assert (gender["predicted"] == np.where(rows["predicted"] // 3 % 2, "female", "male")).all()
    assert sorted(f.name for f in Path("reports/confusion").glob("*.csv")) == [
        *("age.csv", "class.csv", "gender.csv", "mask.csv")
    ]


def test_repeats_byte_for_byte_and_tta_changes_the_answers_only_a_little() -> None:
    write_build(12)
    params = small_params(epochs=2)
    train.run(Stage("train", params))
    scored(params)
    first = Path("reports/metrics.json").read_bytes()
    plain = pd.read_parquet("reports/predictions.parquet")["p0"].to_numpy()
    scored(params)
    assert Path("reports/metrics.json").read_bytes() == first
    how = params.evaluate.model_copy(update={"tta_flip": True, "tta_scales": (1.0, 1.1)})
    scored(params.model_copy(update={"evaluate": how}))
    views = pd.read_parquet("reports/predictions.parquet")["p0"].to_numpy()
    assert (views != plain).any()


def test_limit_scores_that_many_people_below_quick() -> None:
    write_build(12)
    params = small_params(epochs=1)
    train.run(Stage("train", params))
    assert scored(params, limit=2)["people"] == 2
    assert not Path("reports/metrics.json").exists()


def test_no_model_is_one_sentence() -> None:
    write_build(12)
    with pytest.raises(UserError, match="dvc repro train"):
        scored(small_params())
