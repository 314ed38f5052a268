"""The 18,900 real file names of the competition, with the known errors, through ingest, relabel and split."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from tests.fixtures.data_folder import picture, run_ingest, run_relabel, run_split

HEAD = ("person", "image", "field", "old", "new", "reason", "source")


@pytest.fixture
def root(project: Path, test_data: Path) -> Path:
    place = project / "photos"
    images = place / "train" / "images"
    with (test_data / "competition_photos.csv").open(encoding="utf-8") as f:
        photos = [row["photo"] for row in csv.DictReader(f)]
    for photo in photos:
        path = images / photo
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(path.suffix))
    return place


def corrections(known: Path) -> list[tuple[str, ...]]:
    """The known errors as correction rows; contested ones are left out."""
    rows: list[tuple[str, ...]] = []
    with known.open(encoding="utf-8") as f:
        for error in csv.DictReader(f):
            person, field, source = error["person"], error["field"], f"{error['teams_agreeing']} teams"
            if error["note"].startswith("contested"):
                continue
            if error["new"] == "swap":
                rows.append((person, "incorrect_mask", "mask", "incorrect", "none", error["note"], source))
                rows.append((person, "normal", "mask", "none", "incorrect", error["note"], source))
            elif field == "mask":
                rows.append(
                    (person, "incorrect_mask", "mask", error["old"], error["new"], error["note"], source)
                )
            elif field == "age":
                new = "29" if error["new"] == "<30" else error["new"]
                rows.append((person, "", "age", person.split("_")[-1], new, error["note"], source))
            else:
                rows.append((person, "", field, error["old"], error["new"], error["note"], source))
    return rows


def test_all_of_it(root: Path, test_data: Path) -> None:
    rows = corrections(test_data.parent / "known-label-errors.csv")
    with Path("data/corrections.csv").open("w", encoding="utf-8", newline="") as f:
        csv.writer(f).writerows([HEAD, *rows])
    index = run_ingest(root, machine={"workers": 2}, ingest={"max_quarantine": 0.0})
    labels = run_relabel(root)
    folds = run_split(root)
    assert len(index) == 18_900
    assert index["person"].nunique() == 2_700
    assert len(pd.read_csv("build/quarantine.csv")) == 0
    assert len(labels) == 18_900 - 7  # one person is dropped
    assert set(index["image"]) - set(labels["image"]) == set(
        index.loc[index["person"] == "003399_female_Asian_19", "image"]
    )
    assert {p for p in folds["person"] if p.startswith("003397_")} == {
        "003397_female_Asian_19",
        "003397_female_Asian_20",
    }
    assert folds["person"].is_unique
    assert set(folds["person"]) == set(labels["person"])
    truth = labels.set_index("image")
    assert truth.loc["train/images/006359_female_Asian_18/mask1.jpg", "gender"] == "male"
    assert truth.loc["train/images/000020_female_Asian_50/normal.jpg", "mask"] == "incorrect"
    assert (labels.loc[labels["person"] == "004348_male_Asian_59", "age"] == 60).all()
    changed = pd.read_csv("build/relabel.csv")
    people = {row[0] for row in rows}
    assert set(changed["person"]) == people
    shares = folds["fold"].value_counts(normalize=True)
    assert shares.between(0.17, 0.23).all()
