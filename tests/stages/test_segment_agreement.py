"""A U-Net that was fitted to other photos is compared with the selfie network, and warned of."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.io.photo import encode_jpeg
from tests.fixtures.segment_project import (
    change,
    index,
    mattes,
    report,
    start_segment,
)
from tests.fixtures.tiny_unet import write_tiny

COMMAND = "dvc exp run -S segment.method=selfie"


@pytest.fixture
def segment(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the stage on four photos and an untrained U-Net, in `project`."""
    return start_segment(project, monkeypatch)


def test_a_unet_fitted_to_other_photos_is_compared_with_the_selfie_network(
    segment: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment() == 0
    told = capsys.readouterr().err
    assert "fitted to demo/data, not to photos: on 4 photos" in told
    assert COMMAND in told
    found = report()["agreement"]
    assert found["photos"] == 4
    assert found["iou"] < 0.8
    assert f"IoU of {found['iou']:.2f}" in told
    assert segment() == 0
    assert report()["agreement"] == found


@pytest.mark.parametrize("line", ["  photos: photos", "  photos: photos/train/images", "  method: selfie"])
def test_nothing_is_compared_where_nothing_need_be(
    segment: Callable[..., int], capsys: pytest.CaptureFixture[str], line: str
) -> None:
    change({"photos": "  photos: demo/data", "method": "  method: unet "}[line.split(":")[0].strip()], line)
    assert segment() == 0
    assert report()["agreement"] is None
    assert COMMAND not in capsys.readouterr().err


def test_a_unet_that_agrees_is_not_warned_of(
    segment: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither network sees anybody in a wall."""
    shutil.rmtree("photos/train")
    for n in range(25):
        wall = np.full((48, 48, 3), 10 * n, np.uint8)
        Path(f"photos/eval/images/{n}.jpg").write_bytes(encode_jpeg(wall))
    Path("photos/eval/images/x.jpg").unlink()
    index(Path("photos"))
    write_tiny(Path("build/segmenter"), bias=-20.0)
    assert segment() == 0
    assert report()["agreement"] == {"photos": 20, "iou": 1.0, "poor": 0}
    assert COMMAND not in capsys.readouterr().err


def test_without_the_selfie_network_it_says_so_and_goes_on(
    segment: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    change("selfie_segmentation.tflite", "gone.tflite")
    assert segment() == 0
    told = capsys.readouterr().err
    assert "fitted to demo/data, not to photos" in told
    assert "the selfie network (gone.tflite), to compare it with, is not there" in told
    assert report()["agreement"] is None
    assert len(mattes()) == 4
