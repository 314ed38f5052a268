"""The command line of a stage: sentences instead of tracebacks, exit codes, --limit beside the results."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.runtime.errors import UserError, printable
from stages.shared.command import Stage, run_stage

PARAMS = Path("params.yaml")


def test_a_mistake_is_a_sentence_and_exit_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(stage: Stage) -> None:
        raise UserError("the age is no number", got="abc", allowed="0 to 120", where="train.csv, row 7")

    assert run_stage("ingest", run, PARAMS) == 1
    said = capsys.readouterr().err
    assert "train.csv, row 7" in said
    assert "'abc'" in said or "abc" in said
    assert "Traceback" not in said


def test_the_unexpected_has_no_bare_traceback_unless_asked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(stage: Stage) -> None:
        raise ZeroDivisionError("by zero")

    assert run_stage("ingest", run, PARAMS) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert run_stage("ingest", run, PARAMS, debug=True) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_one_sentence(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(stage: Stage) -> None:
        raise KeyboardInterrupt

    assert run_stage("train", run, PARAMS) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_limited_run_never_writes_where_results_are(project: Path) -> None:
    def run(stage: Stage) -> None:
        out = stage.out("build/boxes.parquet")
        out.parent.mkdir(parents=True)
        out.touch()

    assert run_stage("detect", run, PARAMS, limit=3) == 0
    assert (project / "quick/build/boxes.parquet").exists()
    assert not (project / "build").exists()


def test_a_file_name_cannot_draw_on_the_terminal() -> None:
    assert printable("a\x1b[2Jb\n") == "a\\x1b[2Jb\\n"
    assert printable("a\udcffb") == "a\\udcffb"
