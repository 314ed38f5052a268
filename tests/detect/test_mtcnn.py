"""The cascade finds what facenet-pytorch finds."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.detect.mtcnn.cascade import Mtcnn
from pipeline.detect.mtcnn.coroutine import Faces
from pipeline.detect.mtcnn.nets import Backend
from pipeline.detect.mtcnn.weights import ensure_converted
from pipeline.io.photo import read_photo
from tests.fixtures.drawn_faces import drawn


@pytest.fixture(scope="module")
def library() -> Iterator[Any]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.load, which facenet-pytorch calls the old way
        from facenet_pytorch import MTCNN

        yield MTCNN(keep_all=True)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def every_scale() -> Mtcnn:
    return Mtcnn(adaptive=False)


@pytest.fixture(scope="module")
def adaptive() -> Mtcnn:
    return Mtcnn(adaptive=True)


def assert_same(library: Any, ours: Faces, image: np.ndarray) -> int:
    """All faces of the library, in its order, to a thousandth of a pixel; returns how many."""
    boxes, scores, landmarks = library.detect(image, landmarks=True)
    if boxes is None:
        assert len(ours) == 0
        return 0
    np.testing.assert_allclose(ours.boxes, boxes.astype(np.float32), atol=2e-3)
    np.testing.assert_allclose(ours.scores, scores.astype(np.float32), atol=1e-5)
    np.testing.assert_allclose(ours.landmarks, landmarks.astype(np.float32), atol=2e-3)
    return len(boxes)


@pytest.fixture(scope="module")
def real_photos(test_data: Path) -> list[np.ndarray]:
    files = sorted(test_data.glob("realset/train/images/*/*"))[::160][:10]
    files += sorted(test_data.glob("person_masks/photos/*"))[::20][:10]
    assert len(files) == 20
    return [read_photo(file) for file in files]


def test_drawn_faces_are_those_of_the_library(library: Any, every_scale: Mtcnn) -> None:
    pictures = [
        drawn(201, 260, (100, 130, 80)),
        drawn(320, 241, (90, 120, 60), (240, 120, 28)),
        drawn(97, 64, (20, 30, 29)),
    ]
    found = [assert_same(library, every_scale.detect(picture), picture) for picture in pictures]
    assert sum(found) >= 2, found  # or nothing was compared


def test_real_faces_are_those_of_the_library(
    library: Any, every_scale: Mtcnn, real_photos: list[np.ndarray]
) -> None:
    found = [assert_same(library, every_scale.detect(photo), photo) for photo in real_photos]
    assert sum(n > 0 for n in found) >= 12, found


def test_adaptive_picks_the_same_face(
    every_scale: Mtcnn, adaptive: Mtcnn, real_photos: list[np.ndarray]
) -> None:
    for photo in real_photos:
        one, other = every_scale.detect_largest(photo), adaptive.detect_largest(photo)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_allclose(other.box, one.box, atol=0.02 * (one.box[2] - one.box[0]))


def test_the_best_is_the_largest_of_all_on_real_photos(
    every_scale: Mtcnn, adaptive: Mtcnn, real_photos: list[np.ndarray]
) -> None:
    asked = 0
    for photo in [*real_photos, np.concatenate(real_photos[:2], 1), np.concatenate(real_photos[2:4], 0)]:
        for mtcnn in (every_scale, adaptive):
            faces, best = mtcnn.detect(photo), mtcnn.detect_largest(photo)
            assert (best is None) == (len(faces) == 0)
            if best is not None:
                # other batches of the networks: the same but for rounding
                np.testing.assert_allclose(best.box, faces.boxes[0], atol=1e-3)
                np.testing.assert_allclose(best.landmarks, faces.landmarks[0], atol=1e-3)
                asked += 1
    assert asked >= 24


def test_the_best_is_the_largest_of_several(every_scale: Mtcnn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a smaller one is found first."""
    monkeypatch.setattr("pipeline.detect.mtcnn.refinement.BATCH", 1)
    picture = drawn(620, 420, (150, 200, 120), (400, 80, 40), (500, 90, 42), (420, 300, 44), (540, 320, 41))
    faces, best = every_scale.detect(picture), every_scale.detect_largest(picture)
    assert len(faces) >= 3
    assert best is not None
    np.testing.assert_allclose(best.box, faces.boxes[0], atol=1e-3)


def test_adaptive_goes_on_to_small_faces(every_scale: Mtcnn, adaptive: Mtcnn) -> None:
    picture = drawn(260, 240, (120, 120, 42))  # the coarse levels alone find it 3 pixels off
    small = every_scale.detect_largest(picture)
    assert small is not None
    assert small.box[2] - small.box[0] < 79
    again = adaptive.detect_largest(picture)
    assert again is not None
    np.testing.assert_array_equal(again.box, small.box)


def test_best_is_what_the_library_crops(library: Any, adaptive: Mtcnn) -> None:
    picture = drawn(420, 260, (90, 130, 60), (290, 130, 90))
    boxes, scores, points = library.detect(picture, landmarks=True)
    picked, _, _ = library.select_boxes(boxes, scores, points, picture, method=library.selection_method)
    face = adaptive.detect_largest(picture)
    assert face is not None
    np.testing.assert_allclose(face.box, picked[0].astype(np.float32), atol=2e-3)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (19, 400), (400, 19), (20, 20), (20, 21), (29, 300)])
@pytest.mark.parametrize("mode", ["adaptive", "every_scale"])
def test_tiny_photos_hold_no_face(size: tuple[int, int], mode: str, request: pytest.FixtureRequest) -> None:
    mtcnn: Mtcnn = request.getfixturevalue(mode)
    faces = mtcnn.detect(np.full((*size, 3), 128, np.uint8))
    assert (faces.boxes.shape, faces.scores.shape, faces.landmarks.shape) == ((0, 4), (0,), (0, 5, 2))
    assert mtcnn.detect_largest(np.zeros((*size, 3), np.uint8)) is None


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_no_photo_changes_anothers_faces(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [
        drawn(200, 220, (100, 110, 70)),
        np.zeros((5, 9, 3), np.uint8),
        drawn(260, 180, (100, 90, 60)),
    ]
    alone = [Mtcnn(backend=backend).detect(picture) for picture in pictures]
    # the second time, each photo size gets networks of its own
    monkeypatch.setattr("pipeline.detect.mtcnn.openvino_nets.COMPILE_AFTER", 1)
    again = Mtcnn(backend=backend)
    together = [again.detect(picture) for picture in pictures * 3]
    for faces, one in zip(together, alone * 3, strict=True):
        np.testing.assert_array_equal(faces.boxes, one.boxes)
        np.testing.assert_array_equal(faces.scores, one.scores)
        np.testing.assert_array_equal(faces.landmarks, one.landmarks)
    assert len(alone[0]) > 0


@pytest.mark.parametrize("shape", [(700, 421), (707, 433), (75, 2000)])
def test_bands_of_a_large_level_join_without_a_seam(shape: tuple[int, int], every_scale: Mtcnn) -> None:
    level = np.random.default_rng(3).uniform(0, 255, (1, 3, *shape)).astype(np.float32)
    whole = Mtcnn(backend="torch").nets.pnet(level)
    np.testing.assert_allclose(every_scale.nets.pnet(level), whole, atol=1e-4)


def test_backends_agree(every_scale: Mtcnn) -> None:
    picture = drawn(220, 240, (110, 120, 75))
    one, other = every_scale.detect(picture), Mtcnn(backend="torch", adaptive=False).detect(picture)
    assert len(one) > 0
    np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


def test_a_worker_on_openvino_never_imports_torch() -> None:
    ensure_converted(Path())  # as `prepare` does
    code = (
        "import sys, numpy; from pipeline.detect.mtcnn.cascade import Mtcnn;"
        "Mtcnn().detect(numpy.zeros((64, 64, 3), 'u1')); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
