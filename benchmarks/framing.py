"""How many photos `detect` frames rightly, with every found box and without the implausible ones.

    CLEANPLATE_TEST_DATA=FOLDER python -m benchmarks.framing [--method mtcnn] [--set FOLDER] [--workers N]

The set is a folder in the competition's layout, whose truth/truth.csv (`image, split, person, box`) holds the
true boxes; by default `realset` below CLEANPLATE_TEST_DATA, 310 people with real faces and masks on drawn
bodies. A box is right if its centre lies in the true box and its area is .15 to 2.5 of it.
Detections are kept in the result cache of this checkout.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.detect.boxes import FOUND, STATUSES, area
from pipeline.detect.run import detect_photos
from pipeline.io.atomic import write_json
from pipeline.io.photo import decode_photo
from pipeline.io.photo_store import PhotoStore
from pipeline.networks.indexed_photo import IndexedPhoto
from pipeline.params.machine import Machine
from pipeline.params.preparation import Detect
from pipeline.runtime.progress import say
from stages.detect import box_table

REPO = Path(__file__).parent.parent
REPORT = Path("reports/framing.json")
CORNERS = ["x1", "y1", "x2", "y2"]
AREA = (0.15, 2.5)  # of the true box


def run(folder: Path, detect: Detect, workers: int | None) -> dict[str, Any]:
    """Shares of the photos of a set that are found and framed rightly, in all and by split.

    Args:
        folder: of the set, with truth/truth.csv (`image, split, person, box`).
        detect: the params section.
        workers: processes; None = one per usable CPU.
    """
    truth = pd.read_csv(folder / "truth" / "truth.csv", dtype={"person": str})
    photos = index(folder, truth)
    indexed = [
        IndexedPhoto(image, PhotoStore(folder).file(image), sha256, width, height)
        for image, sha256, width, height in zip(
            *(photos[name].tolist() for name in ("image", "sha256", "width", "height")), strict=True
        )
    ]
    result = detect_photos(indexed, detect, REPO, REPO / ".cache" / "items", Machine(workers=workers))
    detections = [result.detections[photo.sha256] for photo in indexed]
    true_boxes = np.array([json.loads(box) for box in truth["box"]])
    rows: dict[str, Any] = {"photos": len(photos), "engine": result.engine}
    for name, reject in (("every box", False), ("plausible", True)):
        table = box_table(photos, detections, was_run=True, reject=reject)
        right = are_right(table[CORNERS].to_numpy(dtype=np.float64), true_boxes)
        found = (table["status"] == FOUND).to_numpy(dtype=bool)
        rows[name] = {
            "found": int(found.sum()),
            "wrong_among_found": float((~right[found]).mean()),
            "rightly_framed": float(right.mean()),
            **{f"rightly_framed_{s}": float(right[photos["split"] == s].mean()) for s in ("train", "eval")},
            **{status: int((table["status"] == status).sum()) for status in STATUSES},
        }
    return rows


def index(folder: Path, truth: pd.DataFrame) -> pd.DataFrame:
    """A table as build/photos.parquet, of the photos in `truth`, in its order."""
    rows: list[tuple[str, str, str, int, int, str]] = []
    for name, split, person in zip(truth["image"], truth["split"], truth["person"], strict=True):
        image = f"{split}/images/{name}"
        data = (folder / image).read_bytes()
        height, width = decode_photo(data).shape[:2]
        known = person if split == "train" else ""
        rows.append((image, known, split, width, height, hashlib.sha256(data).hexdigest()))
    return pd.DataFrame(rows, columns=["image", "person", "split", "width", "height", "sha256"])


def are_right(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Which boxes [N, 4] (`xyxy`, pixels) show the face that the true box [N, 4] is around; bool [N]."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((centre >= truth[:, :2]) & (centre <= truth[:, 2:])).all(axis=1)
    share = area(boxes) / area(truth)
    return inside & (share >= AREA[0]) & (share <= AREA[1])


def table(report: dict[str, Any]) -> str:
    """The rows as text."""
    lines = [f"{report['engine']}, {report['photos']} photos"]
    for name in ("every box", "plausible"):
        row = report[name]
        statuses = ", ".join(f"{row[s]} {s}" for s in STATUSES if row[s])
        lines.append(
            f"{name:9}  wrong among found {row['wrong_among_found']:.2%}, rightly framed "
            f"{row['rightly_framed']:.2%} (train {row['rightly_framed_train']:.2%}, "
            f"eval {row['rightly_framed_eval']:.2%}): {statuses}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", default="mtcnn", choices=("mtcnn", "retinaface", "blazeface"))
    parser.add_argument(
        "--set", dest="folder", type=Path, help="of the set; default: $CLEANPLATE_TEST_DATA/realset"
    )
    parser.add_argument("--workers", type=int)
    given = parser.parse_args()
    data = os.environ.get("CLEANPLATE_TEST_DATA")
    if not given.folder and not data:
        parser.error("--set: name a folder, or set CLEANPLATE_TEST_DATA")
    report = run(given.folder or Path(data or "") / "realset", Detect(method=given.method), given.workers)
    print(table(report))
    write_json(REPORT, report)
    say(f"written to {REPORT}")


if __name__ == "__main__":
    main()
