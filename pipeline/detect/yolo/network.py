"""YOLOv8 reduced to the best person.

It computes the score map of class 0 only, and runs the box branch, 16 % of the network, at one anchor only,
whose box depends on a 5 x 5 patch of one feature map (two 3 x 3 convolutions).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pipeline.detect.yolo.box_branch import BoxBranch, Level


class PersonNet(nn.Module):
    """Person scores of all anchors, and the features for the box branch.

    Input: uint8 [N, H, W, 3] RGB, H and W multiples of 32.
    Output: logits float [N, anchors] of class 0, anchors in the order of the levels, row by row; then for
    each level its features, float [N, H/stride, W/stride, C] (channels last, OpenVINO's own layout:
    nothing is transposed).
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.layers = model.model[:-1]
        self.kept = set(model.save)
        head = model.model[-1]
        self.sources: list[int] = list(head.f)
        self.class_branches = nn.ModuleList(nn.Sequential(*branch[:-1]) for branch in head.cv3)
        self.class_outputs = nn.ModuleList(_first_output(branch[-1]) for branch in head.cv3)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        weight = next(self.parameters())
        x: Any = images.permute(0, 3, 1, 2).to(weight.dtype) / 255
        if images.is_cuda:
            x = x.contiguous(memory_format=torch.channels_last)
        outputs: list[Any] = []
        for layer in self.layers:
            if layer.f != -1:  # f: the layers it reads from, -1 = the one before
                x = (
                    outputs[layer.f]
                    if isinstance(layer.f, int)
                    else [x if j == -1 else outputs[j] for j in layer.f]
                )
            x = layer(x)
            outputs.append(x if layer.i in self.kept else None)
        features = [outputs[j] for j in self.sources]
        logits = [
            output(branch(f)).flatten(1)
            for f, branch, output in zip(features, self.class_branches, self.class_outputs, strict=True)
        ]
        return torch.cat(logits, 1), *(f.permute(0, 2, 3, 1) for f in features)


def _first_output(conv: nn.Conv2d) -> nn.Conv2d:
    """A 1 x 1 convolution's first output channel as a convolution of its own."""
    assert conv.bias is not None
    first = nn.Conv2d(conv.in_channels, 1, 1)
    first.weight = nn.Parameter(conv.weight[:1].clone(), requires_grad=False)
    first.bias = nn.Parameter(conv.bias[:1].clone(), requires_grad=False)
    return first


def box_branch_of(model: Any) -> BoxBranch:
    """The box branch of a fused YOLOv8 detection model, for numpy."""
    head = model.model[-1]
    levels = []
    for branch, stride in zip(head.cv2, head.stride.tolist(), strict=True):
        convs = [branch[0].conv, branch[1].conv, branch[2]]
        arrays = [(c.weight.permute(2, 3, 1, 0).contiguous().numpy(), c.bias.numpy()) for c in convs]
        levels.append(Level(int(stride), *(a for pair in arrays for a in pair)))
    return BoxBranch(levels)
