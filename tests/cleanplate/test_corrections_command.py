"""`cleanplate corrections check | export | diff`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.dataset.corrections_table import CorrectionRow, format_entries
from pipeline.runtime.errors import Problems
from tests.fixtures.corrections_project import (
    ANNA,
    BERT,
    CARA,
    HEAD,
    OTHER,
    TWINS,
    Corrections,
    commands_in,
    table,
    write,
)


@pytest.fixture
def run(project: Path) -> Corrections:
    return commands_in(project)


def test_check_lists_what_both_tables_have_wrong(
    run: Corrections, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check") == 0
    assert "0 rows about 0 photos" in capsys.readouterr().err
    write("data/corrections.csv", f"{HEAD}{ANNA},,gender,female,male,,Ole\n{BERT},,age,58,60,,\n")
    with pytest.raises(Problems) as refused:
        run("check")
    assert ["line 3: stale" in p for p in refused.value.problems] == [True]
    write("data/corrections.csv", f"{HEAD}{ANNA},,gender,female,male,,Ole\n")
    write("data/reviewed.csv", f"person,image,field,value,source\n{ANNA},mask1,gender,female,Mina\n")
    with pytest.raises(
        Problems, match=r"reviewed.csv line 2 keeps gender female of .* mask1 \(Mina\), .* line 2 says"
    ):
        run("check")


def test_export_and_import_again(run: Corrections, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        CorrectionRow(ANNA, "", "gender", "female", "male"),
        CorrectionRow(ANNA, "", "age", "45", "60"),
        CorrectionRow(CARA, "mask1", "mask", "worn", "incorrect"),
        CorrectionRow(OTHER, "mask2", "drop", "", ""),
        CorrectionRow(TWINS[0], "", "gender", "female", "male"),
    ]
    write("data/corrections.csv", format_entries(CorrectionRow, rows))
    before = table()
    run("export")
    ids = capsys.readouterr().out
    assert f"[gender:female:male]\n000001\n{TWINS[0]}\n" in ids
    run("export", "--form", "renames")
    shown = capsys.readouterr()
    assert shown.out == f"old,new\n{ANNA},000001_male_Asian_60\n{TWINS[0]},003397_male_Asian_19\n"
    assert shown.err.count("left out") == 2
    write("data/corrections.csv", HEAD)
    run("import", write("ids.txt", ids))
    assert table() == before


def test_diff(run: Corrections, capsys: pytest.CaptureFixture[str]) -> None:
    first = write(
        "a.csv", f"{HEAD}{ANNA},,gender,female,male,x,\n{BERT},,age,59,60,,\n{CARA},normal,drop,,,,\n"
    )
    second = write(
        "b.csv",
        f"{HEAD}{BERT},,age,59,61,,\n{ANNA},,gender,female,male,y,\n{OTHER},normal.jpg,mask,none,worn,,\n",
    )
    assert run("diff", first, second) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"+ {OTHER} normal.jpg: mask none → worn",
        f"- {CARA} normal: drop",
        f"! {BERT}: age 59 → 60 (a.csv line 3) against 61 (b.csv line 2)",
        "1 added, 1 removed, 1 contradicting",
    ]
    assert run("diff", first, first) == 0
