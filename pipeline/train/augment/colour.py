"""Operations that change colours. Each takes float32 [B, 3, S, S], RGB in [0, 1], and the batch's draws."""

from __future__ import annotations

import torch

from pipeline.train.augment.draws import Draws

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def _each(values: torch.Tensor) -> torch.Tensor:
    return values.view(-1, 1, 1, 1)


def _luma(images: torch.Tensor) -> torch.Tensor:
    weights = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
    return (images * weights).sum(dim=1, keepdim=True)


def brightness(images: torch.Tensor, draws: Draws, *, amount: float = 0.2) -> torch.Tensor:
    """Times 1 ± `amount`."""
    return (images * _each(draws.uniform("brightness", 1 - amount, 1 + amount))).clamp(0, 1)


def contrast(images: torch.Tensor, draws: Draws, *, amount: float = 0.2) -> torch.Tensor:
    """Distance from the picture's mean gray times 1 ± `amount`."""
    mean = _luma(images).mean(dim=(2, 3), keepdim=True)
    factor = _each(draws.uniform("contrast", 1 - amount, 1 + amount))
    return (mean + (images - mean) * factor).clamp(0, 1)


def saturation(images: torch.Tensor, draws: Draws, *, amount: float = 0.3) -> torch.Tensor:
    """Distance from each pixel's gray times 1 ± `amount`."""
    gray = _luma(images)
    factor = _each(draws.uniform("saturation", 1 - amount, 1 + amount))
    return (gray + (images - gray) * factor).clamp(0, 1)


def hue(images: torch.Tensor, draws: Draws, *, degrees: float = 20.0) -> torch.Tensor:
    """Hue turned by up to ± `degrees`."""
    from kornia.enhance import adjust_hue

    turn = draws.uniform("hue", -degrees, degrees) * (torch.pi / 180)
    return adjust_hue(images, turn).clamp(0, 1)


def jitter(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Brightness, contrast, saturation and hue at their own settings."""
    return hue(saturation(contrast(brightness(images, draws), draws), draws), draws)


def gray(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Without colour."""
    del draws
    return _luma(images).expand_as(images)


def invert(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    """The negative."""
    del draws
    return 1 - images


def autocontrast(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Each channel stretched to the whole range."""
    del draws
    low = images.amin(dim=(2, 3), keepdim=True)
    span = images.amax(dim=(2, 3), keepdim=True) - low
    return torch.where(span > 0, (images - low) / span.clamp_min(1e-6), images)


def equalize(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    """Histogram of each channel made even."""
    from kornia.enhance import equalize as equalized

    del draws
    return equalized(images).clamp(0, 1)


def clahe(images: torch.Tensor, draws: Draws, *, clip: float = 4.0) -> torch.Tensor:
    """Local histograms made even, contrast limited to `clip` (CLAHE on 4 × 4 tiles)."""
    from kornia.enhance import equalize_clahe

    del draws
    return equalize_clahe(images, clip_limit=clip, grid_size=(4, 4)).clamp(0, 1)


def posterize(images: torch.Tensor, draws: Draws, *, fewest: int = 3) -> torch.Tensor:
    """`fewest` to 7 bits a channel."""
    levels = torch.floor(draws.uniform("bits", fewest, 8)).exp2()
    return torch.floor((images * 255 / 256) * _each(levels)) / _each(levels - 1)


def solarize(images: torch.Tensor, draws: Draws, *, lowest: float = 0.5) -> torch.Tensor:
    """What is brighter than a threshold between `lowest` and 1 becomes its negative."""
    return torch.where(images >= _each(draws.uniform("threshold", lowest, 1)), 1 - images, images)
