"""Weights in an installed Python package are read as files, and checked like any other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.networks.weights import State, read_lock, resolve, state_of, weights_folder
from pipeline.runtime.errors import UserError
from tests.fixtures.weights_server import digest, files_below, row

NET = b"\x08\x06\x12\x07net\x00'\"\\" * 100
PACKAGE = {"package": "some-weights", "version": "1.2"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installed package that says so when any of its code runs."""
    site = tmp_path / "site"
    module, facts = site / "some_weights", site / "some_weights-1.2.dist-info"
    module.mkdir(parents=True)
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: some-weights\nVersion: 1.2\n")
    ran = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    (module / "__init__.py").write_text(ran)
    (module / "net.bin").write_bytes(NET)
    (module / "source.py").write_text(
        f"{ran}NUMBER = 3\nTEXT = 'text'\nMADE = b'a' + b'b'\nFIRST = WEIGHTS = {NET!r}\n"
    )
    monkeypatch.syspath_prepend(str(site))
    return module


def lock_of(folder: Path, member: str = "some_weights/net.bin", **values: str | int) -> Path:
    """A weights.lock with the one row `net.bin` for a member of the package."""
    path = folder / "weights.lock"
    facts = {"sha256": digest(NET), "bytes": len(NET)} | PACKAGE | {"member": member} | values
    path.write_text(row("net.bin", **facts))
    return path


@pytest.mark.parametrize("values", [{}, {"member": "some_weights/source.py", "literal": "WEIGHTS"}])
def test_taken_out_once_without_running_the_package(
    installed: Path, tmp_path: Path, values: dict[str, str]
) -> None:
    lock = lock_of(tmp_path, **values)
    assert state_of("net.bin", read_lock(lock)["net.bin"], tmp_path) is State.THERE
    path = resolve("net.bin", tmp_path, lock)
    assert path.read_bytes() == NET
    assert files_below(weights_folder(tmp_path)) == ["net.bin"]
    for file in (installed / "net.bin", installed / "source.py"):
        file.unlink()
    assert resolve("net.bin", tmp_path, lock) == path
    assert not (tmp_path / "ran").exists()
    assert "some_weights" not in sys.modules


def test_a_damaged_copy_is_taken_out_again(installed: Path, tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    path = resolve("net.bin", tmp_path, lock)
    path.write_bytes(NET[:-1] + b"x")
    assert state_of("net.bin", read_lock(lock)["net.bin"], tmp_path) is State.WRONG
    assert resolve("net.bin", tmp_path, lock).read_bytes() == NET


def test_another_file_in_the_package_is_refused(installed: Path, tmp_path: Path) -> None:
    (installed / "net.bin").write_bytes(NET[:-1] + b"x")
    lock = lock_of(tmp_path)
    assert state_of("net.bin", read_lock(lock)["net.bin"], tmp_path) is State.WRONG
    with pytest.raises(UserError, match=r"(?s)is not the one in weights\.lock.*some-weights 1\.2"):
        resolve("net.bin", tmp_path, lock)
    assert files_below(weights_folder(tmp_path)) == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"package": "no-such-weights"}, "no-such-weights 1.2 is not installed"),
        ({"member": "some_weights/gone.bin"}, "some-weights 1.2 holds no some_weights/gone.bin"),
        ({"member": "some_weights/source.py", "literal": "GONE"}, "gives nothing the name GONE"),
        ({"member": "some_weights/source.py", "literal": "TEXT"}, "TEXT in"),
        ({"member": "some_weights/source.py", "literal": "MADE"}, "is not a bytes literal"),
        ({"member": "some_weights/net.bin", "literal": "WEIGHTS"}, "cannot be parsed"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    installed: Path, tmp_path: Path, values: dict[str, str], says: str
) -> None:
    lock = lock_of(tmp_path, **values)
    assert state_of("net.bin", read_lock(lock)["net.bin"], tmp_path) is State.MISSING
    with pytest.raises(UserError) as refused:
        resolve("net.bin", tmp_path, lock)
    assert says in str(refused.value)
    assert "make setup" in str(refused.value)
    assert f"put the file at {weights_folder(tmp_path) / 'net.bin'}" in str(refused.value)
    assert files_below(weights_folder(tmp_path)) == []
