"""Draws reports/sheet.png: twelve photos, a row each, raw → box → matte → composed → synthetic.

Reads the raw photos, build/photos.parquet, build/boxes.parquet, build/mattes/, build/images/ and
build/synthetic/. Chooses photos with synthetic copies first, of many people, ordered by a hash; ignores
labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from pipeline.analysis.contact_sheet import Row, choose_photos, draw_boxes, draw_contact_sheet
from pipeline.io.atomic import atomic_file
from pipeline.io.image_store import ImageStore, composed_name, matte_name
from pipeline.io.photo_store import PhotoStore
from pipeline.runtime.progress import say
from stages.shared.artefacts import BOXES, COMPOSED, COPIES, CROPS, MATTES, PHOTOS, SYNTHETIC
from stages.shared.command import Stage, stage_command
from stages.shared.photos import open_photo_store

TITLES = ("raw", "box", "matte", "composed", "synthetic")
SHEET_ROWS = 12
COLOURS = 256  # palette size: a third of the bytes in a README


def run(stage: Stage) -> None:
    """Runs the stage."""
    photos = PHOTOS.read("image", "person")
    table = photos.merge(BOXES.read(), on="image")
    squares = CROPS.read()
    table = table.merge(squares, on="image", suffixes=("", "_square")).set_index("image")
    synthetic = COPIES.read("file", "image")
    copies: dict[str, str] = dict(zip(synthetic["image"][::-1], synthetic["file"][::-1], strict=True))
    candidates = zip(table.index, table["person"], [image in copies for image in table.index], strict=True)
    images = choose_photos(candidates, stage.limit or SHEET_ROWS, seed=0)
    store = open_photo_store(stage.params.data.root)
    stores = [ImageStore.opened(folder.path) for folder in (MATTES, COMPOSED, SYNTHETIC)]
    rows = [make_row(image, table.loc[image], copies.get(image), store, stage, *stores) for image in images]
    whole = Image.fromarray(draw_contact_sheet(TITLES, rows))
    palette = whole.quantize(COLOURS, method=Image.Quantize.MEDIANCUT)
    picture = whole.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    with atomic_file(stage.out("reports/sheet.png")) as part:
        picture.save(part, "PNG", optimize=True)
    say(f"sheet: {len(rows)} photos in {stage.out('reports/sheet.png')}")


def make_row(
    image: str,
    facts: Any,
    copy: str | None,
    photos: PhotoStore,
    stage: Stage,
    mattes: ImageStore,
    composed: ImageStore,
    synthetic: ImageStore,
) -> Row:
    """The five cells of one photo."""
    photo = photos.photo(image, stage.params.ingest.transparent_rgb)
    status = str(facts["status"])
    box, square = _box(facts, ""), _box(facts, "_square")
    with_boxes = draw_boxes(photo, box, square, status, list(facts["landmarks"]))
    cells: list[np.ndarray | str] = [
        photo,
        "not run" if status == "not_run" else with_boxes,
        np.dstack([mattes.matte(image)] * 3) if matte_name(image) in mattes else "not run",
        composed.photo(composed_name(image)),
        synthetic.photo(copy) if copy else "no copy" if stage.params.synthesize.copies else "not run",
    ]
    return Row(f"{image} · {status.replace('_', ' ')}", cells)


def _box(facts: Any, end: str) -> tuple[float, float, float, float]:
    """A box `xyxy` of a photo: the detected one, or with `_square` the crop."""
    x1, y1, x2, y2 = (float(facts[f"{k}{end}"]) for k in ("x1", "y1", "x2", "y2"))
    return x1, y1, x2, y2


if __name__ == "__main__":
    stage_command("sheet", run, __doc__ or "")
