"""A whole competition's photos through ingest, detect, segment and compose, as `dvc repro` runs them.

    python -m benchmarks.whole_set [--photos 18900] [--unet FOLDER] [--method mtcnn] [--in FOLDER]

The photos (384 x 512) are drawn by the demo's generator; the U-Net is an untrained EfficientNet-b3 at 512 px,
or what --unet names. Its backgrounds turn black; an untrained network's mattes are edges all over, which take
longer than anything real, so that without --unet they are kept. Nothing is compared: it prints photos/s of
each stage, starting included, and, where there is an NVIDIA GPU, how busy it was. With --in the photos are
kept in that folder, to be used again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.segment_unet import untrained_b3
from demo.dataset import Params as Drawn
from demo.dataset import write_demo
from demo.drawing.person import PHOTOS
from pipeline.io.atomic import write_json
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from pipeline.runtime.process import worker_count
from pipeline.runtime.progress import say

REPO = Path(__file__).parent.parent
STAGES = ("ingest", "detect", "segment", "compose")
REPORT = Path("reports/whole_set.json")
LEAST = 210  # the demo plants an error at each of some twenty people
ASK_GPU = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")


def run(place: Path, drawn: Path, people: int, method: str, unet: Path | None) -> dict[str, Any]:
    """Rows by stage: `photos_per_second`, `seconds`, `gpu_busy` (0 … 1; None without an NVIDIA GPU).

    Args:
        place: an empty folder, for what the stages make.
        drawn: a folder for the photos, or with them.
        people: to be drawn, seven photos each.
        method: detect.method.
        unet: a folder as fit_segmenter writes it; None = an untrained network.
    """
    if not (drawn / "data").is_dir():
        write_demo(drawn, Drawn(seed=7, people=people, eval_people=0, size=(384, 512)), None)
    weights = unet.absolute() if unet else untrained_b3(place / "unet")
    params = parse_yaml((REPO / "params.yaml").read_text(encoding="utf-8"))
    params["data"]["root"] = str(drawn / "data")
    params["detect"]["method"] = method
    params["segment"]["unet"].update(weights=str(weights), size=None if unet else 512, precision="auto")
    params["compose"]["fill"] = "black" if unet else "keep"
    (place / "params.yaml").write_text(yaml_text(params), encoding="utf-8")
    rows: dict[str, Any] = {}
    for stage in STAGES:
        started = time.monotonic()
        with gpu_watched() as busy:
            subprocess.run(
                [sys.executable, "-m", f"stages.{stage}"],
                cwd=place,
                env={**os.environ, "PYTHONPATH": str(REPO), "DVC_ROOT": str(place)},
                check=True,
            )
        seconds = time.monotonic() - started
        rows[stage] = {
            "photos_per_second": people * len(PHOTOS) / seconds,
            "seconds": seconds,
            "gpu_busy": statistics.fmean(busy) / 100 if busy else None,
        }
    return {"photos": people * len(PHOTOS), "cpus": worker_count(None), "stages": rows}


@contextmanager
def gpu_watched() -> Iterator[list[float]]:
    """Collects how busy the GPUs are, in percent, about twice a second; nothing without nvidia-smi."""
    busy: list[float] = []
    if not shutil.which(ASK_GPU[0]):
        yield busy
        return
    over = Event()

    def watch() -> None:
        while not over.wait(0.4):
            said = subprocess.run(ASK_GPU, capture_output=True, text=True, check=False).stdout.split()
            known = [float(share) for share in said if share.isdigit()]  # not "[N/A]"
            busy.extend([statistics.fmean(known)] if known else [])

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield busy
    finally:
        over.set()
        watcher.join()


def table(report: dict[str, Any]) -> str:
    """The rows as text, and their sum."""
    lines = [f"{'stage':8}  photos/s  seconds  GPU busy"]
    for name, row in report["stages"].items():
        busy = "-" if row["gpu_busy"] is None else f"{row['gpu_busy']:.0%}"
        lines.append(f"{name:8}  {row['photos_per_second']:8.1f}  {row['seconds']:7.1f}  {busy:>8}")
    total = sum(row["seconds"] for row in report["stages"].values())
    lines.append(f"{'all':8}  {report['photos'] / total:8.1f}  {total:7.1f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=18900, help=f"at least {LEAST}")
    parser.add_argument("--method", default="mtcnn", choices=("mtcnn", "yolov8", "none"))
    parser.add_argument("--unet", type=Path)
    parser.add_argument("--in", dest="place", type=Path)
    given = parser.parse_args()
    if given.photos < LEAST:
        parser.error(f"--photos: the generator needs {LEAST} at the least, got {given.photos}")
    with tempfile.TemporaryDirectory() as temporary:
        people = -(-given.photos // len(PHOTOS))
        drawn = (given.place or Path(temporary)).absolute() / f"drawn-{people}"
        drawn.mkdir(parents=True, exist_ok=True)
        place = Path(temporary, "work")
        place.mkdir()
        report = run(place, drawn, people, given.method, given.unet)
    say(f"{report['photos']} photos, {report['cpus']} CPUs")
    print(table(report))
    write_json(REPORT, report)


if __name__ == "__main__":
    main()
