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
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.detect_mtcnn import evenly, strongest_baseline
from benchmarks.segment_unet import torch_loop, untrained_b3
from benchmarks.watch import Watched, watched
from pipeline.io.atomic import write_json
from pipeline.runtime.process import worker_count
from pipeline.runtime.progress import say

REPO = Path(__file__).parent.parent
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
STAGE = "Running stage '"


class Checkout:
    """A clone of this checkout that works on a copy (hard links) of a set of photos."""

    def __init__(self, place: Path, photos: Path) -> None:
        self.root, self.data = place / "clone", place / "photos"
        shutil.copytree(photos, self.data, copy_function=os.link)
        subprocess.run(["git", "clone", "-q", str(REPO), str(self.root)], check=True)
        binaries = str(Path(sys.executable).parent)
        self.env = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        self.run("cleanplate", "init", "photos", "--data", str(self.data))

    def run(self, *command: str) -> str:
        """Output of a command in the clone.

        Raises:
            SystemExit: it failed; prints what it said.
        """
        done = subprocess.run(
            command, cwd=self.root, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def set(self, param: str, value: object) -> None:
        """One line of params.yaml."""
        code = (
            "from pathlib import Path; from cleanplate.experiments.preset import write_params; "
            f"write_params(Path('params.yaml'), {{{param!r}: {value!r}}})"
        )
        self.run("python3", "-c", code)

    def correct_label(self) -> None:
        """A row of data/corrections.csv: the gender of the first person."""
        person = min(path.name for path in (self.data / "train/images").iterdir())
        gender = person.split("_")[1]
        other = "male" if gender == "female" else "female"
        with (self.root / "data/corrections.csv").open("a", encoding="utf-8") as f:
            f.write(f"{person},,gender,{gender},{other},benchmark,benchmark\n")

    def people(self) -> list[Path]:
        """The folders of the people to train on."""
        return sorted((self.data / "train/images").iterdir())


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
    rows: dict[str, Any] = {}
    for name, change in steps.items():
        change()
        rows[name] = row_of(checkout)
        say(f"{name}: {rows[name]['seconds']:.1f} s, {', '.join(rows[name]['stages']) or 'nothing ran'}")
    size = sum(path.stat().st_size for path in checkout.data.rglob("*.jpg"))
    return {"photos": count, "cpus": worker_count(None), "rows": rows, "disk": disk_of(checkout.root) / size}


def row_of(checkout: Checkout) -> dict[str, Any]:
    """One `dvc repro synthesize`: seconds, stages that ran, peak memory in GB, GPU busy 0 … 1 or None."""
    seen: Watched
    with watched() as seen:
        said = checkout.run("dvc", "repro", "synthesize")
    stages = [line.removeprefix(STAGE).rstrip("':") for line in said.splitlines() if line.startswith(STAGE)]
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


def table(report: dict[str, Any]) -> str:
    """The rows as text."""
    lines = [f"{'':20}  seconds    aim  memory  stages that ran"]
    for name, row in report["rows"].items():
        stages = " ".join(row["stages"]) or "-"
        memory = f"{row['gigabytes']:4.1f} GB"
        lines.append(f"{name:20}  {row['seconds']:7.1f}  {TARGETS[name]:5}  {memory}  {stages}")
    first = report["rows"]["first run"]["seconds"]
    ratio = report["baseline_seconds"] / first
    lines.append(
        f"what teams run: {report['baseline_seconds']:.0f} s, {ratio:.0f} times the first run (aim 45)"
    )
    lines.append(f"disk: {report['disk']:.1f} times the photos (aim 3)")
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
