"""The detector as networks and the numbers of its steps."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.detect.mtcnn.nets import ONET, ONET_SIDE, PNET, RNET, RNET_SIDE, Net, folded_weights
from pipeline.detect.mtcnn.torch_nets import TorchNets
from pipeline.detect.retinaface import faces, frame, priors
from pipeline.detect.yolo import letterbox, people
from pipeline.export.networks import ONNX, write_ir_of_onnx, write_network
from pipeline.networks import weights
from pipeline.params.preparation import Detect


def write_detector(detect: Detect, root: Path, folder: Path) -> dict[str, Any]:
    """Writes the networks of `detect.method`, and returns the step `detect` of chain.json.

    Args:
        detect: the params section.
        root: the folder with `.cache`.
        folder: of the export.

    Raises:
        UserError: weights are missing.
    """
    write: dict[str, Callable[[Detect, Path, Path], dict[str, Any]]] = {
        "mtcnn": _mtcnn,
        "retinaface": _retinaface,
        "yolov8": _yolov8,
        "none": lambda detect, root, folder: {"networks": []},
    }
    return {"method": detect.method, **write[detect.method](detect, root, folder)}


class _MtcnnNet(nn.Module):
    """One of the three networks: float32 RGB in 0 … 255, channels last, in; `Nets` says what comes out."""

    def __init__(self, nets: TorchNets, net: Net) -> None:
        super().__init__()
        self.nets, self.net = nets, net

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        output = self.nets.run(self.net, pictures.permute(0, 3, 1, 2))
        return output.permute(0, 2, 3, 1) if self.net is PNET else output


def _mtcnn(detect: Detect, root: Path, folder: Path) -> dict[str, Any]:
    nets = TorchNets({net.name: folded_weights(net, root) for net in (PNET, RNET, ONET)}, "cpu")
    for net, side in ((PNET, 32), (RNET, RNET_SIDE), (ONET, ONET_SIDE)):
        pictures = {0: "pictures"} | ({1: "height", 2: "width"} if net is PNET else {})
        axes = {"pixels": pictures, "output": pictures}
        write_network(_MtcnnNet(nets, net).eval(), torch.zeros(2, side, side, 3), net.name, folder, axes)
    return {
        "networks": [net.name for net in (PNET, RNET, ONET)],
        "adaptive": detect.mtcnn.adaptive,
        "min_face": 20,
        "thresholds": [0.6, 0.7, 0.7],
        "factor": 0.709,
        "steps": "facenet_pytorch.MTCNN's, the largest face first; normalisation is inside the networks",
    }


def _retinaface(detect: Detect, root: Path, folder: Path) -> dict[str, Any]:
    params = detect.retinaface
    target = folder / ONNX / "retinaface.onnx"
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(weights.resolve(params.weights, root), target)
    write_ir_of_onnx(target, "retinaface", folder)
    return {
        "networks": ["retinaface"],
        "score": params.score,
        "max_side": params.max_side,
        "stride": frame.STRIDE,
        "mean_bgr": list(frame.MEAN_RGB[::-1]),
        "strides": list(priors.STRIDES),
        "prior_sides": [list(sides) for sides in priors.PRIOR_SIDES],
        "variances": [float(priors.CENTRE_VARIANCE), float(priors.SIZE_VARIANCE)],
        "nms_iou": faces.NMS_IOU,
    }


def _yolov8(detect: Detect, root: Path, folder: Path) -> dict[str, Any]:
    from pipeline.detect.yolo.checkpoint import load_checkpoint
    from pipeline.detect.yolo.network import PersonNet, box_branch_of

    model = load_checkpoint(weights.resolve(detect.yolov8.weights, root), root)
    branch = box_branch_of(model)
    maps = [f"map{level.stride}" for level in branch.levels]
    sides = {0: "photos", 1: "height", 2: "width"}
    axes = {"pixels": sides, "logits": {0: "photos", 1: "anchors"}}
    axes |= {name: {0: "photos", 1: f"{name}_rows", 2: f"{name}_columns"} for name in maps}
    example = torch.zeros(1, 64, 96, 3, dtype=torch.uint8)
    write_network(PersonNet(model).eval(), example, "yolov8", folder, axes)
    branch.save(folder / "yolov8_boxes.npz")
    return {
        "networks": ["yolov8"],
        "boxes": "yolov8_boxes.npz",
        "confidence": detect.yolov8.confidence,
        "max_side": letterbox.MAX_SIDE,
        "stride": letterbox.STRIDE,
        "padding": letterbox.GRAY,
        "nms_iou": people.NMS_IOU,
    }
