"""Every network of a chain says the same on onnxruntime, on OpenVINO in float32, and on torch: within 1e-4.

In which units: scores and probabilities as they are; MTCNN's and RetinaFace's offsets in shares of a window;
YOLOv8's boxes in shares of the picture's longer side, and its scores after the sigmoid, because its raw
outputs are logits down to -20 and unscaled features, whose last digits nobody sees; the U-Net's alphas are
bytes. RetinaFace comes as ONNX and the selfie network as TFLite: neither has a torch network to compare with.
"""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import torch

from cleanplate.predict.runtimes import load_network
from pipeline.detect.mtcnn.nets import ONET, PNET, RNET, folded_weights
from pipeline.detect.mtcnn.torch_nets import TorchNets
from pipeline.detect.yolo.box_branch import BoxBranch
from pipeline.detect.yolo.letterbox import fill_letterbox, letterbox_of
from pipeline.detect.yolo.output import MapOutput
from pipeline.io.photo import read_photo
from pipeline.params.preparation import Detect, Segment

pytestmark = pytest.mark.timeout(900)  # the first test of a session trains the demo
RNG = np.random.default_rng(3)
TOLERANCE = 1e-4
ANCHORS = 60  # the surest, whose boxes are compared


@pytest.fixture(autouse=True)
def _needs_onnx() -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")


def floats_of(*shape: int) -> np.ndarray:
    return RNG.random(shape, dtype=np.float32)


def both(folder: Path, name: str, x: np.ndarray) -> list[list[np.ndarray]]:
    """The outputs of a network on OpenVINO and on onnxruntime."""
    return [load_network(folder, name, "openvino")(x), load_network(folder, name, "onnxruntime")(x)]


def assert_agree(*outputs: list[np.ndarray], tolerance: float = TOLERANCE) -> None:
    first = outputs[0]
    for other in outputs[1:]:
        assert len(first) == len(other)
        for a, b in zip(first, other, strict=True):
            assert a.shape == b.shape
            assert np.abs(a.astype(np.float64) - b).max() < tolerance


def test_mtcnn(tmp_path: Path) -> None:
    from pipeline.export.detector import write_detector

    write_detector(Detect(method="mtcnn"), tmp_path, tmp_path)
    nets = TorchNets({net.name: folded_weights(net, tmp_path) for net in (PNET, RNET, ONET)}, "cpu")
    picture = 255 * floats_of(1, 60, 77, 3)
    assert_agree(*both(tmp_path, "pnet", picture), [nets.pnet(picture.transpose(0, 3, 1, 2).copy())])
    crops = 255 * floats_of(7, 24, 24, 3)
    assert_agree(*both(tmp_path, "rnet", crops), [nets.rnet(crops)])
    crops = 255 * floats_of(3, 48, 48, 3)
    assert_agree(*both(tmp_path, "onet", crops), [nets.onet(crops)])


def test_retinaface_and_selfie(tmp_path: Path) -> None:
    from pipeline.export.detector import write_detector
    from pipeline.export.segmenter import write_segmenter

    write_detector(Detect(method="retinaface"), tmp_path, tmp_path)
    write_segmenter(Segment(method="selfie"), tmp_path, tmp_path, tmp_path)
    assert_agree(*both(tmp_path, "retinaface", 255 * floats_of(1, 3, 96, 128) - 110))
    assert_agree(*both(tmp_path, "selfie", floats_of(1, 256, 256, 3)))


def test_yolov8(test_data: Path, tmp_path: Path) -> None:
    from pipeline.detect.yolo.checkpoint import load_checkpoint
    from pipeline.detect.yolo.network import PersonNet
    from pipeline.export.detector import write_detector

    weights = test_data.parent / "weights/yolov8n.pt"
    section = Detect.model_validate({"method": "yolov8", "yolov8": {"weights": str(weights)}})
    write_detector(section, tmp_path, tmp_path)
    branch = BoxBranch.load(tmp_path / "yolov8_boxes.npz")
    net = PersonNet(load_checkpoint(weights, tmp_path)).eval()
    for path in sorted((test_data / "person_masks/photos").iterdir())[:3]:
        photo = read_photo(path)
        frames = fill_letterbox(photo, letterbox_of(photo.shape[1], photo.shape[0]))[None]
        with torch.inference_mode():
            raw = [output.numpy() for output in net(torch.from_numpy(frames))]
        outputs = [raw, *both(tmp_path, "yolov8", frames)]
        surest = np.argsort(-raw[0][0])[:ANCHORS]
        assert 1 / (1 + np.exp(-raw[0][0][surest[0]])) > 0.25, "a person is seen"
        assert_agree(*(people_of(output, branch, surest, frames.shape[1:3]) for output in outputs))


def people_of(
    outputs: list[np.ndarray], branch: BoxBranch, anchors: np.ndarray, size: tuple[int, ...]
) -> list[np.ndarray]:
    """Scores of all anchors, 0 to 1, and the boxes of some, in shares of the picture's longer side."""
    seen, boxes = MapOutput(outputs[0], outputs[1:]), list[np.ndarray]()
    for anchor in anchors.tolist():
        level, row, column = branch.locate(anchor, size[0], size[1])
        patch, inside = seen.patch(0, level, row, column)
        boxes.append(branch.decode(level, patch[None], inside[None], np.array([[row, column]]))[0])
    return [1 / (1 + np.exp(-seen.logits.astype(np.float64))), np.stack(boxes) / max(size)]


def test_the_unet(trained_demo: Path) -> None:
    """Rounding to bytes may differ by one."""
    from pipeline.params import load_params
    from pipeline.segment.methods import unet
    from pipeline.segment.unet.weights import load_net

    pixels = RNG.integers(0, 256, (1, 96, 64, 3), np.uint8)
    with chdir(trained_demo):
        section = load_params(Path("params.yaml")).segment
        weights, config, _ = unet.network_of(section, Path(), Path("build/segmenter"))
        with torch.inference_mode():
            alpha = load_net(weights, config)(torch.from_numpy(pixels)).numpy()
    assert_agree([alpha], *both(trained_demo / "build/export", "unet", pixels), tolerance=1.5)
    assert alpha.min() + 20 < alpha.max()
