"""The networks on torch: for a CUDA device, and where OpenVINO is absent."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from pipeline.detect.mtcnn.nets import ONET, PNET, RNET, Net, Weights, layer_type_of

BATCHES = {"pnet": 32, "rnet": 512, "onet": 128}
"""Pictures per batch on a GPU; the last batch is padded, so that the output for a picture does not depend on
the number of pictures."""
MAX_BATCH_PIXELS = 4 * 2**20  # of the levels in a batch: PNet's first activations take 80 bytes per pixel


class TorchNets:
    """Implements `pipeline.detect.mtcnn.nets.Nets` in float32 on a torch device.

    Args:
        weights: by network, from `folded_weights`.
        device: torch device.
        batches: pictures per batch, by network; None = all.
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
        outputs = self._run_batches(PNET, torch.from_numpy(levels))
        return np.ascontiguousarray(outputs.transpose(0, 2, 3, 1))

    def rnet(self, crops: np.ndarray) -> np.ndarray:
        return self._run_batches(RNET, torch.from_numpy(crops).permute(0, 3, 1, 2))

    def onet(self, crops: np.ndarray) -> np.ndarray:
        return self._run_batches(ONET, torch.from_numpy(crops).permute(0, 3, 1, 2))

    @torch.inference_mode()
    def _run_batches(self, net: Net, pictures: torch.Tensor) -> np.ndarray:
        """[N, 3, h, w] -> [N, …], in batches; queued on the device before the first output is copied back."""
        max_batch = max(1, MAX_BATCH_PIXELS // (pictures.shape[2] * pictures.shape[3]))
        size = min(self.batches[net.name], max_batch) if self.batches else len(pictures)
        # TF32, the default of cuDNN, changes boxes as bf16 does
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            parts = [self._batch(net, part, size) for part in pictures.split(size)]
        return torch.cat(parts).cpu().numpy()

    def _batch(self, net: Net, pictures: torch.Tensor, size: int) -> torch.Tensor:
        count = len(pictures)
        if self.device.type == "cuda":
            pictures = pictures.pin_memory().to(self.device, non_blocking=True)
        if count < size:
            pictures = torch.cat([pictures, pictures.new_zeros(size - count, *pictures.shape[1:])])
        return self.run(net, pictures.contiguous(memory_format=torch.channels_last))[:count]

    def run(self, net: Net, x: torch.Tensor) -> torch.Tensor:
        weights = self.weights[net.name]
        for layer in (*net.body, "heads"):
            layer_type = layer_type_of(net.heads[0] if layer == "heads" else layer)
            if layer_type == "pool":
                x = F.max_pool2d(x, int(layer.removeprefix("pool")), 2, ceil_mode=True)
            elif layer_type == "prelu":
                x = F.prelu(x, weights[f"{layer}.weight"])
            elif layer_type == "conv":
                x = F.conv2d(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"])
            else:
                x = F.linear(x.flatten(1), weights[f"{layer}.weight"], weights[f"{layer}.bias"])
        return x
