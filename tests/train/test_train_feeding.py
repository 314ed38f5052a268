"""What the network is fed in a real training: augmentation, sampler, mixing, weights, other backgrounds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.io.tables import write_table
from pipeline.params import Params
from pipeline.runtime.errors import UserError
from pipeline.seeds import seed_of
from pipeline.train.augment.recipe import Recipe, recipe_names
from pipeline.train.data import Examples
from pipeline.train.network import to_images
from pipeline.train.sampling import epoch_order
from stages.shared.training_set import subset
from tests.fixtures.small_set import SIZE, small_params, write_build
from tests.fixtures.small_training import before, curve, followed, learnt_from, same, trained, weights

pytestmark = pytest.mark.usefixtures("project")
GROUPS = {"mask": np.arange(18) // 6, "gender": np.arange(18) // 3 % 2, "age": np.arange(18) % 3}


def one_batch(**changes: object) -> Params:
    """Params under which the first epoch's loss is that of all 48 pictures before anything is learnt."""
    return small_params(**{"batch_size": 48, "epochs": 1} | changes)


def log_answers(params: Params, images: np.ndarray) -> np.ndarray:
    """Logarithms of the softmax of what the untrained network says about uint8 [n, S, S, 3]."""
    planes = torch.from_numpy(images.astype(np.float32) / 255).permute(0, 3, 1, 2)
    return before(params)(planes).log_softmax(dim=1).detach().double().numpy()


@pytest.mark.parametrize("augment", [*recipe_names(), "blur", ["flip", "noise"]], ids=str)
def test_each_recipe_trains_and_changes_what_is_learnt(augment: str | list[str]) -> None:
    write_build(12, synthetic=False)
    trained(small_params(epochs=1))
    plain = weights()
    trained(small_params(epochs=1, augment=augment))
    assert np.isfinite(curve("train/loss")).all()
    assert same(weights(), plain) == (augment == "none")


@dataclass
class Watched:
    """Sits where other backgrounds come from and notes which pictures are asked for."""

    seen: list[np.ndarray] = field(default_factory=list)

    def swap_backgrounds(
        self, pixels: torch.Tensor, where: np.ndarray, keys: np.ndarray, epoch: int
    ) -> torch.Tensor:
        del keys, epoch
        self.seen.append(where)
        return pixels

    def with_more(self, count: int) -> Watched:
        raise NotImplementedError(count)


def uneven(params: Params) -> Examples:
    """12 pictures each of the young and of those in between, but 3 of the old and none with a wrong mask."""
    learn = learnt_from(params)
    few = np.flatnonzero(learn.classes % 3 == 2)[:3]
    right = learn.classes // 6 != 1
    return subset(learn, (right & (learn.classes % 3 != 2)) | np.isin(np.arange(len(learn)), few))


@pytest.mark.parametrize("sampler", ["none", "class", "age"])
def test_a_training_draws_what_the_sampler_says(sampler: str) -> None:
    write_build(12)
    params = small_params(epochs=15, sampler=sampler)
    learn, watched = uneven(params), Watched()
    followed(params, replace(learn, plates=watched))
    drawn = np.concatenate(watched.seen)
    assert len(drawn) == 15 * len(learn)
    groups = learn.classes if sampler == "class" else learn.classes % 3
    shares = np.bincount(groups[drawn]) / len(drawn)
    there = np.bincount(groups) > 0
    even = np.bincount(groups) / len(groups) if sampler == "none" else there / there.sum()
    np.testing.assert_allclose(shares, even, atol=1e-9 if sampler == "none" else 0.06)


def test_a_training_with_one_mask_learns_three_photos_of_each_person_an_epoch() -> None:
    write_build(12)
    params = small_params(epochs=4, sampler="one_mask")
    learn, watched = learnt_from(params), Watched()
    followed(params, replace(learn, plates=watched))
    kinds = learn.classes // 6
    shown = np.bincount(kinds[np.concatenate(watched.seen)])
    assert shown[0] == shown[1] == shown[2] == 4 * len(np.unique(learn.alike)) / 3
    assert np.bincount(kinds)[0] > np.bincount(kinds)[1]


def weighed(counts: np.ndarray, kind: str, beta: float) -> np.ndarray:
    """The weights by hand: of a class that is not there none, and 1 on average over the pictures."""
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = {
            "none": np.ones(len(counts)),
            "inverse": 1 / counts,
            "effective": (1 - beta) / (1 - beta**counts),
        }
    own = np.where(counts > 0, raw[kind], 0)
    return own / (own * counts).sum() * counts.sum()


@pytest.mark.parametrize("heads", ["joint", "multitask"])
@pytest.mark.parametrize("kind", ["none", "inverse", "effective"])
def test_the_loss_of_a_training_is_weighed_by_hand(kind: str, heads: str) -> None:
    write_build(12)
    params = one_batch(class_weights=kind, effective_beta=0.9, heads=heads)
    learn = uneven(params)
    (found,) = followed(params, learn)
    images = learn.load_batch(np.arange(len(learn)), 0).numpy()
    if heads == "joint":
        parts = [(log_answers(params, images), learn.classes)]
    else:
        net = before(params)
        planes = torch.from_numpy(images.astype(np.float32) / 255).permute(0, 3, 1, 2)
        three = net(planes).split([3, 2, 3], dim=1)
        logs = [part.log_softmax(dim=1).detach().double().numpy() for part in three]
        parts = [(log, group[learn.classes]) for log, group in zip(logs, GROUPS.values(), strict=True)]
    losses = []
    for log, codes in parts:
        weight = weighed(np.bincount(codes, minlength=log.shape[1]), kind, 0.9)
        losses.append(-(weight[codes] * log[np.arange(len(codes)), codes]).mean())
    assert found.history[0]["train/loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    ratio = weighed(np.bincount(learn.classes, minlength=18), kind, 0.9)
    assert (np.ptp(ratio[ratio > 0]) > 0.5) == (kind != "none"), "the classes are even: this shows nothing"


def test_cutmix_pastes_the_eyes_that_the_detector_found() -> None:
    table = write_build(12)
    blind = set(table["image"].iloc[::5])  # no face was found there
    eyes = [20.0, 24.0, 44.0, 24.0, 32.0, 34.0, 24.0, 44.0, 40.0, 44.0]
    rows = pd.DataFrame({"image": table["image"]})
    write_table(
        Path("build/boxes.parquet"),
        rows.assign(landmarks=[[] if image in blind else eyes for image in rows["image"]]),
    )
    params = one_batch(heads="joint", mix="cutmix", cutmix_boxes="eyes", mix_probability=1.0)
    learn = learnt_from(params)
    # eyes 24 px apart about (32, 24) of a square of 64 px: from (8, 13.2) to (56, 34.8)
    known = ~np.isnan(learn.eyes[:, 0])
    np.testing.assert_allclose(learn.eyes[known], np.tile([0.125, 0.20625, 0.875, 0.54375], (known.sum(), 1)))
    assert 0 < (~known).sum() < len(learn) / 2
    order = epoch_order(learn.classes, learn.alike, learn.weights, "none", seed_of(params.train.seed, 0), 0)
    images, classes = learn.load_batch(order, 0).numpy(), learn.classes[order]
    pasted = known[order][::-1]  # the partner is the one at the mirrored place
    mixed, answers = images.copy(), np.eye(18)[classes]
    mixed[pasted, 7:17, 4:28] = images[::-1][pasted, 7:17, 4:28]
    share = 10 * 24 / SIZE**2
    answers[pasted] = (1 - share) * answers[pasted] + share * np.eye(18)[classes[::-1]][pasted]
    expected = -(answers * log_answers(params, mixed)).sum(axis=1).mean()
    plain = -log_answers(params, images)[np.arange(len(classes)), classes].mean()
    trained(params)
    assert curve("train/loss")[0] == pytest.approx(expected, rel=1e-5)
    assert abs(expected - plain) > 1e-3, "pasting makes no difference: this shows nothing"


def test_eyes_are_hidden_where_the_detector_found_them() -> None:
    table = write_build(12, synthetic=False)
    points = [20.0, 24.0, 44.0, 24.0, 32.0, 34.0, 24.0, 44.0, 40.0, 44.0]
    rows = pd.DataFrame({"image": table["image"]})
    write_table(Path("build/boxes.parquet"), rows.assign(landmarks=[points] * len(rows)))
    params = one_batch(heads="joint", augment="occlude_eyes", mix="none")
    learn = learnt_from(params)
    order = epoch_order(learn.classes, learn.alike, learn.weights, "none", seed_of(params.train.seed, 0), 0)
    images, classes = learn.load_batch(order, 0), learn.classes[order]
    planes = to_images(images, torch.device("cpu"))
    shown = Recipe("occlude_eyes")(planes, learn.keys[order], 0, learn.eyes[order])
    hidden = (shown != planes).flatten(1).any(dim=1)
    assert 0.2 < hidden.float().mean() < 0.8
    assert (shown[hidden][:, :, 7:17, 4:28] == 0.5).all()

    def loss(pictures: torch.Tensor) -> float:
        log_p = before(params)(pictures).log_softmax(dim=1).detach().double().numpy()
        return -log_p[np.arange(len(classes)), classes].mean()

    trained(params)
    assert curve("train/loss")[0] == pytest.approx(loss(shown), rel=1e-5)
    assert abs(loss(shown) - loss(planes)) > 1e-3, "hiding makes no difference: this shows nothing"


def test_other_backgrounds_that_nobody_made_are_missed_before_any_training() -> None:
    write_build(12)
    with pytest.raises(UserError, match="dvc repro plates"):
        trained(small_params(background_swap=0.5))
    assert not Path("build/model").exists()
