"""Every engine: results in order; an error comes as it was; who kills its worker is named."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from importlib.util import find_spec

import pytest

from pipeline.params.machine import Machine
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import plugin_names
from pipeline.workers.run import run_parallel


@pytest.fixture(params=plugin_names("workers.engines"))
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine."""
    if request.param == "ray" and find_spec("ray") is None:  # imported, it would miss the engine's settings
        pytest.skip("Ray is not installed: make setup EXTRAS=cluster")
    return request.param


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
def test_results_come_in_order(engine: str, workers: int) -> None:
    assert list(run_parallel(square, list(range(50)), machine=Machine(engine=engine, workers=workers))) == [
        n * n for n in range(50)
    ]


def test_a_killed_worker_is_an_error_that_names_its_item(engine: str) -> None:
    machine = Machine(engine=engine, workers=2)
    with pytest.raises(UserError, match="item-13"):
        list(run_parallel(killed_at_13, range(20), machine=machine, chunk=4, name=lambda n: f"item-{n}"))


def test_an_error_in_a_worker_reaches_the_caller_as_it_was(engine: str) -> None:
    with pytest.raises(UserError, match="five is out"):
        list(run_parallel(fails_at_5, list(range(20)), machine=Machine(engine=engine, workers=2), chunk=2))


def test_no_items_need_no_worker(engine: str) -> None:
    assert list(run_parallel(square, [], machine=Machine(engine=engine))) == []
