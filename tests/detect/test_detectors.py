"""What every file in pipeline/detect/methods/ promises, and what each finds in real photos."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.detect.boxes import iou
from pipeline.io.photo import read_photo
from pipeline.networks.backends import cpu_has_bf16, has_cuda
from pipeline.networks.weights import sha256_of
from pipeline.params.preparation import Detect, Yolov8Params
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin, plugin_names
from tests.conftest import ROOT

NAMES = plugin_names("detect.methods")


@pytest.fixture(scope="session")
def weights(test_data: Path) -> Path:
    return test_data.parent / "weights" / "yolov8n.pt"


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose .cache holds the converted networks of the whole session."""
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="session")
def photos(test_data: Path) -> list[np.ndarray]:
    paths = sorted((test_data / "realset" / "train" / "images").glob("*/*"))[:21:3]
    others = sorted((test_data / "person_masks").rglob("*.jpg"))[:3]  # other sizes
    return [read_photo(path) for path in [*paths, *others]]


def section(method: str, request: pytest.FixtureRequest, **more: Any) -> Detect:
    if method != "yolov8":
        return Detect(method=method, **more)
    place = request.getfixturevalue("weights")
    return Detect(method=method, yolov8=Yolov8Params(weights=str(place)), **more)


@pytest.mark.parametrize("name", NAMES)
def test_every_detector_keeps_the_contract(name: str, root: Path, request: pytest.FixtureRequest) -> None:
    module = load_plugin("detect.methods", name)
    detect = section(name, request)
    assert isinstance(module.VERSION, str)
    assert module.VERSION
    identity = module.identity(detect, root)
    assert json.loads(json.dumps(identity)) == identity
    assert identity["version"] == module.VERSION
    assert identity == module.identity(detect, root)
    if module.create is None:
        return
    assert {"backend", "precision"} <= set(identity)
    module.prepare(detect, root)
    detect_photos = module.create(detect, root)
    assert detect_photos([]) == []
    blank = np.full((100, 80, 3), 128, dtype=np.uint8)
    thin = np.zeros((3, 300, 3), dtype=np.uint8)
    tall = np.zeros((900, 40, 3), dtype=np.uint8)
    assert detect_photos([blank, thin, tall, blank]) == [None] * 4
    photos = request.getfixturevalue("photos")
    together = detect_photos(photos)
    for photo, found in zip(photos, together, strict=True):
        (alone,) = detect_photos([photo])
        assert (alone is None) == (found is None)
        if found is None or alone is None:
            continue
        np.testing.assert_array_equal(alone.box, found.box)
        height, width = photo.shape[:2]
        assert found.box.dtype == np.float32
        assert 0 <= found.box[0] < found.box[2] <= width
        assert 0 <= found.box[1] < found.box[3] <= height
        assert 0 < found.score <= 1
        assert found.landmarks is None or found.landmarks.shape == (5, 2)
    assert sum(found is not None for found in together) >= 0.7 * len(photos)


@pytest.mark.parametrize("name", NAMES)
def test_importing_a_detector_is_light(name: str) -> None:
    heavy = "any(m in sys.modules for m in ('torch', 'openvino', 'ultralytics'))"
    code = f"import sys, pipeline.detect.methods.{name}; sys.exit({heavy})"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.fixture(scope="session")
def predicted(photos: list[np.ndarray], weights: Path, root: Path) -> list[tuple[np.ndarray, float] | None]:
    """What ultralytics' own `predict` says at the size that we use."""
    from pipeline.detect.yolo.checkpoint import load_checkpoint
    from pipeline.detect.yolo.letterbox import letterbox_of

    load_checkpoint(weights, root)  # switches downloads and telemetry off
    from ultralytics import YOLO

    predict: Any = YOLO(weights).predict
    answers: list[tuple[np.ndarray, float] | None] = []
    for photo in photos:
        frame = letterbox_of(photo.shape[1], photo.shape[0])
        bgr = np.ascontiguousarray(photo[:, :, ::-1])
        size = [frame.height, frame.width]
        (answer,) = predict(bgr, imgsz=size, classes=[0], verbose=False)
        boxes = answer.boxes
        answers.append((boxes.xyxy[0].numpy(), float(boxes.conf[0])) if len(boxes) else None)
    return answers


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_yolov8_agrees_with_ultralytics(
    backend: str,
    photos: list[np.ndarray],
    predicted: list[tuple[np.ndarray, float] | None],
    root: Path,
    request: pytest.FixtureRequest,
) -> None:
    module = load_plugin("detect.methods", "yolov8")
    detect = section("yolov8", request, backend=backend)
    module.prepare(detect, root)
    for found, truth in zip(module.create(detect, root)(photos), predicted, strict=True):
        assert (found is None) == (truth is None)
        if found is not None and truth is not None:
            assert iou(found.box, truth[0]) >= 0.95
            assert abs(found.score - truth[1]) < 0.05


@pytest.mark.skipif(not cpu_has_bf16(), reason="this CPU has no bf16")
def test_bf16_agrees_with_float32(photos: list[np.ndarray], weights: Path, root: Path) -> None:
    module = load_plugin("detect.methods", "yolov8")
    answers = []
    for precision in ("f32", "bf16"):
        yolov8 = Yolov8Params.model_validate({"weights": str(weights), "precision": precision})
        detect = Detect(method="yolov8", backend="openvino", yolov8=yolov8)
        module.prepare(detect, root)
        answers.append(module.create(detect, root)(photos))
    for full, half in zip(*answers, strict=True):
        assert (full is None) == (half is None)
        assert full is None or iou(full.box, half.box) >= 0.95
    assert any(full is not None and full.score != half.score for full, half in zip(*answers, strict=True))


def test_precision_is_definite_and_part_of_the_identity(root: Path, weights: Path) -> None:
    module = load_plugin("detect.methods", "yolov8")
    said = {
        precision: module.identity(
            Detect(
                method="yolov8",
                backend="openvino",
                yolov8=Yolov8Params.model_validate({"weights": str(weights), "precision": precision}),
            ),
            root,
        )["precision"]
        for precision in ("f32", "auto")
    }
    assert said == {"f32": "f32", "auto": "bf16" if cpu_has_bf16() else "f32"}
    on_torch = Detect(backend="torch", yolov8=Yolov8Params(weights=str(weights), precision="bf16"))
    if not has_cuda():
        with pytest.raises(UserError, match="bf16 is not supported on this machine"):
            module.identity(on_torch, root)


def test_foreign_checkpoints_are_refused_without_running_them(
    test_data: Path, root: Path, tmp_path: Path
) -> None:
    module = load_plugin("detect.methods", "yolov8")
    trace = tmp_path / "ran"
    evil = tmp_path / "evil.pt"

    import torch

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (trace,)

    torch.save({"model": Payload()}, evil)
    empty = tmp_path / "empty.pt"
    empty.write_bytes(b"")
    segmenter = test_data.parent / "weights" / "yolov8n-seg.pt"
    for path in (evil, empty, segmenter):
        with pytest.raises(UserError) as e:
            module.prepare(Detect(yolov8=Yolov8Params(weights=str(path)), backend="openvino"), root)
        assert str(path) in str(e.value)
    assert not trace.exists()


def test_a_damaged_conversion_is_made_again(root: Path, weights: Path, photos: list[np.ndarray]) -> None:
    from pipeline.detect.yolo.engines import converted_folder, ensure_converted

    module = load_plugin("detect.methods", "yolov8")
    detect = Detect(backend="openvino", yolov8=Yolov8Params(weights=str(weights)))
    folder = ensure_converted(weights, sha256_of(weights), root)
    assert folder == converted_folder(sha256_of(weights), root)
    network = folder / "person.bin"
    network.write_bytes(network.read_bytes()[:1000])
    module.prepare(detect, root)
    assert any(module.create(detect, root)(photos[:3]))


def test_yolov8_takes_the_person_that_the_photo_is_about(
    photos: list[np.ndarray], weights: Path, root: Path, request: pytest.FixtureRequest
) -> None:
    module = load_plugin("detect.methods", "yolov8")
    detect = section("yolov8", request, backend="openvino")
    module.prepare(detect, root)
    look = module.create(detect, root)
    alone = next(photo for photo in photos if (found := look([photo])[0]) and found.score > 0.8)
    height, width = alone.shape[:2]
    small = cv2.resize(alone, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    both = np.full((height, width * 2, 3), 128, dtype=np.uint8)
    both[:, width // 2 : width // 2 + width] = alone
    both[height // 2 : height // 2 + height // 2, : width // 2] = small[:, : width // 2]
    (found,) = look([both])
    assert found is not None
    assert (found.box[0] + found.box[2]) / 2 == pytest.approx(width, abs=width / 4)


def test_a_coarse_yolov8_asks_the_precise_one_where_two_nearly_tie(
    photos: list[np.ndarray], weights: Path, root: Path
) -> None:
    from pipeline.detect.methods.yolov8 import PersonDetector
    from pipeline.detect.yolo.engines import OpenvinoEngine, ensure_converted

    engine = OpenvinoEngine(ensure_converted(weights, sha256_of(weights), root), "f32")
    plain = PersonDetector(engine, 0.25)
    asked: list[np.ndarray] = []

    class Precise(PersonDetector):
        def __call__(self, photos: Any) -> Any:
            asked.extend(photos)
            return plain(photos)

    coarse = PersonDetector(engine, 0.25, Precise(engine, 0.25))
    photo = next(photo for photo in photos if (found := plain([photo])[0]) and found.score > 0.8)
    twins = np.concatenate([photo, photo], axis=1)
    coarse([twins])
    assert len(asked) == 1
