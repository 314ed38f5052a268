"""Backends of the networks: OpenVINO on a CPU, torch on CUDA (or on request)."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pipeline.runtime.errors import UserError

Engine = Literal["openvino", "torch"]
Precision = Literal["f32", "bf16", "f16"]
BF16_FLAGS = ("avx512_bf16", "amx_bf16")


def engine_of(backend: str) -> Engine:
    """`backend` resolved: auto = torch where CUDA is available, else OpenVINO."""
    if backend == "torch" or (backend == "auto" and has_cuda()):
        return "torch"
    return "openvino"


@cache
def has_cuda() -> bool:
    """Whether torch can compute on a CUDA device. Without an NVIDIA driver torch is not even imported."""
    if sys.platform == "darwin" or (sys.platform == "linux" and not Path("/proc/driver/nvidia").exists()):
        return False
    import torch

    return torch.cuda.is_available()


@cache
def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; emulated it is a hundred times slower.

    Read from the kernel, which agrees with OpenVINO and torch, without importing either.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return any(flag in flags for flag in BF16_FLAGS)


def precision_of(precision: str, engine: Engine, param: str) -> Precision:
    """`precision` (auto | f32 | bf16) resolved for `engine` on this machine.

    auto is half precision (f16) on CUDA, bf16 on a CPU that has it, else f32.

    Raises:
        UserError: bf16 on a CPU without it; names `param`.
    """
    if engine == "torch":
        on_cuda = has_cuda()
        if precision == "bf16" and not on_cuda:
            raise _no_bf16(param, "the torch backend computes in bf16 only on CUDA")
        return (
            "f16"
            if precision == "auto" and on_cuda
            else "f32"
            if precision == "auto"
            else _definite(precision)
        )
    if precision == "bf16" and not cpu_has_bf16():
        raise _no_bf16(param, f"this CPU has none of {', '.join(BF16_FLAGS)}, and emulation takes hours")
    if precision == "auto":
        return "bf16" if cpu_has_bf16() else "f32"
    return _definite(precision)


def openvino_properties(precision: Precision) -> dict[str, Any]:
    """How OpenVINO compiles a network for one of several processes with one thread each."""
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # pinned, two processes share one core
        "PERFORMANCE_HINT": "LATENCY",
    }


def _definite(precision: str) -> Precision:
    return "bf16" if precision == "bf16" else "f32"


def _no_bf16(param: str, why: str) -> UserError:
    return UserError(
        "bf16 is not supported on this machine", where=param, got=why, fix=f"set {param}: f32, or auto"
    )
