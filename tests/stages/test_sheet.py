"""The contact sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.analysis.contact_sheet import (
    BOX,
    CELL,
    EMPTY_COLOUR,
    FALLBACK,
    Row,
    choose_photos,
    draw_boxes,
    draw_contact_sheet,
)
from pipeline.io.atomic import atomic_folder
from pipeline.io.photo import read_photo
from stages import compose, sheet, synthesize
from tests.fixtures.pixel_project import make_project, stage

OUT = Path("reports/sheet.png")


@pytest.fixture
def done(project: Path) -> Path:
    """The small project with everything that the sheet shows, as current folder."""
    make_project(project, people=5)
    compose.run(stage("compose", compose__fill="blur"))
    synthesize.run(stage("synthesize", synthesize__copies=0.5))
    return project


def test_twelve_rows_the_same_each_time(done: Path) -> None:
    sheet.run(stage("sheet"))
    first = OUT.read_bytes()
    picture = read_photo(OUT)
    assert 1000 <= picture.shape[1] <= 1200
    assert 12 * CELL < picture.shape[0] < 15 * CELL
    sheet.run(stage("sheet"))
    assert OUT.read_bytes() == first


def test_stages_that_were_not_asked_for(project: Path) -> None:
    make_project(project, people=4, statuses=("not_run",))
    with atomic_folder(project / "build/mattes"):
        pass  # as `segment.method: none` leaves it
    compose.run(stage("compose"))
    synthesize.run(stage("synthesize", synthesize__copies=0))
    sheet.run(stage("sheet", synthesize__copies=0, segment__method="none"))
    picture = read_photo(OUT).astype(int)
    gray = (np.abs(picture - EMPTY_COLOUR).max(axis=2) <= 4).mean(axis=0)
    assert (gray > 0.7).sum() > 2.5 * CELL  # box, matte and synthetic


def test_copies_and_many_people_come_first() -> None:
    photos = [(f"{p}/{k}.jpg", p, k == 2) for p in "abcdef" for k in range(3)]
    first = choose_photos(photos, 6, 0)
    assert {image[0] for image in first} == set("abcdef")
    assert all(image.endswith("2.jpg") for image in first)
    assert len(set(choose_photos(photos, 100, 0))) == len(photos)
    assert choose_photos(photos, 6, 1) != first
    assert choose_photos(reversed(photos), 6, 0) == first


def test_pictures_keep_their_shape() -> None:
    tall = np.zeros((400, 100, 3), np.uint8)
    picture = draw_contact_sheet(["raw"], [Row("a", [tall])])
    dark = (picture == 0).all(axis=2)
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    assert len(rows) == CELL
    assert len(columns) == CELL // 4


@pytest.mark.parametrize(
    ("status", "colour"), [("found", BOX), ("set_median", FALLBACK), ("implausible", FALLBACK)]
)
def test_a_box_tells_by_its_colour_whether_it_was_found(status: str, colour: tuple[int, int, int]) -> None:
    photo = np.zeros((200, 200, 3), np.uint8)
    out = draw_boxes(photo, (50, 60, 120, 150), (-20, 40, 230, 290), status, [80.0, 90.0])
    assert (out[60, 80] == colour).all()
    assert (out[40, 100] == 255).all()
    assert not photo.any()
