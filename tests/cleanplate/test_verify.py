"""`cleanplate verify`: one flipped byte anywhere is found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.io.result_cache import ResultCache
from pipeline.params.loading import parse_yaml
from tests.reliability.repository import cleanplate, copied, dvc, flip, make_repository, run

PHOTO = "ab" * 32


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project after `dvc repro`."""
    folder = make_repository(tmp_path_factory.mktemp("verify") / "project", people=2, photos=1)
    code, said = run(folder, *dvc("repro", "compose", "relabel"))
    assert code == 0, said
    return folder


@pytest.fixture
def repository(finished: Path, tmp_path: Path) -> Path:
    return copied(finished, tmp_path / "project")


def verify(folder: Path) -> tuple[int, str]:
    return run(folder, *cleanplate("verify"))


def kept(folder: Path, output: str) -> Path:
    """The cache's object of an output."""
    stages = parse_yaml((folder / "dvc.lock").read_text())["stages"].values()
    md5 = next(o["md5"] for s in stages for o in s["outs"] if o["path"] == output)
    return folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def test_a_sound_project_is_well(repository: Path) -> None:
    code, said = verify(repository)
    assert (code, "none damaged" in said) == (0, True), said


@pytest.mark.parametrize(
    "place", ["a table", "a photo's picture", "a listing", "the workspace alone", "an input"]
)
def test_one_flipped_bit_is_found_by_name(repository: Path, place: str) -> None:
    picture = next((repository / "build/images").rglob("*.jpg"))
    if place == "a table":
        flip(kept(repository, "build/labels.parquet"))  # hard-linked: the output changes with it
        named = "build/labels.parquet"
    elif place == "a photo's picture":
        flip(picture)
        named = picture.name
    elif place == "a listing":
        flip(kept(repository, "build/images"))
        named = kept(repository, "build/images").name
    elif place == "the workspace alone":
        content = picture.read_bytes()
        picture.unlink()
        picture.write_bytes(content)
        flip(picture)
        named = picture.name
    else:
        photo = next((repository / "data").rglob("*.jpg"))
        flip(photo)
        named = f"{photo.parent.name}/{photo.name}"
    code, said = verify(repository)
    assert code == 1
    assert named in said
    assert "fix:" in said
    assert "Traceback" not in said


def test_every_object_of_the_cache_is_looked_at(repository: Path) -> None:
    objects = [p for p in (repository / ".dvc/cache/files/md5").rglob("*") if p.is_file()]
    for path in objects:
        flip(path)
    code, said = run(repository, *cleanplate("verify", "--json"))
    assert code == 1
    found = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert {str(p.relative_to(repository)) for p in objects} <= {d["path"] for d in found["damage"]}


def test_what_the_cache_lacks_is_found(repository: Path) -> None:
    lost = kept(repository, "build/index.parquet")
    lost.unlink()
    code, said = verify(repository)
    assert code == 1
    assert f"missing in DVC's cache ({lost.parent.name}/{lost.name}): build/index.parquet" in said
    assert "`dvc repro --force ingest`" in said


def test_a_file_missing_or_extra_in_the_workspace(repository: Path) -> None:
    next((repository / "build/images").rglob("*.jpg")).unlink()
    (repository / "build/images/extra.jpg").write_bytes(b"x")
    code, said = verify(repository)
    assert code == 1
    assert "missing in the workspace" in said
    assert "not part of the output: build/images/extra.jpg" in said


def test_damaged_weights_and_items(repository: Path) -> None:
    name = "yolov8n.pt"
    weights = repository / ".cache/weights" / name
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"not these")
    cache = ResultCache(repository / ".cache/items", "segment", {"v": 1})
    entry = cache.add_file(PHOTO, b"a matte", ".png")
    cache.add_rows({PHOTO: {"x": 1}})
    flip(entry)
    flip(cache.folder / "rows.jsonl")
    code, said = verify(repository)
    assert code == 1
    assert name in said
    assert entry.name in said
    assert "rows.jsonl" in said


def test_photos_that_a_person_added_are_never_called_replaceable(repository: Path) -> None:
    shutil.copytree(repository / "data", repository / "mine")
    code, said = run(repository, *dvc("add", "mine"))
    assert code == 0, said
    flip(next((repository / "mine").rglob("*.jpg")))
    code, said = verify(repository)
    assert code == 1
    assert "it was added by hand" in said
    assert "dvc checkout --force mine" in said


def test_outside_a_repository_it_is_a_sentence(tmp_path: Path) -> None:
    code, said = verify(tmp_path)
    assert code == 1
    assert "not the project's root folder" in said
