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
from pipeline.train.config import TrainConfig, default_config


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


def make_classifier(config: TrainConfig, *, weights: bool = True) -> Classifier:
    """The network that `config` describes, in training mode, on the CPU, channels last.

    Args:
        config: its `train.pretrained` names the weights to start from.
        weights: load them; off when a trained state dict follows.

    Raises:
        UserError: unknown model, arguments it does not take, unavailable or mismatched weights.
    """
    train = config.train
    net = load_plugin("objective.heads", train.heads).build(backbone_maker(train, weights=weights))
    model = Classifier(net, config.mean, config.std)
    _try_out(model, train)
    return cast(Classifier, model.to(memory_format=torch.channels_last))  # pyright: ignore[reportCallIssue]


def backbone_maker(train: Train, *, weights: bool) -> Callable[[int], nn.Module]:
    """A function from a number of outputs to the backbone with that many."""
    import timm

    name = timm_name(train.model)
    arguments = dict(train.model_args)
    if default_config(train.model).get("fixed_input_size"):
        arguments.setdefault("img_size", train.size)
    use = train.pretrained if weights else False

    def make(outputs: int) -> nn.Module:
        try:
            if use is True and train.model not in pretrained.PACKAGED:
                return pretrained.from_timm(name, outputs, arguments)
            model = timm.create_model(name, num_classes=outputs, **cast(Any, arguments))
        except (TypeError, AssertionError, ValueError, KeyError) as e:
            raise UserError(
                f"timm cannot make `{train.model}` like this",
                where="train.model_args, train.size",
                got=first_line(e),
                fix="remove the argument, or take a size that the model can use",
            ) from e
        if use is True:
            pretrained.load_packaged(model, train.model)
        elif use:
            pretrained.load_local(model, use)
        return model

    return make


def _try_out(model: Classifier, train: Train) -> None:
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, train.size, train.size))
    except (RuntimeError, AssertionError, ValueError) as e:
        raise UserError(
            f"`{train.model}` cannot take pictures of {train.size} × {train.size} pixels",
            where="train.size",
            got=first_line(e),
            fix="take a multiple of 32, or the model's own size",
        ) from e
    finally:
        model.train(training)
