"""Training on several processes (`train.processes`): one per GPU, or on a CPU with gloo.

Each process learns its share of every batch and accelerate averages the gradients. Batch norm is averaged
over the processes too, so that the batch of the params is the batch that is learnt, however it is shared out.
"""

from __future__ import annotations

import os
import socket
import types
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

from pipeline.runtime.disk import explain_shared_memory, shared_memory_error
from pipeline.runtime.errors import UserError
from pipeline.runtime.process import die_with_parent


def launch(work: Callable[[Any], None], order: Any, count: int, cpu: bool) -> None:
    """Runs `work(order)` in `count` new processes that find each other; both must be picklable.

    Raises:
        UserError: one of them failed; the others are ended.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    threads = max(1, torch.get_num_threads() // count)
    try:
        with explain_shared_memory("train.processes"):
            spawn(_start, (work, order, count, port, cpu, threads), nprocs=count)
    except (ProcessRaisedException, ProcessExitedException) as e:
        if "/dev/shm" in str(e):  # NCCL's, on several GPUs
            raise shared_memory_error("NCCL cannot use it", "train.processes") from e
        lines = str(e).strip().splitlines()
        fix = "set train.processes: 1 to see it more clearly"
        raise UserError("a training process failed", where="train.processes", got=lines[-1], fix=fix) from e


def _start(
    rank: int, work: Callable[[Any], None], order: Any, count: int, port: int, cpu: bool, threads: int
) -> None:
    die_with_parent()
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    os.environ |= {"LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if cpu:
        os.environ["ACCELERATE_USE_CPU"] = "true"
        torch.set_num_threads(threads)
    try:
        work(order)
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


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
