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
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg

from benchmarks.interleave import Row, compare, processes, table
from pipeline.compose import composing, synthesizing
from pipeline.compose.backgrounds import Sources
from pipeline.compose.crop import square_around
from pipeline.compose.cutout import Cutter, groups_of
from pipeline.io.image_store import ImageStore, ImageWriter, composed_name, matte_name
from pipeline.io.photo import encode_jpeg, encode_matte, photo_header, read_photo
from pipeline.io.photo_store import PhotoStore
from pipeline.io.result_cache import ResultCache

Factory = Callable[[], Callable[[Any], Any]]
SIZE = 224
TARGET = 0.8
FILLS = ("keep", "black", "mean", "blur", "noise")


def run(photos: list[Path], limit: int = 600) -> dict[str, Any]:
    """A row per fill, and one for synthesize.

    Args:
        photos: files to choose from.
        limit: photos at most in a row.
    """
    photos = photos[:: max(1, len(photos) // limit)][:limit]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        root, mattes = Path(photos[0].anchor), ImageStore(Path(place) / "mattes")
        out = ImageWriter(Path(place) / "out")
        cache = ResultCache(Path(place) / "items", "benchmark", {})  # empty when ours starts
        orders = [prepared(photo.absolute(), root, mattes.folder, out.folder) for photo in photos]
        for fill in FILLS:
            read = mattes if fill != "keep" else None
            config = composing.Config(Cutter(PhotoStore(root), read, SIZE), out, cache, fill, 0)
            composer = functools.partial(composing.make_composer, config)
            made = made_by(composer(), orders, out, Path(place))
            shutil.rmtree(cache.folder)
            alone = functools.partial(codecs, root, out, read, made)
            rows.append(measured(f"compose {fill}", alone, composer, orders))
        jobs = [
            job_of(order, donor.image) for order, donor in zip(orders, orders[1:] + orders[:1], strict=True)
        ]
        sources = Sources(PhotoStore(root), mattes, checksums={order.image: order.sha256 for order in orders})
        settings = synthesizing.Config(sources, "others", out, cache, SIZE, 0)
        synthesizer = functools.partial(synthesizing.make_synthesizer, settings)
        made = made_by(synthesizer(), jobs, out, Path(place))
        shutil.rmtree(cache.folder)
        alone = functools.partial(codecs, root, out, mattes, made)
        rows.append(measured("synthesize others", alone, synthesizer, jobs))
    return {"photos": len(photos), "rows": rows}


def measured(name: str, alone: Factory, ours: Factory, items: list[Any]) -> Row:
    """The row of both sides, which take the items in the groups that the stages make; rates per item."""
    groups = groups_of(items, SIZE)
    with processes(alone, chunk=1) as one, processes(ours, chunk=1) as two:
        row = compare(name, one, two, groups, agree=both_written, target=TARGET)
    each = len(items) / len(groups)
    row["baseline"] *= each
    row["ours"] *= each
    return row


def prepared(photo: Path, root: Path, mattes: Path, out: Path) -> composing.Task:
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
    checksum = hashlib.sha256(photo.read_bytes()).hexdigest()
    return composing.Task(image.as_posix(), checksum, width, height, square_around(box, 0.3))


def made_by(work: Callable[[Any], Any], items: list[Any], out: ImageWriter, place: Path) -> Path:
    """An .npz with the pictures that ours makes of the items, for the baseline to encode."""
    pictures = []
    for item in items:
        work([item])
        name = item.files[0] if isinstance(item, synthesizing.Task) else composed_name(item.image)
        pictures.append(read_photo(out.folder / name))
    path = place / "made.npz"
    np.savez(path, images=np.array([item.image for item in items]), pictures=np.stack(pictures))
    return path


def job_of(order: composing.Task, donor: str) -> synthesizing.Task:
    """The order to make one copy on the background of `donor`."""
    copy = f"{Path(order.image).with_suffix('')}__0.jpg"
    return synthesizing.Task(order.image, order.sha256, order.square, [copy], [donor])


def codecs(
    root: Path, out: ImageWriter, mattes: ImageStore | None, made: Path
) -> Callable[[Any], list[bool]]:
    """The baseline's work in one process: decode an item's photos and mattes, encode what is made of them.

    Args:
        made: an .npz of ours, uint8 [N, S, S, 3] by `pictures`, in the order of the names in `images`.
    """
    cv2.setNumThreads(1)
    with np.load(made) as arrays:
        picture_of = dict(zip(arrays["images"].tolist(), arrays["pictures"], strict=True))

    def one(item: composing.Task | synthesizing.Task) -> bool:
        donors = item.donors if isinstance(item, synthesizing.Task) else []
        for image in (item.image, *donors):
            simplejpeg.decode_jpeg((root / image).read_bytes())
        if mattes:
            for image in (item.image, *donors):
                cv2.imread(str(mattes.folder / matte_name(image)), cv2.IMREAD_GRAYSCALE)
        out.write(composed_name(item.image), encode_jpeg(picture_of[item.image]))
        return True

    return lambda items: [one(item) for item in items]


def both_written(baseline: list[bool], ours: composing.Result | synthesizing.Result) -> float:
    """Share of the items for which both sides wrote a picture."""
    return float(np.mean(baseline)) * (1 - len(ours.without_person) / len(baseline))


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
