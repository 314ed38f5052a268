"""The networks on torch: for a CUDA device, and where OpenVINO is absent."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from pipeline.detect.mtcnn.nets import ONET, PNET, RNET, Net, Weights, layer_kind

BATCHES = {"pnet": 32, "rnet": 512, "onet": 128}
"""Pictures at a time on a GPU, the last batch filled up: what is said about one must not depend on how many
came with it."""
PIXELS = 4 * 2**20  # of the levels in a batch: PNet's first answers take 80 bytes for each


class TorchNets:
    """Implements `pipeline.detect.mtcnn.nets.Nets` in float32 on a torch device.

    Args:
        weights: by network, from `folded_weights`.
        device: torch device.
        batches: pictures at a time, by network; None = as many as there are.
    """

    def __init__(
        self, weights: dict[str, Weights], device: str, batches: dict[str, int] | None = None
    ) -> None:
        self.device, self.batches = torch.device(device), batches or {}
        self.weights = {
            name: {k: torch.from_numpy(v).to(self.device) for k, v in arrays.items()}
            for name, arrays in weights.items()
        }

    def pnet(self, levels: np.ndarray) -> np.ndarray:
        answers = self._answers(PNET, torch.from_numpy(levels))
        return np.ascontiguousarray(answers.transpose(0, 2, 3, 1))

    def rnet(self, crops: np.ndarray) -> np.ndarray:
        return self._answers(RNET, torch.from_numpy(crops).permute(0, 3, 1, 2))

    def onet(self, crops: np.ndarray) -> np.ndarray:
        return self._answers(ONET, torch.from_numpy(crops).permute(0, 3, 1, 2))

    @torch.inference_mode()
    def _answers(self, net: Net, pictures: torch.Tensor) -> np.ndarray:
        """[N, 3, h, w] -> [N, …], in batches; queued on the device before the first answer is fetched."""
        most = max(1, PIXELS // (pictures.shape[2] * pictures.shape[3]))
        size = min(self.batches[net.name], most) if self.batches else len(pictures)
        # TF32, which cuDNN takes by default, changes boxes as bf16 does
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            parts = [self._batch(net, part, size) for part in pictures.split(size)]
        return torch.cat(parts).cpu().numpy()

    def _batch(self, net: Net, pictures: torch.Tensor, size: int) -> torch.Tensor:
        count = len(pictures)
        if self.device.type == "cuda":
            pictures = pictures.pin_memory().to(self.device, non_blocking=True)
        if count < size:
            pictures = torch.cat([pictures, pictures.new_zeros(size - count, *pictures.shape[1:])])
        return self._run(net, pictures.contiguous(memory_format=torch.channels_last))[:count]

    def _run(self, net: Net, x: torch.Tensor) -> torch.Tensor:
        weights = self.weights[net.name]
        for layer in (*net.body, "heads"):
            kind = layer_kind(net.heads[0] if layer == "heads" else layer)
            if kind == "pool":
                x = F.max_pool2d(x, int(layer.removeprefix("pool")), 2, ceil_mode=True)
            elif kind == "prelu":
                x = F.prelu(x, weights[f"{layer}.weight"])
            elif kind == "conv":
                x = F.conv2d(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"])
            else:
                x = F.linear(x.flatten(1), weights[f"{layer}.weight"], weights[f"{layer}.bias"])
        return x
