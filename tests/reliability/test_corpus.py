"""`python -m stages.ingest` on a folder that holds every nasty thing at once."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.conftest import ROOT
from tests.data_folder import ANNA, BERT, add_eval, add_person
from tests.reliability.corpus import GOOD, NAMES, contents, paths
from tests.reliability.repository import run, stage


def write_params(folder: Path, **sections: dict[str, object]) -> None:
    raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    raw["data"]["root"] = "photos"
    raw["ingest"]["max_quarantine"] = 1.0
    for name, values in sections.items():
        raw[name] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")


def link_code(folder: Path) -> None:
    for name in ("stages", "pipeline"):
        (folder / name).symlink_to(ROOT / name)


def person(number: int) -> str:
    return f"{number:06d}_male_Asian_30"


def fill(root: Path, outside: Path) -> dict[str, str]:
    """Puts each case into a person's folder of its own; path → what is expected of it."""
    outside.write_bytes(contents()["cmyk"][0])
    expected: dict[str, str] = {}
    add_person(root, ANNA)
    for data, suffix, said in contents().values():
        folder = root / "train/images" / person(len(expected) + 100)
        folder.mkdir()
        (folder / f"mask1{suffix}").write_bytes(data)
        expected[str((folder / f"mask1{suffix}").relative_to(root))] = said
    for make, said in paths(outside).values():
        folder = root / "train/images" / person(len(expected) + 100)
        folder.mkdir()
        make(folder / "mask1.jpg")
        expected[str((folder / "mask1.jpg").relative_to(root))] = said
    for name, said in NAMES.values():
        folder = root / "train/images" / person(len(expected) + 100)
        folder.mkdir()
        place = os.fsencode(folder) + b"/" + name
        Path(os.fsdecode(place)).write_bytes(contents()["cmyk"][0])
        expected[os.fsdecode(place)[len(str(root)) + 1 :]] = said
    return expected


def test_everything_nasty_at_once(tmp_path: Path) -> None:
    link_code(tmp_path)
    write_params(tmp_path)
    expected = fill(tmp_path / "photos", tmp_path / "outside.jpg")
    code, said = run(tmp_path, *stage("ingest"), timeout=60)
    assert code == 0, said
    assert "Traceback" not in said
    index = pd.read_parquet(tmp_path / "build/index.parquet").set_index("image")
    table = pd.read_csv(tmp_path / "build/quarantine.csv", dtype=str, keep_default_na=False)
    reasons = dict(zip(table["path"], table["reason"], strict=True))
    for path, wanted in expected.items():
        shown = "".join(
            c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in path
        )
        if wanted == GOOD:
            assert path in index.index, f"{shown}: {reasons.get(shown)}"
        else:
            assert shown in reasons, f"{shown!r} is neither in the index nor in the quarantine"
            assert wanted in reasons[shown], (shown, reasons[shown])
            assert path not in index.index
    assert len(index) == 7 + sum(w == GOOD for w in expected.values())
    assert table["fix"].ne("").all()


def test_turned_photos_are_upright(tmp_path: Path) -> None:
    link_code(tmp_path)
    write_params(tmp_path)
    cases = contents()
    for n in range(1, 9):
        folder = tmp_path / "photos/train/images" / person(n)
        folder.mkdir(parents=True)
        (folder / "mask1.jpg").write_bytes(cases[f"orientation {n}"][0])
    assert run(tmp_path, *stage("ingest"))[0] == 0
    index = pd.read_parquet(tmp_path / "build/index.parquet")
    lying = [(w, h) == (40, 30) for w, h in zip(index["width"], index["height"], strict=True)]
    assert lying == [False] * 4 + [True] * 4


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
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_are_accepted_or_refused_with_a_sentence(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages.command import run_stage
    from stages.ingest import run as run_ingest

    table, wanted = TABLES[case]
    write_params(tmp_path, data={"layout": "csv"}, machine={"workers": 1})
    add_person(tmp_path / "photos", BERT, stems=["mask1"])
    (tmp_path / "photos/p").mkdir()
    (tmp_path / "photos/train/images" / BERT / "mask1.jpg").rename(tmp_path / "photos/p/a.jpg")
    (tmp_path / "photos/photos.csv").write_bytes(table)
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    monkeypatch.setattr("stages.command.say", said.append)
    code = run_stage("ingest", run_ingest, Path("params.yaml"))
    text = "\n".join(said)
    assert "unexpected" not in text
    accepted = {"bom", "crlf", "semicolons", "space before age", "order"}
    assert (code == 0) == (case in accepted) or case == "twice", text
    assert wanted in text
    assert Path("build/index.parquet").exists() == (code == 0)


PARAMS: dict[str, tuple[str, str]] = {
    "unknown key": ("compose:\n  fil: black\n", "did you mean `fill`"),
    "wrong type": ("compose:\n  size: big\n", "compose.size"),
    "no such kind": ("detect:\n  method: mtcn\n", "did you mean `mtcnn`"),
    "impossible": (
        "segment:\n  method: none\ncompose:\n  fill: black\nsynthesize:\n  copies: 0\n",
        "needs mattes",
    ),
    "no yaml": ("a: [", "not readable YAML"),
    "a list": ("- a\n", "no sections"),
    "python object": ("a: !!python/object/apply:os.system ['touch pwned']\n", "not readable YAML"),
    "traversal in a kind": ("detect:\n  method: ../../evil\n", "Allowed"),
    "nan": ("compose:\n  margin: .nan\n", "compose.margin"),
}


@pytest.mark.parametrize("case", PARAMS)
def test_params_are_refused_before_any_work(tmp_path: Path, case: str) -> None:
    text, wanted = PARAMS[case]
    link_code(tmp_path)
    add_person(tmp_path / "photos", ANNA)
    (tmp_path / "params.yaml").write_text(f"data:\n  root: photos\n{text}" if ":" in text[:12] else text)
    code, said = run(tmp_path, *stage("ingest"))
    assert code == 1
    assert wanted in said
    assert "Traceback" not in said
    assert not (tmp_path / "build").exists()
    assert not (tmp_path / "pwned").exists()


def test_eval_tables_that_point_outside(tmp_path: Path) -> None:
    link_code(tmp_path)
    write_params(tmp_path)
    add_person(tmp_path / "photos", ANNA)
    add_eval(tmp_path / "photos", ["a.jpg"], listed=["a.jpg", "../../../etc/passwd", "/etc/passwd", "a.jpg"])
    code, said = run(tmp_path, *stage("ingest"))
    assert code == 1
    for line in (3, 4, 5):
        assert f"eval/info.csv line {line}" in said
