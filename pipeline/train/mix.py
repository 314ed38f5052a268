"""Mixup and CutMix: two pictures and their answers become one (`train.mix`)."""

from __future__ import annotations

import numpy as np
import torch

from pipeline.objective.target import Target
from pipeline.params.learning import Train
from pipeline.train.augment.draws import Draws
from pipeline.train.boxes import in_boxes

UPPER_HALF = (0.0, 0.0, 1.0, 0.5)


class Mixer:
    """Mixes batches as `train.mix`, `cutmix_boxes`, `mix_alpha` and `mix_probability` say."""

    def __init__(self, params: Train) -> None:
        self.params = params
        self.pastes_eyes = params.mix in ("cutmix", "both") and params.cutmix_boxes == "eyes"

    def __call__(
        self,
        images: torch.Tensor,
        target: Target,
        keys: np.ndarray,
        eyes: np.ndarray,
        epoch: int,
        faces: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, Target, torch.Tensor | None]:
        """Each chosen picture mixed with the one at the mirrored place of the batch.

        Args:
            images: float32 [B, 3, S, S].
            target: of the batch.
            keys: int64 [B], of the pictures.
            eyes: float32 [B, 4], box `xyxy` around the eyes as shares of the side, NaN where unknown.
            epoch: 0, 1, …
            faces: float32 [B, D], what face networks say of the photos, or None.

        Returns:
            Images, target and faces of the same shapes; a picture of which a share λ is left is answered with
            λ of its own answer and 1 − λ of the other's, and so are the numbers of its face mixed.
        """
        params = self.params
        if params.mix == "none":
            return images, target, faces
        draws = Draws.for_epoch(keys, epoch, images.device)
        chosen = draws.uniform("mix") < params.mix_probability
        cut = (
            draws.uniform("cut or blend") < 0.5
            if params.mix == "both"
            else chosen.new_full((len(draws),), False)
        )
        cut = cut | (params.mix == "cutmix")
        share = torch.from_numpy(beta_draws(keys, epoch, params.mix_alpha)).to(images.device)
        other = images.flip(0)
        boxes = paste_boxes(
            params.cutmix_boxes, share, draws, torch.from_numpy(eyes).to(images.device).flip(0)
        )
        inside = in_boxes(boxes, images.shape[-1])
        chosen = chosen & (~cut | inside.any(dim=(1, 2)))  # eyes unknown: nothing to paste
        kept = torch.where(cut, 1 - inside.float().mean(dim=(1, 2)), share)
        kept = torch.where(chosen, kept, 1.0)
        of_own = torch.where(cut[:, None, None], (~inside).float(), share[:, None, None])
        of_own = torch.where(chosen[:, None, None], of_own, 1.0)[:, None]
        mixed = images * of_own + other * (1 - of_own)
        of_answer, ages = kept[:, None], target.ages
        answers = Target(
            target.classes * of_answer + target.classes.flip(0) * (1 - of_answer),
            target.years * kept + target.years.flip(0) * (1 - kept),
            ages if ages is None else ages * of_answer + ages.flip(0) * (1 - of_answer),
        )
        if faces is not None:
            faces = faces * kept[:, None] + faces.flip(0) * (1 - kept[:, None])
        return mixed, answers, faces


def beta_draws(keys: np.ndarray, epoch: int, alpha: float) -> np.ndarray:
    """float32 [B] in [0, 1] from Beta(α, α), each from its own key."""
    seeds = [int(k) for k in keys]
    return np.array([np.random.default_rng([s, epoch]).beta(alpha, alpha) for s in seeds], dtype=np.float32)


def paste_boxes(kind: str, kept: torch.Tensor, draws: Draws, eyes: torch.Tensor) -> torch.Tensor:
    """float32 [B, 4], box `xyxy` in shares of the side that the other picture is pasted into.

    `random`: its area is 1 − `kept`, anywhere, cut off at the edge (Yun et al. 2019, arXiv:1905.04899);
    `upper_half`: always the upper half; `eyes`: around the eyes of the pasted picture (NaN where unknown).
    """
    if kind == "upper_half":
        return torch.tensor(UPPER_HALF, device=kept.device).expand(len(kept), 4)
    if kind == "eyes":
        return eyes
    half = (1 - kept).sqrt() / 2
    x, y = draws.uniform("box x"), draws.uniform("box y")
    return torch.stack([x - half, y - half, x + half, y + half], dim=1).clamp(0, 1)
