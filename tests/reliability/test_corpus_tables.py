"""Tables of photos as people write and programs save them: accepted, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.data_folder import BERT, add_person
from tests.reliability.corpus_project import write_params

HEADER, ROW = b"image,person,gender,age,mask\n", b"p/a.jpg,A,female,45,worn\n"
TABLES: dict[str, tuple[bytes, str]] = {  # csv layout: table → "" (accepted) or what the error must say
    "bom": ("\ufeffimage,person,gender,age,mask\np/a.jpg,A,female,45,worn\n".encode(), ""),
    "crlf": (b"image,person,gender,age,mask\r\np/a.jpg,A,female,45,worn\r\n", ""),
    "semicolons": (b"image;person;gender;age;mask\np/a.jpg;A;female;45;worn\n", ""),
    "space before age": (b"image,person,gender,age,mask\np/a.jpg,A,female, 45,worn\n", ""),
    "order": (b"mask,age,gender,person,image\nworn,45,female,A,p/a.jpg\n", ""),
    "age abc": (b"image,person,gender,age,mask\np/a.jpg,A,female,abc,worn\n", "age is 'abc'"),
    "age -1": (b"image,person,gender,age,mask\np/a.jpg,A,female,-1,worn\n", "line 2"),
    "age 200": (b"image,person,gender,age,mask\np/a.jpg,A,female,200,worn\n", "line 2"),
    "femail": (b"image,person,gender,age,mask\np/a.jpg,A,femail,45,worn\n", "did you mean 'female'"),
    "column missing": (b"image,person,gender,mask\np/a.jpg,A,female,worn\n", "age"),
    "empty": (b"", "photos.csv"),
    "header only": (b"image,person,gender,age,mask\n", ""),
    "cp949": ("image,person,gender,age,mask\np/a.jpg,\uae40,female,45,worn\n".encode("cp949"), "UTF-8"),
    "traversal": (b"image,person,gender,age,mask\n../../etc/passwd,A,female,45,worn\n", "line 2"),
    "absolute": (b"image,person,gender,age,mask\n/etc/passwd,A,female,45,worn\n", "line 2"),
    "twice": (b"image,person,gender,age,mask\n" + b"p/a.jpg,A,female,45,worn\n" * 2, ""),
    "nul": (b"image,person,gender,age,mask\np/a\0.jpg,A,female,45,worn\n", ""),
    "binary": (bytes(range(256)) * 20, ""),
    "tabs": (b"image\tperson\tgender\tage\tmask\np/a.jpg\tA\tfemale\t45\tworn\n", ""),
    "commas at the ends": (b"image,person,gender,age,mask,,\np/a.jpg,A,female,45,worn,,\n", ""),
    "utf-16": ("image,person,gender,age,mask\np/a.jpg,A,female,45,worn\n".encode("utf-16"), ""),
    "utf-16, not said": (
        "image,person,gender,age,mask\np/a.jpg,A,female,45,worn\n".encode("utf-16-le"),
        "zero bytes",
    ),
    "latin-1": ("image,person,gender,age,mask\np/a.jpg,Jos\xe9,female,45,worn\n".encode("latin-1"), "UTF-8"),
    "header again": (HEADER + ROW + HEADER, "line 3: gender is 'gender'"),
    "line break in quotes": (HEADER + b'p/a.jpg,"A\nB",female,45,worn\n', "line break"),
    "other case": (b"Image,PERSON,Gender,Age,Mask\np/a.jpg,A,FEMALE,45,Worn\n", ""),
    "age 25.0": (HEADER + b"p/a.jpg,A,female,25.0,worn\n", ""),
    "age 25.5": (HEADER + b"p/a.jpg,A,female,25.5,worn\n", "age is '25.5'"),
    "age 20-29": (HEADER + b"p/a.jpg,A,female,20-29,worn\n", "age is '20-29'"),
    "age NaN": (HEADER + b"p/a.jpg,A,female,NaN,worn\n", "age is 'NaN'"),
    "wide digits": (HEADER + "p/a.jpg,A,female,\uff12\uff15,worn\n".encode(), "line 2: age is"),
    "curly quotes": (HEADER + "p/a.jpg,A,\u201cfemale\u201d,25,worn\n".encode(), "did you mean 'female'"),
    "space of no width": (HEADER + "p/a.jpg,A,female\u200b,25,worn\n".encode(), "'female\\u200b'"),
    "hard space": (HEADER + "p/a.jpg,A,\xa0female\xa0,25,worn\n".encode(), ""),
    "empty lines at the end": (HEADER + ROW + b"\n\n  \n", ""),
    "no last line end": (HEADER + ROW.rstrip(), ""),
    "line ends of old macs": ((HEADER + ROW).replace(b"\n", b"\r"), ""),
    "excel's separator": (b"sep=;\n" + (HEADER + ROW).replace(b",", b";"), ""),
    "comment first": (b"# photos\n" + HEADER + ROW, "first line must name the columns"),
    "no header": (ROW, "first line must name the columns"),
    "workbook": (b"PK\3\4" + bytes(range(256)), "Excel"),
    "quote without end": (HEADER + b'p/a.jpg,"A,female,45,worn\n', "line 2"),
    "cell too many": (HEADER + b"p/a.jpg,A,female,45,worn,x\n", "line 2: 6 cells, the header has 5"),
    "same photo written otherwise": (HEADER + ROW + b"p/./a.jpg,A,female,45,worn\n", "is in line 2 too"),
    "a column twice": (b"image,person,gender,age,age,mask\np/a.jpg,A,female,4,5,worn\n", "occurs 2 times"),
    "name of 5,000 letters": (HEADER + ROW + b"p/" + b"b" * 5000 + b",B,male,3,worn\n", "longer than"),
    "index of pandas": (b"Unnamed: 0,image,person,gender,age,mask\n0," + ROW, ""),
    "windows path": (HEADER + b"p\\a.jpg,A,female,45,worn\n", ""),
    "address": (HEADER + b"https://example.org/a.jpg,A,female,45,worn\n", "no such file"),
    "a line of megabytes": (b"x" * 3_000_000, "field larger than field limit"),
}
ACCEPTED = {
    "bom",
    "crlf",
    "semicolons",
    "space before age",
    "order",
    "tabs",
    "commas at the ends",
    "utf-16",
    "other case",
    "age 25.0",
    "hard space",
    "empty lines at the end",
    "no last line end",
    "line ends of old macs",
    "excel's separator",
    "index of pandas",
    "windows path",
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_are_accepted_or_refused_with_a_sentence(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages.ingest import run as run_ingest
    from stages.shared.command import run_stage

    table, wanted = TABLES[case]
    write_params(tmp_path, data={"layout": "csv"}, machine={"workers": 1})
    add_person(tmp_path / "photos", BERT, stems=["mask1"])
    (tmp_path / "photos/p").mkdir()
    (tmp_path / "photos/train/images" / BERT / "mask1.jpg").rename(tmp_path / "photos/p/a.jpg")
    (tmp_path / "photos/photos.csv").write_bytes(table)
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    monkeypatch.setattr("stages.shared.command.say", said.append)
    code = run_stage("ingest", run_ingest, Path("params.yaml"))
    text = "\n".join(said)
    assert "error: unexpected " not in text
    assert (code == 0) == (case in ACCEPTED), text
    assert len(text) < 8_000
    assert wanted in text
    assert Path("build/index.parquet").exists() == (code == 0)
