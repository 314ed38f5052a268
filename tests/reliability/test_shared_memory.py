"""/dev/shm that is full, tiny, missing or read-only, for real: in a mount namespace of its own."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.reliability.repository import make_repository, run, stage, write_params

STATES = {
    "full": "mount -t tmpfs -o size=16k tmpfs /dev/shm; cat /dev/zero > /dev/shm/full 2> /dev/null",
    "tiny": "mount -t tmpfs -o size=4k tmpfs /dev/shm",
    "without inodes": "mount -t tmpfs -o nr_inodes=1 tmpfs /dev/shm",
    "read-only": "mount -t tmpfs -o ro tmpfs /dev/shm",
    "missing": "mount -t tmpfs tmpfs /dev",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project, where mount namespaces may be made; else a skip."""
    if not shutil.which("unshare"):
        pytest.skip("there is no `unshare` here")
    tried = subprocess.run(["unshare", "-m", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no mount namespace can be made here: {tried.stderr.strip()}")
    # more photos than a worker is handed at a time, so that there are two
    return make_repository(tmp_path_factory.mktemp("shm") / "project", people=9, photos=4, git=False)


def ran(folder: Path, state: str) -> tuple[int, str]:
    command = f"{STATES[state]}; exec {shlex.join(stage('ingest'))}"
    return run(folder, "unshare", "-m", "sh", "-c", command)


@pytest.mark.parametrize("state", STATES)
def test_it_is_named_with_what_to_do(folder: Path, state: str) -> None:
    write_params(folder, machine__workers=2)
    code, said = ran(folder, state)
    assert code == 1, said
    assert "where:   /dev/shm" in said
    assert ("it is missing" if state == "missing" else " free") in said
    assert "--shm-size" in said
    assert "machine.workers: 1" in said
    assert "Traceback" not in said
    assert "the disk is full" not in said


@pytest.mark.parametrize("state", ["full", "missing"])
def test_one_worker_does_without(folder: Path, state: str) -> None:
    write_params(folder, machine__workers=1)
    code, said = ran(folder, state)
    assert code == 0, said
