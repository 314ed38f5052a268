"""Two reviewers write the tables, and git puts them together."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pipeline.dataset.corrections_table import CorrectionRow, ReviewedLabel, format_entries, read_entries
from tests.fixtures.corrections_project import (
    ANNA,
    BERT,
    HEAD,
    ROOT,
    write,
)


def test_rows_are_sorted_each_once_and_no_spreadsheet_runs_them() -> None:
    rows = [
        CorrectionRow(BERT, "", "age", "59", "60", "=cmd()", "two\nlines"),
        CorrectionRow(ANNA, "", "drop", "", ""),
    ]
    text = format_entries(CorrectionRow, [*rows, rows[0]])
    assert text == f"{HEAD}{ANNA},,drop,,,,\n{BERT},,age,59,60,'=cmd(),two lines\n"
    assert next(e for _, e in read_entries(CorrectionRow, text.encode(), "c")) == rows[1]


def merged(base: str, ours: str, theirs: str, *options: str) -> tuple[int, str]:
    files = [write(name, text) for name, text in (("ours", ours), ("base", base), ("theirs", theirs))]
    done = subprocess.run(
        ["git", "merge-file", "-p", *options, *files], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_two_reviewers_files_merge(project: Path) -> None:
    """Rows apart from each other merge anyhow; rows side by side by the union driver of .gitattributes."""
    people = [f"{k:06d}_female_Asian_20" for k in range(40)]
    base = format_entries(
        CorrectionRow, [CorrectionRow(p, "", "gender", "female", "male") for p in people[::4]]
    )

    def with_rows(*numbers: int) -> str:
        rows = [e for _, e in read_entries(CorrectionRow, base.encode(), "b")]
        return format_entries(
            CorrectionRow, [*rows, *(CorrectionRow(people[k], "", "drop", "", "", "", "me") for k in numbers)]
        )

    code, text = merged(base, with_rows(1, 2, 22), with_rows(13, 30))
    assert (code, text) == (0, with_rows(1, 2, 13, 22, 30))
    assert merged(base, with_rows(1), with_rows(2))[0] == 1
    code, text = merged(base, with_rows(1), with_rows(2), "--union")
    assert (code, text) == (0, with_rows(1, 2))
    empty = format_entries(ReviewedLabel, [])
    mine, theirs = (
        format_entries(ReviewedLabel, [ReviewedLabel(p, "", "age", "20", "x")]) for p in people[:2]
    )
    code, text = merged(empty, mine, theirs, "--union")
    assert [k.person for _, k in read_entries(ReviewedLabel, text.encode(), "k")] == people[:2]


def test_git_merges_both_tables_with_the_projects_attributes(tmp_path: Path) -> None:
    def git(*args: str) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
        return subprocess.run(
            ["git", *who, *args], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    git("init", "-q")
    (tmp_path / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    path = tmp_path / "data/corrections.csv"
    path.parent.mkdir()
    path.write_text(HEAD)
    git("add", ".")
    git("commit", "-qm", "base")
    for branch, person in (("ole", ANNA), ("mina", BERT)):
        git("checkout", "-qb", branch, "main")
        path.write_text(f"{HEAD}{person},,drop,,,,{branch}\n")
        git("commit", "-qam", branch)
    git("merge", "-q", "ole", "-m", "both")
    assert {e.person for _, e in read_entries(CorrectionRow, path.read_bytes(), "c")} == {ANNA, BERT}
