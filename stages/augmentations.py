"""Draws reports/augmentations.png: every augmentation at its settings, on a few photos at the network's size.

Reads build/images/, build/photos.parquet and build/boxes.parquet (for the eyes that CutMix cuts out).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.errors import UserError
from pipeline.network_size import at_network_size
from pipeline.picture_store import PictureStore, composed_name
from pipeline.progress import say
from pipeline.publish import published_file
from pipeline.sheet import chosen
from pipeline.tables import read_table
from stages.command import Stage, stage_command

SHEET = "reports/augmentations.png"
IMAGES = Path("build/images")
PHOTOS = 6


def run(stage: Stage) -> None:
    """Runs the stage."""
    pictures = PictureStore.verified(IMAGES, "compose")
    photos = read_table(Path("build/photos.parquet"), "ingest", ("image", "person"))
    boxes = read_table(Path("build/boxes.parquet"), "detect", ("image", "landmarks"))[["image", "landmarks"]]
    squares = read_table(IMAGES / "images.parquet", "compose", ("image", "x1", "y1", "x2", "y2"))
    table = photos[["image", "person"]].merge(boxes, on="image").merge(squares, on="image")
    if table.empty:
        raise UserError("there is no photo to augment", where="build/photos.parquet", fix="check data.root")
    with_eyes = [len(points) > 0 for points in table["landmarks"]]
    images = chosen(zip(table["image"], table["person"], with_eyes, strict=True), PHOTOS, seed=0)
    from pipeline.augmentation_sheet import drawn, strips  # torch, so after what can be wrong
    from pipeline.mix import eyes_box

    train, rows = stage.params.train, table.set_index("image").loc[images]
    shown = [at_network_size(pictures.photo(composed_name(image)), train.size) for image in images]
    corners = rows[["x1", "y1", "x2", "y2"]].to_numpy().tolist()
    eyes = [eyes_box(list(points), crop) for points, crop in zip(rows["landmarks"], corners, strict=True)]
    made = list(strips(np.stack(shown), np.array(eyes, np.float32), train))
    with published_file(stage.out(SHEET)) as part:
        Image.fromarray(drawn(made)).quantize(256).save(part, "PNG", optimize=True)
    say(f"augmentations: {len(made)} in {stage.out(SHEET)}")


if __name__ == "__main__":
    stage_command("augmentations", run, __doc__ or "")
