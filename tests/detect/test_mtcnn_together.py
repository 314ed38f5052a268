"""Faces found together with others, as on a GPU, and code compiled by others: nobody's faces change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.detect.mtcnn import openvino_nets, torch_nets
from pipeline.detect.mtcnn.cascade import Mtcnn
from pipeline.detect.mtcnn.coroutine import Face
from pipeline.detect.mtcnn.nets import ONET, PNET, RNET, folded_weights
from pipeline.detect.mtcnn.openvino_nets import OpenvinoNets
from pipeline.detect.mtcnn.torch_nets import TorchNets
from pipeline.io.photo import read_photo
from tests.fixtures.drawn_faces import drawn

REPO = Path(__file__).parents[2]
WEIGHTS = {net.name: folded_weights(net, REPO) for net in (PNET, RNET, ONET)}
FEW = {"pnet": 4, "rnet": 64, "onet": 16}


def equal(one: Face | None, other: Face | None, tolerance: float = 0.0) -> bool:
    if one is None or other is None:
        return one is None and other is None
    parts = zip((one.box, one.score, one.landmarks), (other.box, other.score, other.landmarks), strict=True)
    return all(np.allclose(a, b, rtol=0, atol=tolerance) for a, b in parts)


def assert_alone_and_together(photos: list[np.ndarray]) -> int:
    """Returns how many have a face."""
    mtcnn = Mtcnn(backend="torch")
    alone = [mtcnn.detect_largest(photo) for photo in photos]
    mtcnn.nets = TorchNets(WEIGHTS, "cpu", FEW)
    together = mtcnn.detect_largest_in(photos)
    assert all(equal(one, other, 1e-3) for one, other in zip(alone, together, strict=True))
    for some in (slice(0, 1), slice(1, 4), slice(2, len(photos))):  # in other company, to the bit
        assert all(map(equal, together[some], mtcnn.detect_largest_in(photos[some])))
    return sum(face is not None for face in alone)


def drawn_photos() -> list[np.ndarray]:
    """Three of one size, one of another, one too small, one without a face."""
    faces = [drawn(200, 220, (100, y, 70)) for y in (110, 100, 120)]
    return [*faces, np.zeros((9, 5, 3), np.uint8), drawn(260, 180, (100, 90, 60)), drawn(200, 220)]


def test_drawn_photos_together_have_the_faces_that_they_have_alone() -> None:
    assert assert_alone_and_together(drawn_photos()) >= 3


def test_real_photos_together_have_the_faces_that_they_have_alone(test_data: Path) -> None:
    photos = [read_photo(file) for file in sorted(test_data.glob("realset/train/images/*/*"))[::200][:8]]
    assert assert_alone_and_together(photos) >= 5


def test_large_photos_are_looked_at_in_smaller_companies(monkeypatch: pytest.MonkeyPatch) -> None:
    photos, mtcnn = drawn_photos(), Mtcnn(backend="torch")
    mtcnn.nets = nets = TorchNets(WEIGHTS, "cpu", FEW)
    whole = mtcnn.detect_largest_in(photos)
    asked: list[tuple[int, ...]] = []
    run = nets.run

    def seen(net: object, x: torch_nets.torch.Tensor) -> torch_nets.torch.Tensor:
        asked.append(tuple(x.shape))
        return run(net, x)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(nets, "run", seen)
    monkeypatch.setattr("pipeline.detect.mtcnn.cascade.MAX_BATCH_PIXELS", 100_000)
    monkeypatch.setattr("pipeline.detect.mtcnn.torch_nets.MAX_BATCH_PIXELS", 2 * 60 * 55)
    parts = mtcnn.detect_largest_in(photos)
    assert all(equal(one, other, 1e-3) for one, other in zip(whole, parts, strict=True))
    levels = {shape for shape in asked if shape[2] not in (24, 48)}
    assert {shape[0] for shape in levels if shape[2] * shape[3] > 2 * 60 * 55} == {1}
    assert max(shape[0] for shape in levels) > 1


@pytest.mark.parametrize("shape", [(308, 231), (218, 164), (155, 116), (28, 21), (15, 20), (700, 421)])
def test_a_network_of_its_own_answers_a_level_with_the_same_bits(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    level = np.random.default_rng(1).uniform(0, 255, (1, 3, *shape)).astype(np.float32)
    nets = OpenvinoNets(WEIGHTS, 1)
    free = nets.pnet(level).copy()
    monkeypatch.setattr(openvino_nets, "COMPILE_AFTER", 0)
    np.testing.assert_array_equal(nets.pnet(level), free)
    assert len(nets._by_shape) > 0


def test_faces_are_looked_for_where_no_compiled_code_can_be_kept(tmp_path: Path) -> None:
    shutil.copytree(
        REPO / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__", "unet", "yolo")
    )
    for name in (".cache", "pipeline/detect/__pycache__"):  # files where folders would have to be
        (tmp_path / name).touch()
    code = (
        "import numpy as np, sys; from pipeline.detect.nms import nms;"
        "sys.exit(len(nms(np.array([[0, 0, 4, 4], [0, 0, 4, 5]], 'f4'), np.ones(2), 0.5)) != 1)"
    )
    nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-B", "-P", "-c", code],
        env={**os.environ, **nowhere}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
