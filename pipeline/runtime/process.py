"""Process control: die with the parent, hold a lock, set up threads and memory."""

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

from pipeline.runtime.cpus import cpu_share, usable_cpus, visible_cpus
from pipeline.runtime.errors import UserError

SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "busybox", "csh", "tcsh", "fish", "nu", "xonsh"}
INITS = {"systemd", "init", "tini", "dumb-init", "launchd"}
DVC_STAGE = "DVC_STAGE"  # DVC sets it for a stage: its name in dvc.yaml
PR_SET_PDEATHSIG = 1
WATCH_SECONDS = 0.5
_watching = False


def die_with_dvc() -> None:
    """Ends this process and its children when the DVC that started it ends, even by `kill -9`.

    `kill -9` of `dvc repro` would otherwise leave the stage running as an orphan that keeps writing. A stage
    started by hand may outlive its shell (`nohup`, `setsid`, `disown`), so it is not watched.
    """
    name = os.environ.get(DVC_STAGE)
    if name is None:
        return
    watched = _up_to_dvc(name)
    if watched is None:  # DVC died already: init has adopted this process, or its shell
        os.kill(os.getpid(), signal.SIGKILL)
    elif watched:
        _die_with(watched)


def die_with_parent() -> None:
    """Ends this process, a worker, when the process that started it ends, even by `kill -9`."""
    parent = psutil.Process().parent()
    _die_with([parent] if parent is not None and parent.pid != 1 else [])


def kill_with_parent() -> None:
    """Asks Linux to kill this process when its parent ends, even if it becomes another program."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _die_with(watched: list[psutil.Process]) -> None:
    """Ends this process and its children when any process of `watched` ends.

    Uses PDEATHSIG on Linux, and also a watching thread: PDEATHSIG only follows the parent, which is DVC's
    shell, and other systems lack it.
    """
    global _watching
    if _watching:
        return
    _watching = True
    kill_with_parent()
    if watched:
        threading.Thread(target=_watch, args=(watched,), daemon=True, name="die-with-parent").start()


def _up_to_dvc(name: str) -> list[psutil.Process] | None:
    """The ancestors of this process up to DVC; [] if a user's shell has DVC_STAGE by chance.

    DVC itself does not have the DVC_STAGE that it sets for its children. None if DVC has ended: init has
    adopted this process, or its shell.
    """
    watched: list[psutil.Process] = []
    try:
        for process in psutil.Process().parents():
            if process.pid == 1 or process.name() in INITS:
                command = " ".join([process.name(), *process.cmdline()])
                return watched if "dvc" in command or "python" in command else None  # it may be a container's
            watched.append(process)
            environment, shell = _environment(process), process.name().lstrip("-") in SHELLS
            if environment.get(DVC_STAGE) == name or (shell and not environment):
                continue
            return [] if shell else watched
    except psutil.NoSuchProcess:  # one of them has just ended
        return None
    return None


def _environment(process: psutil.Process) -> dict[str, str]:
    """The environment of a process; {} if the system hides it, as macOS does for its own shells."""
    try:
        return process.environ()
    except (psutil.AccessDenied, psutil.ZombieProcess, OSError):
        return {}


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
    """Holds `folder/name.lock`; the system releases it when the process ends, even by a kill.

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
            f"stage `{name}` is already running in this folder",
            where=folder / f"{name}.lock",
            fix="wait for it, or stop it, then run the command again",
        ) from e


def worker_count(requested: int | None) -> int:
    """`requested`, or the number of usable CPUs (respects a container's quota); at most this experiment's
    share of them where several run at once."""
    return min(requested or usable_cpus(), cpu_share() or sys.maxsize)


def configure_threads() -> None:
    """Sets OpenMP's wait policy and thread count for libraries loaded later; respects the user's settings.

    OpenMP threads (torch uses libgomp) spin while they wait and take the CPU from other processes: beside one
    busy process, training ran at less than half its speed. Under a container's quota, limits the threads to
    the usable CPUs.
    """
    if not any(name in os.environ for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")):
        os.environ |= {"GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
    if (usable := usable_cpus()) < visible_cpus():
        os.environ.setdefault("OMP_NUM_THREADS", str(usable))


def keep_freed_memory() -> None:
    """Makes glibc keep freed memory, in processes started later.

    Returning and reallocating a network's large activations at each step costs up to 40 % (U-Net).
    """
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(1 << 30))
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 30))
    os.environ.setdefault("MALLOC_TOP_PAD_", str(64 << 20))
