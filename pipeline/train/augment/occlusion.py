"""Operations that hide a part of the face behind gray, as Cutout hides any part (arXiv:1708.04552).

Each takes float32 [B, 3, S, S] in [0, 1], the batch's draws, and `eyes`, float32 [B, 4]: the box `xyxy`
around both eyes in shares of the side (`pipeline.train.boxes.eyes_box`), NaN where no eyes were found: such a
picture stays as it is. They come before operations that move pixels, since the box says where the eyes were.
"""

from __future__ import annotations

import torch

from pipeline.train.augment.draws import Draws
from pipeline.train.boxes import in_boxes

GRAY = 0.5
BESIDE, ABOVE, BELOW = 1.0, 0.9, 1.9  # how far a face reaches from between its eyes, in eye distances
MASK_FROM = 0.45  # below the eyes' middle begins what a mask covers


def occlude_eyes(images: torch.Tensor, draws: Draws, eyes: torch.Tensor) -> torch.Tensor:
    """Both eyes hidden."""
    del draws
    return _hidden(images, eyes)


def occlude_mask(images: torch.Tensor, draws: Draws, eyes: torch.Tensor) -> torch.Tensor:
    """Nose, mouth and chin hidden, where a mask would be; what the mask answer is about goes with them."""
    del draws
    return _hidden(images, _around(eyes, -BESIDE, MASK_FROM, BESIDE, BELOW))


def occlude_part(
    images: torch.Tensor, draws: Draws, eyes: torch.Tensor, *, least: float = 0.3, most: float = 0.6
) -> torch.Tensor:
    """A rectangle of `least` to `most` of the face's width and height hidden, anywhere on the face."""
    width, height = draws.uniform("w", least, most), draws.uniform("h", least, most)
    left, top = draws.uniform("x") * (1 - width), draws.uniform("y") * (1 - height)
    face = _around(eyes, -BESIDE, -ABOVE, BESIDE, BELOW)
    corner, side = face[:, :2], face[:, 2:] - face[:, :2]
    first = corner + torch.stack([left, top], dim=1) * side
    return _hidden(images, torch.cat([first, first + torch.stack([width, height], dim=1) * side], dim=1))


def _around(eyes: torch.Tensor, left: float, top: float, right: float, bottom: float) -> torch.Tensor:
    """float32 [B, 4]: the box so many eye distances from between the eyes, in shares of the side."""
    middle = (eyes[:, :2] + eyes[:, 2:]) / 2
    apart = (eyes[:, 2:3] - eyes[:, 0:1]) / 2  # the box is two eye distances wide
    edges = eyes.new_tensor([left, top, right, bottom])
    return torch.cat([middle, middle], dim=1) + apart * edges


def _hidden(images: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Gray in boxes [B, 4]; nowhere for NaN."""
    return torch.where(in_boxes(boxes, images.shape[-1])[:, None], GRAY, images)
