"""The device that trains: its settings, its errors in a sentence, and no silent change to a slower one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from pipeline.networks.backends import Precision
from pipeline.runtime.errors import UserError, first_line
from pipeline.train.config import TrainConfig

DTYPES: dict[Precision, torch.dtype] = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def refuse_slower(before: str, config: TrainConfig) -> None:
    """Keeps a training that began on CUDA from resuming where there is none, many times slower.

    Args:
        before: `cpu` or `cuda`, where it ran before.
        config: where it would resume.

    Raises:
        UserError: there was CUDA and there is none now.
    """
    if before == "cuda" and config.device.type != "cuda":
        raise UserError(
            "this training began on CUDA, and torch finds no CUDA device now; it does not resume without one",
            where="train.device",
            got=config.train.device,
            fix="check `nvidia-smi` and run it again to resume; or start again with train.device: cpu",
        )


@contextmanager
def explain_cuda_errors(device: torch.device) -> Iterator[None]:
    """Says in a sentence when the GPU fails in the middle; the last epoch's checkpoint stays as it is.

    Raises:
        UserError: GPU memory ran out, or the GPU is lost.
    """
    try:
        yield
    except torch.OutOfMemoryError as e:
        fix = "lower train.batch_size or train.size, or end what else uses the GPU; run it again to resume"
        raise UserError("the memory of the GPU ran out", where=str(device), fix=fix) from e
    except RuntimeError as e:
        if "CUDA" not in str(e) and "NCCL" not in str(e):
            raise
        raise UserError(
            "the GPU failed in the middle of training",
            where=str(device),
            got=first_line(e),
            fix="check `nvidia-smi`, then run it again: it resumes after the last finished epoch",
        ) from e


def set_deterministic(device: torch.device) -> None:
    """Settings of this process under which a run repeats: same machine, same thread count, same numbers."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True


def autocast(config: TrainConfig) -> AbstractContextManager[object]:
    """Mixed precision inside the `with`; nothing for f32."""
    return torch.autocast(config.device.type, DTYPES[config.precision], enabled=config.precision != "f32")


def describe_device(config: TrainConfig) -> str:
    """For the log: `cpu, 2 threads, bf16`."""
    if config.device.type == "cuda":
        return f"{torch.cuda.get_device_name()}, {config.precision}"
    return f"cpu, {torch.get_num_threads()} threads, {config.precision}"


def make_accelerator(config: TrainConfig) -> Accelerator:
    """Accelerate for mixed precision, gradient scaling and several processes, set for this device."""
    if AcceleratorState._shared_state and not AcceleratorState().use_distributed:
        # one process may train twice with different settings, which accelerate's shared state forbids
        AcceleratorState._reset_state(reset_partial_state=True)
    mixed = {"f32": "no", "bf16": "bf16", "f16": "fp16"}[config.precision]
    return Accelerator(cpu=config.device.type == "cpu", mixed_precision=mixed)
