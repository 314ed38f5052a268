"""MediaPipe's selfie segmentation: read as OpenCV reads it, equal to its ONNX, and good on photographs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.io.photo import read_matte, read_photo
from pipeline.networks.backends import cpu_has_bf16, openvino_properties
from pipeline.networks.weights import resolve
from pipeline.params import load_params
from pipeline.params.preparation import Segment
from pipeline.runtime.errors import UserError
from pipeline.segment.mattes import iou
from pipeline.segment.methods import selfie as module
from pipeline.segment.selfie.conversion import ensure_converted
from pipeline.segment.selfie.openvino_net import SelfieNet
from tests.conftest import ROOT
from tests.fixtures.tiny_unet import drawn

WEIGHTS = "selfie_segmentation.tflite"
SIDE = 256


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for `.cache`."""
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def net(root: Path) -> SelfieNet:
    return SelfieNet(ensure_converted(resolve(WEIGHTS, root), root), "f32")


def params(**changes: object) -> Segment:
    return Segment.model_validate({"method": "selfie", "selfie": changes})


def some_pixels() -> list[np.ndarray]:
    """Pictures at the network's size that it sees people in, float32 [256, 256, 3] RGB in [0, 1]."""
    busts = [drawn(f"bust {i}", SIDE, SIDE)[0] / 255 for i in range(2)]
    clouds = cv2.GaussianBlur(np.random.default_rng(0).random((SIDE, SIDE, 3)), (0, 0), 4)
    pictures = [*busts, (clouds - clouds.min()) / np.ptp(clouds)]
    return [picture.astype(np.float32) for picture in pictures]


def real_pairs(test_data: Path) -> dict[str, list[tuple[Path, Path]]]:
    """A dozen photos and mattes of either set."""
    exact, natural = test_data / "realset", test_data / "person_masks"
    alphas = sorted((exact / "truth/alpha").glob("*__*.png"))[::150]
    return {
        "exact": [(exact / "train/images" / f"{a.stem.replace('__', '/')}.jpg", a) for a in alphas],
        "natural": [
            (natural / "photos" / f"{a.stem}.jpg", a) for a in sorted((natural / "mattes").iterdir())[::18]
        ],
    }


def test_the_graph_answers_as_opencv_reads_the_file(root: Path, net: SelfieNet) -> None:
    reference = cv2.dnn.readNetFromTFLite(str(resolve(WEIGHTS, root)))
    for pixels in some_pixels():
        reference.setInput(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))
        expected = reference.forward().reshape(SIDE, SIDE)
        assert np.abs(net.shares(pixels) - expected).max() < 1e-3
        assert expected.std() > 0.1, "an empty answer proves nothing"


def test_the_graph_answers_as_its_onnx(test_data: Path, net: SelfieNet) -> None:
    import openvino

    onnx = test_data.parent / "weights" / "mediapipe_selfie_segmentation.onnx"
    core = openvino.Core()
    reference = core.compile_model(core.read_model(onnx), "CPU", openvino_properties("f32"))
    for path, _ in [pair for pairs in real_pairs(test_data).values() for pair in pairs[:4]]:
        pixels = cv2.resize(read_photo(path), (SIDE, SIDE)).astype(np.float32) / 255
        expected = reference(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))[0][0, 0]
        assert np.abs(net.shares(pixels) - expected).max() < 1e-3


@pytest.mark.parametrize(("kind", "least"), [("exact", 0.9), ("natural", 0.85)])
def test_photographs_get_good_mattes(test_data: Path, net: SelfieNet, kind: str, least: float) -> None:
    pairs = real_pairs(test_data)[kind]
    scores = [iou(net([read_photo(photo)])[0], read_matte(alpha)) for photo, alpha in pairs]
    assert len(scores) >= 10
    assert np.median(scores) > least


@pytest.mark.skipif(not cpu_has_bf16(), reason="this CPU has no bf16")
def test_bf16_answers_nearly_as_float32(root: Path, net: SelfieNet) -> None:
    """Of drawings the network is so unsure that both mattes may have an IoU of .67: levels are compared."""
    coarse = module.create(params(precision="bf16"), root, root)
    photos = [drawn(f"bust {i}", SIDE, SIDE)[0] for i in range(4)]
    differs = [np.abs(a.astype(int) - b) for a, b in zip(net(photos), coarse(photos), strict=True)]
    assert max(d.mean() for d in differs) < 0.06 * 255
    assert any(d.any() for d in differs), "as if it were float32"


@pytest.mark.skipif(not cpu_has_bf16(), reason="this CPU has no bf16")
def test_bf16_gives_photographs_the_same_mattes(test_data: Path, root: Path, net: SelfieNet) -> None:
    coarse = module.create(params(precision="bf16"), root, root)
    photos = [read_photo(photo) for pairs in real_pairs(test_data).values() for photo, _ in pairs]
    mattes = list(zip(net(photos), coarse(photos), strict=True))
    assert np.mean([iou(a, b) for a, b in mattes]) >= 0.99
    assert np.mean([np.abs(a.astype(int) - b).mean() for a, b in mattes]) < 0.005 * 255


@pytest.mark.skipif(cpu_has_bf16(), reason="this CPU has bf16")
def test_bf16_is_refused_where_the_cpu_lacks_it(root: Path) -> None:
    with pytest.raises(UserError, match=r"segment\.selfie\.precision"):
        module.identity(params(precision="bf16"), root, root)


def test_the_conversion_is_done_once_and_kept_by_content(root: Path, tmp_path: Path) -> None:
    module.prepare(params(), root, root)
    (graph,) = (root / ".cache" / "compiled").glob("selfie-*/net.xml")
    time = graph.stat().st_mtime_ns
    same = tmp_path / "moved.tflite"
    same.write_bytes(resolve(WEIGHTS, root).read_bytes())
    module.prepare(params(weights=str(same)), root, root)
    assert (graph.stat().st_mtime_ns, graph.parent.stat().st_mode & 0o777) == (time, 0o755)
    assert [p.name for p in (root / ".cache" / "compiled").iterdir()] == [graph.parent.name]
    assert module.identity(params(weights=str(same)), root, root) == module.identity(params(), root, root)


def test_other_files_are_refused_by_name(root: Path, tmp_path: Path) -> None:
    whole = resolve(WEIGHTS, root).read_bytes()
    files: dict[str, bytes] = {"cut.tflite": whole[:5000], "text.tflite": b"no network" * 100}
    other = resolve("face_detection_short_range.tflite", root)
    for name, content in {**files, "other.tflite": other.read_bytes()}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"not the weights of a selfie[\s\S]*{name}") as refused:
            module.prepare(params(weights=str(tmp_path / name)), root, root)
        assert "segment.selfie.weights" in str(refused.value)
    assert not [p for p in (root / ".cache" / "compiled").iterdir() if p.name.startswith(".")]


def test_other_weights_have_another_identity(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other.tflite").write_bytes(b"other")
    assert module.identity(params(weights=str(tmp_path / "other.tflite")), root, root) != module.identity(
        params(), root, root
    )


def test_it_needs_no_torch(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.params.schema import Segment;"
        "from pipeline.segment.methods import selfie; import numpy as np;"
        f"args = (Segment(method='selfie'), Path({str(root)!r}), Path());"
        "selfie.prepare(*args); selfie.create(*args)([np.zeros((64, 48, 3), np.uint8)]);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ)).returncode == 0


def test_torch_is_refused(project: Path) -> None:
    text = (project / "params.yaml").read_text(encoding="utf-8")
    changes = {
        "method: unet ": "method: selfie ",
        "backend: auto            # auto |": "backend: torch  # ",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (project / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"segment\.backend: torch has no selfie network"):
        load_params(project / "params.yaml")
