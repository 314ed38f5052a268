"""Runs DVC experiments, one or several at once, each in a temporary copy and a process group of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from cleanplate.experiments.cost import record_seconds
from cleanplate.experiments.dvc_internals import BESIDE_OTHERS
from cleanplate.experiments.runs import ExperimentRunner, dvc_environment
from cleanplate.experiments.working_copy import WorkingCopy
from pipeline.params.overrides import Overrides
from pipeline.runtime.cpus import CPUS, JOBS, usable_cpus
from pipeline.runtime.errors import UserError
from pipeline.runtime.process import kill_with_parent
from pipeline.runtime.progress import say

LOGS = Path(".cache/sweeps/logs")
LINES = 20  # of a failed experiment's output that are shown
POLL_SECONDS = 0.1
NOISE = "WARNING: No file hash info found"  # DVC, of every output that its stage has yet to make
GRACE_SECONDS = 5.0  # after Ctrl-C, before `kill -9`


@dataclass(frozen=True)
class Running:
    """An experiment at work."""

    name: str
    copy: WorkingCopy
    process: subprocess.Popen[bytes]
    started: float

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to DVC, its stages and their workers."""
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def is_at_work(self) -> bool:
        """Whether any process of the group is left."""
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except (ProcessLookupError, PermissionError):  # macOS refuses to signal what has ended
            return False
        return True


@dataclass
class Progress:
    """How many experiments have ended, and when the others will have."""

    total: int
    start: float
    ended: int = 0

    def line(self, what: str) -> str:
        """A line about one more that has ended."""
        self.ended += 1
        left = (time.monotonic() - self.start) / self.ended * (self.total - self.ended)
        return f"[{self.ended}/{self.total}] {what}, about {left / 60:.0f} min left"


def run_experiments(runner: ExperimentRunner, wanted: dict[str, Overrides], jobs: int) -> list[str]:
    """Runs experiments, `jobs` at a time, even after failures. Returns the names of failed ones.

    Each may use its share of the CPUs; the results are those of one after another, but for rounding where a
    network trains on the CPU: each has fewer threads. The output of one at a time goes to stderr, of several
    to files in .cache/sweeps/logs/. After Ctrl-C or SIGTERM, or an error, no process and no copy is left;
    nor, on Linux, a process after `kill -9`.

    Raises:
        KeyboardInterrupt: after one of these signals, when everything has ended.
    """
    waiting, running, failed = list(wanted), list[Running](), list[str]()
    progress = Progress(len(wanted), time.monotonic())
    with _heeded(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as received:
        try:
            while waiting or running:
                while waiting and len(running) < jobs and not received:
                    name = waiting.pop(0)
                    running.append(_start(runner, name, wanted[name], min(jobs, len(wanted)), jobs == 1))
                    say(f"{name} started" + ("" if jobs == 1 else f", its output: {_log(name)}"))
                if received:
                    raise KeyboardInterrupt
                time.sleep(POLL_SECONDS)
                for ended in [one for one in running if one.process.poll() is not None]:
                    running.remove(ended)
                    if not _collect(runner, ended, progress, jobs == 1):
                        failed.append(ended.name)
        finally:
            _end(running)
    return [name for name in wanted if name in failed]


def _start(runner: ExperimentRunner, name: str, overrides: Overrides, jobs: int, in_sight: bool) -> Running:
    """Starts one of so many experiments; `in_sight`: its output goes to stderr, else to its log."""
    copy = WorkingCopy.create(name, runner.head)
    LOGS.mkdir(parents=True, exist_ok=True)
    share = {CPUS: str(max(1, usable_cpus() // jobs)), JOBS: str(jobs)}
    try:
        with nullcontext(2) if in_sight else _log(name).open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", str(BESIDE_OTHERS), *runner.command(name, overrides)],
                cwd=copy.folder,
                env=dvc_environment() | copy.environment() | share,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=kill_with_parent,
            )
    except BaseException:
        copy.remove()
        raise
    return Running(name, copy, process, time.monotonic())


def _collect(runner: ExperimentRunner, ended: Running, progress: Progress, seen: bool) -> bool:
    """Brings an ended experiment into the repository and removes its copy; whether it succeeded.

    What a failed one said is shown unless it was `seen`.
    """
    code, seconds = ended.process.returncode, time.monotonic() - ended.started
    try:
        ended.signal(signal.SIGKILL)  # whatever a stage may have left
        if code:
            why = f"dvc ended with {code}"
            output = "" if seen else _log(ended.name).read_text("utf-8", "replace").rstrip()
        else:
            record_seconds(ended.copy.bring_back(runner.head, ended.name), seconds)
            say(progress.line(f"{ended.name}: {seconds:.0f} s"))
            return True
    except UserError as e:
        why, output = "dvc succeeded, git did not", str(e)
    finally:
        ended.copy.remove()
    say(progress.line(f"{ended.name} failed ({why})"))
    lines = [line for line in output.splitlines() if not line.startswith(NOISE)]
    for line in lines[-LINES:]:
        say(f"    {line}")
    return False


def _log(name: str) -> Path:
    return LOGS / f"{name}.log"


def _end(running: list[Running]) -> None:
    """Ends experiments: as Ctrl-C does, so that stages discard what is half-written, then by force."""
    for one in running:
        one.signal(signal.SIGINT)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(one.is_at_work() for one in running):
        time.sleep(POLL_SECONDS)
    for one in running:
        one.signal(signal.SIGKILL)
        one.process.wait()
        one.copy.remove()


@contextmanager
def _heeded(*numbers: signal.Signals) -> Iterator[list[int]]:
    """Collects these signals, unless they are ignored already (`nohup`), instead of ending at once.

    An exception between the start of a process and the note of it would leave the process.
    """
    received: list[int] = []
    before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, lambda n, _: received.append(n))
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
