"""Where the network runs and in which precision; never silently slower than asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from pipeline.networks.backends import Precision, cpu_has_bf16
from pipeline.params.schema import Train
from pipeline.runtime.errors import UserError, first_line

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def device_of(params: Train) -> torch.device:
    """The device of `train.device`; `auto` is CUDA where there is one.

    Raises:
        UserError: cuda is asked for and there is none.
    """
    if params.device == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if params.device == "cuda":
        raise UserError(
            "train.device is cuda, and torch finds no CUDA device",
            where="train.device",
            got=f"torch {torch.__version__}",
            allowed="auto, cpu",
            fix="check `nvidia-smi`, `make setup TORCH=cuda` for the CUDA build, or set train.device: auto",
        )
    return torch.device("cpu")


def refuse_slower(before: str, params: Train) -> None:
    """Keeps a training that began on CUDA from going on where there is none, many times slower.

    Args:
        before: `cpu` or `cuda`, where it ran until now.
        params: the `train` section.

    Raises:
        UserError: there was CUDA and there is none now.
    """
    if before == "cuda" and device_of(params).type != "cuda":
        raise UserError(
            "this training began on CUDA, and torch finds no CUDA device now; it does not go on without one",
            where="train.device",
            got=params.device,
            fix="check `nvidia-smi` and run it again to go on; or set train.device: cpu to begin anew there",
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
        fix = "lower train.batch_size or train.size, or end what else uses the GPU; run it again to go on"
        raise UserError("the memory of the GPU ran out", where=str(device), fix=fix) from e
    except RuntimeError as e:
        if "CUDA" not in str(e) and "NCCL" not in str(e):
            raise
        raise UserError(
            "the GPU failed in the middle of training",
            where=str(device),
            got=first_line(e),
            fix="check `nvidia-smi`, then run it again: it goes on after the last whole epoch",
        ) from e


def precision_of(params: Train, device: torch.device) -> Precision:
    """The precision of `train.precision`; `auto` is the fastest that the hardware has units for.

    On a CPU without bfloat16 instructions bfloat16 is emulated and many times slower than float32.
    """
    if params.precision == "f16" and device.type == "cpu":
        raise UserError("float16 is for CUDA", where="train.precision", got="f16", allowed="auto, f32, bf16")
    if params.precision != "auto":
        return params.precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability()[0] >= 8 else "f16"
    return "bf16" if cpu_has_bf16() else "f32"


def set_deterministic(device: torch.device) -> None:
    """Settings of this process under which a run repeats: same machine, same thread count, same numbers."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Mixed precision for what runs inside; nothing for f32."""
    return torch.autocast(device.type, DTYPES[precision], enabled=precision != "f32")


def described(device: torch.device, precision: Precision) -> str:
    """For the log: `cpu, 2 threads, bf16`."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name()}, {precision}"
    return f"cpu, {torch.get_num_threads()} threads, {precision}"


def accelerator(device: torch.device, precision: Precision) -> Accelerator:
    """Accelerate for mixed precision, gradient scaling and several processes, set for this device."""
    if AcceleratorState._shared_state and not AcceleratorState().use_distributed:
        # one process may train twice with different settings, which accelerate's shared state forbids
        AcceleratorState._reset_state(reset_partial_state=True)
    mixed = {"f32": "no", "bf16": "bf16", "f16": "fp16"}[precision]
    return Accelerator(cpu=device.type == "cpu", mixed_precision=mixed)
