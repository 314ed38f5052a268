"""compose and synthesize against what they cannot do without: decoding what they read and encoding what they
write.

    python -m benchmarks.compose PHOTO_FOLDER… [--limit 600]

Both sides read the same files on all CPUs with the same code and write a JPEG of 224 x 224 for each photo;
the baseline does nothing in between. The boxes and mattes are drawn, of the size and the softness of real
ones.
"""

from __future__ import annotations

import argparse
import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.interleave import Row, compare, processes, table
from pipeline.backgrounds import Sources
from pipeline.crop import square_around
from pipeline.photo import encode_jpeg, encode_matte, photo_header, read_photo
from pipeline.picture_store import PictureStore, PictureWriter, composed_name
from stages import compose, synthesize

SIZE = 224
TARGET = 0.8
FILLS = ("keep", "black", "mean", "blur", "noise")
WHITE = (255, 255, 255)


def run(photos: list[Path], limit: int = 600) -> dict[str, Any]:
    """A row per fill, and one for synthesize.

    Args:
        photos: files to choose from.
        limit: photos at most in a row.
    """
    photos = photos[:: max(1, len(photos) // limit)][:limit]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        root, mattes = Path(photos[0].anchor), PictureStore(Path(place) / "mattes")
        out = PictureWriter(Path(place) / "out")
        orders = [prepared(photo.absolute(), root, mattes.folder, out.folder) for photo in photos]
        for fill in FILLS:
            read = mattes if fill != "keep" else None
            recipe = compose.Recipe(root, read, out, fill, SIZE, 0, WHITE)
            alone = functools.partial(codecs, root, out, read)
            with (
                processes(alone, chunk=8) as base,
                processes(functools.partial(compose.composer, recipe), chunk=8) as ours,
            ):
                rows.append(compare(f"compose {fill}", base, ours, orders, agree=both_written, target=TARGET))
        jobs = [
            job_of(order, donor.image) for order, donor in zip(orders, orders[1:] + orders[:1], strict=True)
        ]
        recipe = synthesize.Recipe(Sources(root, mattes), "others", out, SIZE, 0)
        with (
            processes(functools.partial(codecs, root, out, mattes), chunk=8) as base,
            processes(functools.partial(synthesize.synthesizer, recipe), chunk=8) as ours,
        ):
            rows.append(compare("synthesize others", base, ours, jobs, agree=both_written, target=TARGET))
    return {"photos": len(photos), "rows": rows}


def prepared(photo: Path, root: Path, mattes: Path, out: Path) -> compose.Order:
    """Draws a matte for the photo and makes the folders; gives the order to compose it."""
    header = photo_header(photo)
    width, height = header.width, header.height
    alpha = np.zeros((height, width), np.uint8)
    head = (round(width * 0.27), round(height * 0.29))
    cv2.ellipse(alpha, (width // 2, round(height * 0.4)), head, 0, 0, 360, 255, -1)
    cv2.ellipse(alpha, (width // 2, height), (round(width * 0.42), round(height * 0.4)), 0, 0, 360, 255, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), width / 200)
    image = photo.relative_to(root)
    for folder in (mattes, out):
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
    (mattes / image).with_suffix(".png").write_bytes(encode_matte(alpha))
    box = (width * 0.23, height * 0.11, width * 0.77, height * 0.69)
    return compose.Order(image.as_posix(), width, height, square_around(box, 0.3))


def job_of(order: compose.Order, donor: str) -> synthesize.Job:
    """The order to make one copy on the background of `donor`."""
    return synthesize.Job(order.image, order.square, [f"{Path(order.image).with_suffix('')}__0.jpg"], [donor])


def codecs(root: Path, out: PictureWriter, mattes: PictureStore | None) -> Callable[[Any], bool]:
    """The baseline's work in one process: decode an item's photos and mattes, encode one picture."""
    cv2.setNumThreads(1)

    def work(item: compose.Order | synthesize.Job) -> bool:
        donors = item.donors if isinstance(item, synthesize.Job) else []
        pictures = [read_photo(root / image) for image in (item.image, *donors)]
        if mattes:
            for image in (item.image, *donors):
                mattes.matte(image)
        out.write(composed_name(item.image), encode_jpeg(pictures[0][:SIZE, :SIZE]))
        return True

    return work


def both_written(baseline: bool, ours: compose.Made | synthesize.Made) -> float:
    """1 where both sides wrote a picture."""
    return float(baseline and ours.person)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=600)
    given = parser.parse_args()
    photos = sorted(
        p for folder in given.folders for p in folder.rglob("*") if p.suffix in (".jpg", ".jpeg", ".png")
    )
    result = run(photos, given.limit)
    print(table(result["rows"]))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
