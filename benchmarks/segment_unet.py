"""segment with a U-Net: the torch loop that people write, against `pipeline/segment/methods/unet.py`.

    python -m benchmarks.segment_unet PHOTO_FOLDER… [--weights FOLDER] [--limit 48]

Both sides do the whole stage: read a file, run the network, write a PNG at the photo's size. The baseline
runs torch on one photo at a time with a thread per CPU, and PIL writes its PNG; ours sees it at its own
size (full) or at half of it (working). Without --weights (a folder as fit_segmenter writes) the network is an
untrained EfficientNet-b3 U-Net: right for the speed, while its mattes at half size mean nothing.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import limit
from benchmarks.detect_mtcnn import evenly
from benchmarks.interleave import Row, compare, processes, table
from pipeline.networks.backends import cpu_has_bf16
from pipeline.params.preparation import Segment
from pipeline.runtime.process import worker_count
from pipeline.segment.mattes import iou

# (size, precision): least ratio; least IoU by size
TARGETS = {("full", "f32"): 3.3, ("full", "bf16"): 8.5, ("working", "f32"): 12.0, ("working", "bf16"): 26.0}
LEAST_IOU = {"full": 0.99, "working": 0.97}
LONGEST = 512  # px: the longest side of the photos; theirs, unpadded, must be multiples of 32


def run(photos: list[Path], weights: Path | None = None, count: int = 48) -> dict[str, Any]:
    """Rows for both sizes and, where the CPU has it, bf16.

    Args:
        photos: files to choose from, evenly picked; sides must be multiples of 32.
        weights: a folder with model.safetensors and config.json; None = an untrained EfficientNet-b3 U-Net.
        count: photos at most.
    """
    photos = evenly(photos, count)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        place = weights or untrained_b3(root / "untrained")
        theirs = torch_loop(place, root / "theirs")
        for (name, precision), target in TARGETS.items():
            if precision == "bf16" and not cpu_has_bf16():
                continue
            size = LONGEST if name == "full" else LONGEST // 2
            segment = section(place, size, precision)
            prepare(segment, root)
            most = limit.per_second(photos, gflop(segment, root, photos), precision)
            with processes(functools.partial(matter, segment, root)) as ours:
                row = compare(
                    f"segment/unet {name} {precision}",
                    theirs,
                    ours,
                    photos,
                    agree=iou,
                    target=target,
                    least_agreement=LEAST_IOU[name] if weights or name == "full" else 0.0,
                    blocks=4,
                    most=most,
                )
            if not weights and name != "full":
                row["agreement"] = None  # an untrained network at half size
            rows.append(row)
    return {
        "baseline": f"torch {encoder_of(weights)}, batch 1, {worker_count(None)} threads, PNG by PIL",
        "photos": len(photos),
        "trained": weights is not None,
        "rows": rows,
    }


def encoder_of(weights: Path | None) -> str:
    from pipeline.segment.unet.config import PEOPLE_B3, locate

    return locate(weights)[1].encoder if weights else f"{PEOPLE_B3.encoder} (untrained)"


def untrained_b3(folder: Path) -> Path:
    """The network of the public people-segmentation U-Net, untrained but always the same."""
    import torch

    from pipeline.segment.unet.architecture import build
    from pipeline.segment.unet.config import CONFIG, PEOPLE_B3, WEIGHTS, write_config
    from pipeline.segment.unet.weights import save_net

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    save_net(folder / WEIGHTS, build(PEOPLE_B3).eval())
    write_config(folder / CONFIG, PEOPLE_B3)
    return folder


def section(weights: Path, size: int, precision: str) -> Segment:
    """The params of our side."""
    unet = {"weights": str(weights), "size": size, "precision": precision}
    return Segment.model_validate({"method": "unet", "backend": "openvino", "unet": unet})


def gflop(segment: Segment, root: Path, photos: Sequence[Path]) -> float:
    """Of our network, for one of the photos."""
    import openvino

    from pipeline.io.photo import photo_header
    from pipeline.segment.unet.config import locate
    from pipeline.segment.unet.frame import frame_of
    from pipeline.segment.unet.openvino_net import ensure_converted

    weights, config = locate(Path(segment.unet.weights))
    model = openvino.Core().read_model(ensure_converted(weights, config, root))
    headers = [photo_header(photo) for photo in photos]
    frames = Counter(frame_of(h.height, h.width, segment.unet.size or config.size).net for h in headers)
    total = 0.0
    for shape, count in frames.items():
        model.reshape([1, *shape, 3])
        total += count * limit.gflop_of(model)
    return total / len(photos)


def prepare(segment: Segment, root: Path) -> None:
    from pipeline.segment.methods import unet

    unet.prepare(segment, root, root)


def matter(segment: Segment, root: Path) -> Callable[[Path], np.ndarray]:
    """Our side's work in one process."""
    from pipeline.io.photo import encode_matte, read_photo
    from pipeline.segment.methods import unet

    look = unet.create(segment, root, root)
    out = root / f"ours-{os.getpid()}"
    out.mkdir(exist_ok=True)

    def work(path: Path) -> np.ndarray:
        (alpha,) = look([read_photo(path)])
        (out / f"{path.parent.name}-{path.stem}.png").write_bytes(encode_matte(alpha))
        return alpha

    return work


def torch_loop(weights: Path, out: Path) -> Callable[[Sequence[Path]], list[np.ndarray]]:
    """The baseline: PIL, numpy, torch, PIL."""
    import torch
    from PIL import Image

    from pipeline.segment.unet.config import IMAGENET_MEAN, IMAGENET_STD, locate
    from pipeline.segment.unet.weights import load_net

    net = load_net(*locate(weights)).net.eval()
    torch.set_num_threads(worker_count(None))
    out.mkdir()

    def loop(paths: Sequence[Path]) -> list[np.ndarray]:
        found: list[np.ndarray] = []
        for path in paths:
            pixels = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) / 255
            normal = (pixels - np.array(IMAGENET_MEAN, np.float32)) / np.array(IMAGENET_STD, np.float32)
            with torch.inference_mode():
                logits = net(torch.from_numpy(normal.transpose(2, 0, 1)[None].copy()))
            alpha = (logits[0, 0].sigmoid().numpy() * 255 + 0.5).astype(np.uint8)
            Image.fromarray(alpha).save(out / f"{path.parent.name}-{path.stem}.png")
            found.append(alpha)
        return found

    return loop


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--limit", type=int, default=48)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    suffixes = {".jpg", ".jpeg", ".png"}
    photos = sorted(p for folder in given.folders for p in folder.rglob("*") if p.suffix.lower() in suffixes)
    report = run(photos, given.weights, given.limit)
    print(f"baseline: {report['baseline']}; {report['photos']} photos")
    print(table(report["rows"]))
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
