"""Shards on real servers, `data.root` a URL: outputs as from a disk, and no photo lost to a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.io.url_folder import UrlFolder, folder_of, is_url
from pipeline.params import load_params
from pipeline.runtime.errors import Problems
from tests.conftest import ROOT
from tests.fixtures.remotes import SECRET, breaking_way, install_s3rver, s3_remote, ssh_remote
from tests.fixtures.shards import labels, pack, pack_folders
from tests.reliability.repository import BIN, cleanplate, make_repository, run, write_params

QUIET = {"AWS_MAX_ATTEMPTS": "1"}  # else S3 is asked again for most of a minute


@dataclass(frozen=True)
class Server:
    """Where the photos are, and what a process must know to read them, with `{port}` in its place."""

    url: str
    port: int
    variables: dict[str, str]
    files: Path  # what it serves, as a folder here

    def at(self, port: int) -> dict[str, str]:
        """The variables for a way to it by another port."""
        return {name: value.format(port=port) for name, value in self.variables.items()}


@pytest.fixture(scope="module", params=["s3", "ssh"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "ssh":
        with ssh_remote(folder / "server") as ssh:
            yield Server(ssh.url, ssh.port, {"HOME": str(ssh.home)}, folder / "server/shared")
        return
    with s3_remote(folder / "server", install_s3rver(folder / "s3rver")) as s3:
        account = {"AWS_ACCESS_KEY_ID": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET}
        place = {"AWS_ENDPOINT_URL": "http://127.0.0.1:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
        yield Server("s3://team", s3.port, account | place | QUIET, folder / "s3-files")


def upload(server: Server, folder: Path, name: str) -> str:
    """Copies a folder to the server; returns its URL."""
    if server.url.startswith("ssh"):
        shutil.copytree(folder, server.files / name, dirs_exist_ok=True)
        return f"{server.url.format(port=server.port)}/{name}"
    import fsspec

    endpoint = f"http://127.0.0.1:{server.port}"
    s3 = fsspec.filesystem("s3", key=SECRET, secret=SECRET, endpoint_url=endpoint)
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        s3.pipe_file(f"team/{name}/{file.relative_to(folder).as_posix()}", file.read_bytes())
    return f"s3://team/{name}"


def built(folder: Path) -> dict[str, bytes]:
    """All outputs."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in (folder / "build").rglob("*") if p.is_file()}


def test_outputs_are_those_of_shards_on_a_disk(server: Server, tmp_path: Path) -> None:
    project = make_repository(tmp_path / "project")
    pack_folders(project / "data", tmp_path / "packed")
    shutil.rmtree(project / "data")
    packed = {"data__layout": "shards", "compose__fill": "keep"}
    write_params(project, data__root=str(tmp_path / "packed"), **packed)
    code, said = run(project, "dvc", "repro")
    assert code == 0, said
    wanted = built(project)

    url = upload(server, tmp_path / "packed", "outputs")
    shutil.rmtree(tmp_path / "packed")
    shutil.rmtree(project / ".cache/items")
    write_params(project, data__root=url, **packed)
    code, said = run(project, "dvc", "repro", **server.at(server.port))
    assert code == 0, said
    assert "Running stage 'compose'" in said
    assert built(project) == wanted
    code, said = run(project, "dvc", "repro", **server.at(server.port))
    assert code == 0, said
    assert "Running stage" not in said

    shard = tmp_path / "new/extra/00000.tar"
    photo = next(content for name, content in wanted.items() if name.endswith(".jpg"))
    pack(shard, {"x.jpg": photo, "x.json": labels(), "empty.jpg": b"", "empty.json": labels(person="Bo")})
    upload(server, tmp_path / "new", "outputs")
    write_params(project, data__root=url, ingest__max_quarantine=0.5, **packed)
    code, said = run(project, "dvc", "repro", "ingest", **server.at(server.port))
    assert code == 0, said
    assert "(1 of them extra)" in said
    assert (
        "extra/empty.jpg,its content is not JPEG or PNG: empty file"
        in (project / "build/quarantine.csv").read_text()
    )


def test_a_server_that_breaks_ends_in_a_sentence_and_loses_nobody(server: Server, tmp_path: Path) -> None:
    """Its photos are not damaged, so none may go to the quarantine."""
    project = make_repository(tmp_path / "project", git=False)
    pack_folders(project / "data", tmp_path / "packed", people_per_shard=1)
    url = upload(server, tmp_path / "packed", "breaking").replace(f":{server.port}", ":{port}")
    stage = ("python3", "-m", "stages.ingest")
    write_params(project, data__root=url.format(port=server.port), data__layout="shards")
    code, said = run(project, *stage, **server.at(server.port))
    assert code == 0, said
    whole = built(project)
    shutil.rmtree(project / ".cache/items")
    size = sum(p.stat().st_size for p in (tmp_path / "packed").rglob("*.tar"))
    # at once, in the shards' headers, in their photos: of S3 whole blocks are read for a header
    for share in (0, 0.5, 1.25) if url.startswith("s3") else (0, 0.2, 0.6):
        with breaking_way(server.port, int(share * size)) as port:
            write_params(project, data__root=url.format(port=port), data__layout="shards")
            code, said = run(project, *stage, **server.at(port))
        assert code == 1, said
        assert "photos on a server cannot be read" in said
        assert "Traceback" not in said
        assert built(project) == whole


def test_verify_and_check_name_the_server(server: Server, tmp_path: Path) -> None:
    project = make_repository(tmp_path / "project")
    pack_folders(project / "data", tmp_path / "packed")
    url = upload(server, tmp_path / "packed", "verified")
    write_params(project, data__root=url, data__layout="shards")
    code, said = run(project, "python3", "-m", "stages.ingest", **server.at(server.port))
    assert code == 0, said
    _, said = run(project, *cleanplate("check"), **server.at(server.port))
    assert ("DVC reads every photo at each `dvc repro`" in said) == url.startswith("ssh")
    shard = next((tmp_path / "packed").rglob("*.tar"))
    shard.write_bytes(shard.read_bytes().replace(b"\xff\xda", b"\xff\xd9"))
    upload(server, tmp_path / "packed", "verified")
    code, said = run(project, *cleanplate("verify"), **server.at(server.port))
    assert code == 1, said
    assert f"a photo changed since ingest: {url}/{shard.relative_to(tmp_path / 'packed')}: " in said


def test_another_host_is_not_taken_for_the_server(server: Server, tmp_path: Path) -> None:
    if not server.url.startswith("ssh"):
        pytest.skip("S3 is asked by HTTPS, or as its endpoint says")
    project = make_repository(tmp_path / "project", git=False)
    home = tmp_path / "home"
    shutil.copytree(server.variables["HOME"], home)
    (home / ".ssh/known_hosts").write_text("")
    write_params(project, data__root=server.url.format(port=server.port), data__layout="shards")
    code, said = run(project, "python3", "-m", "stages.ingest", HOME=str(home))
    assert code == 1
    assert "Host key is not trusted" in said


def test_what_is_no_place_of_shards_is_refused(project: Path) -> None:
    for changes, says in (
        ({"data__root": "https://example.org/photos", "data__layout": "shards"}, "s3://, ssh:// are"),
        ({"data__root": "s3://team/photos", "data__layout": "folders"}, "layout: shards alone is read"),
        ({"data__root": "ssh://me:secret@host/photos", "data__layout": "shards"}, "a password in a URL"),
    ):
        write_params(project, **changes)
        with pytest.raises(Problems, match=says):
            load_params(project / "params.yaml")


def test_a_missing_package_is_told_with_its_command(tmp_path: Path) -> None:
    project = make_repository(tmp_path / "project", git=False)
    write_params(project, data__root="s3://team/photos", data__layout="shards")
    (tmp_path / "s3fs.py").write_text("raise ImportError('no s3fs')\n")
    command = (str(BIN / "python"), "-m", "stages.ingest")
    code, said = run(project, *command, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert code == 1
    assert "make setup EXTRAS=remotes" in said


def test_a_root_is_a_folder_or_a_server() -> None:
    assert folder_of("ssh://me@host/photos/") == UrlFolder("ssh://me@host/photos")
    assert folder_of("photos") == Path("photos")
    assert not is_url("photos/a://b")
