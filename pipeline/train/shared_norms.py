"""Batch norm over several processes (`train.processes`).

Each process learns its share of every batch and accelerate averages the gradients. Batch norm is averaged
over the processes too, so that the batch of the params is the batch that is learnt, however it is shared out.
"""

from __future__ import annotations

import types
from typing import Any, cast

import torch
from torch import nn
from torch.distributed.nn.functional import all_reduce


def share_norms(net: nn.Module) -> None:
    """Lets every batch norm in `net` average over all processes while training, on any device.

    Torch's own SyncBatchNorm is for GPUs. Only `forward` is replaced, so the state dict keeps its names.
    """
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = types.MethodType(_shared_norm, module)


def _shared_norm(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
    if not norm.training:
        return type(norm).forward(norm, x)
    values, channels = x.float(), x.shape[1]
    count = values.new_full((1,), values.numel() / channels)
    sums = torch.cat([values.sum(dim=(0, 2, 3)), values.square().sum(dim=(0, 2, 3)), count])
    total = cast(torch.Tensor, all_reduce(sums))
    mean = total[:channels] / total[-1]
    var = (total[channels : 2 * channels] / total[-1] - mean.square()).clamp_min(0)
    momentum = norm.momentum or 0.1
    for running, now in ((norm.running_mean, mean), (norm.running_var, var * total[-1] / (total[-1] - 1))):
        if running is not None:
            running.lerp_(now.detach().to(running), momentum)
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    factor = norm.weight * torch.rsqrt(var + norm.eps)
    out = values * factor.view(1, -1, 1, 1) + (norm.bias - mean * factor).view(1, -1, 1, 1)
    extra = cast(Any, norm)  # timm's batch norms go on with dropout and an activation
    return extra.act(extra.drop(out.to(x.dtype))) if hasattr(norm, "act") else out.to(x.dtype)
