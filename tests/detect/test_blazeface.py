"""BlazeFace: anchors and decoding by hand, the network against OpenCV's reader, boxes against true ones."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from benchmarks.framing import are_right
from pipeline.detect.blazeface.anchors import anchor_centres, decode, scores_of
from pipeline.detect.blazeface.faces import NMS_IOU, find_faces
from pipeline.detect.blazeface.frame import frame_of
from pipeline.detect.blazeface.network import Network, ensure_converted
from pipeline.detect.boxes import iou
from pipeline.detect.methods import blazeface, retinaface
from pipeline.io.photo import read_photo
from pipeline.networks.weights import resolve
from pipeline.params import load_params
from pipeline.params.preparation import BlazefaceParams, Detect
from pipeline.runtime.errors import UserError
from stages import export
from stages.shared.command import Stage

SHORT, FULL = "face_detection_short_range.tflite", "face_detection_full_range_sparse.tflite"
BLAZEFACE = Detect(method="blazeface")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def network(root: Path) -> Network:
    return Network(ensure_converted(resolve(SHORT, root), root))


@pytest.fixture(scope="module")
def truth(test_data: Path) -> pd.DataFrame:
    """Every 36th photo of the set, with its true box."""
    table = pd.read_csv(test_data / "realset/truth/truth.csv").iloc[::36]
    folder = test_data / "realset"
    paths = [folder / s / "images" / i for s, i in zip(table["split"], table["image"], strict=True)]
    return table.assign(photo=[read_photo(path) for path in paths], box=table["box"].map(json.loads))


def outputs_by_opencv(pixels: np.ndarray, weights: Path) -> tuple[np.ndarray, np.ndarray]:
    """Numbers [896, 16] and logits [896] of uint8 [128, 128, 3], by OpenCV's reader of the same file."""
    net = cv2.dnn.readNetFromTFLite(str(weights))
    net.setInput((pixels.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None])
    numbers, logits = (np.array(net.forward(name)) for name in ("regressors", "classificators"))
    return numbers.reshape(896, 16), logits.reshape(896)


def by_opencv(photo: np.ndarray, weights: Path, score: float) -> list[tuple[np.ndarray, float]]:
    """Boxes and scores of the same file by OpenCV's reader, anchors written out, and its own suppression."""
    height, width = photo.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 3), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = photo
    small = cv2.resize(square, (128, 128), interpolation=cv2.INTER_AREA)
    numbers, logits = outputs_by_opencv(small, weights)
    found, sure = [], []
    for i in range(896):
        cell, grid = (i // 2, 16) if i < 512 else ((i - 512) // 6, 8)
        x, y = (cell % grid + 0.5) / grid * 128, (cell // grid + 0.5) / grid * 128
        p = 1 / (1 + np.exp(-float(logits[i].clip(-80, 80))))
        if p >= score:
            dx, dy, w, h = (float(v) for v in numbers[i, :4])
            found.append([x + dx - w / 2, y + dy - h / 2, w, h])
            sure.append(p)
    kept = cv2.dnn.NMSBoxes(found, sure, score, NMS_IOU) if found else []
    scale = side / 128
    boxes = []
    for k in kept:
        x, y, w, h = (v * scale for v in found[int(k)])
        boxes.append((np.array([x - left, y - top, x + w - left, y + h - top]), sure[int(k)]))
    return boxes


def test_anchors_lie_in_the_middle_of_their_cells() -> None:
    short = anchor_centres(128)
    assert short.shape == (896, 2)
    assert short[:3].tolist() == [[4, 4], [4, 4], [12, 4]], "two at a cell of 8 pixels, column before row"
    assert short[512:519].tolist() == [[8, 8]] * 6 + [[24, 8]], "six at a cell of 16 pixels"
    assert short[-1].tolist() == [120, 120]
    full = anchor_centres(192)
    assert full.shape == (2304, 2)
    assert full[[0, 1, 48]].tolist() == [[2, 2], [6, 2], [2, 6]]


def test_rows_are_moved_from_their_anchors() -> None:
    row = np.array([[1, 2, 20, 30, -5, -4, 5, -4, 0, 1, 0, 6, -9, 0, 9, 0]], np.float32)
    found = decode(row, np.array([[60, 40]], np.float32))
    np.testing.assert_allclose(found.boxes, [[51, 27, 71, 57]])
    left, right, nose, mouth_left, mouth_right = found.landmarks[0]
    assert [left.tolist(), right.tolist(), nose.tolist()] == [[55, 36], [65, 36], [60, 41]]
    np.testing.assert_allclose((mouth_left + mouth_right) / 2, [60, 46])
    np.testing.assert_allclose(mouth_right - mouth_left, [8.92, 0], rtol=1e-5)
    np.testing.assert_allclose(scores_of(np.array([0, -1e4, 1e4], np.float32)), [0.5, 0, 1], atol=1e-6)


def test_a_frame_keeps_the_aspect_and_finds_back() -> None:
    photo = np.full((60, 30, 3), 200, np.uint8)
    frame = frame_of(photo, 120)
    assert frame.pixels[:, 30:90].min() == 200
    assert not frame.pixels[:, :30].any()
    assert not frame.pixels[:, 90:].any()
    np.testing.assert_allclose(frame.to_photo(np.array([[30, 0], [90, 120]], np.float32)), [[0, 0], [30, 60]])


def test_boxes_are_those_of_an_independent_reader(network: Network, truth: pd.DataFrame, root: Path) -> None:
    """OpenCV's network, anchors, frame and suppression."""
    faces = 0
    for photo in truth["photo"].iloc[:12]:
        ours = find_faces(network, photo, network.side, 0.5)
        theirs = by_opencv(photo, resolve(SHORT, root), 0.5)
        assert len(ours.boxes) == len(theirs)
        for box, score, (other, sure) in zip(ours.boxes, ours.scores, theirs, strict=True):
            assert iou(box, other) > 0.99
            assert score == pytest.approx(sure, abs=1e-3)
            faces += 1
    assert faces >= 9


def test_the_network_s_numbers_are_opencv_s(network: Network, truth: pd.DataFrame, root: Path) -> None:
    for photo in truth["photo"].iloc[:4]:
        pixels = frame_of(photo, 128).pixels
        numbers, logits = outputs_by_opencv(pixels, resolve(SHORT, root))
        ours = network(pixels)
        np.testing.assert_allclose(ours.numbers, numbers, atol=1e-2)
        np.testing.assert_allclose(ours.logits, logits, atol=1e-2)


@pytest.mark.parametrize(("weights", "least"), [(SHORT, 0.93), (FULL, 0.85)])
def test_most_faces_are_found_and_rightly(
    weights: str, least: float, truth: pd.DataFrame, root: Path
) -> None:
    detect = blazeface.create(Detect(blazeface=BlazefaceParams(weights=weights)), root)
    found = detect(list(truth["photo"]))
    at = np.array([f is not None for f in found])
    boxes = np.array([f.box for f in found if f is not None], np.float64)
    assert at.mean() > least
    right = are_right(boxes, np.array(truth["box"].tolist(), np.float64)[at])
    assert right.mean() > 0.97


def test_landmarks_lie_where_retinaface_sees_them(truth: pd.DataFrame, root: Path) -> None:
    photos = list(truth["photo"].iloc[::2])
    pairs = zip(
        blazeface.create(BLAZEFACE, root)(photos),
        retinaface.create(Detect(method="retinaface"), root)(photos),
        strict=True,
    )
    off: list[np.ndarray] = []
    for ours, theirs in pairs:
        if ours is not None and theirs is not None and iou(ours.box, theirs.box) > 0.3:
            assert ours.landmarks is not None
            assert theirs.landmarks is not None
            apart = np.linalg.norm(theirs.landmarks[1] - theirs.landmarks[0])
            off.append(np.linalg.norm(ours.landmarks - theirs.landmarks, axis=1) / apart)
    assert len(off) >= len(photos) * 0.8
    assert (np.median(off, axis=0) < 0.25).all()


def test_an_export_says_that_it_cannot_hold_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = load_params(project / "params.yaml")
    params = params.model_copy(update={"detect": BLAZEFACE})
    export.run(Stage("export", params))
    assert "cannot hold detect.method blazeface" in capsys.readouterr().err
    assert (project / "build/export/not_exported.json").is_file()
    with pytest.raises(UserError, match=r"detect\.method[\s\S]*retinaface"):
        raise export.refusal_of(params, params.train) or AssertionError


def test_other_networks_are_refused_by_name(tmp_path: Path) -> None:
    empty = tmp_path / "empty.tflite"
    empty.write_bytes(b"")
    for path in (empty, resolve("selfie_segmentation.tflite", tmp_path)):
        with pytest.raises(UserError, match="not a BlazeFace network") as e:
            ensure_converted(path, tmp_path)
        assert str(path) in str(e.value)
        assert SHORT in str(e.value)
