"""Shows a photo as every stage left it: raw, box, matte, composed picture, synthetic copies.

IMAGE is a photo's name in build/index.parquet, or the end of it, e.g. `000123_female_Asian_25/mask1.jpg`.
With --stage, the picture's own bytes are written, whether its folder holds files or tars (`data.shards`).
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from pipeline.io.image_store import ImageStore
    from pipeline.params import Params

FOLDER = Path(".cache/show")
MAX_LISTED = 5
NOT_RUN = "not run"


class Picture(StrEnum):
    """What a stage leaves of a photo."""

    matte = "matte"
    composed = "composed"
    synthetic = "synthetic"


def main(
    image: Annotated[str, typer.Argument(help="A photo's name in the index, or the end of it.")],
    stage: Annotated[Picture | None, typer.Option(help="Only this picture, as the stage wrote it.")] = None,
    copy: Annotated[int, typer.Option(min=0, help="With --stage synthetic: which copy.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Where to write it; by default below .cache/show.")] = None,
    viewer: Annotated[bool, typer.Option(help="Open it, where this is a terminal.")] = True,
) -> None:
    from pipeline.io.atomic import atomic_file
    from pipeline.params import load_params
    from pipeline.runtime.errors import UserError

    if copy and stage is not Picture.synthetic:
        raise UserError("--copy is for --stage synthetic", got=f"--copy {copy}", fix="add --stage synthetic")
    params = load_params(Path("params.yaml"))
    name = find_photo(image.removeprefix(f"{params.data.root}/"), _photos())
    if stage is None:
        content, suffix = encode_png(draw_stages(name, params)), ".png"
    else:
        content, suffix = read_picture(name, stage, copy)
    flat = "__".join(Path(name).with_suffix("").parts)
    target = out or FOLDER / f"{flat}__{stage or 'all'}{copy or ''}{suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(target) as part:
        part.write_bytes(content)
    print(target)
    if viewer and out is None and sys.stdout.isatty():
        typer.launch(str(target))


def _photos() -> list[str]:
    from stages.shared.artefacts import PHOTOS

    return list(PHOTOS.read("image")["image"])


def find_photo(wanted: str, images: list[str]) -> str:
    """The one photo with this name, or whose name ends with it after a slash, with or without suffix.

    Raises:
        UserError: there is none, or there are several; names some.
    """
    from pipeline.runtime.errors import UserError, nearest

    if wanted in images:
        return wanted
    found = [
        i
        for i in images
        if f"/{i}".endswith(f"/{wanted}") or f"/{i}".rpartition(".")[0].endswith(f"/{wanted}")
    ]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(found[:MAX_LISTED]) + (", …" if len(found) > MAX_LISTED else "")
        raise UserError(
            f"{len(found)} photos have this name", got=wanted, allowed=shown, fix="name one of them"
        )
    close = nearest(wanted, images)
    raise UserError(
        "no photo of the index has this name",
        got=wanted,
        fix=f"did you mean `{close}`?" if close else "see build/index.parquet, or build/quarantine.csv",
    )


def read_picture(name: str, kind: Picture, copy: int) -> tuple[bytes, str]:
    """Bytes and suffix of a picture of photo `name`; of its synthetic copies the one numbered `copy`.

    Raises:
        UserError: no stage has made it, or there are not so many copies.
    """
    from pipeline.io.image_store import composed_name, matte_name
    from pipeline.runtime.errors import UserError

    store = _stores()[kind]
    if kind is Picture.synthetic:
        names = copies_of(name)
        if 0 < len(names) <= copy:
            allowed = f"0 to {len(names) - 1}"
            raise UserError("there is no such copy of this photo", where=name, got=copy, allowed=allowed)
        file = names[copy] if names else ""
    else:
        file = matte_name(name) if kind is Picture.matte else composed_name(name)
    if file not in store:
        fix = f"run `dvc repro {store.stage}`"
        raise UserError(f"there is no {kind} picture of this photo", got=name, fix=fix)
    return store.read(file), Path(file).suffix


def copies_of(name: str) -> list[str]:
    """The files of a photo's synthetic copies."""
    from stages.shared.artefacts import COPIES

    if not COPIES.path.is_file():
        return []
    table: pd.DataFrame = COPIES.read("file", "image")
    return sorted(table.loc[table["image"] == name, "file"])


def draw_stages(name: str, params: Params) -> np.ndarray:
    """A contact sheet of one row: the photo, and what each stage made of it; uint8 [H, W, 3] RGB."""
    import numpy as np

    from pipeline.analysis.contact_sheet import Row, draw_contact_sheet
    from pipeline.io.image_store import composed_name, matte_name
    from stages.shared.photos import open_photo_store

    stores = _stores()
    photo = open_photo_store(params.data.root).photo(name, params.ingest.transparent_rgb)
    status, boxed = _boxed(name, photo)
    matte, composed = matte_name(name), composed_name(name)
    copies = copies_of(name)
    cells: list[Any] = [
        photo,
        boxed,
        np.dstack([stores[Picture.matte].matte(name)] * 3) if matte in stores[Picture.matte] else NOT_RUN,
        stores[Picture.composed].photo(composed) if composed in stores[Picture.composed] else NOT_RUN,
        *[stores[Picture.synthetic].photo(copy) for copy in copies],
    ]
    titles = ["raw", "box", "matte", "composed", *["synthetic"] * len(copies)]
    return draw_contact_sheet(titles, [Row(f"{name} · {status.replace('_', ' ')}", cells)])


def _boxed(name: str, photo: np.ndarray) -> tuple[str, np.ndarray | str]:
    """The box's status, and the photo with box, square and landmarks drawn on it."""
    from pipeline.analysis.contact_sheet import draw_boxes
    from stages.shared.artefacts import BOXES, CROPS

    if not BOXES.path.is_file() or not CROPS.path.is_file():
        return NOT_RUN, NOT_RUN
    boxes, squares = BOXES.read().set_index("image"), CROPS.read().set_index("image")
    if name not in boxes.index or name not in squares.index:
        return NOT_RUN, NOT_RUN
    row, square = boxes.loc[name], squares.loc[name]
    status = str(row["status"])
    if status == "not_run":
        return status, NOT_RUN
    return status, draw_boxes(photo, _corners(row), _corners(square), status, list(row["landmarks"]))


def _corners(row: Any) -> tuple[float, float, float, float]:
    return float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"])


def _stores() -> dict[Picture, ImageStore]:
    from pipeline.io.image_store import ImageStore
    from stages.shared.artefacts import COMPOSED, MATTES, SYNTHETIC

    folders = {Picture.matte: MATTES, Picture.composed: COMPOSED, Picture.synthetic: SYNTHETIC}
    return {kind: ImageStore.opened(folder.path, folder.stage) for kind, folder in folders.items()}


def encode_png(picture: np.ndarray) -> bytes:
    """A PNG of uint8 [H, W, 3] RGB."""
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()
