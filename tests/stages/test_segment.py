"""The stage segment: every photo gets its matte, none is looked at twice, and an empty one is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.io.atomic import verified_folder
from pipeline.io.image_store import ImageStore
from pipeline.io.photo import encode_jpeg, read_matte
from tests.conftest import ROOT
from tests.fixtures.segment_project import (
    PHOTOS,
    change,
    index,
    mattes,
    report,
    start_segment,
)
from tests.fixtures.tiny_unet import drawn, write_tiny


@pytest.fixture
def segment(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the stage on four photos and an untrained U-Net, in `project`."""
    return start_segment(project, monkeypatch)


def test_every_photo_gets_a_matte_of_its_own_upright_size(
    segment: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment() == 0
    verified_folder(Path("build/mattes"), "segment")
    assert sorted(mattes()) == sorted(str(Path(image).with_suffix(".png")) for image in PHOTOS)
    for image, size in PHOTOS.items():
        assert read_matte(Path("build/mattes") / Path(image).with_suffix(".png")).shape == size
    told = capsys.readouterr().err
    assert "4 photos: 0 from the cache, 4 computed" in told
    assert "openvino f32 on cpu" in told or "torch" in told
    assert "bound by" in told
    assert report()["all"]["mattes"] == 4
    assert report()["eval"]["mattes"] == 1


def test_no_photo_is_looked_at_twice(segment: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert segment() == 0
    first, told = mattes(), report()
    Path("photos/train/images/1_male_A_20").rename("photos/train/images/1_female_A_20")
    index(Path("photos"))
    capsys.readouterr()
    assert segment() == 0
    assert "4 from the cache, 0 computed" in capsys.readouterr().err
    assert sorted(mattes().values()) == sorted(first.values())
    assert report()["all"] == told["all"]
    change("weights: demo ", "weights: build/segmenter ")  # the same net by another name
    assert segment() == 0
    assert "4 from the cache, 0 computed" in capsys.readouterr().err


def test_a_damaged_entry_of_the_cache_is_computed_again(
    segment: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment() == 0
    first = mattes()
    entry = sorted(Path(".cache/items").rglob("*.png"))[0]
    entry.chmod(0o644)
    content = bytearray(entry.read_bytes())
    content[-20] ^= 1
    entry.unlink()  # the matte of the first run is a link to it and shall stay whole
    entry.write_bytes(content)
    capsys.readouterr()
    assert segment() == 0
    assert "3 from the cache, 1 computed" in capsys.readouterr().err
    assert mattes() == first


def test_two_workers_write_the_same_bytes_as_one(segment: Callable[..., int]) -> None:
    assert segment() == 0
    first, told = mattes(), report()
    for n in range(9):  # enough photos for two workers
        Path(f"photos/eval/images/n{n}.jpg").write_bytes(encode_jpeg(drawn(f"n{n}")[0]))
    index(Path("photos"))
    assert segment() == 0
    more = mattes()
    shutil.rmtree(".cache/items")
    change("workers: 1 ", "workers: 2")
    assert segment() == 0
    assert mattes() == more
    assert {name: more[name] for name in first} == first
    assert told["train"] == report()["train"]


def test_empty_mattes_are_counted_and_named(
    segment: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiny(Path("build/segmenter"), bias=-20.0)
    assert segment() == 0
    assert "warning: 4 mattes are (almost) empty" in capsys.readouterr().err
    assert report()["all"]["empty"] == 4
    assert report()["empty_mattes"] == sorted(PHOTOS)
    assert len(mattes()) == 4


def test_none_writes_only_the_manifest(segment: Callable[..., int]) -> None:
    change("method: unet ", "method: none ")
    change("copies: 1.0 ", "copies: 0.0 ")
    assert segment() == 0
    assert [p.name for p in Path("build/mattes").iterdir()] == ["MANIFEST.json"]
    assert report()["all"] == {"mattes": 0, "mean_coverage": None, "empty": 0}


def test_a_photo_that_changed_since_ingest_is_named(
    segment: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("photos/eval/images/x.jpg").write_bytes(encode_jpeg(drawn("another")[0]))
    assert segment() == 1
    assert "x.jpg" in capsys.readouterr().err
    assert not Path("build/mattes").exists()
    assert not list(Path("build").glob(".mattes*"))


def test_the_limit_writes_below_quick(segment: Callable[..., int]) -> None:
    assert segment(limit=2) == 0
    assert not Path("build/mattes").exists()
    assert len(list(Path("quick/build/mattes").rglob("*.png"))) == 2


@pytest.mark.parametrize("name", ["segment", "fit_segmenter"])
def test_help_needs_no_torch(name: str) -> None:
    code = f"import sys; import stages.{name}; sys.exit('torch' in sys.modules or 'openvino' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ)).returncode == 0


def test_workers_need_no_torch(segment: Callable[..., int]) -> None:
    """Converted once, the network runs without torch: a worker then starts in a second."""
    assert segment() == 0
    code = (
        "import sys; from pathlib import Path; from pipeline.params.schema import Segment;"
        "from pipeline.segment.methods import unet; import numpy as np;"
        "look = unet.create(Segment(backend='openvino'), Path('.'), Path('build/segmenter'));"
        "look([np.zeros((64, 48, 3), np.uint8)]); sys.exit('torch' in sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=env).returncode == 0


def test_packed_mattes_are_the_same_bytes_computed_or_from_the_cache(
    segment: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment() == 0
    files, told = mattes(), report()
    shutil.rmtree(".cache")
    change("shards: auto", "shards: 3   ")
    for said in ("0 from the cache, 4 computed", "4 from the cache, 0 computed"):
        capsys.readouterr()
        assert segment() == 0
        assert said in capsys.readouterr().err
        verified_folder(Path("build/mattes"), "segment")
        assert mattes() == {}
        assert len(list(Path("build/mattes").glob("mattes-*.tar"))) == 2
        store = ImageStore.opened(Path("build/mattes"))
        assert {name: store.read(name) for name in files} == files
        assert report() == told


def test_the_selfie_network_gives_every_photo_a_matte(
    segment: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    change("  method: unet ", "  method: selfie ")
    shutil.rmtree("build/segmenter")  # it needs no U-Net
    for said in ("0 from the cache, 4 computed", "4 from the cache, 0 computed"):
        assert segment() == 0
        assert said in capsys.readouterr().err
    for image, size in PHOTOS.items():
        assert read_matte(Path("build/mattes") / Path(image).with_suffix(".png")).shape == size
    assert report()["method"] == "selfie"


def test_refined_mattes_are_others_and_cached_apart(
    segment: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    change("  photos: demo/data", "  photos: photos")
    assert segment() == 0
    plain = mattes()
    change("  refine: none             # none", "  refine: grabcut          # none")
    for said in ("0 from the cache, 4 computed", "4 from the cache, 0 computed"):
        assert segment() == 0
        assert said in capsys.readouterr().err
        assert mattes() != plain
    change("  refine: grabcut ", "  refine: none ")
    assert segment() == 0
    assert "4 from the cache, 0 computed" in capsys.readouterr().err
    assert mattes() == plain
