"""A teacher's mattes of photos that have none of their own, for a small U-Net to learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.io.image_store import ImageWriter, matte_name
from pipeline.io.photo import PhotoError, decode_photo
from pipeline.io.photo_store import PhotoFile
from pipeline.io.result_cache import ResultCache
from pipeline.networks.indexed_photo import IndexedPhoto
from pipeline.params.machine import Machine
from pipeline.params.preparation import Segment
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import track
from pipeline.seeds import unit
from pipeline.segment import refine
from pipeline.segment.run import SegmentationResult, matte_photos
from pipeline.segment.unet.matte_pairs import Background, Pair, people_of, photos_by_name


@dataclass(frozen=True)
class Pupils:
    """Photos to learn from, and the paths of those that cannot be used."""

    photos: list[IndexedPhoto]
    unusable: list[str]


def choose_photos(folder: Path, max_photos: int | None, seed: int, background: Background) -> Pupils:
    """At most `max_photos` readable photos below `folder`, whichever others lie there beside them.

    A photo whose name another one has too, but for the suffix, and one that cannot be decoded, is unusable.

    Raises:
        UserError: the folder is missing, or no photo in it can be used.
    """
    found = photos_by_name(folder)
    names = sorted(found, key=lambda name: (unit(seed, "taught", name), name))[:max_photos]
    photos: list[IndexedPhoto] = []
    unusable: list[str] = []
    for name in track(sorted(names), len(names), "fit_segmenter: choosing"):
        first, *others = found[name]
        photo = None if others else _indexed(first, folder, background)
        if photo is None:
            unusable += [path.relative_to(folder).as_posix() for path in found[name]]
        else:
            photos.append(photo)
    if not photos:
        raise UserError("there are no photos to fit the segmenter on", where=folder, got=unusable[:5])
    return Pupils(photos, unusable)


def _indexed(path: Path, folder: Path, background: Background) -> IndexedPhoto | None:
    try:
        data = path.read_bytes()
        height, width = decode_photo(data, background, where=str(path)).shape[:2]
    except (OSError, PhotoError):
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    return IndexedPhoto(path.relative_to(folder).as_posix(), PhotoFile(str(path)), sha256, width, height)


def teach(
    photos: Sequence[IndexedPhoto],
    teacher: Segment,
    refinement: str,
    background: Background,
    root: Path,
    cache: Path,
    out: Path,
    machine: Machine,
) -> tuple[list[Pair], SegmentationResult]:
    """Writes the teacher's matte of each photo below `out`; those of an earlier run come from the cache.

    Args:
        photos: from `choose_photos`.
        teacher: its method, which needs no fitting, and that method's params.
        refinement: as `segment.refine`.
        background: RGB behind transparent pixels.
        root: the folder with `.cache`.
        cache: the result cache, shared with the stage `segment`.
        out: an empty folder.
        machine: the params section: engine and workers.
    """
    module = load_plugin("segment.methods", teacher.method)
    chosen = (teacher, root, out)
    identity = {"method": teacher.method, "background": list(background), **module.identity(*chosen)}
    results = ResultCache(cache, "segment", identity | refine.identity(refinement))
    create = refine.refining(refinement, partial(module.create, *chosen))

    def prepare() -> int:
        return module.prepare(*chosen).batch

    result = matte_photos(
        photos,
        prepare,
        create,
        partial(module.identity, *chosen),
        results,
        ImageWriter(out),
        background,
        machine,
    )
    names = [Path(photo.image).with_suffix("").as_posix() for photo in photos]
    person = people_of(names)
    pairs = [
        Pair(name, person[name], Path(photo.file.path), out / matte_name(photo.image))
        for name, photo in zip(names, photos, strict=True)
    ]
    return pairs, result
