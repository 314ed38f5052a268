"""kill -9 at any moment, of the stage, of DVC, of both: the next run ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.reliability.killing import ORPHAN_SECONDS, VICTIMS, duration, ends_well, killed, orphans
from tests.reliability.network_repository import make_network_repository, network_stages
from tests.reliability.repository import cleanplate, copied, run, tree_hash
from tests.reliability.soak import SOAK, many

SHORT = ("ingest", "segment", "train")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small project after a clean run, and the hash of all its outputs."""
    folder = make_network_repository(tmp_path_factory.mktemp("kills") / "project")
    ends_well(folder)
    return folder, tree_hash(folder)


@pytest.mark.timeout(7200 if SOAK else 1200)  # the clean run before counts, on a busy machine too
@pytest.mark.parametrize("name", network_stages() if SOAK else SHORT)
def test_random_kills(finished: tuple[Path, str], tmp_path: Path, name: str) -> None:
    clean, expected = finished
    folder = copied(clean, tmp_path / "project")
    seconds: dict[bool, float] = {}
    for attempt in range(many(1, 20)):
        print(one_kill(folder, name, attempt, seconds, expected), flush=True)
    ends_well(folder)
    assert tree_hash(folder) == expected
    code, said = run(folder, *cleanplate("verify"), timeout=600)
    assert code == 0, said


def one_kill(folder: Path, name: str, attempt: int, seconds: dict[bool, float], expected: str) -> str:
    """Kills stage `name` once; says what was killed when, after the next run ended byte-identical.

    The moment is drawn from the time that the stage takes, which goes into `seconds`, and a little more.
    Every second time the item cache and the checkpoints are thrown away first; half of the next runs may take
    the stage's results from DVC's cache of runs, the others must make them again.
    """
    fresh = attempt % 2 == 0
    if fresh not in seconds:
        forget(folder, fresh)
        seconds[fresh] = duration(folder, name)
    forget(folder, fresh)
    rng = random.Random(f"{name} {attempt} {os.environ.get('CLEANPLATE_SOAK_SEED', '')}")
    victim = VICTIMS[(network_stages().index(name) + attempt) % 3]
    delay = rng.uniform(0, 1.1 * seconds[fresh])
    lived = killed(folder, name, victim, delay)
    case = f"{name}, {victim} killed after {delay:.2f} of {seconds[fresh]:.2f} s"
    case += f"{', no item cache' * fresh}{'' if lived else ', when it had ended'}"
    left = orphans(folder)
    assert not left, f"{case}: still at work after {ORPHAN_SECONDS} s: {left}"
    ends_well(folder, "--single-item", name, *["--no-run-cache"] * (attempt // 2 % 2))
    assert tree_hash(folder) == expected, f"{case}: outputs differ from the clean run's"
    return f"{case}: the next run is byte-identical"


def forget(folder: Path, fresh: bool) -> None:
    """Throws the item cache, checkpoints and compiled networks away, where `fresh` says so."""
    if fresh:
        shutil.rmtree(folder / ".cache", ignore_errors=True)
