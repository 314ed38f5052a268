"""The contact sheet of augmentations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import ImageFont

from pipeline.analysis.augmentation_sheet import (
    CELL,
    Strip,
    describe_operation,
    describe_recipe,
    draw_sheet,
    strips,
    wrapped,
)
from pipeline.compose.crop import Square, at_network_size, cut, placement
from pipeline.io.photo import read_matte, read_photo
from pipeline.params.learning import Train
from pipeline.train.augment.recipe import OPERATIONS, recipe_names
from stages import augmentations, compose
from tests.fixtures.pixel_project import make_project, stage

EYES = np.array([[0.3, 0.3, 0.7, 0.5]] * 4, np.float32)


def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(30, 220, (4, 32, 32, 3)).astype(np.uint8)


def test_everything_that_can_be_chosen_is_on_it_and_does_something() -> None:
    params = Train.model_validate({"augment": "flip_affine", "size": 32})
    rows = {row.name.split(" · ")[0]: row for row in strips(pictures(), EYES, params)}
    assert set(rows) >= {*recipe_names(), *OPERATIONS, "mixup", "cutmix random", "cutmix eyes"}
    assert np.array_equal(rows["none"].pictures, pictures())
    for name in {*OPERATIONS, "mixup", "cutmix random", "cutmix upper_half", "cutmix eyes"}:
        changed = (rows[name].pictures != pictures()).any(axis=(1, 2, 3))
        # random strengths may be near nothing, and this noise is autocontrasted already
        assert changed.sum() >= 2, name
    assert np.array_equal(rows["flip"].pictures, pictures()[:, :, ::-1])
    half = rows["cutmix upper_half"].pictures
    assert np.array_equal(half[0, 16:], pictures()[0, 16:])
    assert np.array_equal(half[0, :16], pictures()[3, :16])


def test_settings_are_told_and_the_chosen_one_is_marked() -> None:
    assert describe_operation("affine").endswith("sheared: degrees 10, shift 0.08, scale 0.1, shear 0")
    assert describe_operation("invert") == "The negative."
    assert "flip 50%" in describe_recipe("flip_affine")
    assert "shear 8" in describe_recipe("flip_affine_blur")
    params = Train.model_validate({"augment": ["flip", "noise"], "mix": "cutmix", "cutmix_boxes": "eyes"})
    marked = [row.name.split(" · ")[0] for row in strips(pictures(), EYES, params) if " · " in row.name]
    assert sorted(marked) == ["cutmix eyes", "flip", "noise"]


def test_a_recipe_and_an_operation_of_one_name_are_told_apart() -> None:
    rows = list(strips(pictures(), EYES, Train.model_validate({"augment": "flip", "size": 32})))
    recipe, operation = (row for row in rows if row.name.split(" · ")[0] == "flip")
    assert (recipe.part, recipe.name) == ("Recipes", "flip · train.augment")  # what the param would take
    assert (operation.part, operation.name) == ("Single operations, here on every picture", "flip")


def test_long_settings_take_two_lines_and_end_in_an_ellipsis() -> None:
    font = ImageFont.load_default(12)
    first, second = wrapped("one two three " * 30, font, 200)
    assert first.startswith("one two three")
    assert second.endswith(" …")
    assert max(font.getlength(first), font.getlength(second)) <= 200
    assert " ".join([first, second]).startswith("one two three " * 4)
    assert wrapped("short", font, 200) == ["short"]
    assert wrapped("", font, 200) == [""]


def test_other_backgrounds_are_on_it_where_there_are_mattes(project: Path) -> None:
    make_project(project)
    compose.run(stage("compose"))
    own = stage("augmentations", train__size=32)
    table = pd.read_parquet("build/photos.parquet")[["image", "person"]].merge(
        pd.read_parquet("build/images/images.parquet"), on="image"
    )
    images = table["image"].tolist()[::3]
    plain = [at_network_size(read_photo(Path("build/images") / i), 32) for i in images]
    found = augmentations.swap_backgrounds(own, table, images, plain)
    assert found is not None
    squares = table.set_index("image")[["x1", "y1", "x2", "y2"]]
    for image, before, after in zip(images, plain, found, strict=True):
        alpha = read_matte(Path("build/mattes") / Path(image).with_suffix(".png"))
        square = Square(*(int(v) for v in squares.loc[image]))
        person = at_network_size(cut(alpha, placement(square, 96, 128, 64), 64, 0), 32) >= 250
        assert person.mean() > 0.2
        assert np.array_equal(before[person], after[person])
        assert (before != after).any()
    names = [r.name for r in strips(pictures(), EYES, own.params.train, pictures())]
    assert "background_swap" in names
    on = own.params.train.model_copy(update={"background_swap": 0.3})
    (row,) = [r for r in strips(pictures(), EYES, on, pictures()) if "background_swap" in r.name]
    assert (row.name, row.settings[:3]) == ("background_swap · train.background_swap", "30%")
    without = stage("augmentations", train__size=32, segment__method="none", synthesize__copies=0)
    assert augmentations.swap_backgrounds(without, table, images, plain) is None


def test_stage_draws_the_same_sheet_each_time(project: Path) -> None:
    make_project(project)
    compose.run(stage("compose"))
    augmentations.run(stage("augmentations", train__size=32))
    sheet = Path("reports/augmentations.png")
    first = sheet.read_bytes()
    drawing = read_photo(sheet)
    assert drawing.shape[0] > 15 * CELL
    assert len(np.unique(drawing.reshape(-1, 3), axis=0)) > 1000  # no palette, whose false colours mislead
    augmentations.run(stage("augmentations", train__size=32))
    assert sheet.read_bytes() == first


@pytest.mark.parametrize("count", [1, 3, 12])
def test_the_drawing_holds_every_picture_once(count: int) -> None:
    red = np.full((2, 32, 32, 3), (255, 0, 0), np.uint8)
    rows = [Strip(f"part {k // 5}", f"name {k}", "settings " * (k * 9), red) for k in range(count)]
    assert (draw_sheet(rows) == (255, 0, 0)).all(axis=2).sum() == count * 2 * CELL**2
