"""The classifier with everything around it in one graph: pixels in, probabilities of the 18 classes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from pipeline.export.networks import write_network
from pipeline.params.learning import Predict
from pipeline.runtime.plugins import load_plugin
from pipeline.train.config import TrainConfig
from pipeline.train.inference import load_model
from pipeline.train.network import Classifier


class Answers(nn.Module):
    """uint8 [N, S, S, 3] RGB -> float32 [N, 18], rows sum to 1.

    Scaling to [0, 1], normalisation, the views of test-time augmentation and the heads' probabilities, in
    which finer ages (`train.age_classes`) are summed to the three groups, are inside, as
    `pipeline.train.inference.predict_probabilities` computes them.

    Args:
        model: the trained network.
        config: that it was trained with.
        flip: also ask about the mirrored picture.
        scales: how large to show the picture in its frame.
    """

    def __init__(self, model: Classifier, config: TrainConfig, flip: bool, scales: Sequence[float]) -> None:
        super().__init__()
        self.model, self.train_params, self.flips, self.scales = model, config.train, flip, list(scales)
        self.heads: Any = load_plugin("objective.heads", config.train.heads)
        size = config.train.size
        for n, scale in enumerate(self.scales):
            theta = torch.tensor([[[1 / scale, 0, 0], [0, 1 / scale, 0]]])
            grid = functional.affine_grid(theta, [1, 3, size, size], align_corners=False)
            self.register_buffer(f"grid{n}", grid, persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        images = pixels.permute(0, 3, 1, 2).float() / 255
        total = torch.zeros(1)
        for n, scale in enumerate(self.scales):
            for view in self._views(images, n, scale):
                total = total + self.heads.probabilities(self.model(view).float(), self.train_params)
        return total / total.sum(dim=1, keepdim=True)

    def _views(self, images: torch.Tensor, n: int, scale: float) -> list[torch.Tensor]:
        if scale != 1:
            grid = getattr(self, f"grid{n}").expand(images.shape[0], -1, -1, -1)
            images = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        return [images, images.flip(3)] if self.flips else [images]


def answers_of(model: Path, config: TrainConfig, fold: int, predict: Predict) -> Answers:
    """The network of one fold, on the CPU, in evaluation mode.

    Raises:
        UserError: its weights are missing or do not fit.
    """
    trained = load_model(model, config, fold).to("cpu")
    return Answers(trained, config, predict.tta_flip, predict.tta_scales).eval()


def write_classifier(
    model: Path, config: TrainConfig, folds: Sequence[int], predict: Predict, folder: Path
) -> dict[str, Any]:
    """Writes a network for each fold, and returns the step `classify` of chain.json."""
    size, names = config.train.size, [f"fold{fold}" for fold in folds]
    axes = {"pixels": {0: "pictures"}, "probabilities": {0: "pictures"}}
    for fold, name in zip(folds, names, strict=True):
        example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
        write_network(answers_of(model, config, fold, predict), example, name, folder, axes)
    return {
        "networks": names,
        "input": f"pixels: uint8 [N, {size}, {size}, 3] RGB",
        "output": "probabilities: float32 [N, 18], rows sum to 1",
        "size": size,
        "backbone": config.train.model,
        "heads": config.train.heads,
        **({"age_classes": list(config.train.age_classes)} if config.train.age_classes else {}),
        "inside_the_network": {
            "scale": "pixel / 255",
            "normalise": {"mean": list(config.mean), "std": list(config.std)},
            "views": {"flip": predict.tta_flip, "scales": list(predict.tta_scales)},
        },
        "vote": predict.vote,
    }
