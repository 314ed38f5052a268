"""Augmentation: what each operation does, and that a picture's random numbers are its own."""

import numpy as np
import pytest
import torch

from pipeline.runtime.errors import UserError
from pipeline.train.augment.draws import Draws
from pipeline.train.augment.recipe import OPERATIONS, Recipe, recipe_names
from pipeline.train.data import keys_of

SIZE = 32
KEYS = keys_of([f"photo/p{i}.jpg" for i in range(48)], 0)
EYES = np.tile(np.array([0.25, 0.25, 0.75, 0.475], np.float32), (48, 1))  # 0.25 of the side apart


def pictures(count: int = 48) -> torch.Tensor:
    """float32 [count, 3, 32, 32]: smooth coloured pictures, each another."""
    coarse = torch.rand(count, 3, 5, 5, generator=torch.Generator().manual_seed(3))
    fine = torch.nn.functional.interpolate(coarse, size=SIZE, mode="bicubic", align_corners=True)
    return fine.clamp(0, 1)


ALL = [*recipe_names(), *OPERATIONS]
DRAWN = [name for name in ALL if name != "none"]


@pytest.mark.parametrize("name", ALL)
def test_every_recipe_and_operation_keeps_shape_and_range_and_changes_something(name: str) -> None:
    images = pictures()
    out = Recipe(name)(images, KEYS, 0, EYES)
    assert out.shape == images.shape
    assert out.dtype == torch.float32
    assert out.min() >= -1e-6
    assert out.max() <= 1 + 1e-6
    assert torch.equal(out, images) == (name == "none")
    assert torch.equal(images, pictures()), "the pictures given were changed"


@pytest.mark.parametrize("name", DRAWN)
def test_what_a_picture_gets_depends_on_itself_and_the_epoch_alone(name: str) -> None:
    images, recipe = pictures(), Recipe(name)
    whole = recipe(images, KEYS, 4, EYES)
    order = torch.randperm(48, generator=torch.Generator().manual_seed(0))[:17]
    part = recipe(images[order], KEYS[order.numpy()], 4, EYES[order.numpy()])
    torch.testing.assert_close(part, whole[order], atol=1e-5, rtol=0)
    assert not torch.equal(recipe(images, KEYS, 5, EYES), whole)


def test_flip_mirrors_half_of_the_pictures() -> None:
    keys = keys_of([str(i) for i in range(2000)], 1)
    images = torch.zeros(2000, 3, 2, 2)
    images[..., 0] = 1
    out = Recipe("flip")(images, keys, 0)
    flipped = out[:, 0, 0, 1] == 1
    assert torch.equal(out[flipped], images[flipped].flip(3))
    assert 0.45 < flipped.float().mean() < 0.55


def test_blur_is_torchvisions_gaussian_of_the_sigma_drawn() -> None:
    from torchvision.transforms.v2.functional import gaussian_blur

    images, draws = pictures(4), Draws.for_epoch(KEYS[:4], 0)
    out = OPERATIONS["blur"](images, draws, sigma=1.5)
    for i, sigma in enumerate(draws.uniform("sigma", 0.1, 1.5).tolist()):
        torch.testing.assert_close(
            out[i], gaussian_blur(images[i], [7, 7], [sigma, sigma]), atol=1e-4, rtol=0
        )


def test_brightness_contrast_saturation_are_torchvisions() -> None:
    from torchvision.transforms.v2 import functional as v2

    images, draws = pictures(6), Draws.for_epoch(KEYS[:6], 0)
    theirs = {
        "brightness": v2.adjust_brightness,
        "contrast": v2.adjust_contrast,
        "saturation": v2.adjust_saturation,
    }
    for name, function in theirs.items():
        out = OPERATIONS[name](images, draws, amount=0.5)
        for i, factor in enumerate(draws.uniform(name, 0.5, 1.5).tolist()):
            torch.testing.assert_close(out[i], function(images[i], factor), atol=2e-3, rtol=0)


def test_affine_turns_by_the_angle_drawn() -> None:
    images = torch.zeros(48, 3, 65, 65)
    images[:, :, 30:35, 50:55] = 1  # right of the centre
    draws = Draws.for_epoch(KEYS, 0)
    out = OPERATIONS["rotate"](images, draws, degrees=40)[:, 0]
    line = torch.arange(65.0) - 32
    mass = out.sum(dim=(1, 2))
    x = (out * line[None, None, :]).sum(dim=(1, 2)) / mass
    y = (out * line[None, :, None]).sum(dim=(1, 2)) / mass
    angle = torch.rad2deg(torch.atan2(y, x)).abs()
    expected = draws.uniform("angle", -40, 40).abs()
    torch.testing.assert_close(angle, expected, atol=1.0, rtol=0)


def test_draws_are_uniform_normal_and_unrelated() -> None:
    draws = Draws.for_epoch(keys_of([str(i) for i in range(20000)], 0), 0)
    a, b = draws.uniform("a").numpy(), draws.uniform("b").numpy()
    histogram = np.histogram(a, bins=20, range=(0, 1))[0]
    assert histogram.min() > 850
    assert histogram.max() < 1150
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
    normal = draws.of(torch.arange(200)).normal("n", (3, 10, 10)).numpy()
    assert abs(normal.mean()) < 0.02
    assert normal.std() == pytest.approx(1, abs=0.02)
    assert abs(np.corrcoef(normal[:-1].ravel(), normal[1:].ravel())[0, 1]) < 0.02


def test_list_of_operations_is_a_recipe_and_a_wrong_name_lists_what_there_is() -> None:
    out = Recipe(["flip", "noise"])(pictures(), KEYS, 0)
    assert not torch.equal(out, pictures())
    with pytest.raises(UserError, match="clahe"):
        Recipe("clahee")


def test_random_resized_crop_shows_a_part_of_the_area_drawn() -> None:
    """On a picture whose red is its x and whose green is its y, the corners say what was cut out."""
    line = (torch.arange(SIZE) + 0.5) / SIZE
    picture = torch.stack(
        [line.expand(SIZE, SIZE), line[:, None].expand(SIZE, SIZE), torch.zeros(SIZE, SIZE)]
    )
    keys = keys_of([f"photo/p{i}.jpg" for i in range(200)], 0)
    crops = OPERATIONS["random_resized_crop"](
        picture.expand(200, 3, SIZE, SIZE), Draws.for_epoch(keys, 0), area=0.5
    )
    inner = (SIZE - 1) / SIZE  # from the centre of the first pixel to that of the last
    width = (crops[:, 0, 0, -1] - crops[:, 0, 0, 0]) / inner
    height = (crops[:, 1, -1, 0] - crops[:, 1, 0, 0]) / inner
    assert (width * height).min() > 0.4
    assert (width * height).max() < 1.001
    assert (width / height).min() > 0.7
    assert (width / height).max() < 1.4
    assert crops[:, 0, 0, 0].std() > 0.05, "crops lie at different places"
    middle = (crops[:, 0, 0, 0] + crops[:, 0, 0, -1]) / 2
    assert abs(middle.mean() - 0.5) < 0.03, "left as often as right"


def hidden(name: str, eyes: np.ndarray = EYES, **settings: float) -> torch.Tensor:
    """bool [48, 32, 32]: what an operation makes gray of white pictures."""
    white = torch.ones(48, 3, SIZE, SIZE)
    out = OPERATIONS[name](white, Draws.for_epoch(KEYS, 0), torch.from_numpy(eyes), **settings)
    assert set(out.unique().tolist()) <= {0.5, 1.0}
    return (out == 0.5).all(dim=1)


def test_eyes_and_the_region_of_a_mask_are_hidden_where_they_are() -> None:
    eyes, mask = hidden("occlude_eyes"), hidden("occlude_mask")
    assert eyes[0, 8:15, 8:24].all()
    assert eyes.sum() == 48 * 7 * 16
    # the eyes' middle is at .3625 of the side, the mask .45 to 1.9 eye distances (of .25) below
    rows, columns = (torch.nonzero(mask[0].any(dim=k))[:, 0] for k in (1, 0))
    assert ((rows.min() + 0.5) / SIZE).item() == pytest.approx(0.3625 + 0.45 * 0.25, abs=1 / SIZE)
    assert ((rows.max() + 0.5) / SIZE).item() == pytest.approx(0.3625 + 1.9 * 0.25, abs=1 / SIZE)
    assert (columns.min().item(), columns.max().item()) == (8, 23)
    assert not (eyes & mask).any()


def test_a_random_part_lies_on_the_face_and_is_another_for_every_picture() -> None:
    part = hidden("occlude_part", least=0.3, most=0.6)
    face = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    face[round((0.3625 - 0.225) * SIZE) : round((0.3625 + 0.475) * SIZE), 8:24] = True
    assert not (part & ~face).any()
    share = part.sum(dim=(1, 2)) / face.sum()
    assert share.min() > 0.06
    assert share.max() < 0.42
    assert len({tuple(torch.nonzero(p)[0].tolist()) for p in part}) > 20


def test_faces_that_were_not_found_are_left_and_flips_come_after() -> None:
    unknown = np.full((48, 4), np.nan, np.float32)
    for name in ("occlude_eyes", "occlude_mask", "occlude_part"):
        assert not hidden(name, unknown).any()
    assert torch.equal(Recipe("occlude_eyes")(pictures(), KEYS, 0), pictures())
    left = np.tile(np.array([0.0, 0.25, 0.5, 0.475], np.float32), (48, 1))  # eyes in the left half
    gray = Recipe(["flip", "occlude_eyes"])(torch.ones(48, 3, SIZE, SIZE), KEYS, 0, left)[:, 0] == 0.5
    sides = {(g[:, :16].any().item(), g[:, 16:].any().item()) for g in gray}
    assert sides == {(True, False), (False, True), (False, False)}, "flipped ones are hidden on the right"
