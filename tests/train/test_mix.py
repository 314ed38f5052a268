"""Mixup and CutMix: what is pasted where, and that answers are mixed by what is left of a picture."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.objective.objective import target_of
from pipeline.objective.target import Target
from pipeline.params.learning import Train
from pipeline.train.augment.recipe import Recipe
from pipeline.train.boxes import eyes_box, in_boxes
from pipeline.train.data import Examples, Pictures, keys_of
from pipeline.train.loop import network_on
from pipeline.train.mix import Mixer, paste_boxes

SIZE, COUNT = 20, 64
KEYS = keys_of([f"p{i}" for i in range(COUNT)], 0)
NO_EYES = np.full((COUNT, 4), np.nan, np.float32)


def mixed(
    eyes: np.ndarray = NO_EYES, epoch: int = 0, **params: object
) -> tuple[torch.Tensor, Target, torch.Tensor]:
    """Mixed pictures and answers of a batch whose picture i is all i / COUNT; and each one's own share."""
    images = (torch.arange(COUNT) / COUNT).view(-1, 1, 1, 1).expand(-1, 3, SIZE, SIZE).contiguous()
    classes = np.arange(COUNT) % 9 + (np.arange(COUNT) >= COUNT // 2) * 9  # partners never share a class
    years = np.arange(COUNT, dtype=np.float32)
    target = target_of(classes, years, torch.device("cpu"))
    train = Train.model_validate({"mix_probability": 1.0, **params})
    out, answer, _ = Mixer(train)(images, target, KEYS, eyes, epoch)
    own = ((out - images.flip(0)) / (images - images.flip(0))).mean(dim=(1, 2, 3))
    return out, answer, own


@pytest.mark.parametrize("params", [{"mix": "mixup"}, {"mix": "cutmix"}, {"mix": "both"}], ids=str)
def test_answers_are_mixed_as_the_pixels_are(params: dict[str, object]) -> None:
    _, answer, own = mixed(**params)
    torch.testing.assert_close(answer.classes.sum(dim=1), torch.ones(COUNT))
    torch.testing.assert_close(
        answer.classes.max(dim=1).values, torch.maximum(own, 1 - own), atol=2e-5, rtol=0
    )
    years = torch.arange(COUNT).float()
    torch.testing.assert_close(answer.years, years * own + years.flip(0) * (1 - own), atol=2e-3, rtol=0)
    assert own.std() > 0.1


def test_finer_ages_are_mixed_as_the_classes_are() -> None:
    """Ages 25 and 65 in equal parts are half young and half old, not a middle-aged 45."""
    years, images = np.array([25, 65], np.float32), torch.zeros(2, 3, SIZE, SIZE)
    target = target_of(np.array([0, 2]), years, torch.device("cpu"), (30, 45, 60))
    train = Train(mix="mixup", mix_probability=1.0, mix_alpha=1e5)  # shares of nearly a half
    _, answer, _ = Mixer(train)(images, target, np.array([1, 2]), NO_EYES[:2], 0)
    torch.testing.assert_close(answer.of("age"), torch.tensor([[0.5, 0, 0, 0.5]] * 2), atol=0.02, rtol=0)


def test_probability_is_the_share_of_pictures_that_are_mixed() -> None:
    touched = sum(
        (mixed(mix="mixup", mix_probability=0.25, epoch=e)[2] < 0.9999).float().mean() for e in range(20)
    )
    assert float(touched) / 20 == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_are_drawn_from_beta_of_the_alpha(alpha: float) -> None:
    own = torch.cat([mixed(mix="mixup", mix_alpha=alpha, epoch=e)[2] for e in range(40)])
    assert float(own.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(own.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)  # variance of Beta(a, a)


def test_none_changes_nothing() -> None:
    assert torch.equal(mixed(mix="none")[2], torch.ones(COUNT))


def test_upper_half_comes_from_the_other_picture() -> None:
    out, _, own = mixed(mix="cutmix", cutmix_boxes="upper_half")
    torch.testing.assert_close(own, torch.full((COUNT,), 0.5), atol=1e-5, rtol=0)
    assert (out[3, :, : SIZE // 2] == out[3, 0, 0, 0]).all()
    assert out[3, 0, 0, 0] == pytest.approx((COUNT - 1 - 3) / COUNT)
    assert out[3, 0, -1, 0] == pytest.approx(3 / COUNT)


def test_eyes_are_pasted_where_the_other_pictures_eyes_are_and_nothing_without_eyes() -> None:
    eyes = NO_EYES.copy()
    eyes[COUNT - 1] = (0.2, 0.3, 0.8, 0.5)  # the partner of picture 0
    out, answer, own = mixed(eyes, mix="cutmix", cutmix_boxes="eyes")
    assert (own[1:] > 0.999).all()
    pasted = out[0, 0] > 0.5
    assert pasted[6:10, 4:16].all()
    assert int(pasted.sum()) == 4 * 12
    assert answer.classes[0].max().item() == pytest.approx(1 - 48 / 400)


def test_eyes_are_pasted_before_pictures_are_flipped() -> None:
    """Afterwards the box of a flipped picture would show something else than its eyes."""
    boxes = np.zeros((COUNT, 4), np.float32)
    boxes[:, 2], boxes[:, 1] = 0.25, np.where(np.arange(COUNT) < COUNT // 2, 0, 0.5)
    boxes[:, 3] = boxes[:, 1] + 0.25
    white = in_boxes(torch.from_numpy(boxes), SIZE).numpy()[..., None].repeat(3, axis=-1)
    nothing, keys = np.zeros(COUNT), KEYS
    learn = Examples(
        Pictures((white.astype(np.uint8) * 255,)), np.arange(COUNT), nothing.astype(np.int64),
        nothing.astype(np.float32), keys, boxes, np.arange(COUNT), np.ones(COUNT),
    )  # fmt: skip
    train = Train.model_validate({"mix": "cutmix", "cutmix_boxes": "eyes", "mix_probability": 1.0})
    seen: list[torch.Tensor] = []

    def model(images: torch.Tensor, faces: None) -> torch.Tensor:
        seen.append(images)
        return torch.zeros(len(images), 18)

    run: Any = SimpleNamespace(
        config=SimpleNamespace(train=train),
        accelerator=SimpleNamespace(device=torch.device("cpu")),
        recipe=Recipe("flip"),
        mixer=Mixer(train),
        model=model,
    )
    list(network_on(run, learn, [np.arange(COUNT)], 0))
    area = (seen[0][:, 0] > 0.5).sum(dim=(1, 2))
    assert (area == 2 * (SIZE // 4) ** 2).all(), "its own eyes and the other's"
    assert 0 < int((seen[0][:, 0, 0, -1] > 0.5).sum()) < COUNT // 2, "some are flipped"


def test_random_boxes_have_the_area_that_the_share_asks_for_unless_the_edge_cuts_them() -> None:
    from pipeline.train.augment.draws import Draws

    draws = Draws.for_epoch(KEYS, 0)
    kept = torch.full((COUNT,), 0.84)
    boxes = paste_boxes("random", kept, draws, torch.from_numpy(NO_EYES))
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    assert area.max().item() == pytest.approx(0.16, abs=1e-5)
    assert (area > 0.03).all()
    assert in_boxes(boxes, 100).float().mean(dim=(1, 2)).sub(area).abs().max() < 0.01


def test_eyes_box_of_landmarks_in_a_crop() -> None:
    landmarks = [40.0, 50.0, 60.0, 50.0, 50, 60, 42, 70, 58, 70]
    # eye distance 20, centre (50, 50): 40 wide and 18 high, in a crop of 100 from (0, 0)
    assert eyes_box(landmarks, (0, 0, 100, 100)) == pytest.approx((0.3, 0.41, 0.7, 0.59))
    assert eyes_box(landmarks, (-50, -50, 150, 150)) == pytest.approx((0.4, 0.455, 0.6, 0.545))
    assert eyes_box(landmarks, (50, 0, 150, 100)) == pytest.approx((-0.2, 0.41, 0.2, 0.59)), "at the edge"
    assert np.isnan(eyes_box([], (0, 0, 100, 100))).all()


def test_draws_belong_to_picture_and_epoch() -> None:
    same, again, other = (mixed(mix="both", epoch=e)[0] for e in (1, 1, 2))
    assert torch.equal(same, again)
    assert not torch.equal(same, other)
