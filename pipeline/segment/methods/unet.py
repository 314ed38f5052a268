"""A U-Net of segmentation-models-pytorch: fitted by fit_segmenter, public, or your own.

`segment.unet.weights` is `demo` (the output of fit_segmenter), a name in weights.lock, or a path for
`pipeline.segment.unet.config.locate`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.networks.backends import engine_of, has_cuda, precision_of
from pipeline.networks.weights import resolve
from pipeline.params.preparation import Segment
from pipeline.segment.methods import RunPlan, SegmentFn
from pipeline.segment.unet.config import UnetConfig, fingerprint, locate
from pipeline.segment.unet.openvino_net import OpenvinoNet, ensure_converted

VERSION = "3"
PRECISION = "segment.unet.precision"


def identity(segment: Segment, root: Path, fitted: Path) -> dict[str, Any]:
    """Net, size and backend: backends agree within a level or two, not bit for bit."""
    weights, config = locate(_weights_path(segment.unet.weights, root, fitted))
    engine = engine_of(segment.backend)
    return {
        "version": VERSION,
        "net": fingerprint(weights, config),
        "size": _size(segment, config),
        "backend": engine,
        "device": _device(segment),
        "precision": precision_of(segment.unet.precision, engine, PRECISION),
    }


def prepare(segment: Segment, root: Path, fitted: Path) -> RunPlan:
    """Converts the weights for OpenVINO, once per weights, so that no worker needs torch."""
    weights, config = locate(_weights_path(segment.unet.weights, root, fitted))
    engine = engine_of(segment.backend)
    precision = precision_of(segment.unet.precision, engine, PRECISION)
    description = (
        f"U-Net {config.encoder} at {_size(segment, config)} px, {engine} {precision} on {_device(segment)}"
    )
    if engine == "openvino":
        ensure_converted(weights, config, root)
        return RunPlan(description)
    from pipeline.segment.unet.torch_net import BATCH

    return RunPlan(description, BATCH if _device(segment) == "cuda" else 1)


def create(segment: Segment, root: Path, fitted: Path) -> SegmentFn:
    """The network, ready to run."""
    weights, config = locate(_weights_path(segment.unet.weights, root, fitted))
    engine, size = engine_of(segment.backend), _size(segment, config)
    precision = precision_of(segment.unet.precision, engine, PRECISION)
    if engine == "openvino":
        return OpenvinoNet(ensure_converted(weights, config, root), size, precision)
    from pipeline.segment.unet.torch_net import TorchNet
    from pipeline.segment.unet.weights import load_net

    return TorchNet(load_net(weights, config), size, _device(segment), precision)


def network_of(segment: Segment, root: Path, fitted: Path) -> tuple[Path, UnetConfig, int]:
    """The weights' file, its config, and the longest side that the network sees, in pixels."""
    weights, config = locate(_weights_path(segment.unet.weights, root, fitted))
    return weights, config, _size(segment, config)


def _device(segment: Segment) -> str:
    return "cuda" if engine_of(segment.backend) == "torch" and has_cuda() else "cpu"


def _weights_path(name: str, root: Path, fitted: Path) -> Path:
    if name == "demo":
        return fitted
    return Path(name) if Path(name).is_dir() else resolve(name, root)


def _size(segment: Segment, config: UnetConfig) -> int:
    """The size in params, else the size in the net's config."""
    return segment.unet.size or config.size
