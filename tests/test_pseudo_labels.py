"""`train.pseudo_labels`: confident answers about photos without labels are learnt, and never validated on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.errors import UserError
from pipeline.inference import probabilities
from pipeline.training.data import Pictures
from pipeline.training.network import classifier
from stages import train
from stages.command import Stage
from stages.training_set import training_set
from stages.unlabelled import Guesses
from tests.small_set import small_params, write_build
from tests.small_training import curve, same, trained, weights

pytestmark = pytest.mark.usefixtures("project")


def told() -> dict[str, object]:
    config = json.loads(Path("build/model/config.json").read_text(encoding="utf-8"))
    return config["folds"]["0"].get("pseudo_labels")


def test_confident_answers_are_learnt_in_a_second_round() -> None:
    write_build(evals=20)
    settings: dict[str, object] = {"epochs": 5, "lr": 0.02}
    trained(small_params(**settings))
    assert told() is None
    plain, first = weights(), curve("train/loss")
    trained(small_params(**settings, pseudo_labels=0.5))
    found = told()
    assert found
    assert found["photos"] == 20
    assert 0 < int(str(found["added"])) <= 20
    assert sum(found["class_counts"]) == found["added"]  # type: ignore[arg-type]
    assert curve("train/loss")[:5] == first  # the first round is the plain training
    assert len(curve("train/loss")) == 10
    assert not same(weights(), plain)


def test_nothing_confident_leaves_the_training_as_it_is() -> None:
    write_build(12)
    trained(small_params(epochs=1))
    plain = weights()
    trained(small_params(epochs=1, pseudo_labels=0.9999))
    assert told() == {"photos": 3, "added": 0, "class_counts": [0] * 18}
    assert same(weights(), plain)
    assert len(curve("train/loss")) == 1


def test_only_answers_above_the_threshold_count_asked_with_the_mirror_image() -> None:
    write_build(evals=20)
    params = small_params(pseudo_labels=0.062)
    more = training_set(Stage("train", params)).unlabelled
    assert more
    torch.manual_seed(0)
    net = classifier(params.train, weights=False)
    p = probabilities(net, Pictures((more.pixels,)), params.train, flip=True)
    guesses = more.guesses(net.net.state_dict())
    assert 0 < len(guesses) < 20, f"choose a threshold within {p.max(axis=1)}"
    assert guesses.rows.tolist() == np.flatnonzero(p.max(axis=1) >= 0.062).tolist()
    assert guesses.classes.tolist() == p.argmax(axis=1)[guesses.rows].tolist()


def test_guesses_join_what_is_learnt_and_never_validation() -> None:
    write_build()
    data = training_set(Stage("train", small_params(pseudo_labels=0.5)))
    learn, valid = data.sides(0)
    guesses = Guesses(np.array([2, 0]), np.array([17, 3]))
    more, same_valid = data.sides(0, guesses)
    assert len(more) == len(learn) + 2
    assert more.classes[-2:].tolist() == [17, 3]
    assert more.years[-2:].tolist() == [60, 20]  # medians of the old and of the young who are learnt
    assert data.unlabelled
    assert torch.equal(
        more.fetched(np.array([len(learn), len(learn) + 1]), 0),
        torch.from_numpy(data.unlabelled.pixels[[2, 0]]),
    )
    assert torch.equal(more.fetched(np.arange(5), 0), learn.fetched(np.arange(5), 0))
    assert len(set(more.keys.tolist())) == len(more)
    assert same_valid.rows.tolist() == valid.rows.tolist()
    assert same_valid.rows.max() < len(data.table)


@pytest.mark.parametrize("stopped_after", [1, 4])
def test_stopped_in_either_round_it_ends_as_if_it_had_not_been(stopped_after: int) -> None:
    write_build(12, evals=8)
    stage = Stage("train", small_params(epochs=3, pseudo_labels=0.1))
    data = training_set(stage)

    def stop(history: list[dict[str, float]]) -> None:
        if len(history) == stopped_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.trained(stage, data, 0, Path("a/fold0.pt"), stop)
    resumed = train.trained(stage, data, 0, Path("a/fold0.pt"), lambda _: None)
    whole = train.trained(stage, data, 0, Path("b/fold0.pt"), lambda _: None)
    assert same(resumed.progress.state, whole.progress.state)
    assert resumed.progress.history == whole.progress.history
    assert whole.pseudo_labels == resumed.pseudo_labels
    assert whole.pseudo_labels
    assert whole.pseudo_labels["added"] > 0


def test_without_photos_to_predict_it_is_refused_before_any_training() -> None:
    write_build(12)
    rows = pd.read_parquet("build/eval.parquet")
    rows.assign(image="").to_parquet("build/eval.parquet")
    with pytest.raises(UserError, match="no photos without labels"):
        trained(small_params(pseudo_labels=0.9))
    assert not Path("build/model").exists()
