"""MediaPipe's selfie segmentation: a small network for photographs, ready as it comes.

`segment.selfie.weights` is a name in weights.lock or a local TFLite file. It runs on OpenVINO, on any CPU,
also where a GPU is at hand: a photo takes some 15 ms of a core.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.networks.backends import Precision, precision_of
from pipeline.networks.weights import resolve, sha256_of
from pipeline.params.preparation import Segment
from pipeline.segment.methods import RunPlan, SegmentFn
from pipeline.segment.selfie.conversion import ensure_converted
from pipeline.segment.selfie.openvino_net import SelfieNet

VERSION = "2"


def identity(segment: Segment, root: Path, fitted: Path) -> dict[str, Any]:
    """Weights and precision."""
    weights = resolve(segment.selfie.weights, root)
    return {"version": VERSION, "net": sha256_of(weights), "precision": _precision(segment)}


def prepare(segment: Segment, root: Path, fitted: Path) -> RunPlan:
    """Converts the weights for OpenVINO, once per weights."""
    ensure_converted(resolve(segment.selfie.weights, root), root)
    return RunPlan(f"selfie segmentation, openvino {_precision(segment)} on cpu")


def create(segment: Segment, root: Path, fitted: Path) -> SegmentFn:
    """The network, ready to run."""
    graph = ensure_converted(resolve(segment.selfie.weights, root), root)
    return SelfieNet(graph, _precision(segment))


def _precision(segment: Segment) -> Precision:
    return precision_of(segment.selfie.precision, "openvino", "segment.selfie.precision")
