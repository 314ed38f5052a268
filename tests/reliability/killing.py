"""Killing what runs in a small project, at a chosen moment, and seeing who is left."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.reliability.repository import at_work, dvc, run, start

ORPHAN_SECONDS = 5.0
VICTIMS = ("stage", "dvc", "both")


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


def wait_for_stage(parent: psutil.Process, name: str, seconds: float = 120) -> list[psutil.Process]:
    """The processes of stage `name` as soon as there are any; none where DVC ended before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and alive(parent):
        if found := stage_processes(parent, name):
            return found
        time.sleep(0.02)
    return []


def alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def kill(processes: Sequence[psutil.Process]) -> None:
    """`kill -9` of each that is still there."""
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue


def forced(name: str) -> tuple[str, ...]:
    """DVC's command line for one stage anew, and nothing else."""
    return dvc("repro", "--force", "--single-item", name)


def duration(folder: Path, name: str) -> float:
    """Seconds that the process of stage `name` lives when nobody kills it."""
    with start(folder, *forced(name)) as process:
        stage = wait_for_stage(psutil.Process(process.pid), name)
        begin = time.monotonic()
        while any(alive(p) for p in stage):
            time.sleep(0.02)
        seconds = time.monotonic() - begin
        said, _ = process.communicate()
    assert process.returncode == 0, said
    return seconds


def killed(folder: Path, name: str, victim: str, delay: float) -> bool:
    """Runs stage `name`, kills `victim` `delay` seconds after it began; whether the stage lived till then."""
    with start(folder, *forced(name)) as process:
        parent = psutil.Process(process.pid)
        stage = wait_for_stage(parent, name)
        time.sleep(delay)
        lived = any(alive(p) for p in stage)
        kill([parent] * (victim != "stage") + stage * (victim != "dvc"))
        process.communicate()
    return lived


def orphans(folder: Path) -> list[str]:
    """Waits for the end of everything at work in `folder`; what is still there after 5 s."""
    end = time.monotonic() + ORPHAN_SECONDS
    while (left := at_work(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    return [f"{process.pid} {process.name()}" for process in left]


def ends_well(folder: Path, *options: str) -> None:
    """`dvc repro` of everything, which must succeed."""
    code, said = run(folder, *dvc("repro", *options), timeout=1800)
    assert code == 0, said
