"""Being one process among others: die with the parent, hold a lock, keep freed memory."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from pipeline.runtime.errors import UserError

SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish"}
INITS = {"systemd", "init", "tini", "dumb-init", "launchd"}
PR_SET_PDEATHSIG = 1
WATCH_SECONDS = 0.5
_watching = False


def die_with_parent() -> None:
    """Ends this process and its children when the process that started it ends, even by `kill -9`.

    `kill -9` of `dvc repro` would otherwise leave the stage running as an orphan that keeps writing. Linux is
    asked for a signal (PDEATHSIG); since DVC starts stages through a shell, whose death it is that the
    signal waits for, and since other systems have no such signal, a thread also watches the parent and, where
    that is a shell, the shell's parent.
    """
    global _watching
    if _watching:
        return
    _watching = True
    if _orphaned():
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    watched = _ancestors()
    if watched:
        threading.Thread(target=_watch, args=(watched,), daemon=True, name="die-with-parent").start()


def _orphaned() -> bool:
    """Whether the DVC that started this process died before it could be watched: init has its shell now."""
    if "DVC_ROOT" not in os.environ:
        return False
    try:
        process = psutil.Process().parent()
        if process is not None and process.name() in SHELLS and "-c" in process.cmdline():
            process = process.parent()
        if process is None:
            return True
        started_by = " ".join([process.name(), *process.cmdline()])
    except psutil.Error:
        return False
    of_system = process.pid == 1 or process.name() in INITS
    return of_system and "dvc" not in started_by and "python" not in started_by


def _ancestors() -> list[psutil.Process]:
    """The parent and, if that is a shell that runs one command, its parent."""
    try:
        parent = psutil.Process().parent()
        if parent is None or parent.pid == 1:
            return []
        grandparent = parent.parent()
        runs_command = parent.name() in SHELLS and "-c" in parent.cmdline()
    except psutil.Error:
        return []
    if runs_command and grandparent is not None and grandparent.pid != 1:
        return [parent, grandparent]
    return [parent]


def _watch(watched: list[psutil.Process]) -> None:
    while all(_alive(process) for process in watched):
        time.sleep(WATCH_SECONDS)
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.Error:
            continue
    os.kill(os.getpid(), signal.SIGKILL)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@contextmanager
def stage_lock(folder: Path, name: str) -> Iterator[None]:
    """Holds `folder/name.lock`; the system frees it when the process ends, however it ends.

    Raises:
        UserError: another run of the same stage holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{name}.lock", timeout=0)
    try:
        with lock:
            yield
    except Timeout as e:
        raise UserError(
            f"another run of stage `{name}` is at work in this folder",
            where=folder / f"{name}.lock",
            fix="wait for it to end, or end it, then run the command again",
        ) from e


def worker_count(requested: int | None) -> int:
    """`requested`, or the number of CPUs that this process may use."""
    if requested:
        return requested
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def keep_freed_memory() -> None:
    """Tells glibc, for processes started from now on, to keep freed memory instead of returning it.

    Returning and fetching the large blocks of a network's activations at each step costs up to 40 % (U-Net).
    """
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(1 << 30))
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 30))
    os.environ.setdefault("MALLOC_TOP_PAD_", str(64 << 20))
