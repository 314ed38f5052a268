"""Names composed in a table (NFC) and decomposed on disk (NFD), or the reverse, are the same names."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from cleanplate.corrections.diff import diff_tables
from cleanplate.corrections.importer import Importer
from cleanplate.corrections.person_search import PersonSearch
from cleanplate.corrections.renames import read_renames
from cleanplate.review.tables import Tables
from pipeline.analysis.audit.suspects import Suspect, without_kept
from pipeline.dataset.corrections import read_corrections
from pipeline.dataset.corrections_table import CorrectionRow, ReviewedLabel, find_contradictions
from pipeline.runtime.errors import Problems
from tests.fixtures.data_folder import ANNA, add_eval, add_person, picture, quarantine, run_ingest

FORMS = [("NFD", "NFC"), ("NFC", "NFD"), ("NFD", "NFD"), ("NFC", "NFC")]
both_ways = pytest.mark.parametrize(("disk", "table"), FORMS)
NAME = "김하나"
PERSON = f"{NAME}_female_Asian_30"
CSV = {"layout": "csv"}


def form(which: str, text: str) -> str:
    return unicodedata.normalize(which, text)


@pytest.fixture
def root(project: Path) -> Path:
    (project / "photos").mkdir()
    return project / "photos"


def labels(person: str) -> pd.DataFrame:
    row = (f"train/images/{person}/é.jpg", person, "female", 30, "worn")
    return pd.DataFrame([row], columns=["image", "person", "gender", "age", "mask"])


@both_ways
def test_a_table_of_photos(root: Path, disk: str, table: str) -> None:
    rows = ["image,person,gender,age,mask,split"]
    for k, split in enumerate(["train", "train", "eval"]):
        place = f"사진/{NAME}/é{k}.jpg"
        (root / form(disk, place)).parent.mkdir(parents=True, exist_ok=True)
        (root / form(disk, place)).write_bytes(picture())
        rows.append(form(table, f"{place},{NAME},female,30,worn,{split}"))
    rows.append(form(table, "사진/gone.jpg,,,,,eval"))
    (root / "photos.csv").write_text("\n".join(rows), encoding="utf-8")
    index = run_ingest(root, data=CSV, ingest={"max_quarantine": 0.3})
    keys = [form(disk, f"사진/{NAME}/é{k}.jpg") for k in range(3)]
    assert index["image"].tolist() == keys  # spelled as on disk
    asked = pd.read_parquet("build/eval.parquet")[["ImageID", "image"]].to_numpy().tolist()
    assert asked == [[form(table, keys[2]), keys[2]], [form(table, "사진/gone.jpg"), ""]]


@both_ways
def test_the_tables_of_the_competition(root: Path, disk: str, table: str) -> None:
    add_person(root, form(disk, PERSON))
    add_eval(
        root, [form(disk, "é.jpg"), form(disk, "ü.png")], [form(table, "é.jpg"), form(table, "gone é.jpg")]
    )
    row = f"{NAME},female,Asian,30,{PERSON}\n"
    (root / "train/train.csv").write_text("id,gender,race,age,path\n" + form(table, row), encoding="utf-8")
    index = run_ingest(root)
    assert index.loc[index["split"] == "train", "person"].unique().tolist() == [form(disk, PERSON)]
    asked = pd.read_parquet("build/eval.parquet")[["ImageID", "image"]].to_numpy().tolist()
    assert asked == [
        [form(table, "é.jpg"), form(disk, "eval/images/é.jpg")],
        [form(table, "gone é.jpg"), ""],
    ]
    assert sorted(quarantine().values()) == [
        "listed in eval/info.csv, but there is no such photo",
        "not listed in eval/info.csv",
    ]


def test_two_spellings_on_disk_are_refused_with_both(root: Path) -> None:
    add_person(root, ANNA)
    add_eval(root, [])
    for name in ("NFC", "NFD"):
        add_person(root, form(name, PERSON))
        (root / "eval/images" / form(name, "é.jpg")).write_bytes(picture())
    with pytest.raises(Problems, match="two Unicode spellings") as refused:
        run_ingest(root)
    for name in ("NFC", "NFD"):
        assert ascii(form(name, PERSON)) in str(refused.value)
        assert ascii(form(name, "é.jpg")) in str(refused.value)


def test_two_spellings_below_a_table_of_photos_are_refused(root: Path) -> None:
    for name in ("NFC", "NFD"):
        (root / form(name, "é")).mkdir()
        (root / form(name, "é") / "a.jpg").write_bytes(picture())
    rows = "image,person,gender,age,mask\n" + form("NFC", "é/a.jpg,A,female,30,worn\n")
    (root / "photos.csv").write_text(rows, encoding="utf-8")
    with pytest.raises(Problems, match=r"photos.csv line 2.*two Unicode spellings"):
        run_ingest(root, data=CSV)


def test_one_row_in_each_spelling_is_a_photo_twice_and_a_person_in_two(root: Path) -> None:
    (root / form("NFD", "é.jpg")).write_bytes(picture())
    (root / "b.jpg").write_bytes(picture())
    rows = [form(f, f"é.jpg,{NAME},female,30,worn") for f in ("NFC", "NFD")]
    rows.append(form("NFD", f"b.jpg,{NAME},female,30,worn"))
    (root / "photos.csv").write_text("\n".join(["image,person,gender,age,mask", *rows]), encoding="utf-8")
    with pytest.raises(Problems, match="is in line 2 too") as refused:
        run_ingest(root, data=CSV)
    assert "person" in str(refused.value)
    assert "two Unicode spellings" in str(refused.value)


@both_ways
def test_corrections_find_people_and_photos(disk: str, table: str) -> None:
    person = form(disk, PERSON)
    text = form(table, f"person,image,field,old,new\n{PERSON},é.jpg,age,30,31\n")
    (found,) = read_corrections(text.encode(), "corrections.csv", labels(person))
    assert (found.person, found.image) == (person, f"train/images/{person}/é.jpg")
    kept = [(2, ReviewedLabel(form(table, PERSON), form(table, "é"), "age", "30"))]
    assert len(find_contradictions(kept, [found], "reviewed.csv", "corrections.csv")) == 1
    suspect = Suspect(person, found.image, "age", "30", "31", 0.9, "")
    assert without_kept([suspect], [row for _, row in kept]) == []


@both_ways
def test_imports_find_people(disk: str, table: str) -> None:
    person = form(disk, PERSON)
    search = PersonSearch([person, ANNA])
    assert search.find(form(table, PERSON)) == person
    assert search.find(form(table, NAME)) == person
    assert search.short(form(table, PERSON)) == form(table, NAME)
    importer = Importer(labels(person), "test")
    out = read_renames(importer, form(table, f"{PERSON},{NAME}_male_Asian_30\n").encode(), "renames.csv")
    assert [(e.person, e.field, e.new) for e in out.entries] == [(person, "gender", "male")]


@both_ways
def test_the_review_shows_rows_about_people(tmp_path: Path, disk: str, table: str) -> None:
    place = tmp_path / "corrections.csv"
    place.write_text(form(table, f"person,image,field,old,new\n{PERSON},,age,30,31\n"), encoding="utf-8")
    tables = Tables(place, tmp_path / "reviewed.csv")
    person = form(disk, PERSON)
    assert len(tables.about(person)) == 1
    place.write_text(form(table, f"person,image,field,old,new\n{PERSON},,age,3,31\n"), encoding="utf-8")
    with pytest.raises(Problems, match="stale"):
        Tables(place, tmp_path / "reviewed.csv").checked(labels(person), person)


def test_tables_that_differ_in_spelling_only_say_the_same() -> None:
    one, other = (CorrectionRow(form(f, PERSON), form(f, "é"), "age", "30", "31") for f in ("NFC", "NFD"))
    found = diff_tables([(2, one)], [(2, other)])
    assert (found.added, found.removed, found.contradicting) == ([], [], [])
