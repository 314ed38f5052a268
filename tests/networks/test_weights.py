"""Weights are fetched once, whole and checked, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.networks.weights import State, read_lock, resolve, sha256_of, state_of, weights_folder
from pipeline.runtime.errors import UserError
from tests.fixtures.weights_server import CONTENT, Server, digest, files_below, row, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def lock(server: Server, tmp_path: Path) -> Path:
    path = tmp_path / "weights.lock"
    url = f"{server.address}/net.pt"
    path.write_text(
        row("net.pt", url=url, sha256=digest(CONTENT), bytes=len(CONTENT))
        + row("unknown.pt", url=url, sha256="", bytes=0)
        + row("no-size.pt", url=url, sha256=digest(CONTENT))
    )
    return path


def test_fetched_once_then_offline(server: Server, lock: Path, tmp_path: Path) -> None:
    path = resolve("net.pt", tmp_path, lock)
    assert path.read_bytes() == CONTENT
    assert resolve("net.pt", tmp_path, lock) == path
    assert server.requests == 1
    assert files_below(weights_folder(tmp_path)) == ["net.pt"]


@pytest.mark.parametrize("cut", [0.0, 0.1, 0.5, 0.99])
def test_cut_download_leaves_no_half_file_and_the_next_try_works(
    server: Server, lock: Path, tmp_path: Path, cut: float
) -> None:
    server.cut = cut
    with pytest.raises(UserError, match="could not be fetched"):
        resolve("net.pt", tmp_path, lock)
    assert files_below(weights_folder(tmp_path)) == []
    server.cut = 1.0
    assert resolve("net.pt", tmp_path, lock).read_bytes() == CONTENT


def test_another_file_is_thrown_away(server: Server, lock: Path, tmp_path: Path) -> None:
    for content in (CONTENT[::-1], CONTENT + b"more"):
        server.content = content
        with pytest.raises(UserError, match=r"is not the one in weights\.lock"):
            resolve("net.pt", tmp_path, lock)
        assert files_below(weights_folder(tmp_path)) == []


def test_damaged_file_is_fetched_again(server: Server, lock: Path, tmp_path: Path) -> None:
    path = resolve("net.pt", tmp_path, lock)
    path.write_bytes(CONTENT[:-1] + b"x")
    assert resolve("net.pt", tmp_path, lock).read_bytes() == CONTENT
    assert server.requests == 2


def test_offline_is_one_sentence_with_three_remedies(server: Server, lock: Path, tmp_path: Path) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError) as e:
        resolve("net.pt", tmp_path, lock)
    first = str(e.value).splitlines()[0]
    for remedy in (
        f"put the file at {weights_folder(tmp_path) / 'net.pt'}",
        "set a local path",
        "get online",
    ):
        assert remedy in first


def test_unknown_hash_is_refused_without_a_request(server: Server, lock: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not known, so it is neither fetched nor loaded"):
        resolve("unknown.pt", tmp_path, lock)
    place = weights_folder(tmp_path) / "unknown.pt"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    with pytest.raises(UserError, match=rf"(?s){sha256_of(place)}.*cleanplate weights pin unknown\.pt"):
        resolve("unknown.pt", tmp_path, lock)
    assert server.requests == 0


def test_local_path_and_wrong_name(lock: Path, tmp_path: Path) -> None:
    local = tmp_path / "mine.pt"
    local.write_bytes(b"weights")
    assert resolve(str(local), tmp_path, lock) == local
    with pytest.raises(UserError, match=r"did you mean `net\.pt`"):
        resolve("nett.pt", tmp_path, lock)


def test_without_a_size_the_sha256_decides(server: Server, lock: Path, tmp_path: Path) -> None:
    server.cut = 0.5
    with pytest.raises(UserError, match="could not be fetched"):
        resolve("no-size.pt", tmp_path, lock)
    server.cut, server.content = 1.0, CONTENT + b"more"
    with pytest.raises(UserError, match=r"is not the one in weights\.lock"):
        resolve("no-size.pt", tmp_path, lock)
    assert files_below(weights_folder(tmp_path)) == []
    server.content = CONTENT
    path = resolve("no-size.pt", tmp_path, lock)
    assert path.read_bytes() == CONTENT
    assert resolve("no-size.pt", tmp_path, lock) == path
    assert server.requests == 3


def test_states_without_a_request(server: Server, lock: Path, tmp_path: Path) -> None:
    entries = read_lock(lock)

    def state(name: str) -> State:
        return state_of(name, entries[name], tmp_path)

    assert (state("net.pt"), state("unknown.pt")) == (State.NOT_FETCHED, State.UNKNOWN)
    place = weights_folder(tmp_path) / "net.pt"
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    assert state("net.pt") is State.THERE
    place.write_bytes(CONTENT[::-1])
    assert state("net.pt") is State.WRONG
    assert server.requests == 0
