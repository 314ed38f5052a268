"""Mattes by torch: on a GPU, or where OpenVINO is absent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pipeline.segment.unet.architecture import MatteNet, channels_last
from pipeline.segment.unet.frame import fit, frame_of, restore

BATCH = 32  # frames per batch on a GPU
DTYPES = {"f32": None, "f16": torch.float16, "bf16": torch.bfloat16}


class TorchNet:
    """A list of photos in, their alphas out.

    Frames of one shape run together on a GPU, in batches of a fixed size (the last is padded), so that a
    photo's alpha does not depend on the other photos; on a CPU one at a time.
    """

    def __init__(self, net: MatteNet, size: int, device: str = "cpu", precision: str = "f32") -> None:
        self.net = channels_last(net.to(torch.device(device))).eval()
        self.size, self.device, self.dtype = size, torch.device(device), DTYPES[precision]
        self.batch = BATCH if self.device.type == "cuda" else 1

    def __call__(self, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
        """uint8 [H, W, 3] RGB each -> uint8 [H, W] each, in order."""
        frames = [frame_of(photo.shape[0], photo.shape[1], self.size) for photo in photos]
        alphas: list[np.ndarray | None] = [None] * len(photos)
        for shape in sorted({frame.net for frame in frames}):
            indices = [i for i, frame in enumerate(frames) if frame.net == shape]
            for start in range(0, len(indices), self.batch):
                chunk = indices[start : start + self.batch]
                pixels = np.zeros((self.batch, *shape, 3), np.uint8)
                for k, i in enumerate(chunk):
                    pixels[k] = fit(photos[i], frames[i])
                for i, alpha in zip(chunk, self._run(pixels), strict=False):
                    alphas[i] = restore(alpha, frames[i])
        return [alpha for alpha in alphas if alpha is not None]

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(pixels)
        if self.device.type == "cuda":
            batch = batch.pin_memory().to(self.device, non_blocking=True)
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, self.dtype or torch.bfloat16, enabled=self.dtype is not None),
        ):
            return self.net(batch).cpu().numpy()
