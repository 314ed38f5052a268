"""kill -9 at any moment, of the stage, of DVC, of both: the next run ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.reliability.repository import (
    STAGES,
    at_work,
    cleanplate,
    copied,
    dvc,
    make_repository,
    run,
    start,
    tree_hash,
)
from tests.reliability.soak import SOAK, many

ORPHAN_SECONDS = 5.0
VICTIMS = ("stage", "dvc", "both")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small project after a clean run, and the hash of all its outputs."""
    folder = make_repository(tmp_path_factory.mktemp("kills") / "project", people=6, photos=2)
    code, said = run(folder, *dvc("repro"))
    assert code == 0, said
    return folder, tree_hash(folder)


def stage_processes(parent: psutil.Process, name: str) -> list[psutil.Process]:
    """The processes of stage `name` below DVC."""
    try:
        below = parent.children(recursive=True)
    except psutil.Error:
        return []
    found = []
    for process in below:
        try:
            if f"stages.{name}" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for_stage(parent: psutil.Process, name: str, seconds: float = 60) -> list[psutil.Process]:
    end = time.monotonic() + seconds
    while time.monotonic() < end and parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
        if found := stage_processes(parent, name):
            return found
        time.sleep(0.02)
    return []


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue


def nobody_left(folder: Path) -> Iterator[str]:
    """Waits for the end of everything at work in `folder`; what is still there after 5 s."""
    end = time.monotonic() + ORPHAN_SECONDS
    while (left := at_work(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    for process in left:
        yield f"{process.pid} {process.name()}"


@pytest.mark.timeout(7200 if SOAK else 300)
def test_random_kills(finished: tuple[Path, str], tmp_path: Path) -> None:
    clean, expected = finished
    rounds = many(1, 20)
    for name in STAGES:
        for attempt in range(rounds):
            rng = random.Random(f"{name} {attempt} {os.environ.get('CLEANPLATE_SOAK_SEED', '')}")
            victim = VICTIMS[(STAGES.index(name) + attempt) % 3]
            delay = rng.uniform(0.0, 2.5)
            folder = copied(clean, tmp_path / f"{name}-{attempt}")
            with start(folder, *dvc("repro", "--force", name)) as process:
                parent = psutil.Process(process.pid)
                stage = wait_for_stage(parent, name)
                time.sleep(delay)
                kill([parent] * (victim != "stage") + stage * (victim != "dvc"))
                process.communicate()
            orphans = list(nobody_left(folder))
            case = f"{name}, {victim} killed after {delay:.2f} s"
            assert not orphans, f"{case}: still at work after {ORPHAN_SECONDS} s: {orphans}"
            code, said = run(folder, *dvc("repro"))
            assert code == 0, f"{case}: the next run failed:\n{said}"
            assert tree_hash(folder) == expected, f"{case}: outputs differ from the clean run's"
            print(f"{case}: the next run is byte-identical", flush=True)
            if attempt == rounds - 1:
                code, said = run(folder, *cleanplate("verify"))
                assert code == 0, f"{case}: {said}"


@pytest.mark.parametrize("name", ["ingest", "compose"])
def test_killed_while_it_writes(finished: tuple[Path, str], tmp_path: Path, name: str) -> None:
    """DVC then restores the results from its cache without running the stage: nobody clears up."""
    folder = copied(finished[0], tmp_path / "project")
    with start(folder, *dvc("repro", "--force", name)) as process:
        stage = wait_for_stage(psutil.Process(process.pid), name)
        while process.poll() is None and not any((folder / ".cache/parts" / name).glob(".*.part")):
            time.sleep(0.001)
        kill(stage)
        process.communicate()
    assert process.returncode != 0
    assert not list(nobody_left(folder))
    assert run(folder, *dvc("repro"))[0] == 0
    assert tree_hash(folder) == finished[1]


def test_ctrl_c_is_one_sentence(finished: tuple[Path, str], tmp_path: Path) -> None:
    folder = copied(finished[0], tmp_path / "project")
    said = ""
    for delay in (1.2, 0.6, 0.3, 0.0):  # until one comes before the stage's end, however fast the machine is
        with start(folder, *dvc("repro", "--force", "compose")) as process:
            assert wait_for_stage(psutil.Process(process.pid), "compose")
            assert process.stdout is not None
            time.sleep(delay)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everybody
            said, _ = process.communicate()
        if process.returncode != 0:
            break
    assert process.returncode != 0
    assert "Traceback" not in said, said
    assert not list(nobody_left(folder))
    assert not list((folder / "build").rglob("*.part"))
    assert run(folder, *dvc("repro"))[0] == 0
    assert tree_hash(folder) == finished[1]


def test_two_runs_at_once(finished: tuple[Path, str], tmp_path: Path) -> None:
    folder = copied(finished[0], tmp_path / "project")
    with start(folder, *dvc("repro", "--force", "compose")) as first:
        stages = wait_for_stage(psutil.Process(first.pid), "compose")
        assert stages
        for stage in stages:
            stage.suspend()  # so that it is still at work, however fast the machine is
        code, said = run(folder, *dvc("repro", "--force", "compose"))
        for stage in stages:
            stage.resume()
        first_said, _ = first.communicate()
    assert first.returncode == 0, first_said
    assert code != 0, said
    assert "Traceback" not in said
    assert run(folder, *dvc("repro"))[0] == 0
    assert tree_hash(folder) == finished[1]
