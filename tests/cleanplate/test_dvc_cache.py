"""DVC's cache is found wherever DVC's configuration says it is, and what DVC 2 left is understood."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from pipeline.dataset.safe_files import Unusable, checked_path
from tests.conftest import ROOT
from tests.fixtures.experiments import init_repository
from tests.reliability.repository import cleanplate, copied, dvc, flip, run

PHOTO = b"\xff\xd8 a photo"
TABLE = b"image,person\r\n1.jpg,A\r\n"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with params and nothing else."""
    folder = tmp_path_factory.mktemp("cache") / "project"
    folder.mkdir()
    init_repository(folder)
    for name in ("params.yaml", "weights.lock"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def folder(empty: Path, tmp_path: Path) -> Path:
    return copied(empty, tmp_path / "project")


WAYS = {
    "global": (("config", "--global", "cache.dir"), []),
    "system": (("config", "--system", "cache.dir"), []),
    "local": (("config", "--local", "cache.dir"), []),
    "site": (("config", "core.site_cache_dir"), []),
    "environment": ((), ["DVC_SITE_CACHE_DIR"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_verify_hashes_the_cache_that_dvc_uses(folder: Path, tmp_path: Path, way: str) -> None:
    command, env = WAYS[way]
    env = env_of(tmp_path) | {name: str(tmp_path / "site") for name in env}
    if command:
        code, said = run(folder, *dvc(*command, str(tmp_path / "elsewhere")), timeout=120, **env)
        assert code == 0, said
    (folder / "mine.txt").write_text("mine")
    code, said = run(folder, *dvc("add", "mine.txt"), timeout=120, **env)
    assert code == 0, said
    (kept,) = (p for p in tmp_path.rglob("files/md5/??/*") if p.is_file())
    assert kept.is_relative_to(tmp_path / "elsewhere") == ("cache.dir" in command)
    code, said = run(folder, *cleanplate("verify"), timeout=120, **env)
    assert (code, "none damaged" in said) == (0, True), said
    flip(kept)
    code, said = run(folder, *cleanplate("verify"), timeout=120, **env)
    assert code == 1
    assert f"changed in DVC's cache: {kept}" in said.replace(" .dvc", f" {folder}/.dvc")


def add_as_dvc_2(folder: Path, cache: Path) -> Path:
    """What `dvc add mine` of DVC 2 leaves: links into the old place, the md5 of text with unix line ends."""
    rows = []
    (folder / "mine").mkdir()
    for name, content in (("1.jpg", PHOTO), ("table.csv", TABLE)):
        md5 = hashlib.md5(content.replace(b"\r\n", b"\n")).hexdigest()
        rows.append({"md5": md5, "relpath": name})
        (folder / "mine" / name).symlink_to(keep(cache, md5, content))
    listing = json.dumps(rows).encode()
    md5 = hashlib.md5(listing).hexdigest() + ".dir"
    keep(cache, md5, listing)
    out = f"outs:\n- md5: {md5}\n  size: {len(PHOTO) + len(TABLE)}\n  nfiles: 2\n  path: mine\n"
    (folder / "mine.dvc").write_text(out)
    return folder / "mine"


def keep(cache: Path, md5: str, content: bytes) -> Path:
    place = cache / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def test_data_of_dvc_2_are_verified(folder: Path) -> None:
    mine = add_as_dvc_2(folder, folder / ".dvc/cache")
    code, said = run(folder, *dvc("status"))
    assert "up to date" in said, said
    code, said = run(folder, *cleanplate("verify"))
    assert (code, "none damaged" in said) == (0, True), said
    kept = (mine / "table.csv").resolve()
    flip(kept)
    code, said = run(folder, *cleanplate("doctor", "--mend"))
    assert code == 1
    assert f"changed in DVC's cache: {kept.relative_to(folder)}" in said
    assert "it was added by hand" in said
    assert kept.exists()
    kept.unlink()
    code, said = run(folder, *cleanplate("verify"))
    assert "missing in DVC's cache" in said


@pytest.mark.parametrize("layout", ["", "files/md5"])
def test_links_into_the_cache_are_followed_and_no_others(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    cache, data = tmp_path / "shared", folder / "photos"
    for name, value in env_of(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    code, said = run(
        folder, *dvc("config", "--global", "cache.dir", str(cache)), timeout=120, **env_of(tmp_path)
    )
    assert code == 0, said
    data.mkdir()
    md5 = hashlib.md5(PHOTO).hexdigest()
    (data / "1.jpg").symlink_to(keep(cache / layout, md5, PHOTO))
    (data / "2.jpg").symlink_to(keep(tmp_path / "secret" / layout, md5, PHOTO))
    (cache / "own.jpg").write_bytes(PHOTO)
    (data / "3.jpg").symlink_to(cache / "own.jpg")
    (data / ".dvc").mkdir()  # an archive may bring a configuration
    (data / ".dvc/config").write_text(f"[cache]\n    dir = {tmp_path / 'secret'}\n")
    monkeypatch.chdir(folder)
    assert checked_path(data.resolve(), "1.jpg").read_bytes() == PHOTO
    for name in ("2.jpg", "3.jpg"):
        with pytest.raises(Unusable, match="leads out of the data folder"):
            checked_path(data.resolve(), name)


def env_of(tmp_path: Path) -> dict[str, str]:
    return {f"DVC_{level}_CONFIG_DIR": str(tmp_path / level) for level in ("GLOBAL", "SYSTEM")}


def test_data_in_a_repository_of_their_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """data.root is a folder of another DVC repository, whose cache is nowhere near."""
    registry = copied(folder, tmp_path / "registry")
    (registry / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path / 'nas'}\n")
    mine = add_as_dvc_2(registry, tmp_path / "nas")
    monkeypatch.chdir(folder)
    assert checked_path(mine.resolve(), "1.jpg").read_bytes() == PHOTO


def test_a_configuration_that_dvc_refuses_is_a_sentence(folder: Path) -> None:
    (folder / ".dvc/config").write_text("[cache]\n    no_such_key = 1\n")
    code, said = run(folder, *cleanplate("verify"))
    assert code == 1
    assert "DVC cannot read its configuration" in said
    assert "Traceback" not in said
