"""Operations on neighbouring pixels. Each takes float32 [B, 3, S, S] in [0, 1] and the batch's draws."""

from __future__ import annotations

import torch
from torch.nn import functional

from pipeline.train.augment.draws import Draws

LAPLACE = ((-1.0, -1.0, -1.0), (-1.0, 9.0, -1.0), (-1.0, -1.0, -1.0))
EMBOSS = ((-1.0, -1.0, 0.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 1.0))


def blur(images: torch.Tensor, draws: Draws, *, sigma: float = 1.5) -> torch.Tensor:
    """Gaussian blur of 0.1 to `sigma` pixels."""
    reach = max(1, round(2 * sigma))
    line = torch.arange(-reach, reach + 1, device=images.device).float()
    width = draws.uniform("sigma", 0.1, sigma)[:, None]
    kernel = torch.exp(-((line / width) ** 2) / 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(3, dim=0)  # [B·3, taps]
    flat = images.reshape(1, -1, *images.shape[2:])
    padded = functional.pad(flat, (reach,) * 4, mode="reflect")
    across = functional.conv2d(padded, kernel[:, None, None, :], groups=len(kernel))
    return functional.conv2d(across, kernel[:, None, :, None], groups=len(kernel)).view(images.shape)


def noise(images: torch.Tensor, draws: Draws, *, deviation: float = 0.05) -> torch.Tensor:
    """Gaussian noise of up to `deviation`, its own in every channel."""
    strength = draws.uniform("strength", 0, deviation).view(-1, 1, 1, 1)
    return (images + strength * draws.normal("grain", tuple(images.shape[1:]))).clamp(0, 1)


def sharpen(images: torch.Tensor, draws: Draws, *, amount: float = 0.5) -> torch.Tensor:
    """Mixed with its sharpened self, by 0.1 to `amount`."""
    return _filtered(images, LAPLACE, draws.uniform("amount", 0.1, amount))


def emboss(images: torch.Tensor, draws: Draws, *, amount: float = 0.5) -> torch.Tensor:
    """Mixed with its relief, lit from one corner, by 0.1 to `amount`."""
    return _filtered(images, EMBOSS, draws.uniform("amount", 0.1, amount))


def _filtered(
    images: torch.Tensor, kernel: tuple[tuple[float, ...], ...], amount: torch.Tensor
) -> torch.Tensor:
    weight = torch.tensor(kernel, device=images.device).expand(3, 1, 3, 3)
    other = functional.conv2d(functional.pad(images, (1, 1, 1, 1), mode="reflect"), weight, groups=3)
    share = amount.view(-1, 1, 1, 1)
    return (images * (1 - share) + other * share).clamp(0, 1)
