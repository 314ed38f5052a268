"""Grad-CAM: which parts of a picture support the prediction (Selvaraju et al. 2017, arXiv:1610.02391).

The deep feature maps A of a convolutional network are weighted with the mean gradient of the answer's
score, `cam = relu(sum_c mean_xy(d score / d A_c) A_c)`, and brought to the picture's size. The score is the
log odds of the answer, `log p − log(sum of the others)`: unlike p itself its gradient does not vanish where
the network is sure, and it exists for all heads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pipeline.labels import TASKS
from pipeline.params.learning import Train
from pipeline.runtime.plugins import load_plugin
from pipeline.train.network import Classifier

MIN_CELLS = 6  # a side
MIN_PROBABILITY = 1e-30  # so that logarithms stay finite


def cams(
    model: Classifier, images: torch.Tensor, params: Train, faces: torch.Tensor | None = None
) -> dict[str, torch.Tensor] | None:
    """A Grad-CAM map per task for the model's prediction.

    Args:
        model: in evaluation mode; its weights get no gradient.
        images: float32 [B, 3, S, S], RGB in [0, 1], on the model's device.
        params: the `train` section that the model was trained with.
        faces: float32 [B, D], what face networks say of the photos; None: the model takes nothing of it.

    Returns:
        task → float32 [B, S, S] on the CPU, ≥ 0, not scaled; all zeros if no region supports it.
        None for a network without feature maps (a vision transformer).
    """
    heads: Any = load_plugin("objective.heads", params.heads)
    features: list[torch.Tensor] = []
    views = model.views(images.shape[-1])
    found = [last_maps(net, pixels) for net, (pixels, _) in zip(model.backbones(), views, strict=True)]
    stages = [stage for stage in found if stage]
    with torch.enable_grad(), captured(stages, features):
        p = heads.probabilities(model(images, faces).float(), params)
        if len(features) != len(model.backbones()) or any(f.ndim != 4 for f in features):
            return None
        predicted = p.detach().argmax(dim=1).cpu().numpy()
        maps_by_task: dict[str, torch.Tensor] = {}
        for name, task in TASKS.items():
            codes = torch.from_numpy(task.code_of(predicted)).to(p.device)
            odds = log_odds(p @ torch.from_numpy(task.membership()).to(p), codes)
            gradients = torch.autograd.grad(odds.sum(), features, retain_graph=True, allow_unused=True)
            upsampled = [
                in_picture(
                    weighted(maps_first(f.detach(), stage.channels), maps_first(g, stage.channels)),
                    images.shape[-1],
                    crop,
                )
                for f, g, stage, (_, crop) in zip(features, gradients, stages, views, strict=True)
                if g is not None
            ]
            maps_by_task[name] = torch.stack(upsampled).sum(dim=0)[:, 0].cpu()
    return maps_by_task


def in_picture(maps: torch.Tensor, size: int, crop: float) -> torch.Tensor:
    """float32 [B, 1, size, size]: maps [B, h, w] of the middle `crop` of a side, at their place; 0 around."""
    inner = max(1, round(size * crop))
    seen = functional.interpolate(maps[:, None], [inner, inner], mode="bilinear", align_corners=False)
    before = (size - inner) // 2
    return functional.pad(seen, (before, size - inner - before) * 2)


class Stage(NamedTuple):
    """Feature maps inside a backbone: the module that makes them, and how many channels they have."""

    module: nn.Module
    channels: int


def last_maps(net: nn.Module, size: int) -> Stage | None:
    """The deepest feature maps with at least MIN_CELLS cells a side, for pictures of `size` pixels.

    At 224 pixels that is the last stage of nearly every network (7 × 7), as in the paper; the 2 × 2 cells
    of a picture of 64 pixels locate nothing. None for a network without
    such maps.
    """
    stages: list[dict[str, Any]] = list(cast(Any, getattr(net, "feature_info", [])))
    if not stages:
        return None
    fine = [s for s in stages if size / s["reduction"] >= MIN_CELLS]
    stage = fine[-1] if fine else stages[0]
    try:
        return Stage(net.get_submodule(stage["module"]), int(stage["num_chs"]))
    except AttributeError:  # a stage that is no module, as in some transformers
        return None


@contextmanager
def captured(stages: Sequence[Stage], into: list[torch.Tensor]) -> Iterator[None]:
    """In this context each stage appends its maps, with gradients enabled, to `into`."""

    def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
        del module, inputs
        if not isinstance(output, torch.Tensor):
            return output
        into.append(output.detach().requires_grad_(True))
        return into[-1].clone()  # later layers may work in place

    handles = [stage.module.register_forward_hook(hook) for stage in stages]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def log_odds(p: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """float32 [B]: log of p [B, C] at `codes` [B], minus log of the rest."""
    chosen = functional.one_hot(codes, p.shape[1]).bool()
    own = (p * chosen).sum(dim=1)
    rest = p.masked_fill(chosen, 0).sum(dim=1)  # not 1 - p: its gradient vanishes where p rounds to 1
    return own.clamp_min(MIN_PROBABILITY).log() - rest.clamp_min(MIN_PROBABILITY).log()


def maps_first(features: torch.Tensor, channels: int) -> torch.Tensor:
    """[B, C, h, w], also of a network that keeps its channels last (Swin)."""
    last = features.shape[-1] == channels and features.shape[1] != channels
    return features.permute(0, 3, 1, 2) if last else features


def weighted(features: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """float32 [B, h, w] from features and gradients [B, C, h, w]."""
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * features).sum(dim=1).clamp_min(0).float()


def outside_share(cam: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """float64 [B]: the share of each map's energy that lies outside_share the person; NaN for an empty map.

    Args:
        cam: float [B, S, S], ≥ 0.
        alpha: uint8 [B, S, S], 0 = background, 255 = person.
    """
    energy = cam.astype(np.float64)
    total = energy.sum(axis=(1, 2))
    beyond = (energy * (1 - alpha / 255.0)).sum(axis=(1, 2))
    return np.divide(beyond, total, out=np.full(len(cam), np.nan), where=total > 0)
