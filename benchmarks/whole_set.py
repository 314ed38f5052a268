"""What a user waits for: a competition's photos through `dvc repro`, and each change afterwards.

    python -m benchmarks.whole_set SET [--method retinaface] [--fill black] [--in FOLDER]

SET is a folder in the competition's layout. In a clone of this checkout's last commit, set for photographs
(`cleanplate init photos`), everything runs up to the synthetic pictures, then once more after each of the
changes that people make. Starting, and DVC's hashing and linking, are included. Each row has seconds, the
stages that ran, the peak of their memory and, with an NVIDIA GPU, how busy it was. The baseline is what teams
run: facenet-pytorch's MTCNN, then a U-Net (EfficientNet-b3) on one photo at a time, measured on some photos
and multiplied.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.checkout import Checkout
from benchmarks.detect_mtcnn import evenly, strongest_baseline
from benchmarks.segment_unet import torch_loop, untrained_b3
from benchmarks.watch import Watched, watched
from pipeline.io.atomic import write_json
from pipeline.runtime.process import worker_count
from pipeline.runtime.progress import say

REPORT = Path("reports/whole_set.json")
TARGETS = {  # seconds on two cores
    "first run": 240,
    "nothing changed": 4,
    "one label corrected": 10,
    "another fill": 40,
    "back again": 12,
    "another margin": 40,
    "1 % new people": 25,
}
BASELINE_PHOTOS = 32
DONE = re.compile(r"^(\w+): done in ([\d.]+) s", re.MULTILINE)


def run(photos: Path, place: Path, method: str, fill: str) -> dict[str, Any]:
    """The rows, in order, and facts about the run.

    Args:
        photos: the set, on the disk of `place`.
        place: an empty folder for the clone.
        method: detect.method.
        fill: compose.fill; mean is what it changes to.
    """
    checkout = Checkout(place, photos)
    checkout.set("detect.method", method)
    checkout.set("compose.fill", fill)
    late = checkout.people()[50::100]
    aside = place / "late"
    aside.mkdir()
    for person in late:
        person.rename(aside / person.name)
    count = sum(1 for path in checkout.data.rglob("*.jpg"))
    steps: dict[str, Callable[[], Any]] = {
        "first run": lambda: None,
        "nothing changed": lambda: None,
        "one label corrected": checkout.correct_label,
        "another fill": lambda: checkout.set("compose.fill", "mean"),
        "back again": lambda: checkout.set("compose.fill", fill),
        "another margin": lambda: checkout.set("compose.margin", 0.5),
        "1 % new people": lambda: shutil.copytree(aside, checkout.data / "train/images", dirs_exist_ok=True),
    }
    size = sum(path.stat().st_size for path in checkout.data.rglob("*.jpg"))
    rows: dict[str, Any] = {}
    for name, change in steps.items():
        change()
        rows[name] = row_of(checkout) | {"disk": disk_of(checkout.root) / size}
        say(line_of(name, rows[name]))
    return {"photos": count, "cpus": worker_count(None), "rows": rows}


def row_of(checkout: Checkout) -> dict[str, Any]:
    """One `dvc repro synthesize`.

    Its seconds, those of each stage that ran by the stage's own clock (what is left are starts and DVC), peak
    memory in GB, GPU busy 0 … 1 or None.
    """
    seen: Watched
    with watched() as seen:
        said = checkout.run("dvc", "repro", "synthesize")
    stages = {name: float(seconds) for name, seconds in DONE.findall(said)}
    return {
        "seconds": seen.seconds,
        "stages": stages,
        "gigabytes": seen.peak_bytes / 1e9,
        "gpu_busy": seen.gpu_busy,
    }


def disk_of(root: Path) -> int:
    """Bytes of a folder, a hard link counted once; without .git."""
    inodes: dict[int, int] = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in (".git", ".venv")]
        for name in files:
            stat = os.lstat(Path(folder, name))
            inodes[stat.st_ino] = stat.st_size
    return sum(inodes.values())


def baseline_seconds(photos: list[Path], place: Path) -> float:
    """Seconds for one photo of what teams run."""
    some = evenly(photos, BASELINE_PHOTOS)
    _, boxes = strongest_baseline(some)
    mattes = torch_loop(untrained_b3(place / "unet"), place / "theirs")
    total = 0.0
    for work in (boxes, mattes):
        work(some[:2])
        with watched() as seen:
            work(some)
        total += seen.seconds / len(some)
    return total


def line_of(name: str, row: dict[str, Any]) -> str:
    """A row as text."""
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in row["stages"].items()) or "nothing ran"
    size = f"{row['gigabytes']:.1f} GB of memory, disk {row['disk']:.1f} x the photos"
    return f"{name:20} {row['seconds']:6.1f} s (aim {TARGETS[name]}), {size}: {stages}"


def table(report: dict[str, Any]) -> str:
    """The rows as text."""
    lines = [line_of(name, row) for name, row in report["rows"].items()]
    first = report["rows"]["first run"]["seconds"]
    ratio = report["baseline_seconds"] / first
    lines.append(
        f"what teams run: {report['baseline_seconds']:.0f} s, {ratio:.0f} times the first run (aim 45)"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", type=Path, help="a folder in the competition's layout")
    parser.add_argument("--method", default="retinaface", help="detect.method")
    parser.add_argument("--fill", default="black", help="compose.fill")
    parser.add_argument("--in", dest="place", type=Path, help="where to work, on the disk of SET")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.place or given.set.absolute().parent) as temporary:
        place = Path(temporary)
        report = run(given.set.absolute(), place, given.method, given.fill)
        photos = sorted((given.set / "train/images").rglob("*.jpg"))
        report["baseline_seconds"] = baseline_seconds(photos, place) * report["photos"]
    say(f"{report['photos']} photos, {report['cpus']} CPUs")
    print(table(report))
    write_json(REPORT, report)


if __name__ == "__main__":
    main()
