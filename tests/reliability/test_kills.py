"""kill -9 at any moment, of the stage, of DVC, of both: the next run ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.reliability.killing import (
    ORPHAN_SECONDS,
    VICTIMS,
    clean_run,
    ends_well,
    ends_well_after_kills,
    forced,
    killed,
    orphans,
    wait_for_stage,
)
from tests.reliability.network_repository import (
    make_network_repository,
    make_small_network_repository,
    network_stages,
)
from tests.reliability.repository import cleanplate, copied, places_named, run, start, tree_hash
from tests.reliability.soak import SOAK, many

SHORT = ("ingest", "segment", "train")
IN_A_ROW = 4  # kills before a run is left in peace: it must survive what all of them left behind
Clean = tuple[Path, str, dict[str, float]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Clean:
    """A small project after a clean run, the hash of all its outputs, and how long its stages took."""
    make = make_network_repository if SOAK else make_small_network_repository
    folder = make(tmp_path_factory.mktemp("kills") / "project")
    seconds = clean_run(folder)
    return folder, tree_hash(folder), seconds


@pytest.mark.timeout(7200 if SOAK else 600)  # the clean run before counts, on a busy machine too
@pytest.mark.parametrize("name", network_stages() if SOAK else SHORT)
def test_random_kills(finished: Clean, tmp_path: Path, name: str) -> None:
    clean, expected, seconds = finished
    folder = copied(clean, tmp_path / "project")
    kills = many(1, 20)
    for number, done in enumerate(range(0, kills, IN_A_ROW)):
        rng = random.Random(f"{name} {number} {os.environ.get('CLEANPLATE_SOAK_SEED', '')}")
        case = some_kills(folder, name, min(IN_A_ROW, kills - done), seconds[name], rng)
        ends_well_after_kills(folder, "--single-item", name, *["--no-run-cache"] * rng.randrange(2))
        assert tree_hash(folder) == expected, f"{case}: outputs differ from the clean run's"
    ends_well(folder)
    assert tree_hash(folder) == expected
    code, said = run(folder, *cleanplate("verify"), timeout=600)
    assert code == 0, said


@pytest.mark.timeout(3600 if SOAK else 600)
@pytest.mark.parametrize("name", network_stages() if SOAK else ("train",))
def test_ctrl_c_at_any_moment(finished: Clean, tmp_path: Path, name: str) -> None:
    """The terminal sends it to DVC, the stage and its workers at once."""
    clean, expected, seconds = finished
    folder = copied(clean, tmp_path / "project")
    rng = random.Random(f"{name} {os.environ.get('CLEANPLATE_SOAK_SEED', '')}")
    for _ in range(many(1, 3)):
        with start(folder, *forced(name)) as process:
            wait_for_stage(psutil.Process(process.pid), name)
            time.sleep(rng.uniform(0, seconds[name]))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            said, _ = process.communicate()
        assert "Traceback" not in said, said
        assert not orphans(folder)
    ends_well_after_kills(folder)
    assert tree_hash(folder) == expected


def test_no_output_names_a_place_of_this_machine(finished: Clean) -> None:
    assert places_named(finished[0]) == []


def some_kills(folder: Path, name: str, kills: int, seconds: float, rng: random.Random) -> str:
    """Kills stage `name` that many times in a row, and nobody is at work afterwards; says what was done.

    The moments are drawn from the time that the stage takes with nothing cached, and a little more. Every
    second time the result cache, checkpoints and compiled networks are thrown away first; half of the next
    runs may take the stage's results from DVC's cache of runs, the others must make them again.
    """
    if fresh := rng.random() < 0.5:
        shutil.rmtree(folder / ".cache", ignore_errors=True)
    first, said = rng.randrange(3), []
    for attempt in range(kills):
        victim, delay = VICTIMS[(first + attempt) % 3], rng.uniform(0, 1.1 * seconds)
        lived = killed(folder, name, victim, delay)
        case = f"{name}{', no result cache' * fresh}: {victim} killed after {delay:.2f} of {seconds:.2f} s"
        said.append(case + ", when it had ended" * (not lived))
        print(said[-1], flush=True)
        left = orphans(folder)
        assert not left, f"{said}: still at work after {ORPHAN_SECONDS} s: {left}"
    return "; ".join(said)
