"""Operations that move pixels. Each takes float32 [B, 3, S, S] in [0, 1] and the batch's draws."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from pipeline.train.augment.draws import Draws


def flip(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Left and right swapped."""
    del draws
    return images.flip(3)


def affine(
    images: torch.Tensor,
    draws: Draws,
    *,
    degrees: float = 10.0,
    shift: float = 0.08,
    scale: float = 0.1,
    shear: float = 0.0,
) -> torch.Tensor:
    """Rotated by up to ± `degrees`, moved by up to `shift` of the side, scaled by 1 ± `scale`, sheared.

    Beyond its edge the picture goes on mirrored.
    """
    angle = draws.uniform("angle", -degrees, degrees) * (math.pi / 180)
    factor = draws.uniform("scale", 1 - scale, 1 + scale)
    slant = torch.tan(draws.uniform("shear", -shear, shear) * (math.pi / 180))
    cos, sin = torch.cos(angle) / factor, torch.sin(angle) / factor
    x, y = draws.uniform("x", -2 * shift, 2 * shift), draws.uniform("y", -2 * shift, 2 * shift)
    theta = torch.stack([cos, slant * cos - sin, x, sin, slant * sin + cos, y], dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def rotate(images: torch.Tensor, draws: Draws, *, degrees: float = 20.0) -> torch.Tensor:
    """Rotated by up to ± `degrees`."""
    return affine(images, draws, degrees=degrees, shift=0, scale=0)


def translate(images: torch.Tensor, draws: Draws, *, shift: float = 0.1) -> torch.Tensor:
    """Moved by up to `shift` of the side."""
    return affine(images, draws, degrees=0, shift=shift, scale=0)


def zoom(images: torch.Tensor, draws: Draws, *, scale: float = 0.2) -> torch.Tensor:
    """Scaled by 1 ± `scale`."""
    return affine(images, draws, degrees=0, shift=0, scale=scale)


def random_resized_crop(images: torch.Tensor, draws: Draws, *, area: float = 0.5) -> torch.Tensor:
    """A rectangle of `area` to 1 of the picture, its sides 3 : 4 to 4 : 3, drawn anywhere, fills the picture.

    As torchvision's RandomResizedCrop, which draws from .08 on; here the face must stay to be seen.
    """
    share, ratio = draws.uniform("area", area, 1), draws.uniform("ratio", math.log(3 / 4), math.log(4 / 3))
    width = (share.sqrt() * torch.exp(ratio / 2)).clamp_max(1)
    height = (share.sqrt() * torch.exp(-ratio / 2)).clamp_max(1)
    x, y = (1 - width) * draws.uniform("x", -1, 1), (1 - height) * draws.uniform("y", -1, 1)
    nothing = torch.zeros_like(width)
    theta = torch.stack([width, nothing, x, nothing, height, y], dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def shear(images: torch.Tensor, draws: Draws, *, degrees: float = 12.0) -> torch.Tensor:
    """Slanted by up to ± `degrees`."""
    return affine(images, draws, degrees=0, shift=0, scale=0, shear=degrees)


def erase(images: torch.Tensor, draws: Draws, *, side: float = 0.3) -> torch.Tensor:
    """One rectangle, up to `side` of the picture's side long and high, becomes gray (Cutout)."""
    size = images.shape[-1]
    line = (torch.arange(size, device=images.device) + 0.5) / size
    half_w, half_h = draws.uniform("w", 0.1, side) / 2, draws.uniform("h", 0.1, side) / 2
    across = (line[None, :] - draws.uniform("x")[:, None]).abs() < half_w[:, None]
    down = (line[None, :] - draws.uniform("y")[:, None]).abs() < half_h[:, None]
    return torch.where((down[:, :, None] & across[:, None, :])[:, None], 0.5, images)
