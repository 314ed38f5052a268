"""The exported detectors and segmenters say about real photos what the stages' own say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cleanplate.predict.chain import Chain, Classify, Compose, PhotoRules
from cleanplate.predict.detectors import load_detector
from cleanplate.predict.segmenters import load_segmenter
from pipeline.io.photo import read_photo
from pipeline.params.preparation import Detect, Segment
from pipeline.runtime.plugins import load_plugin

PHOTOS = 8


def chain_of(folder: Path, detect: dict[str, Any], segment: dict[str, Any] | None) -> Chain:
    """A chain of these steps and no classifier."""
    compose = Compose(0.3, 96, "keep", False, 0)
    rules = PhotoRules(10**8, 1, (255, 255, 255))
    return Chain(folder, rules, detect, segment, compose, Classify((), 64, "soft"), 1.0)


@pytest.fixture(scope="module")
def photos(test_data: Path) -> list[np.ndarray]:
    """Photos of one person each, and two of them beside each other."""
    paths = sorted((test_data / "realset/eval/images").iterdir())
    found = [read_photo(p) for p in paths[:: len(paths) // PHOTOS][:PHOTOS]]
    small = cv2.resize(found[1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    pair = np.full((found[0].shape[0], found[0].shape[1] + small.shape[1], 3), 128, np.uint8)
    pair[:, : found[0].shape[1]] = found[0]
    pair[: small.shape[0], found[0].shape[1] :] = small
    return [*found, pair]


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("method", ["mtcnn", "retinaface", "yolov8"])
def test_face_0_is_the_stage_s(
    method: str, runtime: str, photos: list[np.ndarray], test_data: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip(runtime)
    from pipeline.export.detector import write_detector

    weights = {"weights": str(test_data.parent / "weights/yolov8n.pt")}
    section = Detect.model_validate({"method": method, "backend": "openvino", "yolov8": weights})
    stage = load_plugin("detect.methods", method)
    stage.prepare(section, tmp_path)
    wanted = stage.create(section, tmp_path)(photos)
    detect = load_detector(chain_of(tmp_path, write_detector(section, tmp_path, tmp_path), None), runtime)  # pyright: ignore[reportArgumentType]
    assert sum(one is not None for one in wanted) >= PHOTOS - 2
    for photo, one in zip(photos, wanted, strict=True):
        found = detect(photo, None, True)
        assert (not found) == (one is None)
        if one is not None:
            assert np.abs(found[0].box - one.box).max() < 0.05
            assert found[0].score == pytest.approx(one.score, abs=1e-3)
            assert np.array_equal(detect(photo, 1, True)[0].box, found[0].box)
    assert len(detect(photos[-1], None, True)) >= 2, "both people of the pair"


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("refine", ["none", "grabcut"])
def test_alphas_are_the_stage_s(refine: str, runtime: str, photos: list[np.ndarray], tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip(runtime)
    from pipeline.export.segmenter import write_segmenter
    from pipeline.segment.refine import refining

    section = Segment.model_validate({"method": "selfie", "refine": refine})
    stage = load_plugin("segment.methods", "selfie")
    alphas = refining(refine, lambda: stage.create(section, tmp_path, tmp_path))()(photos[:3])
    step = write_segmenter(section, tmp_path, tmp_path, tmp_path)
    none = {"method": "none", "networks": []}
    segment = load_segmenter(chain_of(tmp_path, none, step), runtime)  # pyright: ignore[reportArgumentType]
    assert segment is not None
    for photo, alpha in zip(photos, alphas, strict=False):
        difference = np.abs(segment(photo).astype(int) - alpha)
        assert np.mean(difference > 2) < 0.002, "grabcut may decide a pixel otherwise"
        assert alpha.max() > 200
