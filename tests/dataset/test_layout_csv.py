"""The csv layout: harmless variations are accepted, wrong rows are listed all at once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.runtime.errors import Problems, UserError
from tests.fixtures.data_folder import picture, quarantine, run_ingest

CSV = {"layout": "csv", "table": "photos.csv"}
GOOD = "image,person,gender,age,mask,split\n"


@pytest.fixture
def root(project: Path) -> Path:
    place = project / "photos"
    (place / "p").mkdir(parents=True)
    for name in ("a1", "a2", "b1", "e1", "e2"):
        (place / "p" / f"{name}.jpg").write_bytes(picture())
    return place


def ingest(root: Path, table: str | bytes, **params: object) -> pd.DataFrame:
    (root / "photos.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    return run_ingest(root, data=dict(CSV), **params)  # type: ignore[arg-type]


def test_a_table_names_photos_and_labels(root: Path) -> None:
    index = ingest(
        root,
        GOOD + "p/e2.jpg,,,,,eval\np/a1.jpg,Anna,female,45,worn,train\np/a2.jpg,Anna,Female,45.0,normal,\n"
        "p/b1.jpg,Bert,male,60,incorrect_mask,train\np/e1.jpg,,,,,eval\n",
    )
    train = index[index["split"] == "train"]
    assert train[["image", "person", "gender", "age", "mask"]].to_numpy().tolist() == [
        ["p/a1.jpg", "Anna", "female", 45, "worn"],
        ["p/a2.jpg", "Anna", "female", 45, "none"],
        ["p/b1.jpg", "Bert", "male", 60, "incorrect"],
    ]
    rows = pd.read_parquet("build/eval.parquet")
    assert rows.to_numpy().tolist() == [["p/e2.jpg", "p/e2.jpg", 0], ["p/e1.jpg", "p/e1.jpg", 1]]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: "\ufeff" + t,
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace(",", ";"),
        lambda t: t.replace(",", "\t"),
        lambda t: t.replace(",", '","').replace("\n", '"\n"')[:-1].join(['"', ""]),
        lambda t: "\n".join(",".join(reversed(line.split(","))) for line in t.splitlines()),
        lambda t: t.replace(",", " , ").replace("image", "Image"),
        lambda t: "\n".join(f"{k},{line}" for k, line in enumerate(t.splitlines())),
        lambda t: t + "\n\n,,,,\n",
    ],
    ids=["bom", "crlf", "semicolon", "tab", "quotes", "order", "spaces", "extra", "blank"],
)
def test_harmless_variations_are_accepted(root: Path, change: object) -> None:
    table = "image,person,gender,age,mask\np/a1.jpg,Anna,female,45,worn\np/b1.jpg,Bert,male,60,none\n"
    index = ingest(root, change(table))  # type: ignore[operator]
    assert index["person"].tolist() == ["Anna", "Bert"]
    assert index["age"].tolist() == [45, 60]


def test_utf16_of_a_spreadsheet_is_accepted(root: Path) -> None:
    table = "image\tperson\tgender\tage\tmask\np/a1.jpg\tAnna\tfemale\t45\tworn\n"
    assert len(ingest(root, table.encode("utf-16"))) == 1


def test_every_wrong_row_is_listed(root: Path) -> None:
    rows = [
        "p/a1.jpg,Anna,femail,45,worn,train",
        "p/a2.jpg,Anna,female,abc,worn,train",
        "p/b1.jpg,Bert,male,-1,worn,train",
        "p/b2.jpg,Bert,male,200,worn,train",
        "p/b3.jpg,Bert,male,20,mask6,train",
        "p/b4.jpg,,male,20,worn,train",
        ",Bert,male,20,worn,train",
        "../x.jpg,Bert,male,20,worn,train",
        "/etc/passwd,Bert,male,20,worn,train",
        "C:\\x.jpg,Bert,male,20,worn,train",
        "p/e1.jpg,Bert,male,20,worn,test",
        "p/../a1.jpg,Bert,male,20,worn,train",
    ]
    with pytest.raises(Problems) as refused:
        ingest(root, GOOD + "\n".join(rows) + "\n")
    problems = refused.value.problems
    assert [p.split(":")[0] for p in problems] == [f"photos.csv line {n}" for n in range(2, 2 + len(rows))]
    assert "did you mean 'female'" in problems[0]
    assert "allowed: worn, incorrect, none" in problems[4]


def test_twice_and_contradictions_are_listed(root: Path) -> None:
    with pytest.raises(Problems) as refused:
        ingest(
            root,
            GOOD
            + "p/a1.jpg,Anna,female,45,worn,\np/./a1.jpg,Anna,female,45,worn,\np/a2.jpg,Anna,male,46,worn,\n",
        )
    text = str(refused.value)
    assert "line 3: image 'p/./a1.jpg' is in line 2 too" in text
    assert "line 4: Anna has gender male, but female in line 2" in text
    assert "line 4: Anna has age 46, but 45 in line 2" in text


def test_photos_that_are_not_there_are_quarantined(root: Path) -> None:
    (root / "p" / "out.jpg").symlink_to("/etc/passwd")
    index = ingest(
        root,
        GOOD
        + "p/a1.jpg,Anna,female,45,worn,\np/gone.jpg,Anna,female,45,worn,\np/out.jpg,Anna,female,45,none,\n"
        "p/gone2.jpg,,,,,eval\n",
    )
    assert index["image"].tolist() == ["p/a1.jpg"]
    assert set(quarantine()) == {"p/gone.jpg", "p/out.jpg", "p/gone2.jpg"}
    assert pd.read_parquet("build/eval.parquet").to_numpy().tolist() == [["p/gone2.jpg", "", 0]]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (b"", "empty"),
        (b"image,person,gender,age\np/a1.jpg,Anna,female,45\n", "column 'mask' is missing"),
        (b"image,person,gender,age,maske\np/a1.jpg,Anna,female,45,worn\n", "is it 'maske'"),
        (b"image,person,person,gender,age,mask\n", "occurs 2 times"),
        (b"image,person,gender,age,mask\np/a1.jpg,Anna,female,45\n", "line 2: 4 cells"),
        (b'image,person,gender,age,mask\np/a1.jpg,"Anna,female,45,worn\n', "line 2"),
        ("image,person,gender,age,mask\np/a1.jpg,김철수,female,45,worn\n".encode("cp949"), "cp949"),
        (b"image,person,gender,age,mask\np/a\0.jpg,Anna,female,45,worn\n", "zero bytes"),
        (b"image,person,gender,age,mask\n", "no training photo"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(root: Path, table: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        ingest(root, table)


def test_a_table_outside_the_root_is_refused(root: Path) -> None:
    (root.parent / "t.csv").write_text(GOOD)
    with pytest.raises(UserError, match="outside"):
        run_ingest(root, data={"layout": "csv", "table": "../t.csv"})
    with pytest.raises(UserError, match="missing"):
        run_ingest(root, data={"layout": "csv", "table": "none.csv"})
