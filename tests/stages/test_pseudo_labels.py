"""`train.pseudo_labels`: confident answers about photos without labels are learnt, and never validated on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.io.image_store import ImageStore, atomic_images
from pipeline.io.tables import write_table
from pipeline.runtime.errors import UserError
from pipeline.train.background_swap import Plates
from pipeline.train.config import resolve_config
from pipeline.train.data import Pictures
from pipeline.train.inference import predict_probabilities
from pipeline.train.network import make_classifier
from stages import train
from stages.shared.command import Stage
from stages.shared.pseudo_labels import PseudoLabels
from stages.shared.training_set import training_set
from tests.fixtures.small_set import SIZE, small_params, write_build
from tests.fixtures.small_training import curve, same, trained, weights

pytestmark = pytest.mark.usefixtures("project")


def told() -> Any:
    """What config.json says of fold 0."""
    config = json.loads(Path("build/model/config.json").read_text(encoding="utf-8"))
    return config["folds"]["0"].get("pseudo_labels")


def guessed(rows: list[int], classes: list[int]) -> PseudoLabels:
    return PseudoLabels(np.array(rows), np.array(classes), np.ones(len(rows)), 0.5, 3, 1.0)


def test_confident_answers_are_learnt_in_a_second_round(capsys: pytest.CaptureFixture[str]) -> None:
    write_build(evals=20)
    settings: dict[str, object] = {"epochs": 5, "lr": 0.02}
    trained(small_params(**settings))
    assert told() is None
    plain, first = weights(), curve("train/loss")
    trained(small_params(**settings, pseudo_labels=0.5))
    found = told()
    assert found["photos"] == 20
    assert 0 < found["added"] <= 20
    assert sum(found["class_counts"]) == found["added"]
    assert 0.5 <= found["mean_confidence"] <= 1
    said = f"{found['added']} of 20 photos without labels have a confidence of 0.5 or more, on average at"
    assert f"{said} {found['mean_confidence']:.3f}" in capsys.readouterr().err
    assert curve("train/loss")[:5] == first  # the first round is the plain training
    assert len(curve("train/loss")) == 10
    assert not same(weights(), plain)


def test_nothing_confident_leaves_the_training_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    write_build(12)
    trained(small_params(epochs=1))
    plain = weights()
    trained(small_params(epochs=1, pseudo_labels=0.9999))
    assert told() == {"photos": 3, "added": 0, "mean_confidence": None, "class_counts": [0] * 18}
    assert "0 of 3 photos without labels have a confidence of 0.9999 or more, at most 0." in (
        capsys.readouterr().err
    )
    assert same(weights(), plain)
    assert len(curve("train/loss")) == 1


def test_only_answers_above_the_threshold_count_asked_with_the_mirror_image() -> None:
    write_build(evals=20)
    params = small_params(pseudo_labels=0.5)
    more = training_set(Stage("train", params)).unlabelled
    assert more
    torch.manual_seed(0)
    config = resolve_config(params.train)
    net = make_classifier(config, weights=False)
    p = predict_probabilities(net, Pictures((more.pixels,)), config, flip=True)
    sure = p.max(axis=1)
    least = float(np.sort(sure)[12])
    guesses = replace(more, params=small_params(pseudo_labels=least)).predict(net.net.state_dict())
    assert guesses.rows.tolist() == np.flatnonzero(sure >= least).tolist()
    assert len(guesses) == 8
    assert guesses.classes.tolist() == p.argmax(axis=1)[guesses.rows].tolist()
    assert guesses.confidence.tolist() == sure[guesses.rows].tolist()
    assert guesses.max_confidence == sure.max()


def test_guesses_join_what_is_learnt_and_never_validation() -> None:
    write_build()
    data = training_set(Stage("train", small_params(pseudo_labels=0.5)))
    learn, valid = data.sides(0)
    guesses = guessed([2, 0], [17, 3])
    more, same_valid = data.sides(0, guesses)
    assert len(more) == len(learn) + 2
    assert more.classes[-2:].tolist() == [17, 3]
    assert more.years[-2:].tolist() == [60, 20]  # medians of the old and of the young who are learnt
    assert data.unlabelled
    assert torch.equal(
        more.load_batch(np.array([len(learn), len(learn) + 1]), 0),
        torch.from_numpy(data.unlabelled.pixels[[2, 0]]),
    )
    assert torch.equal(more.load_batch(np.arange(5), 0), learn.load_batch(np.arange(5), 0))
    assert len(set(more.keys.tolist())) == len(more)
    assert same_valid.rows.tolist() == valid.rows.tolist()
    assert valid.rows.max() < len(data.table)


def test_their_background_stays_and_their_eyes_are_known() -> None:
    write_build()
    n = len(training_set(Stage("train", small_params())).table)
    data = training_set(Stage("train", small_params(pseudo_labels=0.5)))
    assert data.unlabelled
    plates = Plates(
        share=1.0,
        mattes=np.zeros((1, SIZE, SIZE, 3), np.uint8),  # nobody: all of a swapped picture is background
        backgrounds=np.full((1, SIZE, SIZE, 3), 7, np.uint8),
        matte_of=np.zeros(n, np.int64),
        inside=np.tile([0.0, 0.0, 1.0, 1.0], (n, 1)),
        people=np.arange(n),
        offered=np.zeros(1, np.int64),
        owners=np.array([-1]),
    )
    eyes = np.arange(12, dtype=np.float32).reshape(3, 4)
    learn = replace(data.examples, plates=plates)
    more = replace(data.unlabelled, eyes=eyes).add_to(learn, guessed([2, 0], [17, 3]))
    assert more.eyes[-2:].tolist() == eyes[[2, 0]].tolist()
    fed = more.load_batch(np.array([0, n, n + 1]), 0).numpy()
    assert (fed[0] == 7).all()
    assert np.array_equal(fed[1:], data.unlabelled.pixels[[2, 0]])


def test_packed_in_shards_it_ends_the_same() -> None:
    write_build(12, evals=8)
    params = small_params(epochs=1, pseudo_labels=0.05)
    trained(params)
    files, single = weights(), told()
    crops, store = pd.read_parquet("build/images/images.parquet"), ImageStore(Path("build/images"))
    pictures = {image: store.read(image) for image in crops["image"]}
    with atomic_images(Path("build/images"), 5) as writer:
        for image, data in pictures.items():
            writer.write(image, data)
        write_table(writer.folder / "images.parquet", crops)
    assert len(list(Path("build/images").glob("*.tar"))) == 12
    trained(params)
    assert same(weights(), files)
    assert told() == single


@pytest.mark.parametrize("stopped_after", [1, 4])
def test_stopped_in_either_round_it_ends_as_if_it_had_not_been(stopped_after: int) -> None:
    write_build(12, evals=8)
    stage = Stage("train", small_params(epochs=3, pseudo_labels=0.05))  # below 1 in 18: all photos join
    data = training_set(stage)

    def stop(history: list[dict[str, float]]) -> None:
        if len(history) == stopped_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.train_fold(stage, data, 0, Path("a/fold0.pt"), stop)
    resumed = train.train_fold(stage, data, 0, Path("a/fold0.pt"), lambda _: None)
    whole = train.train_fold(stage, data, 0, Path("b/fold0.pt"), lambda _: None)
    assert same(resumed.progress.state, whole.progress.state)
    assert resumed.progress.history == whole.progress.history
    assert whole.pseudo_labels == resumed.pseudo_labels
    assert whole.pseudo_labels
    assert whole.pseudo_labels["added"] == 8


def test_without_photos_to_predict_it_is_refused_before_any_training() -> None:
    write_build(12)
    rows = pd.read_parquet("build/eval.parquet")
    rows.assign(image="").to_parquet("build/eval.parquet")
    with pytest.raises(UserError, match="no photos without labels"):
        trained(small_params(pseudo_labels=0.9))
    assert not Path("build/model").exists()
