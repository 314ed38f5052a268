"""The same bytes, whatever the machine happens to do: workers, order, times, locale, hash seed."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.reliability.repository import (
    OUTPUTS,
    STAGES,
    make_repository,
    places_named,
    run,
    stage,
    tree_hash,
    write_params,
)
from tests.reliability.soak import many

SURROUNDINGS = (
    {"LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "0"},
    {"LC_ALL": "C.UTF-8", "TZ": "Asia/Seoul", "PYTHONHASHSEED": "1"},
    {"LC_ALL": "de_DE.UTF-8", "TZ": "America/New_York", "PYTHONHASHSEED": "12345"},
)


def outcome(folder: Path, workers: int, surroundings: dict[str, str]) -> str:
    write_params(folder, machine__workers=workers)
    for name in STAGES:
        code, said = run(folder, *stage(name), **surroundings)
        assert code == 0, said
    return tree_hash(folder)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = make_repository(tmp_path_factory.mktemp("determinism") / "project", 6, 3, git=False)
    return folder, outcome(folder, 1, SURROUNDINGS[0])


def again(folder: Path, to: Path, seed: int) -> Path:
    """The project elsewhere: its photos made in another order, at other times; nothing of it run."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("data", *OUTPUTS, ".cache"))
    inputs = [
        folder / "build/boxes.parquet",
        *(p for p in (folder / "build/mattes").rglob("*") if p.is_file()),
    ]
    files = [*(p for p in (folder / "data").rglob("*") if p.is_file()), *inputs]
    rng = random.Random(seed)
    rng.shuffle(files)
    for path in files:
        place = to / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        os.utime(place, (rng.randrange(2**31),) * 2)
    return to


@pytest.mark.parametrize("number", range(1, many(3, 6)))
def test_runs_elsewhere_give_the_same_bytes(first: tuple[Path, str], tmp_path: Path, number: int) -> None:
    folder = again(first[0], tmp_path / f"elsewhere{number}", number)
    assert outcome(folder, number % 3 + 1, SURROUNDINGS[number % 3]) == first[1]


def test_a_second_run_in_the_same_place_gives_the_same_bytes(first: tuple[Path, str]) -> None:
    assert outcome(first[0], 2, SURROUNDINGS[0]) == first[1]


def test_outputs_name_no_place_of_this_machine(first: tuple[Path, str]) -> None:
    assert places_named(first[0]) == []
    (first[0] / "build/said.txt").write_text(f"made in {first[0]}")
    assert len(places_named(first[0])) == 1
    (first[0] / "build/said.txt").unlink()
