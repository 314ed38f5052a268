"""detect with YOLOv8: ultralytics' `predict` as people write it, against `pipeline/detect/methods/yolov8.py`.

    python -m benchmarks.detect_yolov8 PHOTO_FOLDER… --weights yolov8n.pt [--limit 280]

Both sides do the whole stage: read a file, run the network, give the best person box. The baseline takes the
7 photos of a person at once at imgsz 640, one process with a thread per CPU; ours takes photos at their own
size. Since the baseline scales small photos up, boxes are compared with those of `predict` at our size.
"""

from __future__ import annotations

import argparse
import functools
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import limit
from benchmarks.detect_mtcnn import evenly
from benchmarks.interleave import Row, compare, processes, table
from pipeline.detect.boxes import iou
from pipeline.networks.backends import cpu_has_bf16
from pipeline.params.preparation import Detect, Yolov8Params
from pipeline.runtime.process import worker_count

TOGETHER = 7  # photos of a person
TARGETS = {"f32": 4.5, "bf16": 11.0}
Result = np.ndarray | None  # box `xyxy` of the best person


def run(photos: list[Path], weights: Path, count: int = 280) -> dict[str, Any]:
    """Rows `f32` and, where the CPU has it, `bf16`.

    Args:
        photos: files to choose from, evenly picked.
        weights: yolov8n.pt.
        count: photos at most.
    """
    photos = evenly(photos, count)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        model = ultralytics_model(weights, root)
        truth = [at_own_size(model, photo) for photo in photos]
        same = [True] * len(photos)
        for precision in ("f32", "bf16") if cpu_has_bf16() else ("f32",):
            detect = section(weights, precision)
            most = limit.per_second(photos, gflop(detect, root, photos), precision)
            with processes(functools.partial(finder, detect, root)) as ours:
                same = [same_person(t, o) for t, o in zip(truth, ours(photos), strict=True)]
                row = compare(
                    f"detect/yolov8 {precision}",
                    functools.partial(predict, model),
                    ours,
                    photos,
                    agree=same_person,
                    target=TARGETS[precision],
                    least_agreement=0.0,
                    most=most,
                )
            row["agreement"] = float(np.mean(same))
            row["met"] = row["met"] and row["agreement"] >= 0.99
            rows.append(row)
    found = sum(box is not None for box in truth)
    return {
        "baseline": f"ultralytics predict({TOGETHER} paths), imgsz 640",
        "photos": len(photos),
        "found": found,
        "rows": rows,
    }


def gflop(detect: Detect, root: Path, photos: Sequence[Path]) -> float:
    """Of our network, for one of the photos."""
    import openvino

    from pipeline.detect.methods import yolov8
    from pipeline.detect.yolo.engines import ensure_converted
    from pipeline.detect.yolo.letterbox import letterbox_of
    from pipeline.io.photo import photo_header
    from pipeline.networks import weights

    yolov8.prepare(detect, root)
    path = weights.resolve(detect.yolov8.weights, root)
    model = openvino.Core().read_model(ensure_converted(path, weights.sha256_of(path), root) / "person.xml")
    headers = [photo_header(photo) for photo in photos]
    frames = Counter((f.height, f.width) for f in (letterbox_of(h.width, h.height) for h in headers))
    total = 0.0
    for (height, width), count in frames.items():
        model.reshape([1, height, width, 3])
        total += count * limit.gflop_of(model)
    return total / len(photos)


def section(weights: Path, precision: str) -> Detect:
    """The params of our side."""
    yolov8 = Yolov8Params.model_validate({"weights": str(weights), "precision": precision})
    return Detect(method="yolov8", backend="openvino", yolov8=yolov8)


def finder(detect: Detect, root: Path) -> Callable[[Path], Result]:
    """Our side's work in one process."""
    from pipeline.detect.methods import yolov8
    from pipeline.io.photo import read_photo

    yolov8.prepare(detect, root)
    look = yolov8.create(detect, root)

    def work(path: Path) -> Result:
        (found,) = look([read_photo(path)])
        return None if found is None else found.box

    return work


def ultralytics_model(weights: Path, root: Path) -> Any:
    """The baseline's network with a thread per CPU; `predict` would take one less."""
    from pipeline.detect.yolo.checkpoint import load_checkpoint

    load_checkpoint(weights, root)  # switches downloads and telemetry off
    import torch
    from ultralytics import YOLO

    model = YOLO(weights)
    model.predict(np.zeros((64, 64, 3), np.uint8), verbose=False)  # sets the thread count, once
    torch.set_num_threads(worker_count(None))
    return model


def predict(model: Any, paths: Sequence[Path]) -> list[Result]:
    """The baseline."""
    found: list[Result] = []
    for start in range(0, len(paths), TOGETHER):
        some = [str(path) for path in paths[start : start + TOGETHER]]
        found.extend(best(r) for r in model.predict(some, imgsz=640, classes=[0], verbose=False))
    return found


def at_own_size(model: Any, path: Path) -> Result:
    """What `predict` says at the size at which we look."""
    from pipeline.detect.yolo.letterbox import letterbox_of
    from pipeline.io.photo import read_photo

    photo = read_photo(path)
    frame = letterbox_of(photo.shape[1], photo.shape[0])
    bgr = np.ascontiguousarray(photo[:, :, ::-1])
    return best(model.predict(bgr, imgsz=[frame.height, frame.width], classes=[0], verbose=False)[0])


def best(result: Any) -> Result:
    """The first box, which is the one with the highest score."""
    return result.boxes.xyxy[0].numpy() if len(result.boxes) else None


def same_person(theirs: Result, ours: Result) -> bool:
    """Same found / not found, and IoU at least 0.95."""
    if theirs is None or ours is None:
        return theirs is None and ours is None
    return float(iou(theirs, ours)) >= 0.95


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=280)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    suffixes = {".jpg", ".jpeg", ".png"}
    photos = sorted(p for folder in given.folders for p in folder.rglob("*") if p.suffix.lower() in suffixes)
    report = run(photos, given.weights, given.limit)
    print(f"baseline: {report['baseline']}; {report['photos']} photos, a person in {report['found']}")
    print(table(report["rows"]))
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
