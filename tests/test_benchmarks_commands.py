"""`python -m benchmarks.NAME`: help that reads as written, and mistakes that are told before any work."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tests.conftest import ROOT

FILES = [p for p in sorted((ROOT / "benchmarks").glob("*.py")) if "__main__" in p.read_text(encoding="utf-8")]


def said(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Calls a benchmark with arguments that end it at once. Returns its exit code."""
    monkeypatch.setattr("sys.argv", [name, *arguments])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{name}").main()
    return ended.value.code


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_help_shows_the_docstring_line_by_line(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = ast.parse(file.read_text(encoding="utf-8"))
    assert said(file.stem, "--help", monkeypatch=monkeypatch) == 0
    shown = capsys.readouterr().out
    assert (ast.get_docstring(document, clean=False) or "nothing").strip() in shown
    # called before the end of the file, a command would lack whatever is defined below
    assert isinstance(document.body[-1], ast.If)


def test_learning_curve_names_the_columns_that_a_table_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "answers.csv"
    table.write_text("ImageID,ans,person\n1.jpg,0,000001\n", encoding="utf-8")
    assert said("learning_curve", str(table), monkeypatch=monkeypatch) == 2
    line = " ".join(capsys.readouterr().err.split())
    assert f"{table} lacks the columns split, image, age, code; it has ImageID, ans, person" in line


@pytest.mark.parametrize(("name", "option"), [("million", ()), ("__main__", ("--million",))])
def test_a_million_photos_are_never_drawn_into_a_folder_that_exists(
    name: str,
    option: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine").touch()
    assert said(name, *option, str(tmp_path), monkeypatch=monkeypatch) == 2
    assert f"{tmp_path} exists already" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
