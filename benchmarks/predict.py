"""Answers about photos: the loop that a team would write, against the exported chain.

    python -m benchmarks.predict PHOTO_FOLDER… --model OUT [--limit 48]

Both sides do the whole way from a file to 18 probabilities: find the face, matte the photo, crop, classify.
The baseline is what teams have in their notebooks: facenet-pytorch's MTCNN, a U-Net of
segmentation-models-pytorch on the photo at 512 px, a timm network, one photo at a time, a thread per CPU. Its
classifier has the export's backbone and its U-Net a ResNet-18, both untrained: right for the speed. Ours is
`cleanplate.predict` on the export, with a matte for each photo too, on a thread per CPU. Agreement is that of
the boxes, which both take from the same weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detect_mtcnn import evenly
from benchmarks.interleave import Row, compare, table
from pipeline.detect.boxes import iou
from pipeline.runtime.process import worker_count

TARGET = 8.0
UNET_SIDE = 512  # px, a multiple of 32: the photo's longest side in the baseline's U-Net
SAME_BOX = 0.5  # IoU
Box = np.ndarray | None


def run(photos: list[Path], export: Path, count: int = 48) -> dict[str, Any]:
    """The row of the benchmark.

    Args:
        photos: files to choose from, evenly picked.
        export: a folder that `cleanplate export` wrote.
        count: photos at most.
    """
    card = json.loads((export / "card.json").read_text(encoding="utf-8"))["cleanplate"]["params"]
    chain = json.loads((export / "chain.json").read_text(encoding="utf-8"))
    baseline = team_loop(card["train"]["model"], chain["classify"]["size"])
    row: Row = compare(
        f"predict {chain['detect']['method']} {card['train']['model']}",
        baseline,
        exported_chain(export),
        evenly(photos, count),
        agree=same_box,
        target=TARGET,
        least_agreement=0.9,
        blocks=4,
    )
    return {
        "baseline": f"facenet-pytorch, smp U-Net, timm, batch 1, {worker_count(None)} threads",
        "rows": [row],
    }


def team_loop(backbone: str, size: int) -> Callable[[Sequence[Path]], list[Box]]:
    """The baseline: boxes of the photos, after all networks have run."""
    import cv2
    import segmentation_models_pytorch as smp
    import timm
    import torch
    from facenet_pytorch import MTCNN
    from PIL import Image

    mtcnn = MTCNN()
    unet: Any = smp.Unet("resnet18", encoder_weights=None, classes=1).eval()
    network: Any = timm.create_model(backbone, num_classes=18).eval()

    def tensor(pixels: np.ndarray, side: int) -> torch.Tensor:
        small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255

    def one(path: Path) -> Box:
        image = Image.open(path).convert("RGB")
        boxes, _ = mtcnn.detect(image)
        pixels = np.asarray(image)
        alpha = unet(tensor(pixels, UNET_SIDE)).sigmoid()[0, 0].numpy()
        alpha = cv2.resize(alpha, pixels.shape[1::-1])[..., None]
        cut = (pixels * alpha).astype(np.uint8)
        if boxes is None:
            return None
        x1, y1, x2, y2 = (max(int(edge), 0) for edge in boxes[0])
        network(tensor(cut[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)], size)).softmax(1)
        return np.asarray(boxes[0])

    def loop(paths: Sequence[Path]) -> list[Box]:
        with torch.inference_mode():
            return [one(path) for path in paths]

    return loop


def exported_chain(export: Path) -> Callable[[Sequence[Path]], list[Box]]:
    """Our side: boxes of the photos, after all networks have run."""
    from cleanplate.predict import Model

    model = Model.load(export)
    pool = ThreadPoolExecutor(worker_count(None))

    def one(path: Path) -> Box:
        people = model.look(path.read_bytes(), most=1)
        return people[0][0].box if people else None

    return lambda paths: list(pool.map(one, paths))


def same_box(theirs: Box, ours: Box) -> float:
    """1 where both found the same face, or none."""
    if theirs is None or ours is None:
        return float(theirs is None and ours is None)
    return float(iou(theirs[None], ours[None])[0] >= SAME_BOX)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", type=Path, default=Path("build/export"))
    parser.add_argument("--limit", type=int, default=48)
    options = parser.parse_args()
    photos = sorted(p for folder in options.folders for p in folder.rglob("*.jpg"))
    print(table(run(photos, options.model, options.limit)["rows"]))


if __name__ == "__main__":
    main()
