"""Interrupted in the middle of writing, by Ctrl-C, or by a second run on the same folder."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.reliability.killing import ends_well, forced, kill, orphans, wait_for_stage
from tests.reliability.repository import copied, make_repository, run, start, tree_hash


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small project after a clean run, and the hash of all its outputs."""
    folder = make_repository(tmp_path_factory.mktemp("interrupts") / "project", people=6, photos=2)
    ends_well(folder)
    return folder, tree_hash(folder)


@pytest.mark.parametrize("name", ["ingest", "compose"])
def test_killed_while_it_writes(finished: tuple[Path, str], tmp_path: Path, name: str) -> None:
    """DVC then restores the results from its cache without running the stage: nobody clears up."""
    folder = copied(finished[0], tmp_path / "project")
    with start(folder, *forced(name)) as process:
        stage = wait_for_stage(psutil.Process(process.pid), name)
        while process.poll() is None and not any((folder / ".cache/parts" / name).glob(".*.part")):
            time.sleep(0.001)
        kill(stage)
        process.communicate()
    assert process.returncode != 0
    assert not orphans(folder)
    ends_well(folder)
    assert tree_hash(folder) == finished[1]


def test_ctrl_c_is_one_sentence(finished: tuple[Path, str], tmp_path: Path) -> None:
    folder = copied(finished[0], tmp_path / "project")
    said = ""
    for _ in range(5):  # on a busy machine the stage may have ended before the signal
        code, said = interrupted_while_it_writes(folder)
        if "compose: done" not in said:
            assert code != 0, said
            break
    assert said.count("compose: interrupted; partial outputs were discarded") == 1, said
    assert "Traceback" not in said, said
    assert not orphans(folder)
    assert not list((folder / "build").rglob("*.part"))
    ends_well(folder)
    assert tree_hash(folder) == finished[1]


def interrupted_while_it_writes(folder: Path) -> tuple[int, str]:
    """Runs compose, sends Ctrl-C as soon as it writes; exit code and all output."""
    with start(folder, *forced("compose")) as process:
        stages = wait_for_stage(psutil.Process(process.pid), "compose")
        while process.poll() is None and not any((folder / ".cache/parts/compose").glob(".*.part")):
            time.sleep(0.001)
        try:
            for stage in stages:
                stage.suspend()  # so that it is still at work when the signal comes
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everybody
            for stage in stages:
                stage.resume()
        except (psutil.NoSuchProcess, ProcessLookupError):
            pass
        said, _ = process.communicate()
    return process.returncode, said


def test_two_runs_at_once(finished: tuple[Path, str], tmp_path: Path) -> None:
    folder = copied(finished[0], tmp_path / "project")
    with start(folder, *forced("compose")) as first:
        stages = wait_for_stage(psutil.Process(first.pid), "compose")
        assert stages
        for stage in stages:
            stage.suspend()  # so that it is still at work, however fast the machine is
        code, said = run(folder, *forced("compose"))
        for stage in stages:
            stage.resume()
        first_said, _ = first.communicate()
    assert first.returncode == 0, first_said
    assert code != 0, said
    assert "Traceback" not in said
    ends_well(folder)
    assert tree_hash(folder) == finished[1]
