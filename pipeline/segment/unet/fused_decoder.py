"""A decoder with fewer multiplications and the same output, for inference only."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Along one axis, tap k of the 4-tap kernel is the sum of these taps of the 3-tap kernel: those that fall on
# one low-resolution pixel after nearest-neighbour upsampling.
KERNEL_SPREAD = ((0, 0, 1), (0, 1, 1), (1, 1, 0), (1, 0, 0))
SHIFTS = (slice(None, -2), slice(1, -1), slice(2, None))


class FusedBlock(nn.Module):
    """A decoder block with upsampling, concatenation and batch normalisation fused into its convolutions.

    After nearest-neighbour upsampling by 2 a 3 x 3 window holds 2 x 2 different pixels: a transposed
    convolution 4 x 4 of stride 2 computes the same with 4/9 of the multiplications.
    """

    def __init__(self, block: Any, in_channels: int) -> None:
        """`in_channels`: of the input to upsample; the other channels come from the skip connection."""
        super().__init__()
        folded = fuse_conv_bn_eval(block.conv1[0], block.conv1[1])
        weight, out = folded.weight.detach(), folded.out_channels
        skipped = weight.shape[1] - in_channels
        self.up = nn.ConvTranspose2d(in_channels, out, 4, stride=2, padding=1)
        self.skip = nn.Conv2d(skipped, out, 3, padding=1, bias=False) if skipped else None
        self.rest = block.conv2
        spread = torch.tensor(KERNEL_SPREAD, dtype=weight.dtype)
        with torch.no_grad():
            self.up.weight.copy_(torch.einsum("kd,le,oide->iokl", spread, spread, weight[:, :in_channels]))
            self.up.bias.copy_(folded.bias)  # pyright: ignore[reportOptionalMemberAccess]
            if self.skip is not None:
                self.skip.weight.copy_(weight[:, in_channels:])

    def forward(
        self, x: torch.Tensor, height: int, width: int, skip_connection: torch.Tensor | None = None
    ) -> torch.Tensor:
        """float32 [N, C, h, w] and, if any skip, [N, S, 2h, 2w] -> [N, out, 2h, 2w], as of smp."""
        up = self.up(x)
        if self.skip is not None:
            up = self.skip(skip_connection) + up
        return self.rest(torch.relu(up))


class ShiftedSum(nn.Module):
    """A convolution 3 x 3 with one output: nine weighted sums of the channels, shifted and added.

    OpenVINO vectorises over output channels: with one it does 16 times the needed multiplications; a
    convolution 1 x 1 with the nine taps as channels does a ninth of that.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        taps = conv.weight.detach()[0].flatten(1).t()  # [9, C]
        self.sums = nn.Conv2d(conv.in_channels, 9, 1, padding=1, bias=False)
        self.bias: Any = conv.bias  # smp's head has one
        with torch.no_grad():
            self.sums.weight.copy_(taps[:, :, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float32 [N, C, H, W] -> [N, 1, H, W]."""
        sums = self.sums(x)  # 0 outside the picture, as in the convolution's padding
        total = self.bias
        for tap in range(9):  # channel first: OpenVINO slices 2 axes 20 times as fast as 3
            total = total + sums[:, tap, SHIFTS[tap // 3], SHIFTS[tap % 3]]
        return total[:, None]


def fuse_decoder(net: nn.Module, example: torch.Tensor) -> None:
    """Replaces the head of an smp U-Net, and the blocks of its decoder where possible.

    A block stays as it is if its input is not exactly half as large as its output (some encoders round sizes
    up), or if it has attention.

    Args:
        net: in evaluation mode; changed.
        example: float32 [1, 3, H, W], a valid input, to record the sizes inside.
    """
    blocks: Any = net.get_submodule("decoder.blocks")
    in_channels: dict[nn.Module, int] = {}

    def record_channels(block: Any, given: tuple[Any, ...], _: torch.Tensor) -> None:
        x, height, width = given
        doubles = x.shape[2] * 2 == height and x.shape[3] * 2 == width
        if doubles and isinstance(block.attention2.attention, nn.Identity):
            in_channels[block] = x.shape[1]

    hooks = [block.register_forward_hook(record_channels) for block in blocks]
    with torch.inference_mode():
        net(example)
    for hook in hooks:
        hook.remove()
    for i, block in enumerate(blocks):
        if block in in_channels:
            blocks[i] = FusedBlock(block, in_channels[block])
    head: Any = net.get_submodule("segmentation_head")
    head[0] = ShiftedSum(head[0])
    net.eval()
