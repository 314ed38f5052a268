"""The decoder computed with fewer multiplications: the same function, for a network that is only run."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Along one axis, place k of the kernel of 4 sums these places of the kernel of 3: of the four low-resolution
# neighbours that a place of the doubled picture could see, each is seen by the weights that fall on it.
SPREAD = ((0, 0, 1), (0, 1, 1), (1, 1, 0), (1, 0, 0))
SHIFTS = (slice(None, -2), slice(1, -1), slice(2, None))


class DoublingBlock(nn.Module):
    """A decoder block that neither enlarges its input nor joins it to the skip connection.

    Each place of a picture doubled by its nearest neighbours sees 2 x 2 different pixels in a 3 x 3 window:
    a transposed convolution 4 x 4 of stride 2 computes that with 4/9 of the multiplications. Batch
    normalisation is folded into it.
    """

    def __init__(self, block: Any, below: int) -> None:
        """`below`: channels that come from below; the other inputs of the block's first convolution skip."""
        super().__init__()
        folded = fuse_conv_bn_eval(block.conv1[0], block.conv1[1])
        weight, out = folded.weight.detach(), folded.out_channels
        skipped = weight.shape[1] - below
        self.up = nn.ConvTranspose2d(below, out, 4, stride=2, padding=1)
        self.skip = nn.Conv2d(skipped, out, 3, padding=1, bias=False) if skipped else None
        self.rest = block.conv2
        spread = torch.tensor(SPREAD, dtype=weight.dtype)
        with torch.no_grad():
            self.up.weight.copy_(torch.einsum("kd,le,oide->iokl", spread, spread, weight[:, :below]))
            self.up.bias.copy_(folded.bias)  # pyright: ignore[reportOptionalMemberAccess]
            if self.skip is not None:
                self.skip.weight.copy_(weight[:, below:])

    def forward(
        self, below: torch.Tensor, height: int, width: int, skip_connection: torch.Tensor | None = None
    ) -> torch.Tensor:
        """float32 [N, C, h, w] and, if any skip, [N, S, 2h, 2w] -> [N, out, 2h, 2w], as of smp."""
        up = self.up(below)
        if self.skip is not None:
            up = self.skip(skip_connection) + up
        return self.rest(torch.relu(up))


class ShiftedSum(nn.Module):
    """A convolution 3 x 3 with one output: nine weighted sums of the channels, shifted and added.

    OpenVINO fills vectors with output channels: with one it multiplies 16 times what it needs, with the nine
    places of the kernel as channels of a convolution 1 x 1 it multiplies a ninth of that.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        places = conv.weight.detach()[0].flatten(1).t()  # [9, C]
        self.sums = nn.Conv2d(conv.in_channels, 9, 1, padding=1, bias=False)
        self.bias: Any = conv.bias  # smp's head has one
        with torch.no_grad():
            self.sums.weight.copy_(places[:, :, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float32 [N, C, H, W] -> [N, 1, H, W]."""
        sums = self.sums(x)  # 0 outside of the picture, as the padding of the convolution
        total = self.bias
        for place in range(9):  # its channel taken first: OpenVINO cuts 2 axes 20 times as fast as 3
            total = total + sums[:, place, SHIFTS[place // 3], SHIFTS[place % 3]]
        return total[:, None]


def make_lean(net: nn.Module, example: torch.Tensor) -> None:
    """Replaces the head of an smp U-Net, and the blocks of its decoder where it can.

    A block stays as it is if what comes from below is not exactly half as large as what it makes (some
    encoders round sizes up), or if it has attention.

    Args:
        net: in evaluation mode; changed.
        example: float32 [1, 3, H, W] that it can take; for the sizes inside.
    """
    blocks: Any = net.get_submodule("decoder.blocks")
    below: dict[nn.Module, int] = {}

    def see(block: Any, given: tuple[Any, ...], _: torch.Tensor) -> None:
        x, height, width = given
        doubles = x.shape[2] * 2 == height and x.shape[3] * 2 == width
        if doubles and isinstance(block.attention2.attention, nn.Identity):
            below[block] = x.shape[1]

    hooks = [block.register_forward_hook(see) for block in blocks]
    with torch.inference_mode():
        net(example)
    for hook in hooks:
        hook.remove()
    for i, block in enumerate(blocks):
        if block in below:
            blocks[i] = DoublingBlock(block, below[block])
    head: Any = net.get_submodule("segmentation_head")
    head[0] = ShiftedSum(head[0])
    net.eval()
