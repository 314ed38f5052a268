"""The networks on torch: for a CUDA device, and where OpenVINO is absent."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from pipeline.mtcnn.nets import ONET, PNET, RNET, Net, folded_weights, layer_kind


class TorchNets:
    """Implements `pipeline.mtcnn.nets.Nets` in float32 on a torch device."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.weights = {
            net.name: {k: torch.from_numpy(v).to(self.device) for k, v in folded_weights(net).items()}
            for net in (PNET, RNET, ONET)
        }

    def pnet(self, level: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self._run(PNET, level.transpose(1, 2, 0)[None])[0].transpose(1, 2, 0))

    def rnet(self, crops: np.ndarray) -> np.ndarray:
        return self._run(RNET, crops)

    def onet(self, crops: np.ndarray) -> np.ndarray:
        return self._run(ONET, crops)

    @torch.inference_mode()
    def _run(self, net: Net, pixels: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2)
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
        return x.cpu().numpy()
