"""Draws reports/augmentations.png: every augmentation with its params, on a few photos at the network's size.

Reads build/images/, build/photos.parquet, build/boxes.parquet (for CutMix's eye boxes) and, if there are
mattes, build/mattes and the raw photos (for other backgrounds).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.analysis.contact_sheet import choose_photos
from pipeline.compose.backgrounds import Candidate, Sources
from pipeline.compose.composite import shows_person
from pipeline.compose.crop import Square, at_network_size, cut, placement
from pipeline.io.atomic import atomic_file
from pipeline.io.image_store import composed_name
from pipeline.params.machine import Machine
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say
from pipeline.seeds import generator, seed_of
from stages.shared.artefacts import BOXES, COMPOSED, CROPS, MATTES, PHOTOS
from stages.shared.command import Stage, stage_command
from stages.shared.photos import open_photo_store

SHEET = "reports/augmentations.png"
SHEET_ROWS = 6


def run(stage: Stage) -> None:
    """Runs the stage."""
    pictures = COMPOSED.open()
    photos = PHOTOS.read("image", "person")
    boxes = BOXES.read("image", "landmarks")
    squares = CROPS.read("image", "x1", "y1", "x2", "y2")
    table = photos.merge(boxes, on="image").merge(squares, on="image")
    if table.empty:
        raise UserError("there is no photo to augment", where="build/photos.parquet", fix="check data.root")
    with_eyes = [len(points) > 0 for points in table["landmarks"]]
    images = choose_photos(zip(table["image"], table["person"], with_eyes, strict=True), SHEET_ROWS, seed=0)
    say(f"augmentations: loading torch for {len(images)} photos")
    from pipeline.analysis.augmentation_sheet import draw_sheet, strips  # torch, so after what can be wrong
    from pipeline.train.boxes import eyes_box

    train, rows = stage.params.train, table.set_index("image").loc[images]
    shown = [at_network_size(pictures.photo(composed_name(image)), train.size) for image in images]
    corners = rows[["x1", "y1", "x2", "y2"]].to_numpy().tolist()
    eyes = [eyes_box(list(points), crop) for points, crop in zip(rows["landmarks"], corners, strict=True)]
    swapped = swap_backgrounds(stage, table, images, shown)
    strip_rows = list(strips(np.stack(shown), np.array(eyes, np.float32), train, swapped))
    with atomic_file(stage.out(SHEET)) as part:
        # no palette: its false colours would look like another augmentation
        Image.fromarray(draw_sheet(strip_rows)).save(part, "PNG", optimize=True)
    say(f"augmentations: {len(strip_rows)} in {stage.out(SHEET)}")


def swap_backgrounds(
    stage: Stage, table: pd.DataFrame, images: list[str], pictures: list[np.ndarray]
) -> np.ndarray | None:
    """uint8 [N, S, S, 3]: the pictures as `train.background_swap` would show them; None without mattes.

    Args:
        table: `image, person, x1, y1, x2, y2` of all photos.
        images: keys of `pictures`.
        pictures: uint8 [S, S, 3] each.
    """
    params = stage.params
    if params.segment.method == "none":
        return None
    from pipeline.train.background_swap import on_plate

    folder, size = params.synthesize.folder, params.compose.size
    sources = Sources(
        photos=open_photo_store(params.data.root),
        mattes=MATTES.open(),
        folder=Path(folder) if folder else None,
        background_rgb=params.ingest.transparent_rgb,
        machine=Machine(workers=1),
    )
    kind = load_plugin("compose.backgrounds", params.synthesize.backgrounds)
    people = [Candidate(i, person, 0) for i, person in zip(table["image"], table["person"], strict=True)]
    choose, corners = kind.chooser(sources, people), table[["x1", "y1", "x2", "y2"]].to_numpy(int).tolist()
    squares = {image: Square(*xyxy) for image, xyxy in zip(table["image"], corners, strict=True)}
    owner = dict(zip(table["image"], table["person"], strict=True))
    swapped: list[np.ndarray] = []
    for image, picture in zip(images, pictures, strict=True):
        alpha = sources.mattes.matte(image)
        where = placement(squares[image], alpha.shape[1], alpha.shape[0], size)
        donor = choose(Candidate(image, owner[image], 0), seed_of(0, "sheet background", image))
        plate = kind.picture(sources, donor, size, generator(0, "sheet background", image))
        rows, columns = where.output
        inside = np.array([columns.start, rows.start, columns.stop, rows.stop]) / size
        matte, behind = (at_network_size(a, len(picture)) for a in (cut(alpha, where, size, 0), plate))
        swapped.append(on_plate(picture, matte, behind, inside) if shows_person(matte) else picture)
    return np.stack(swapped)


if __name__ == "__main__":
    stage_command("augmentations", run, __doc__ or "")
