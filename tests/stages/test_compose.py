"""Stage compose: what it writes, and that nothing about how it runs changes it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.compose.crop import NEUTRAL
from pipeline.io.atomic import atomic_folder, verified_folder
from pipeline.io.photo import encode_jpeg, encode_matte, read_photo
from pipeline.io.tables import read_table, write_table
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import plugin_names
from stages import compose
from tests.conftest import ROOT
from tests.fixtures.pixel_project import HEIGHT, WIDTH, bytes_below, make_project, stage

IMAGES = Path("build/images")
CACHE = Path(".cache/items")


@pytest.fixture
def drawn(project: Path) -> Path:
    """The small project, as current folder."""
    make_project(project)
    return project


def test_every_photo_gets_a_picture_and_a_row(drawn: Path) -> None:
    compose.run(stage("compose", compose__margin=0.5))
    photos = pd.read_parquet("build/photos.parquet")
    table = read_table(IMAGES / "images.parquet", "compose", ("image", "x1", "y1", "x2", "y2", "scale"))
    assert table["image"].tolist() == photos["image"].tolist()
    assert ((table["x2"] - table["x1"]) == (table["y2"] - table["y1"])).all()
    assert np.allclose(table["scale"], 64 / (table["x2"] - table["x1"]))
    boxes = pd.read_parquet("build/boxes.parquet")
    longer = np.maximum(boxes["x2"] - boxes["x1"], boxes["y2"] - boxes["y1"])
    assert np.abs(table["x2"] - table["x1"] - 2 * longer).max() <= 2  # half of it on either side
    assert verified_folder(IMAGES, "compose") == IMAGES
    for image in photos["image"]:
        assert read_photo(IMAGES / image).shape == (64, 64, 3)


def test_the_crop_shows_the_head_in_the_middle(drawn: Path) -> None:
    compose.run(stage("compose", compose__fill="black", compose__margin=0.5))
    for image in pd.read_parquet("build/photos.parquet")["image"]:
        lit = read_photo(IMAGES / image).max(axis=2) > 60
        rows = lit[:44].any(axis=1)  # the head, not the shoulders below
        columns = np.flatnonzero(lit[32])
        assert abs(np.flatnonzero(rows)[0] - 16) <= 2  # the head takes the middle half: 2 x 44 px → 64 px
        assert abs((columns[0] + columns[-1]) / 2 - 31.5) <= 2


@pytest.mark.parametrize("status", ["whole_frame", "not_run"])
def test_no_box_is_the_whole_photo_padded_without_margin(project: Path, status: str) -> None:
    make_project(project, people=2, photos=1, statuses=(status,))
    compose.run(stage("compose", compose__margin=2.0))
    table = pd.read_parquet(IMAGES / "images.parquet")
    assert table.loc[0, ["x1", "y1", "x2", "y2"]].tolist() == [-16, 0, 112, 128]
    picture = read_photo(IMAGES / table["image"][0]).astype(int)
    assert np.abs(picture[:, [2, -3]] - NEUTRAL).max() <= 12  # padded left and right
    assert np.abs(picture[10, 32] - NEUTRAL).max() > 40  # the wall above the head


def test_a_median_box_is_a_box(project: Path) -> None:
    make_project(
        project, people=2, photos=2, statuses=("found", "person_median", "set_median", "implausible")
    )
    compose.run(stage("compose"))
    table = pd.read_parquet(IMAGES / "images.parquet")
    assert ((table["x2"] - table["x1"]) < WIDTH).all()


def test_keep_reads_no_matte(drawn: Path) -> None:
    shutil.rmtree("build/mattes")
    compose.run(stage("compose"))
    assert len(list(IMAGES.rglob("*.jpg"))) == 18


def test_a_fill_that_needs_mattes_says_so_when_there_are_none(drawn: Path) -> None:
    shutil.rmtree("build/mattes")
    with pytest.raises(UserError, match=r"missing[\s\S]*segment"):
        compose.run(stage("compose", compose__fill="black"))
    assert not IMAGES.exists()


def test_black_has_no_halo_of_the_wall(drawn: Path) -> None:
    compose.run(stage("compose", compose__fill="black", compose__margin=0.5))
    for image in pd.read_parquet("build/photos.parquet")["image"]:
        picture = read_photo(IMAGES / image).astype(int)
        red, blue = picture[..., 0], picture[..., 2]
        # skin has red within [0, 1.8 x green] and less blue than red or green; a wall is all red or all blue
        assert ((red - 2.2 * picture[..., 1] > 40) | (blue - 2.2 * picture[..., 1] > 40)).mean() < 0.002


@pytest.mark.parametrize("fill", plugin_names("compose.fills"))
def test_bytes_do_not_depend_on_workers(project: Path, fill: str) -> None:
    make_project(project, people=4, photos=4)
    results = []
    for workers in (1, 2) if fill in ("noise", "blur") else (1, 1):
        compose.run(stage("compose", compose__fill=fill, machine__workers=workers))
        shutil.rmtree(CACHE)
        results.append(bytes_below(IMAGES))
    assert results[0] == results[1]


@pytest.mark.parametrize("shards", [None, 4], ids=["files", "tars"])
def test_what_did_not_change_is_not_composed_again(
    drawn: Path, capsys: pytest.CaptureFixture[str], shards: int | None
) -> None:
    """One other photo, one other matte and one other box: three of eighteen pictures."""
    changes: dict[str, object] = {"compose__fill": "blur", "data__shards": shards}
    compose.run(stage("compose", **changes))
    photos, boxes = pd.read_parquet("build/photos.parquet"), pd.read_parquet("build/boxes.parquet")
    images = photos["image"].tolist()
    data = encode_jpeg(255 - read_photo(drawn / "data" / images[1]))
    (drawn / "data" / images[1]).write_bytes(data)
    photos.loc[1, "sha256"] = hashlib.sha256(data).hexdigest()
    write_table(Path("build/photos.parquet"), photos)
    boxes.loc[2, "x1"] += 9
    write_table(Path("build/boxes.parquet"), boxes)
    with atomic_folder(Path("build/other")) as other:
        shutil.copytree("build/mattes", other, dirs_exist_ok=True)
        matte = np.full((HEIGHT, WIDTH), 200, np.uint8)
        (other / images[5]).with_suffix(".png").write_bytes(encode_matte(matte))
    shutil.rmtree("build/mattes")
    Path("build/other").rename("build/mattes")
    capsys.readouterr()
    compose.run(stage("compose", **changes))
    assert "18 photos, 15 of them from the cache" in capsys.readouterr().err
    from_cache = bytes_below(IMAGES)
    shutil.rmtree(CACHE)
    compose.run(stage("compose", **changes))
    assert bytes_below(IMAGES) == from_cache


def test_a_set_above_the_bound_is_packed(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.io.tar_shards.FEW_PHOTOS", 17)
    compose.run(stage("compose", data__shards="auto"))
    assert [p.name for p in IMAGES.glob("*.tar")] == ["images-000000.tar"]
    monkeypatch.setattr("pipeline.io.tar_shards.FEW_PHOTOS", 18)
    compose.run(stage("compose", data__shards="auto"))
    assert len(list(IMAGES.rglob("*.jpg"))) == 18


def test_noise_follows_its_seed(drawn: Path) -> None:
    results = []
    for seed in (0, 0, 1):
        compose.run(stage("compose", compose__fill="noise", compose__seed=seed))
        shutil.rmtree(CACHE)
        results.append(bytes_below(IMAGES))
    assert results[0] == results[1]
    assert results[0] != results[2]


def test_limit_is_a_quick_look(drawn: Path) -> None:
    quick = stage("compose")
    compose.run(type(quick)(quick.name, quick.params, limit=2))
    assert len(list(Path("quick/build/images").rglob("*.jpg"))) == 2
    assert not IMAGES.exists()


def test_a_photo_without_a_box_is_named(drawn: Path) -> None:
    boxes = pd.read_parquet("build/boxes.parquet")
    write_table(Path("build/boxes.parquet"), boxes.drop(index=3))
    with pytest.raises(UserError, match=boxes["image"][3]):
        compose.run(stage("compose"))


def test_a_photo_that_changed_since_ingest_is_named(drawn: Path) -> None:
    image = pd.read_parquet("build/photos.parquet")["image"][2]
    (drawn / "data" / image).write_bytes(encode_jpeg(np.zeros((10, 10, 3), np.uint8)))
    with pytest.raises(UserError, match=image):
        compose.run(stage("compose"))
    assert not IMAGES.exists()


def test_a_matte_that_shows_nobody_is_reported(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = pd.read_parquet("build/photos.parquet")["image"][0]
    mattes = Path("build/mattes")
    with atomic_folder(Path("build/other")) as other:
        shutil.copytree(mattes, other, dirs_exist_ok=True)
        (other / image).with_suffix(".png").write_bytes(encode_matte(np.zeros((HEIGHT, WIDTH), np.uint8)))
    shutil.rmtree(mattes)
    Path("build/other").rename(mattes)
    compose.run(stage("compose", compose__fill="black"))
    told = capsys.readouterr().err
    assert "1 photos" in told
    assert image in told


def test_the_closing_line_says_how_fast_and_what_bound_it(
    drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compose.run(stage("compose"))
    assert "18 photos" in (told := capsys.readouterr().err)
    assert "bound by" in told


@pytest.mark.parametrize("name", ["compose", "synthesize", "sheet"])
def test_help_needs_no_torch(name: str) -> None:
    code = f"import sys; import stages.{name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_real_photos(project: Path, test_data: Path) -> None:
    root = test_data / "realset"
    images = sorted(p.relative_to(root).as_posix() for p in (root / "train/images").rglob("mask1.jpg"))[:8]
    checksums = [hashlib.sha256((root / image).read_bytes()).hexdigest() for image in images]
    photos = pd.DataFrame({"image": images, "sha256": checksums, "width": 384, "height": 512})
    box = {"x1": 90.0, "y1": 60.0, "x2": 290.0, "y2": 310.0, "score": 0.9, "status": "found"}
    write_table(project / "build/photos.parquet", photos.assign(shard="", offset=0, bytes=0))
    write_table(project / "build/boxes.parquet", photos[["image"]].assign(**box))
    with atomic_folder(project / "build/mattes") as mattes:
        for image in images:
            path = (mattes / image).with_suffix(".png")
            path.parent.mkdir(parents=True)
            flat = "__".join(Path(image).with_suffix(".png").parts[-2:])
            shutil.copyfile(root / "truth/alpha" / flat, path)
    compose.run(stage("compose", data__root=str(root), compose__fill="black", machine__workers=1))
    for image in images:
        picture = read_photo(IMAGES / image)
        assert (picture[:8, :8] < 8).all()  # corner: background
        assert picture[112, 112].max() > 25  # middle: a face or a mask
