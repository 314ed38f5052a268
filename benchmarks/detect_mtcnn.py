"""detect with MTCNN: facenet-pytorch as people run it, against the cascade in `pipeline/detect/mtcnn`.

    python -m benchmarks.detect_mtcnn PHOTO_FOLDER… [--limit 300]

Both sides do the whole stage: read a file, run the networks, give the largest face.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import limit
from benchmarks.interleave import Row, compare, processes, table
from pipeline.detect.mtcnn.nets import ONET, PNET, RNET, Net, Nets, folded_weights

PORTRAIT = 100  # pixels: a portrait's face is at least as large
Result = np.ndarray | None  # box `xyxy` of the largest face
Side = Callable[[Sequence[Path]], Sequence[Result]]


def run(photos: list[Path], count: int = 300) -> dict[str, Any]:
    """Rows `all scales`, `adaptive, mixed photos` and, where there are any, `adaptive, portraits`.

    Args:
        photos: files to choose from; mixed photos are these as they come, evenly picked.
        count: photos at most in a row.
    """
    photos = evenly(photos, count)
    form, baseline = strongest_baseline(photos)
    rows: list[Row] = []
    with processes(functools.partial(detector, adaptive=False)) as ours:
        boxes = ours(photos)
        name, most = "detect/mtcnn all scales", most_per_second(photos, adaptive=False)
        rows.append(compare(name, baseline, ours, photos, agree=same_face, target=5.5, most=most))
    portraits = [p for p, box in zip(photos, boxes, strict=True) if box is not None and side(box) >= PORTRAIT]
    with processes(functools.partial(detector, adaptive=True)) as ours:
        for name, some, target in (("mixed photos", photos, 8.0), ("portraits", portraits, 17.0)):
            if some:
                name = f"detect/mtcnn adaptive, {name}"
                most = most_per_second(some, adaptive=True)
                rows.append(compare(name, baseline, ours, some, agree=same_face, target=target, most=most))
    return {"baseline": form, "photos": len(photos), "portraits": len(portraits), "rows": rows}


def evenly(photos: list[Path], count: int) -> list[Path]:
    """At most `count` of the photos, spread over the list."""
    return [photos[i * len(photos) // count] for i in range(count)] if len(photos) > count else photos


def most_per_second(photos: list[Path], adaptive: bool) -> float:
    """What the machine allows for the levels and crops that our side looks at in some of the photos."""
    from pipeline.detect.mtcnn.cascade import Mtcnn
    from pipeline.io.photo import read_photo

    some = evenly(photos, 60)
    mtcnn = Mtcnn(adaptive=adaptive)
    mtcnn.nets = counted = CountedNets(mtcnn.nets)
    for photo in some:
        mtcnn.detect_largest(read_photo(photo))
    return limit.per_second(photos, counted.gflop / len(some), "f32")


class CountedNets:
    """The networks, and how much they had to do."""

    def __init__(self, nets: Nets) -> None:
        self.nets, self.gflop = nets, 0.0

    def pnet(self, levels: np.ndarray) -> np.ndarray:
        self.gflop += len(levels) * gflop(PNET, *levels.shape[2:], 3)
        return self.nets.pnet(levels)

    def rnet(self, crops: np.ndarray) -> np.ndarray:
        self.gflop += len(crops) * gflop(RNET, *crops.shape[1:])
        return self.nets.rnet(crops)

    def onet(self, crops: np.ndarray) -> np.ndarray:
        self.gflop += len(crops) * gflop(ONET, *crops.shape[1:])
        return self.nets.onet(crops)


@functools.cache
def gflop(net: Net, *shape: int) -> float:
    """Of one of the networks for one picture [height, width, 3]."""
    from pipeline.detect.mtcnn.openvino_nets import graph_of

    return limit.gflop_of(graph_of(net, folded_weights(net, Path()), [1, *shape]))


def detector(adaptive: bool) -> Callable[[Path], Result]:
    """Our side's work in one process."""
    import cv2

    from pipeline.detect.mtcnn.cascade import Mtcnn
    from pipeline.io.photo import read_photo

    cv2.setNumThreads(1)
    mtcnn = Mtcnn(adaptive=adaptive)

    def work(path: Path) -> Result:
        face = mtcnn.detect_largest(read_photo(path))
        return None if face is None else face.box

    return work


def strongest_baseline(photos: Sequence[Path]) -> tuple[str, Side]:
    """1 process, 2 threads: the README's loop, or the library's own batches of 32 where these are faster."""
    import torch
    from facenet_pytorch import MTCNN
    from PIL import Image

    torch.set_num_threads(2)
    _compiled_like_nms()
    mtcnn = MTCNN()

    def read(path: Path) -> Image.Image:
        return Image.open(path).convert("RGB")

    def largest(boxes: np.ndarray | None) -> Result:
        return None if boxes is None else np.asarray(boxes[0], np.float32)

    def loop(paths: Sequence[Path]) -> list[Result]:
        return [largest(mtcnn.detect(read(path))[0]) for path in paths]

    def batches(paths: Sequence[Path]) -> list[Result]:
        found: list[Result] = []
        for start in range(0, len(paths), 32):
            found.extend(
                largest(boxes) for boxes in mtcnn.detect([read(p) for p in paths[start : start + 32]])[0]
            )
        return found

    some = photos[:64]
    if len({read(path).size for path in photos}) > 1:
        return "README loop (batches want photos of one size)", loop
    seconds: dict[str, float] = {}
    for name, work in (("loop", loop), ("batches", batches)):
        work(some[:32])
        started = time.perf_counter()
        work(some)
        seconds[name] = time.perf_counter() - started
    return ("README loop", loop) if seconds["loop"] <= seconds["batches"] else ("batches of 32", batches)


def _compiled_like_nms() -> None:
    """Where torchvision has no compiled nms, the baseline gets the cascade's instead of a slow substitute."""
    import torch
    import torchvision.ops.boxes as torchvision_boxes

    from pipeline.detect.nms import nms

    if torch._C._dispatch_has_kernel_for_dispatch_key("torchvision::nms", "CPU"):
        return

    def fast(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
        return torch.from_numpy(nms(boxes.numpy(), scores.numpy(), iou_threshold))

    torchvision_boxes.nms = fast


def same_face(theirs: Result, ours: Result) -> bool:
    """Same found / not found, and IoU at least 0.95."""
    if theirs is None or ours is None:
        return theirs is None and ours is None
    size = np.minimum(theirs[2:], ours[2:]) - np.maximum(theirs[:2], ours[:2])
    overlap = float(np.maximum(size, 0).prod())
    union = float((theirs[2:] - theirs[:2]).prod() + (ours[2:] - ours[:2]).prod()) - overlap
    return overlap >= 0.95 * union


def side(box: np.ndarray) -> float:
    """Side in pixels of a square of the box's area."""
    return float(np.sqrt((box[2:] - box[:2]).prod()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    suffixes = {".jpg", ".jpeg", ".png"}
    photos = sorted(p for folder in given.folders for p in folder.rglob("*") if p.suffix.lower() in suffixes)
    report = run(photos, given.limit)
    counts = f"{report['photos']} photos, {report['portraits']} portraits"
    print(f"baseline: facenet-pytorch, {report['baseline']}; {counts}")
    print(table(report["rows"]))
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
