"""The weights of the three networks, read from the facenet-pytorch wheel without importing torch.

A worker process that runs the cascade on OpenVINO would otherwise spend two seconds and 300 MB on torch
and torchvision just to read two megabytes of numbers.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import pickle
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime.errors import UserError

NETWORKS = ("pnet", "rnet", "onet")
SHA256 = {
    "pnet": "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
    "rnet": "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
    "onet": "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
}
"""sha256 of the weight files in facenet-pytorch 2.6.0 (and 2.5.x): the cascade is tested on these."""


def weights_file(network: str) -> Path:
    """Where the wheel keeps the weights of "pnet", "rnet" or "onet"."""
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


def read_weights(network: str) -> dict[str, np.ndarray]:
    """float32 arrays by name as in the state dict: `conv1.weight` [out, in, k, k], `conv1.bias` [out], …"""
    return _state_dict(_checked_bytes(network))


def _checked_bytes(network: str) -> bytes:
    path = weights_file(network)
    data = path.read_bytes() if path.is_file() else b""
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256[network]:
        raise UserError(
            f"the weights of {network} are not those that this detector was tested with",
            where=path,
            got=f"sha256 {found}",
            allowed=f"sha256 {SHA256[network]}",
            fix="install facenet-pytorch 2.6.0 again",
        )
    return data


class _Storage:
    """Stands for a torch storage while unpickling: the file holds the numbers after the pickle."""

    def __init__(self, key: str, size: int) -> None:
        self.key, self.size = key, size


class _Reader(pickle.Unpickler):
    """Unpickles a torch state dict of float tensors, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        allowed: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            ("torch", "FloatStorage"): "float32",
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights")
        return allowed[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        _, _, key, _, size, *_ = pid
        return _Storage(key, size)


def _rebuild(storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    return storage.key, offset, size, stride


def _state_dict(data: bytes) -> dict[str, np.ndarray]:
    """The format of torch before 1.6: magic, version, platform, tensors, storage keys, then raw storages."""
    file = io.BytesIO(data)
    for _ in range(3):
        pickle.Unpickler(file).load()
    tensors = _Reader(file).load()
    storages: dict[str, np.ndarray] = {}
    for key in pickle.Unpickler(file).load():
        (count,) = np.frombuffer(file.read(8), "<i8")
        storages[key] = np.frombuffer(file.read(4 * int(count)), "<f4")
    arrays: dict[str, np.ndarray] = {}
    for name, (key, offset, size, stride) in tensors.items():
        steps = [4 * s for s in stride]
        arrays[name] = np.lib.stride_tricks.as_strided(storages[key][offset:], size, steps).copy()
    return arrays
