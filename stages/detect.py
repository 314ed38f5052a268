"""Finds the face or the person in every photo, with a fallback box if nothing is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.detect.boxes import FOUND, IMPLAUSIBLE, NOT_RUN, STATUSES, Detection, with_fallback_boxes
from pipeline.detect.plausible import implausible
from pipeline.detect.run import detect_photos
from pipeline.io.atomic import write_report
from pipeline.io.result_cache import prune
from pipeline.networks.indexed_photo import index_photos
from pipeline.runtime.progress import say
from stages.shared.artefacts import BOXES, PHOTOS
from stages.shared.command import Stage, stage_command
from stages.shared.photos import open_photo_store

EXAMPLES = 10  # of photos with an implausible box, named in the report


def run(stage: Stage) -> None:
    photos = stage.first(PHOTOS.read())
    detect, machine = stage.params.detect, stage.params.machine
    indexed = (
        [] if detect.method == "none" else index_photos(photos, open_photo_store(stage.params.data.root))
    )
    background = stage.params.ingest.transparent_rgb
    root = stage.result_cache.parent.parent
    if detect.method != "none":
        say(f"detect: {detect.method} for {len(photos)} photos")
    result = detect_photos(indexed, detect, root, stage.result_cache, machine, background)
    detections = [result.detections[photo.sha256] for photo in indexed] or [None] * len(photos)
    if result.ran:
        say("detect: " + result.line(len(indexed), sum(d is not None for d in detections)))
        prune(stage.result_cache, machine.cache_gb)
        if result.hits == 0:
            stage.measured(result.seconds, len(indexed))
    table = box_table(photos, detections, result.ran, detect.reject_implausible)
    BOXES.write(stage.out(BOXES.path), table)
    details = count_statuses(table["status"], photos["split"])
    doubted = table["image"][(table["status"] == IMPLAUSIBLE).to_numpy()].tolist()
    details["implausible_examples"] = doubted[:EXAMPLES]
    if doubted:
        say(
            f"detect: {len(doubted)} boxes contradict the other photos or their own landmarks, as in "
            f"{doubted[0]}; a median box stands in"
        )
    write_report(
        stage.out("reports/detect.json"), {"without_box": count_without_box(table["status"])}, details
    )


def box_table(
    photos: pd.DataFrame, detections: list[Detection | None], was_run: bool, reject: bool
) -> pd.DataFrame:
    """build/boxes.parquet, in the order of `photos`; see docs/contracts.md.

    Args:
        photos: build/photos.parquet.
        detections: of each photo.
        was_run: whether there is a detector.
        reject: detect.reject_implausible.
    """
    sizes = photos[["width", "height"]].to_numpy(dtype=np.int64)
    boxes = np.array([f.box if f else np.zeros(4) for f in detections], dtype=np.float32).reshape(-1, 4)
    is_found = np.array([f is not None for f in detections], dtype=bool)
    people = photos["person"].tolist()
    doubted = implausible(boxes, sizes, people, is_found, points_of(detections)) if reject else None
    boxes, statuses = with_fallback_boxes(boxes, sizes, people, is_found, doubted)
    detections = [f if status == FOUND else None for f, status in zip(detections, statuses, strict=True)]
    marks = [[] if f is None or f.landmarks is None else f.landmarks.ravel().tolist() for f in detections]
    table = pd.DataFrame({"image": photos["image"].to_numpy()})
    for n, name in enumerate(("x1", "y1", "x2", "y2")):
        table[name] = boxes[:, n]
    table["score"] = np.array([f.score if f else np.nan for f in detections], dtype=np.float32)
    table["status"] = statuses if was_run else NOT_RUN
    # typed, or a table without any landmarks would get a column of type null
    table["landmarks"] = pd.Series(marks, dtype=pd.ArrowDtype(pa.list_(pa.float32())))
    return table


def points_of(detections: list[Detection | None]) -> np.ndarray:
    """Landmarks, float32 [N, 5, 2] in pixels, NaN where there are none."""
    points = np.full((len(detections), 5, 2), np.nan, dtype=np.float32)
    for i, detection in enumerate(detections):
        if detection is not None and detection.landmarks is not None:
            points[i] = detection.landmarks
    return points


def count_statuses(statuses: pd.Series, splits: pd.Series) -> dict[str, object]:
    """Details of reports/detect.json: photos by status, in all and by split, and the share found."""
    report: dict[str, object] = {"photos": len(statuses), **_by_status(statuses)}
    report["found_share"] = round(float((statuses == FOUND).mean()), 6) if len(statuses) else 0.0
    for split in ("train", "eval"):
        report[split] = _by_status(statuses[splits.to_numpy() == split])
    return report


def count_without_box(statuses: pd.Series) -> int | None:
    """Number of photos with a fallback box; None without a detector."""
    return None if (statuses == NOT_RUN).all() else int((statuses != FOUND).sum())


def _by_status(statuses: pd.Series) -> dict[str, int]:
    return {status: int((statuses == status).sum()) for status in STATUSES}


if __name__ == "__main__":
    stage_command("detect", run, __doc__ or "")
