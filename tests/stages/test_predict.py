"""The predict stage: the submission's order, photos that are missing, the distribution."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluate.prior import corrected, estimated_prior
from pipeline.io.tables import write_table
from pipeline.params import Params
from stages import predict, train
from stages.shared.command import Stage
from stages.shared.model import predict_each, read_config
from tests.fixtures.small_set import small_params, write_build

pytestmark = pytest.mark.usefixtures("project")


def submitted(params: Params, limit: int | None = None) -> pd.DataFrame:
    predict.run(Stage("predict", params, limit))
    return pd.read_csv("quick/reports/submission.csv" if limit else "reports/submission.csv")


def test_keeps_the_order_and_answers_missing_photos_with_the_most_frequent_class(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_build()
    labels = pd.read_parquet("build/labels.parquet")
    labels.loc[labels["true_class"] == 2, "train_class"] = 1  # makes 1 the most frequent
    labels.to_parquet("build/labels.parquet")
    params = small_params(epochs=8, lr=0.02)
    train.run(Stage("train", params))
    found = submitted(params)
    assert found["ImageID"].tolist() == ["e0.jpg", "e1.jpg", "e2.jpg", "lost.jpg"]
    assert found["ans"].tolist() == [15, 15, 15, 1]  # young women without a mask; nobody looked at the last
    said = capsys.readouterr().err
    assert "1 photos are missing" in said
    assert "lost.jpg" in said
    told = json.loads(Path("reports/predict.json").read_text(encoding="utf-8"))
    assert told["classes"][15]["predicted"] == 3
    assert told["classes"][1]["predicted"] == 0  # a guess is no prediction
    assert sum(c["training"] for c in told["classes"]) == len(labels)


def test_all_folds_are_averaged() -> None:
    from pipeline.train.config import resolve_config
    from pipeline.train.data import Pictures
    from pipeline.train.inference import load_model, predict_probabilities
    from stages.shared.model import read_config

    write_build(12)
    params = small_params(folds="all", epochs=1)
    stage = Stage("train", params)
    train.run(stage)
    images = ["eval/images/e0.jpg", "eval/images/e1.jpg"]
    config = read_config()
    each = predict_each(config, [0, 1], images, stage, params.predict)
    single = [predict_each(config, [fold], images, stage, params.predict)[0] for fold in (0, 1)]
    np.testing.assert_array_equal(each, single)
    assert (single[0] != single[1]).any()
    resolved = resolve_config(config.train)
    model = load_model(Path("build/model"), resolved, 0)
    blank = Pictures((np.zeros((1, 32, 32, 3), np.uint8),))
    assert predict_probabilities(model, blank, resolved).sum() == pytest.approx(1)


def test_probabilities_are_published_beside_the_answers() -> None:
    write_build(12)
    params = small_params(epochs=3, lr=0.02)
    train.run(Stage("train", params))
    found = submitted(params)
    p = pd.read_csv("reports/submission_probabilities.csv")
    assert p["ImageID"].tolist() == found["ImageID"].tolist()
    table = p[[f"p{c}" for c in range(18)]].to_numpy()
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-5)
    assert table[:3].argmax(axis=1).tolist() == found["ans"].tolist()[:3]
    learnt = np.array(read_config().class_counts)
    np.testing.assert_allclose(table[3], learnt / learnt.sum(), atol=1e-6)  # nobody looked at the last


def test_models_of_several_folds_vote_hard_or_soft() -> None:
    write_build(12)
    params = small_params(folds="all", epochs=1, lr=0.05)
    train.run(Stage("train", params))
    images = [f"eval/images/e{k}.jpg" for k in range(3)]
    each = predict_each(read_config(), [0, 1], images, Stage("predict", params), params.predict)
    first, second = each.argmax(axis=2)
    assert (first != second).any(), "the two models agree about everything: this shows nothing"
    for vote, expected in (("soft", each.mean(axis=0).argmax(axis=1)), ("hard", first)):  # a tie: the first
        how = params.predict.model_copy(update={"vote": vote})
        found = submitted(params.model_copy(update={"predict": how}))
        assert found["ans"].tolist()[:3] == expected.tolist()


def test_prior_correction_tells_the_mix_and_answers_by_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_build(evals=40)
    params = small_params(epochs=2, lr=0.01)
    train.run(Stage("train", params))
    plain = submitted(params)["ans"].to_numpy()[:-1]
    assert json.loads(Path("reports/predict.json").read_text(encoding="utf-8"))["prior"] is None
    how = params.predict.model_copy(update={"prior_correction": True})
    found = submitted(params.model_copy(update={"predict": how}))["ans"].to_numpy()[:-1]
    told = json.loads(Path("reports/predict.json").read_text(encoding="utf-8"))["prior"]
    images = sorted((f"eval/images/e{k}.jpg" for k in range(40)), key=lambda i: int(i[13:-4]))
    config = read_config()
    p = predict_each(config, [0], images, Stage("predict", params), params.predict)[0]
    mix = estimated_prior(p, np.array(config.learnt_mix[0]))
    np.testing.assert_allclose(told["estimated_mix"], mix)
    np.testing.assert_allclose(told["learnt_mix"], config.learnt_mix[0])
    assert found.tolist() == corrected(p, np.array(config.learnt_mix[0]), mix).argmax(axis=1).tolist()
    assert told["changed_answers"] == (found != plain).sum() > 0
    assert "class prior (learnt → estimated)" in capsys.readouterr().err


def test_no_eval_folder_gives_a_header_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    write_build(12)
    params = small_params(epochs=1)
    train.run(Stage("train", params))
    none = pd.DataFrame({"ImageID": [], "image": [], "position": []})
    write_table(
        Path("build/eval.parquet"), none.astype({"ImageID": "str", "image": "str", "position": "int64"})
    )
    assert submitted(params).empty
    assert Path("reports/submission.csv").read_text(encoding="utf-8") == "ImageID,ans\n"
    assert "no photos to predict" in capsys.readouterr().err


def test_limit_predicts_the_first_photos_below_quick() -> None:
    write_build(12)
    params = small_params(epochs=1)
    train.run(Stage("train", params))
    assert submitted(params, limit=2)["ImageID"].tolist() == ["e0.jpg", "e1.jpg"]
