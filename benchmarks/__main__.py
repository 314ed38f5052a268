"""All benchmarks, one table: `make bench`, or `python -m benchmarks [NAME …]`.

Each is a ratio against a named baseline in one interleaved run; a benchmark's own docstring says what its
baseline is. Photos are those to train on of the set `realset` below CLEANPLATE_TEST_DATA, photographs in the
competition's layout, where that variable is set, else the demo's. Needs a quiet machine: baselines with two
threads collapse as soon as something else runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import (
    busy_machine,
    compose,
    detect_mtcnn,
    detect_yolov8,
    linear_probing,
    photographs,
    predict,
    ray_engine,
    segment_unet,
    training_input,
)
from benchmarks.interleave import Row, table
from pipeline.io.atomic import write_json
from pipeline.networks.backends import cpu_has_bf16
from pipeline.runtime.progress import say

REPORT = Path("reports/benchmarks.json")
EXPORT = Path("build/export")


def material() -> tuple[list[Path], Path | None]:
    """Photos, and the folder of weights where there is one."""
    place = os.environ.get("CLEANPLATE_TEST_DATA")
    folder = Path(place) / "realset/train/images" if place else Path("demo/data/train/images")
    photos = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    if not photos:
        sys.exit(f"no photos in {folder}: run `dvc repro` first, or set CLEANPLATE_TEST_DATA")
    return photos, Path(place).parent / "weights" if place else None


def benchmarks(photos: list[Path], weights: Path | None) -> dict[str, Callable[[], dict[str, Any]]]:
    """By name; those that need what is not here are left out, with a sentence."""
    found: dict[str, Callable[[], dict[str, Any]]] = {
        "detect_mtcnn": lambda: detect_mtcnn.run(photos, 600),
        "segment_unet": lambda: segment_unet.run(photos, None, 48),
        "photographs": lambda: photographs.run(photos, 200),
        "compose": lambda: compose.run(photos, 960),
        "busy_machine": busy_machine.run,
        "training_input": lambda: training_input.run(photos, 192),
        "linear_probing": lambda: linear_probing.run(photos),
    }
    if EXPORT.is_dir():
        found["predict"] = lambda: predict.run(photos, EXPORT, 48)
    else:
        say(f"predict: left out, there is no {EXPORT}: `cleanplate export {EXPORT}` makes it")
    yolo = weights / "yolov8n.pt" if weights else Path(".cache/weights/yolov8n.pt")
    if yolo.exists():
        found["detect_yolov8"] = lambda: detect_yolov8.run(photos, yolo, 112)
    else:
        say(f"detect_yolov8: left out, there is no {yolo}")
    if find_spec("ray"):
        found["ray_engine"] = lambda: ray_engine.run(photos, 240)
    else:
        say("ray_engine: left out, Ray is not installed: `make setup EXTRAS=cluster` adds it")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="which; all when none is named")
    parser.add_argument(
        "--whole", type=Path, metavar="SET", help="after them this set, whole: benchmarks/whole_set.py"
    )
    parser.add_argument(
        "--million",
        type=Path,
        metavar="OUT",
        help="after all others a million photos, below the new folder OUT: benchmarks/million.py",
    )
    given = parser.parse_args()
    if given.million and given.million.exists():  # told now, not after all the others
        parser.error(f"--million: {given.million} exists already; name a new folder, or remove it")
    names = given.names
    offered = benchmarks(*material())
    if unknown := sorted(set(names) - set(offered)):
        sys.exit(f"no benchmark {', '.join(unknown)}; there are: {', '.join(offered)}")
    reports: dict[str, Any] = {"bf16": cpu_has_bf16()}
    rows: list[Row] = []
    for name in names or offered:
        say(f"{name} …")
        reports[name] = offered[name]()
        rows += reports[name]["rows"]
        print(table(reports[name]["rows"]), flush=True)
        write_json(REPORT, reports)
    print()
    print(table(rows))
    if given.whole:
        subprocess.run([sys.executable, "-m", "benchmarks.whole_set", str(given.whole)], check=True)
    if given.million:
        subprocess.run([sys.executable, "-m", "benchmarks.million", str(given.million)], check=True)


if __name__ == "__main__":
    main()
