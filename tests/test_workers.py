"""Workers: results in order, whatever the count; a killed worker is named, never waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.runtime.errors import UserError
from pipeline.workers import run_parallel
from tests.conftest import ROOT
from tests.reliability.repository import at_work


def square() -> Callable[[int], int]:
    return lambda n: n * n


def killed_at_13() -> Callable[[int], int]:
    def work(n: int) -> int:
        if n == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    return work


def fails_at_5() -> Callable[[int], int]:
    def work(n: int) -> int:
        if n == 5:
            raise UserError("five is out", where="item 5")
        return n

    return work


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_order(workers: int) -> None:
    assert list(run_parallel(square, list(range(50)), workers=workers)) == [n * n for n in range(50)]


def test_a_killed_worker_is_an_error_that_names_its_item() -> None:
    with pytest.raises(UserError, match="item-13"):
        list(run_parallel(killed_at_13, list(range(20)), workers=2, chunk=4, name=lambda n: f"item-{n}"))


def test_an_error_in_a_worker_reaches_the_caller_as_it_was() -> None:
    with pytest.raises(UserError, match="five is out"):
        list(run_parallel(fails_at_5, list(range(20)), workers=2, chunk=2))


def test_no_items_need_no_worker() -> None:
    assert list(run_parallel(square, [])) == []


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from pipeline.workers import run_parallel
from tests.test_workers import square


class Trap(list):
    def __getitem__(self, part):
        if part.start:  # the workers were started for the first part, and are importing
            os.kill(os.getpid(), signal.SIGKILL)
        return list(self)[part]


if __name__ == "__main__":
    list(run_parallel(square, Trap(range(40)), workers=2, chunk=4))
"""


def test_workers_end_whose_parent_was_killed_while_they_started(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(KILLED.format(root=str(ROOT)))
    environment = {k: v for k, v in os.environ.items() if k != "DVC_ROOT"}
    done = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    end = time.monotonic() + 30  # they end when their imports do
    while (left := at_work(tmp_path)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not left
