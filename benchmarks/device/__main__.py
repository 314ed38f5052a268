"""Every network path that can run on a GPU, on a few drawn photos, against the answers of the CPU.

    python -m benchmarks.device --device cuda      # or cpu: the same paths by torch on the CPU
    python -m benchmarks.device --device cuda train/bf16 detect/mtcnn

One line a path: ok or FAILED, agreement with the CPU's answers (OpenVINO where the CPU uses it by itself,
else torch) and the least that is ok, photos/s, what was computed. The exit code is 1 if a path fails. A path
whose weights are not here is left out, with a sentence. The rates are of a few dozen photos and show only
whether a device is used at all; `make bench` and `python -m benchmarks.whole_set` measure speed.

RetinaFace, BlazeFace, selfie segmentation and the networks of `faces` run on OpenVINO alone, so on the CPU
beside any GPU, and `audit` takes its features there too: they are not here.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np

from benchmarks.device import pictures, training
from benchmarks.device.outcome import Attempt, Material, NotHere
from pipeline.runtime.errors import first_line
from pipeline.runtime.progress import say

PEOPLE, SEED, PHOTO_SIZE = 14, 7, (384, 512)
EVERY = 3  # of the drawn photos is looked at


def paths() -> dict[str, Attempt]:
    """All of them, by name, in order."""
    return {
        "detect/mtcnn": pictures.mtcnn,
        "detect/yolov8 f32": pictures.yolov8("f32"),
        "detect/yolov8 auto": pictures.yolov8("auto"),
        "fit_segmenter": pictures.fit_segmenter,
        "segment/unet f32": pictures.unet("f32"),
        "segment/unet auto": pictures.unet("auto"),
        **{f"train/{p}": training.learns(p) for p in ("f32", "bf16", "f16")},
        "train/frozen": training.probes,
        "train/inference": training.answers,
        "train/processes": training.shares,
    }


def draw(root: Path) -> list[np.ndarray]:
    """Drawn people with their mattes below `root`, and the photos that can be read."""
    from demo.dataset import Params, write_demo
    from pipeline.io.photo import read_photo
    from pipeline.segment.unet.matte_pairs import find_pairs

    write_demo(root, Params(SEED, PEOPLE, 1, PHOTO_SIZE), None)
    pairs = find_pairs(root / "data", root / "mattes")[::EVERY]
    return [read_photo(pair.photo, (255, 255, 255)) for pair in pairs]


def attempt(name: str, path: Attempt, material: Material) -> bool:
    """Runs one path, prints its line, and says whether it is ok or left out."""
    try:
        found = path(material)
    except NotHere as e:
        print(f"{name:20} left out  {first_line(e)}", flush=True)
        return True
    except Exception as e:  # whatever a device may raise: the other paths are tried all the same
        traceback.print_exc()
        print(f"{name:20} FAILED    {type(e).__name__}: {first_line(e)}", flush=True)
        return False
    state, least = "ok" if found.ok else "FAILED", f"{found.agreement:.4f} of {found.least:.2f}"
    print(f"{name:20} {state:9} {least:16} {found.rate:8.1f} photos/s  {found.what}", flush=True)
    return found.ok


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.device",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="which paths; all when none is named")
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    given = parser.parse_args()
    if given.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch looks: where it finds a GPU it takes it
    from pipeline.networks.backends import has_cuda

    if given.device == "cuda" and not has_cuda():
        sys.exit("torch finds no CUDA device: check `nvidia-smi`, `make setup TORCH=cuda` for the CUDA build")
    offered = paths()
    if unknown := sorted({n for n in given.names if not any(name.startswith(n) for name in offered)}):
        sys.exit(f"no path {', '.join(unknown)}; there are: {', '.join(offered)}")
    chosen = [n for n in offered if not given.names or any(n.startswith(g) for g in given.names)]
    with tempfile.TemporaryDirectory() as folder:
        say("drawing people")
        material = Material(Path(folder), draw(Path(folder)), given.device)
        good = [attempt(name, offered[name], material) for name in chosen]
    sys.exit(0 if all(good) else f"{good.count(False)} of {len(good)} paths failed on {given.device}")


if __name__ == "__main__":
    main()
