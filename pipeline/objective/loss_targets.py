"""What the losses share: class weights applied to targets that may be mixtures."""

from __future__ import annotations

import torch


def weighted(log_p: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cross-entropy [B] of distributions: −Σ_c w_c t_c log p_c.

    Args:
        log_p: log-probabilities, float32 [B, C].
        target: distributions, float32 [B, C], rows sum to 1.
        weight: of each class, float32 [C]; all ones for none.
    """
    return -(weight * target * log_p).sum(dim=1)
