"""`python -m stages.ingest` on a folder that holds every nasty thing at once."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd

from tests.fixtures.data_folder import ANNA, add_eval, add_person
from tests.reliability.corpus import GOOD, NAMES, contents, paths
from tests.reliability.corpus_project import link_code, write_params
from tests.reliability.crafted import crafted
from tests.reliability.repository import run, stage


def person(number: int) -> str:
    return f"{number:06d}_male_Asian_30"


def fill(root: Path, outside: Path) -> dict[str, str]:
    """Puts each case into a person's folder of its own; path → what is expected of it."""
    outside.write_bytes(contents()["cmyk"][0])
    expected: dict[str, str] = {}
    add_person(root, ANNA)
    for data, suffix, said in [*contents().values(), *crafted().values()]:
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
            assert re.search(wanted, reasons[shown]), (shown, reasons[shown])
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


def test_eval_tables_that_point_outside(tmp_path: Path) -> None:
    link_code(tmp_path)
    write_params(tmp_path)
    add_person(tmp_path / "photos", ANNA)
    add_eval(tmp_path / "photos", ["a.jpg"], listed=["a.jpg", "../../../etc/passwd", "/etc/passwd", "a.jpg"])
    code, said = run(tmp_path, *stage("ingest"))
    assert code == 1
    for line in (3, 4, 5):
        assert f"eval/info.csv line {line}" in said
