"""The weights of the three networks, converted once from the facenet-pytorch wheel.

A worker process that runs the cascade on OpenVINO would otherwise spend two seconds and 300 MB on torch
and torchvision just to read two megabytes of numbers.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import shutil
from functools import cache
from pathlib import Path

import numpy as np
from filelock import FileLock
from safetensors.numpy import load_file, save_file

from pipeline.io.atomic import atomic_folder, verified_folder
from pipeline.networks.weights_lock import read_lock, row
from pipeline.runtime.errors import UserError

NETWORKS = ("pnet", "rnet", "onet")


def weights_file(network: str) -> Path:
    """The wheel's file with the weights of "pnet", "rnet" or "onet"."""
    spec = importlib.util.find_spec("facenet_pytorch")  # finds the package without importing it
    if spec is None or not spec.submodule_search_locations:
        raise UserError("facenet-pytorch is not installed", fix="install the locked requirements again")
    return Path(next(iter(spec.submodule_search_locations))) / "data" / f"{network}.pt"


@cache
def weights_sha256() -> str:
    """One sha256 over the three weight files: a part of cache keys."""
    digest = hashlib.sha256()
    for network in NETWORKS:
        digest.update(_checked_bytes(network))
    return digest.hexdigest()


def read_weights(network: str, root: Path) -> dict[str, np.ndarray]:
    """float32 arrays by name as in the state dict: `conv1.weight` [out, in, k, k], `conv1.bias` [out], …"""
    return load_file(ensure_converted(root) / f"{network}.safetensors")


def ensure_converted(root: Path) -> Path:
    """The folder in `root`/.cache with the weights as safetensors, written if missing or damaged.

    Named after the wheel's files and published by rename under a lock, so that two runs can share it.

    Raises:
        UserError: the wheel's files are other than the tested ones.
    """
    folder = root / ".cache" / "compiled" / f"mtcnn-{weights_sha256()[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        try:
            return verified_folder(folder, "detect")
        except UserError:
            shutil.rmtree(folder, ignore_errors=True)  # missing or damaged
        import torch

        with atomic_folder(folder) as part:
            for network in NETWORKS:
                state = torch.load(io.BytesIO(_checked_bytes(network)), weights_only=True)
                arrays = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in state.items()}
                save_file(arrays, part / f"{network}.safetensors")
    return folder


def _checked_bytes(network: str) -> bytes:
    path = weights_file(network)
    data = path.read_bytes() if path.is_file() else b""
    actual = hashlib.sha256(data).hexdigest()
    expected = row(read_lock(), f"mtcnn-{network}.pt").sha256
    if actual != expected:
        raise UserError(
            f"the weights of {network} differ from the tested ones",
            where=path,
            got=f"sha256 {actual}",
            allowed=f"sha256 {expected}",
            fix="install facenet-pytorch 2.6.0 again",
        )
    return data
