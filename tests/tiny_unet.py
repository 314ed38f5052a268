"""A small untrained U-Net and small photos, for tests of what is around a network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.seeds import generator
from pipeline.unet.config import CONFIG, WEIGHTS, UnetConfig, write_config

TINY = UnetConfig(encoder="tu-mobilenetv3_small_050", decoder_channels=(16, 16, 8, 8, 8), size=64)


def write_tiny(folder: Path, bias: float | None = None) -> Path:
    """The folder of an untrained U-Net, always the same; `bias`: logit of every pixel, -20 = background."""
    import torch

    from pipeline.unet.architecture import build
    from pipeline.unet.weights import save_net

    torch.manual_seed(7)
    net = build(TINY).eval()
    head = net.get_submodule("segmentation_head")[0]  # pyright: ignore[reportIndexIssue]
    if bias is not None:
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.constant_(head.bias, bias)
    else:
        head.weight.data *= 20  # so that alphas are not all gray
    folder.mkdir(parents=True, exist_ok=True)
    save_net(folder / WEIGHTS, net)
    write_config(folder / CONFIG, TINY)
    return folder


def drawn(name: str, height: int = 64, width: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """A bright bust on a dark, noisy ground: photo uint8 [H, W, 3] RGB and its alpha uint8 [H, W]."""
    random = generator(3, name)
    alpha = np.zeros((height, width), np.uint8)
    centre = (int(width * random.uniform(0.4, 0.6)), int(height * random.uniform(0.35, 0.5)))
    cv2.ellipse(alpha, centre, (width // 5, height // 5), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(alpha, (centre[0], height), (width // 3, height // 3), 0, 0, 360, 255, -1, cv2.LINE_AA)
    ground = random.integers(0, 110, (height, width, 3))
    person = np.broadcast_to(random.integers(130, 255, 3), ground.shape)
    share = alpha[..., None] / 255
    return (ground * (1 - share) + person * share).astype(np.uint8), alpha
