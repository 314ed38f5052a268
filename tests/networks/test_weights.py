"""Weights are fetched once, whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.networks.weights import read_lock, resolve, sha256_of, weights_folder
from pipeline.runtime.errors import UserError

CONTENT = bytes(range(256)) * 4096  # 1 MiB: several blocks


class Server(ThreadingHTTPServer):
    """Serves CONTENT; `cut` = share of it after which the connection closes; counts requests."""

    cut = 1.0
    content = CONTENT
    requests = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.requests += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(server.content)))
        self.end_headers()
        self.wfile.write(server.content[: int(len(server.content) * server.cut)])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def lock(server: Server, tmp_path: Path) -> Path:
    path = tmp_path / "weights.lock"
    path.write_text(
        f'["net.pt"]\nurl = "http://127.0.0.1:{server.server_port}/net.pt"\n'
        f'sha256 = "{hashlib.sha256(CONTENT).hexdigest()}"\nbytes = {len(CONTENT)}\n'
        'licence = "MIT"\nwhat = "a net"\n'
        f'["unknown.pt"]\nurl = "http://127.0.0.1:{server.server_port}/u.pt"\n'
        'sha256 = ""\nbytes = 0\nlicence = "MIT"\nwhat = "no hash known"\n'
    )
    return path


def files_below(root: Path) -> list[str]:
    folder = weights_folder(root)
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


def test_fetched_once_then_offline(server: Server, lock: Path, tmp_path: Path) -> None:
    path = resolve("net.pt", tmp_path, lock)
    assert path.read_bytes() == CONTENT
    assert resolve("net.pt", tmp_path, lock) == path
    assert server.requests == 1
    assert files_below(tmp_path) == ["net.pt"]


@pytest.mark.parametrize("cut", [0.0, 0.1, 0.5, 0.99])
def test_cut_download_leaves_no_half_file_and_the_next_try_works(
    server: Server, lock: Path, tmp_path: Path, cut: float
) -> None:
    server.cut = cut
    with pytest.raises(UserError, match="could not be fetched"):
        resolve("net.pt", tmp_path, lock)
    assert files_below(tmp_path) == []
    server.cut = 1.0
    assert resolve("net.pt", tmp_path, lock).read_bytes() == CONTENT


def test_another_file_is_thrown_away(server: Server, lock: Path, tmp_path: Path) -> None:
    for content in (CONTENT[::-1], CONTENT + b"more"):
        server.content = content
        with pytest.raises(UserError, match=r"not the file that weights\.lock describes"):
            resolve("net.pt", tmp_path, lock)
        assert files_below(tmp_path) == []


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
    with pytest.raises(UserError, match=sha256_of(place)):
        resolve("unknown.pt", tmp_path, lock)
    assert server.requests == 0


def test_local_path_and_wrong_name(lock: Path, tmp_path: Path) -> None:
    local = tmp_path / "mine.pt"
    local.write_bytes(b"weights")
    assert resolve(str(local), tmp_path, lock) == local
    with pytest.raises(UserError, match=r"did you mean `net\.pt`"):
        resolve("nett.pt", tmp_path, lock)


def test_the_lock_of_the_repository_is_valid() -> None:
    entries = read_lock()
    assert entries["yolov8n.pt"].bytes == 6_549_796
    assert entries["yolov8n.pt"].sha256.startswith("f59b3d83")
    assert "people-unet-b3" in entries
