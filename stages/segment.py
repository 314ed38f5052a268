"""Computes a matte for every photo: which pixels show the person, at the photo's own size.

Writes build/mattes (`<image>.png`, 8-bit gray) and reports/segment.json. The result cache answers for photos
that the network has seen before, under any name.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.io.atomic import write_report
from pipeline.io.image_store import ImageStore, ImageWriter
from pipeline.io.result_cache import ResultCache, prune
from pipeline.networks.indexed_photo import IndexedPhoto, index_photos
from pipeline.params.preparation import Segment
from pipeline.runtime.errors import UserError, first_line
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say
from pipeline.segment import refine
from pipeline.segment.agreement import MIN_IOU, POOR_IOU, Agreement, agree, is_fitted_to
from pipeline.segment.mattes import MIN_COVERAGE
from pipeline.segment.run import SegmentationResult, matte_photos
from pipeline.segment.unet.config import CONFIG, read_config
from stages.shared.artefacts import MATTES, PHOTOS, SEGMENTER
from stages.shared.command import Stage, stage_command
from stages.shared.photos import open_photo_store


def run(stage: Stage) -> None:
    segment = stage.params.segment
    columns = ("image", "split", "width", "height", "sha256")
    photos = stage.first(PHOTOS.read(*columns))
    if segment.method != "none":
        say(f"segment: {segment.method} for {len(photos)} photos")
    with stage.pictures(MATTES, stage.params.data.shards) as writer:
        result = SegmentationResult() if segment.method == "none" else _segment_photos(stage, photos, writer)
    agreement = _compare_with_selfie(stage, photos)
    empty = [image for image, share in result.coverage.items() if share < MIN_COVERAGE]
    report = build_report(photos, result, segment.method) | {"agreement": agreement and asdict(agreement)}
    metrics = {"empty_mattes": None if segment.method == "none" else len(empty), "iou": fitted_iou(segment)}
    write_report(stage.out("reports/segment.json"), metrics, report)
    if segment.method != "none":
        say(f"segment: {result.line()}")
        if result.hits == 0:
            stage.measured(result.seconds, len(photos))
    if empty:
        shown = ", ".join(empty[:3]) + (", …" if len(empty) > 3 else "")
        say(
            f"segment: warning: {len(empty)} mattes are (almost) empty; these photos become all background: "
            f"{shown}; reports/segment.json lists them"
        )


def fitted_iou(segment: Segment) -> float | None:
    """IoU of `fit_segmenter`'s U-Net on held-out people; None for other networks."""
    if segment.method != "unet" or segment.unet.weights != "demo":
        return None
    return read_config(SEGMENTER / CONFIG).iou


def _segment_photos(stage: Stage, photos: pd.DataFrame, writer: ImageWriter) -> SegmentationResult:
    segment, background = stage.params.segment, stage.params.ingest.transparent_rgb
    module = load_plugin("segment.methods", segment.method)
    root = stage.result_cache.parent.parent
    chosen = (segment, root, SEGMENTER)
    identity = {"method": segment.method, "background": list(background), **module.identity(*chosen)}
    identity |= refine.identity(segment.refine)

    def prepare() -> int:
        plan = module.prepare(*chosen)
        say(f"segment: {plan.description}")
        return plan.batch

    cache = ResultCache(stage.result_cache, "segment", identity)
    create = refine.refining(segment.refine, partial(module.create, *chosen))
    machine = stage.params.machine
    same, here = partial(module.identity, *chosen), _indexed(stage, photos)
    result = matte_photos(here, prepare, create, same, cache, writer, background, machine)
    prune(stage.result_cache, machine.cache_gb)
    return result


def _indexed(stage: Stage, photos: pd.DataFrame) -> list[IndexedPhoto]:
    return index_photos(photos, open_photo_store(stage.params.data.root))


def _compare_with_selfie(stage: Stage, photos: pd.DataFrame) -> Agreement | None:
    """Warns if the U-Net was fitted to other photos, and its mattes of these are unlike the selfie network's.

    None where it was fitted to these, for other networks, and where there is nothing to compare with.
    """
    segment, fitted, data = stage.params.segment, stage.params.fit_segmenter.photos, stage.params.data.root
    fitted_here = segment.method == "unet" and segment.unet.weights == "demo"
    if not fitted_here or is_fitted_to(Path(fitted), Path(data)):
        return None
    mattes, root = ImageStore.opened(stage.out(MATTES.path)), stage.result_cache.parent.parent
    other = f"segment: warning: this U-Net was fitted to {fitted}, not to {data}"
    try:
        found = agree(_indexed(stage, photos), mattes, segment, root, stage.params.ingest.transparent_rgb)
    except UserError as e:
        name = segment.selfie.weights
        say(f"{other}; the selfie network ({name}), to compare it with, is not there: {first_line(e)}")
        return None
    if found and found.iou < MIN_IOU:
        say(
            f"{other}: on {found.photos} photos its mattes and the selfie network's have an IoU of "
            f"{found.iou:.2f} (less than {MIN_IOU}), {found.poor} of them below {POOR_IOU}"
        )
        say("segment: for photographs: dvc exp run -S segment.method=selfie")
    return found


def build_report(photos: pd.DataFrame, result: SegmentationResult, method: str) -> dict[str, object]:
    """Details of reports/segment.json, for all photos and by split."""
    shares = photos["image"].map(result.coverage).astype(float)
    groups = {"all": shares, **{str(split): shares[photos["split"] == split] for split in ("train", "eval")}}
    return {
        "method": method,
        **{name: _summary(group.dropna().to_numpy()) for name, group in groups.items()},
        "empty_mattes": sorted(image for image, share in result.coverage.items() if share < MIN_COVERAGE),
    }


def _summary(shares: np.ndarray) -> dict[str, float | int | None]:
    return {
        "mattes": len(shares),
        "mean_coverage": round(float(shares.mean()), 6) if len(shares) else None,
        "empty": int(np.count_nonzero(shares < MIN_COVERAGE)),
    }


if __name__ == "__main__":
    stage_command("segment", run, __doc__ or "")
