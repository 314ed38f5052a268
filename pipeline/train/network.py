"""The network: any timm backbone under the chosen heads, with its normalisation inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from pipeline.networks.timm_names import timm_name
from pipeline.params.schema import Train
from pipeline.runtime.errors import UserError, first_line
from pipeline.runtime.plugins import load_plugin
from pipeline.train import pretrained

SCALES = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


class Classifier(nn.Module):
    """Pictures to outputs.

    Args:
        net: float32 [B, 3, S, S], normalised, to outputs [B, K]; its state dict is what is saved.
        mean, std: of each channel, for RGB in [0, 1].
    """

    def __init__(self, net: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Outputs [B, K] from float32 [B, 3, S, S], RGB in [0, 1]."""
        return self.net((images - cast(torch.Tensor, self.mean)) / cast(torch.Tensor, self.std))

    def backbones(self) -> list[nn.Module]:
        """The timm networks inside: one, or one for each task with heads `separate`."""
        return list(self._networks().values())

    def prefixes(self) -> dict[str, str]:
        """What is trained apart: task → how the names of its weights in the state dict of `net` begin.

        `{"class": ""}` where everything hangs together.
        """
        names = self._networks()
        return {task: f"networks.{task}." if len(names) > 1 else "" for task in names}

    def _networks(self) -> dict[str, nn.Module]:
        networks = getattr(self.net, "networks", None)
        return dict(networks.items()) if isinstance(networks, nn.ModuleDict) else {"class": self.net}


def to_images(pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
    """float32 [B, 3, S, S] in [0, 1], channels last in memory, from uint8 [B, S, S, 3]."""
    return pixels.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)


def classifier(params: Train, *, weights: bool = True) -> Classifier:
    """The network that `params` describe, in training mode, on the CPU, channels last.

    Args:
        params: the `train` section.
        weights: load `params.pretrained`; off when a trained state dict follows.

    Raises:
        UserError: unknown model, arguments it does not take, unavailable or mismatched weights.
    """
    net = load_plugin("objective.heads", params.heads).build(backbone_maker(params, weights=weights))
    model = Classifier(net, *channel_scale(params))
    _try_out(model, params)
    return cast(Classifier, model.to(memory_format=torch.channels_last))  # pyright: ignore[reportCallIssue]


def backbone_maker(params: Train, *, weights: bool) -> Callable[[int], nn.Module]:
    """A function that makes the backbone with so many outputs."""
    import timm

    name = timm_name(params.model)
    arguments = dict(params.model_args)
    if default_config(params.model).get("fixed_input_size"):
        arguments.setdefault("img_size", params.size)
    use = params.pretrained if weights else False

    def make(outputs: int) -> nn.Module:
        try:
            if use is True:
                return pretrained.from_timm(name, outputs, arguments)
            model = timm.create_model(name, num_classes=outputs, **cast(Any, arguments))
        except (TypeError, AssertionError, ValueError, KeyError) as e:
            raise UserError(
                f"timm cannot make `{params.model}` like this",
                where="train.model_args, train.size",
                got=first_line(e),
                fix="remove the argument, or take a size that the model can use",
            ) from e
        if isinstance(use, str):
            pretrained.load_local(model, use)
        return model

    return make


def default_config(name: str) -> dict[str, Any]:
    """What timm knows of the weights that `name` stands for: mean, std, fixed_input_size … ({} if nothing).

    Raises:
        UserError: timm has no such model.
    """
    import timm.models

    config = timm.models.get_pretrained_cfg(timm_name(name))
    return config.to_dict() if config else {}


def channel_scale(params: Train) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel for RGB in [0, 1]."""
    if params.normalize != "model":
        return SCALES[params.normalize]
    config = default_config(params.model)
    mean, std = config.get("mean", SCALES["imagenet"][0]), config.get("std", SCALES["imagenet"][1])
    return tuple(float(v) for v in mean), tuple(float(v) for v in std)


def _try_out(model: Classifier, params: Train) -> None:
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, params.size, params.size))
    except (RuntimeError, AssertionError, ValueError) as e:
        raise UserError(
            f"`{params.model}` cannot take pictures of {params.size} × {params.size} pixels",
            where="train.size",
            got=first_line(e),
            fix="take a multiple of 32, or the model's own size",
        ) from e
    finally:
        model.train(training)
