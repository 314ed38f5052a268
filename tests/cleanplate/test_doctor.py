"""`cleanplate doctor`: names and mends what killed runs and damage leave; then `dvc repro` runs as ever."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.reliability.repository import (
    at_work,
    cleanplate,
    copied,
    dvc,
    flip,
    make_repository,
    run,
    start,
    tree_hash,
)

OWN = "  margin: 0.35\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project after `dvc repro`, committed."""
    folder = make_repository(tmp_path_factory.mktemp("doctor") / "project", people=2, photos=1)
    code, said = run(folder, *dvc("repro", "compose", "relabel"))
    assert code == 0, said
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qm", "run")
    return folder


@pytest.fixture
def repository(finished: Path, tmp_path: Path) -> Path:
    return copied(finished, tmp_path / "project")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def doctor(folder: Path, *options: str) -> tuple[int, str]:
    code, said = run(folder, *cleanplate("doctor", *options))
    assert "Traceback" not in said, said
    return code, said


def killed_run(folder: Path, *command: str) -> None:
    """Starts a run, kills DVC while compose is at work, and waits until nothing is."""
    process = start(folder, *command)
    assert process.stdout is not None
    for line in process.stdout:
        if "stages.compose" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()
    end = time.monotonic() + 5
    while at_work(folder) and time.monotonic() < end:
        time.sleep(0.1)
    assert not at_work(folder), "an orphan is still at work after 5 s"


def test_a_sound_project_is_well(repository: Path) -> None:
    code, said = doctor(repository)
    assert (code, "no problems" in said) == (0, True), said


def test_a_killed_experiment_is_undone_and_own_edits_stay(repository: Path) -> None:
    params = repository / "params.yaml"
    params.write_text(params.read_text().replace("  margin: 0.3\n", OWN))
    mine = params.read_bytes()
    (repository / "notes.txt").write_text("mine")
    killed_run(repository, *dvc("exp", "run", "-S", "compose.seed=9"))
    assert params.read_bytes() != mine
    assert git(repository, "rev-parse", "--abbrev-ref", "HEAD") == "HEAD"

    code, said = doctor(repository)
    assert code == 1
    assert "a detached HEAD" in said
    assert "options of a killed or failed `dvc exp run` are still in params.yaml" in said

    code, said = doctor(repository, "--mend")
    assert code == 0, said
    assert params.read_bytes() == mine
    assert (repository / "notes.txt").read_text() == "mine"
    assert git(repository, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert "EXEC" not in git(repository, "for-each-ref")


def test_a_failed_experiment_is_undone_and_one_that_ended_well_stays(repository: Path) -> None:
    params = repository / "params.yaml"
    params.write_text(params.read_text().replace("  margin: 0.3\n", OWN))
    mine = params.read_bytes()
    code, _ = run(repository, *dvc("exp", "run", "-S", "relabel.corrections=none.csv", "relabel"))
    assert code != 0
    assert params.read_bytes() != mine
    code, said = doctor(repository, "--mend")
    assert code == 0, said
    assert params.read_bytes() == mine
    code, said = run(
        repository, *dvc("exp", "run", "-S", "relabel.age_rules=[{from: 59, to: 60}]", "relabel")
    )
    assert code == 0, said
    meant = params.read_bytes()
    assert meant != mine
    code, said = doctor(repository)
    assert code == 0, said
    doctor(repository, "--mend")
    assert params.read_bytes() == meant


def test_edits_made_since_are_not_touched(repository: Path) -> None:
    params = repository / "params.yaml"
    killed_run(repository, *dvc("exp", "run", "-S", "compose.seed=9"))
    params.write_text(params.read_text() + "# a thought\n")
    doctor(repository, "--mend")
    assert params.read_text().endswith("# a thought\n")


def test_a_lock_file_that_dvc_was_killed_over(repository: Path) -> None:
    """DVC empties it, then writes: a kill between these leaves nothing that it would read again."""
    before, lock = tree_hash(repository), repository / "dvc.lock"
    whole = lock.read_bytes()
    lock.write_bytes(b"")
    assert run(repository, *dvc("repro", "compose", "relabel"))[0] != 0
    code, said = doctor(repository)
    assert (code, "DVC cannot read" in said) == (1, True), said
    code, said = doctor(repository, "--mend")
    assert code == 0, said
    code, said = run(repository, *dvc("repro", "compose", "relabel"))
    assert code == 0, said
    assert "is cached" in said
    assert tree_hash(repository) == before
    assert lock.read_bytes() == whole


def test_damage_is_moved_away_and_made_again(repository: Path) -> None:
    before = tree_hash(repository)
    picture = next((repository / "build/images").rglob("*.jpg"))
    flip(picture)
    flip(repository / "build/labels.parquet")
    code, said = run(repository, *dvc("repro", "compose", "relabel"))
    assert code == 0
    assert tree_hash(repository) != before  # DVC does not see it: that is what the doctor is for
    code, said = doctor(repository)
    assert code == 1
    assert picture.name in said
    code, said = doctor(repository, "--mend")
    assert code == 0, said
    assert list((repository / ".cache/damaged").iterdir())
    code, said = run(repository, *dvc("repro", "compose", "relabel"))
    assert code == 0, said
    assert tree_hash(repository) == before
    assert run(repository, *cleanplate("verify"))[0] == 0


def test_a_listing_of_a_folder_that_is_damaged_or_gone(repository: Path) -> None:
    before = tree_hash(repository)
    listing = next((repository / ".dvc/cache/files/md5").rglob("*.dir"))
    flip(listing)
    code, said = doctor(repository, "--mend")
    code, said = run(repository, *dvc("repro", "compose", "relabel"))
    assert code == 0, said
    assert tree_hash(repository) == before
    code, said = run(repository, *cleanplate("verify"))
    assert code == 0, said


def test_half_written_files_of_dead_processes_go_and_of_living_ones_stay(repository: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    left = repository / f"build/.labels.parquet.{dead.pid}.part"
    left.write_bytes(b"half")
    folder = repository / f"build/.images.{dead.pid}.old"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"x")
    alive = repository / f"build/.folds.parquet.{os.getpid()}.part"
    alive.write_bytes(b"half")
    code, said = doctor(repository)
    assert code == 1
    assert str(left.name) in said
    assert doctor(repository, "--mend")[0] == 0
    assert not left.exists()
    assert not folder.exists()
    assert alive.exists()


@pytest.mark.parametrize("content", ["dead", "damaged"])
def test_stale_locks_are_freed(repository: Path, content: str) -> None:
    lock = repository / ".dvc/tmp/rwlock"
    holder = {"pid": 2**22 - 7, "cmd": "dvc repro"}
    text = json.dumps({"write": {str(repository / "build/images"): holder}, "read": {}})
    lock.write_text(text if content == "dead" else text[:40])
    code, said = doctor(repository)
    assert code == 1
    assert "rwlock" in said
    assert doctor(repository, "--mend")[0] == 0
    code, said = run(repository, *dvc("repro", "relabel"))
    assert code == 0, said
    assert "had been killed" not in said


def test_it_waits_for_a_run_that_is_going_on(repository: Path) -> None:
    with start(repository, *dvc("repro", "--force", "relabel")) as process:
        assert process.stdout is not None
        process.stdout.readline()
        code, said = doctor(repository, "--mend")
        process.communicate()
    assert code == 1
    assert "a run is in progress here" in said
