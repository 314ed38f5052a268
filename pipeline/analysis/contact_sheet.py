"""A contact sheet: a row per photo, with the output of every stage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.seeds import seed_of

CELL = 200  # pixels; pictures are fitted into a square of this side
GAP = 14
EDGE = 26  # around the whole sheet
HEADER = 46
CAPTION = 22  # below each row
PAPER, INK, FAINT = (250, 250, 248), (38, 40, 44), (140, 143, 148)
EMPTY_COLOUR = (236, 236, 233)  # where a stage did not run
BOX, SQUARE, POINT = (0, 190, 90), (255, 255, 255), (255, 70, 90)
FALLBACK = (255, 150, 0)  # a fallback box


@dataclass(frozen=True)
class Row:
    """One photo on the sheet."""

    caption: str
    cells: Sequence[np.ndarray | str]  # uint8 [H, W, 3] RGB, or a word where there is no picture


def choose_photos(images: Iterable[tuple[str, str, bool]], count: int, seed: int) -> list[str]:
    """Chooses photos to show: with synthetic copies first, one per person before a second of any.

    Args:
        images: (image, person, has synthetic copies) of every photo.
        count: how many.
        seed: of the hash that orders photos of equal rank.
    """
    ranked = sorted(
        (not copies, seed_of(seed, "sheet", image), image, person) for image, person, copies in images
    )
    turns: dict[str, int] = {}
    rows = []
    for later, order, image, person in ranked:
        # each photo to predict (person "") counts as another person
        turn = turns.get(person, 0) if person else 0
        turns[person] = turn + 1
        rows.append((later, turn, order, image))
    return [image for *_, image in sorted(rows)[:count]]


def draw_contact_sheet(titles: Sequence[str], rows: Sequence[Row]) -> np.ndarray:
    """Draws the sheet.

    Args:
        titles: a heading per column.
        rows: each with as many cells as there are titles.

    Returns:
        uint8 [H, W, 3] RGB.
    """
    width = 2 * EDGE + len(titles) * (CELL + GAP) - GAP
    step = CELL + CAPTION + GAP
    canvas = Image.new("RGB", (width, EDGE + HEADER + len(rows) * step), PAPER)
    draw = ImageDraw.Draw(canvas)
    lefts = [EDGE + i * (CELL + GAP) for i in range(len(titles))]
    for left, title in zip(lefts, titles, strict=True):
        draw.text((left, EDGE), title, INK, ImageFont.load_default(20))
    for number, row in enumerate(rows):
        top = EDGE + HEADER + number * step
        for left, cell in zip(lefts, row.cells, strict=True):
            _paste(canvas, draw, cell, left, top)
        draw.text((EDGE, top + CELL + 5), row.caption, FAINT, ImageFont.load_default(13))
    return np.asarray(canvas)


def _paste(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, cell: np.ndarray | str, left: int, top: int
) -> None:
    if isinstance(cell, str):
        draw.rectangle((left, top, left + CELL - 1, top + CELL - 1), fill=EMPTY_COLOUR)
        middle = (left + CELL / 2, top + CELL / 2)
        draw.text(middle, cell, FAINT, ImageFont.load_default(15), anchor="mm")
        return
    picture = Image.fromarray(cell)
    picture.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
    canvas.paste(picture, (left + (CELL - picture.width) // 2, top + (CELL - picture.height) // 2))


def draw_boxes(
    photo: np.ndarray,
    box: tuple[float, float, float, float],
    square: tuple[float, float, float, float],
    status: str,
    landmarks: Sequence[float],
) -> np.ndarray:
    """A photo with the results of `detect` drawn on it.

    Args:
        photo: uint8 [H, W, 3] RGB.
        box: `xyxy` in photo pixels; green where found, orange where it is a fallback.
        square: `xyxy`, what `compose` cuts out, drawn thin and white.
        status: of boxes.parquet.
        landmarks: x, y in turn, or empty.

    Returns:
        uint8 [H, W, 3] RGB, a copy.
    """
    picture = Image.fromarray(photo)
    draw = ImageDraw.Draw(picture)
    line = max(2, round(max(photo.shape) / 110))
    draw.rectangle(square, outline=SQUARE, width=max(1, line // 2))
    draw.rectangle(box, outline=BOX if status == "found" else FALLBACK, width=line)
    for x, y in zip(landmarks[::2], landmarks[1::2], strict=True):
        draw.ellipse((x - line, y - line, x + line, y + line), fill=POINT)
    return np.asarray(picture)
