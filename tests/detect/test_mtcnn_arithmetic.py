"""What the cascade computes with, as torch or the library has it: means, layers, suppression, weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.detect.mtcnn import weights
from pipeline.detect.mtcnn.conv1 import conv1_block
from pipeline.detect.mtcnn.nets import PNET, folded_weights
from pipeline.detect.mtcnn.pyramid import Pyramid
from pipeline.detect.mtcnn.weights import (
    NETWORKS,
    ensure_converted,
    read_weights,
    weights_file,
    weights_sha256,
)
from pipeline.detect.nms import nms, nms_contained
from pipeline.runtime.errors import UserError
from tests.conftest import ROOT


@pytest.mark.parametrize("size", [(37, 61), (512, 384), (3000, 2900)])  # the last is too large for int32 sums
def test_levels_are_torch_area(size: tuple[int, int]) -> None:
    import torch
    from torch.nn.functional import interpolate

    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    pyramid, pixels = Pyramid(image), torch.from_numpy(image).permute(2, 0, 1)[None].float()
    for scale in (0.6, 0.3, 0.07):
        height, width = int(size[0] * scale + 1), int(size[1] * scale + 1)
        theirs = interpolate(pixels, size=(height, width), mode="area")[0].numpy()
        np.testing.assert_allclose(pyramid.level(height, width) / 255, theirs / 255, atol=1e-5)


def test_crops_are_torch_area() -> None:
    import torch
    from torch.nn.functional import interpolate

    image = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    windows = np.array([[0, 0, 120, 90], [5, 7, 6, 8], [10, 20, 23, 71], [100, 60, 120, 90]], np.int32)
    for side in (24, 48):
        crops = Pyramid(image).crops(windows, side)
        for crop, (x1, y1, x2, y2) in zip(crops, windows, strict=True):
            theirs = interpolate(pixels[:, :, y1:y2, x1:x2], size=(side, side), mode="area")[0].numpy()
            np.testing.assert_allclose(crop.transpose(2, 0, 1) / 255, theirs / 255, atol=1e-5)


@pytest.mark.parametrize("size", [(12, 12), (13, 40), (41, 13), (57, 131)])
def test_conv1_block_is_torchs(size: tuple[int, int]) -> None:
    import torch
    from torch.nn import functional as F

    level = np.random.default_rng(5).uniform(0, 255, (3, *size)).astype(np.float32)
    own = folded_weights(PNET, ROOT)
    kernel, bias, slopes = (own[k] for k in ("conv1.weight", "conv1.bias", "prelu1.weight"))
    x = F.conv2d(torch.from_numpy(level)[None], torch.from_numpy(kernel), torch.from_numpy(bias))
    x = F.max_pool2d(F.prelu(x, torch.from_numpy(slopes)), 2, 2, ceil_mode=True)
    ours = conv1_block(level, kernel, bias, slopes)
    np.testing.assert_allclose(ours, x[0].permute(1, 2, 0).numpy(), atol=1e-5)


def test_nms_is_that_of_the_library() -> None:
    import torch
    from facenet_pytorch.models.utils.detect_face import nms_numpy
    from torchvision.ops import nms as their_nms

    rng = np.random.default_rng(2)
    corner, size = rng.integers(0, 60, (2, 150, 2))
    boxes = np.concatenate([corner, corner + size], 1).astype(np.float32)
    scores = rng.permutation(150).astype(np.float32) / 150
    for threshold in (0.3, 0.5, 0.7):
        theirs = their_nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold).numpy()
        np.testing.assert_array_equal(nms(boxes, scores, threshold), theirs)
        contained = nms_numpy(boxes, scores, threshold, "Min")
        np.testing.assert_array_equal(nms_contained(boxes, scores, threshold), contained)
    assert nms(boxes[:0], scores[:0], 0.5).shape == (0,)
    half = np.array([[0, 0, 30, 10], [10, 0, 40, 10]], np.float32)  # IoU exactly 0.5
    assert len(nms(half, scores[:2], 0.5)) == 2
    assert len(nms(half, scores[:2], 0.49)) == 1


def test_levels_suppress_only_themselves() -> None:
    rng = np.random.default_rng(4)
    corner, size = rng.integers(0, 60, (2, 200, 2))
    boxes = np.concatenate([corner, corner + size + 1], 1).astype(np.float32)
    scores, levels = rng.integers(0, 40, 200).astype(np.float32) / 40, np.sort(rng.integers(0, 5, 200))
    by_hand = [
        i
        for k in range(5)
        for i in np.flatnonzero(levels == k)[nms(boxes[levels == k], scores[levels == k], 0.5)]
    ]
    together = nms(boxes, scores, 0.5, levels)
    assert sorted(together) == sorted(by_hand)
    assert len(together) > len(nms(boxes, scores, 0.5))


def test_weights_are_torchs_and_the_same_bytes_wherever_they_are_converted(tmp_path: Path) -> None:
    import torch

    digest = hashlib.sha256()
    for network in NETWORKS:
        digest.update(weights_file(network).read_bytes())
        theirs = torch.load(weights_file(network), weights_only=True)
        ours = read_weights(network, tmp_path)
        assert set(ours) == set(theirs)
        for name, values in ours.items():
            np.testing.assert_array_equal(values, theirs[name].numpy())
    assert weights_sha256() == digest.hexdigest()
    files = sorted(f.name for f in ensure_converted(tmp_path).iterdir())
    assert len(files) == 4
    for name in files:
        assert (ensure_converted(tmp_path) / name).read_bytes() == (
            ensure_converted(tmp_path / "other") / name
        ).read_bytes()


def test_damaged_weights_are_converted_again(tmp_path: Path) -> None:
    file = ensure_converted(tmp_path) / "pnet.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    read_weights("pnet", tmp_path)
    assert file.read_bytes() == whole


def test_other_weights_in_the_wheel_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pnet.pt").write_bytes(b"something else")
    monkeypatch.setattr(weights, "weights_file", lambda network: tmp_path / f"{network}.pt")
    weights_sha256.cache_clear()
    with pytest.raises(UserError, match=r"facenet-pytorch 2\.6\.0"):
        ensure_converted(tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))
