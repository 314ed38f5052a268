"""The segmenter as a network and the numbers of its steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.export.graph_to_onnx import write_onnx
from pipeline.export.networks import ONNX, require_onnx, write_ir, write_network
from pipeline.networks.weights import resolve
from pipeline.params.preparation import Segment
from pipeline.segment.methods import unet
from pipeline.segment.selfie import conversion
from pipeline.segment.unet import openvino_net
from pipeline.segment.unet.frame import MAX_SIDES, STRIDE


def write_segmenter(segment: Segment, root: Path, fitted: Path, folder: Path) -> dict[str, Any] | None:
    """Writes the network of `segment.method`, and returns the step `segment` of chain.json; None without one.

    Args:
        segment: the params section.
        root: the folder with `.cache`.
        fitted: the output folder of fit_segmenter.
        folder: of the export.

    Raises:
        UserError: weights are missing.
    """
    if segment.method == "none":
        return None
    step = {"method": segment.method, "networks": [segment.method], "refine": segment.refine}
    if segment.method == "unet":
        return step | _unet(segment, root, fitted, folder)
    return step | _selfie(segment, root, folder)


def _unet(segment: Segment, root: Path, fitted: Path, folder: Path) -> dict[str, Any]:
    import openvino
    import torch

    from pipeline.segment.unet.weights import load_net

    weights, config, size = unet.network_of(segment, root, fitted)
    sides = {0: "photos", 1: "height", 2: "width"}
    example = torch.zeros((1, 4 * STRIDE, 3 * STRIDE, 3), dtype=torch.uint8)
    axes = {"pixels": sides, "alpha": sides}
    write_network(load_net(weights, config), example, "unet", folder, axes, openvino=False)
    # the same network with a decoder that OpenVINO runs faster, as the stage has it
    graph = openvino_net.ensure_converted(weights, config, root)
    write_ir(openvino.Core().read_model(graph), "unet", folder)
    return {
        "size": size,
        "stride": STRIDE,
        "max_sides": MAX_SIDES,
        "input": "pixels: uint8 [N, height, width, 3] RGB, multiples of the stride",
        "output": "alpha: uint8 [N, height, width], 255 = person",
        "inside_the_network": {"normalise": {"mean": list(config.mean), "std": list(config.std)}},
    }


def _selfie(segment: Segment, root: Path, folder: Path) -> dict[str, Any]:
    import openvino

    require_onnx()
    graph = conversion.ensure_converted(resolve(segment.selfie.weights, root), root)
    model = openvino.Core().read_model(graph)
    write_ir(model, "selfie", folder)
    (folder / ONNX).mkdir(exist_ok=True)
    write_onnx(model, folder / ONNX / "selfie.onnx")
    height, width = list(model.input().get_shape())[1:3]
    return {
        "height": height,
        "width": width,
        "input": f"pixels: float32 [1, {height}, {width}, 3] RGB in [0, 1], the photo stretched to it",
        "output": f"float32 [1, {height}, {width}, 1], the person's share of each pixel",
    }
