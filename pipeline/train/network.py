"""The network: any timm backbone under the chosen heads, with its normalisation inside."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from pipeline.networks.timm_names import timm_name
from pipeline.objective.target import Backbone
from pipeline.params.learning import Train
from pipeline.runtime.errors import UserError, first_line
from pipeline.runtime.plugins import load_plugin
from pipeline.train import pretrained
from pipeline.train.config import TrainConfig, default_config
from pipeline.train.face_features import Features
from pipeline.train.face_layer import WithFaces, face_numbers_in


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

    def forward(self, images: torch.Tensor, faces: torch.Tensor | None = None) -> torch.Tensor:
        """Outputs [B, K] from float32 [B, 3, S, S], RGB in [0, 1].

        Args:
            faces: float32 [B, D], what face networks say of the photos; only with `face_numbers`.
        """
        normalised = (images - cast(torch.Tensor, self.mean)) / cast(torch.Tensor, self.std)
        return self.net(normalised) if faces is None else self.net(normalised, faces)

    @property
    def face_numbers(self) -> int:
        """How many numbers of face networks it takes of each photo (`train.face_features`); 0: none."""
        return face_numbers_in(self.net.state_dict())

    def standardise(self, features: Features) -> None:
        """Keeps the scaling of the numbers of face networks, from the photos to learn from."""
        for net in self.networks():
            if isinstance(net, WithFaces):
                net.standardise(features)

    def networks(self) -> list[nn.Module]:
        """What is trained: one network, or one for each task with heads `separate`."""
        return list(self._networks().values())

    def backbones(self) -> list[nn.Module]:
        """The timm networks inside, one in each of `networks`."""
        return [net.backbone if isinstance(net, WithFaces) else net for net in self.networks()]

    def views(self, size: int) -> list[tuple[int, float]]:
        """What each of `networks` sees of pictures of `size`: pixels a side, and the share of the side."""
        views: Any = getattr(self.net, "views", {})
        own = {task: (view.pixels, view.crop) for task, view in views.items()}
        return [own.get(task, (size, 1.0)) for task in self._networks()]

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


def make_classifier(config: TrainConfig, *, weights: bool = True, face_numbers: int = 0) -> Classifier:
    """The network that `config` describes, in training mode, on the CPU, channels last.

    Args:
        config: its `train.pretrained` names the weights to start from.
        weights: load them; off when a trained state dict follows.
        face_numbers: how many numbers of face networks join the backbone's features; 0: none.

    Raises:
        UserError: unknown model, arguments it does not take, unavailable or mismatched weights.
    """
    train = config.train
    make = backbone_maker(train, weights=weights)
    if face_numbers:
        make = joined_maker(make, train, face_numbers)
    model = Classifier(
        load_plugin("objective.heads", train.heads).build(make, train), config.mean, config.std
    )
    faces = (torch.zeros(1, face_numbers),) if face_numbers else ()
    _try_out(model, train, train.size, *faces)
    return cast(Classifier, model.to(memory_format=torch.channels_last))  # pyright: ignore[reportCallIssue]


def backbone_maker(train: Train, *, weights: bool) -> Backbone:
    """A function from a number of outputs, and of pixels a side, to the backbone."""
    import timm

    name = timm_name(train.model)
    fixed = bool(default_config(train.model).get("fixed_input_size"))
    use = train.pretrained if weights else False

    def make(outputs: int, pixels: int = train.size) -> nn.Module:
        arguments = ({"img_size": pixels} if fixed else {}) | dict(train.model_args)
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


def joined_maker(make: Backbone, train: Train, face_numbers: int) -> Backbone:
    """As `make`, of a backbone with the numbers of face networks."""

    def make_joined(outputs: int, pixels: int = train.size) -> nn.Module:
        backbone = cast(Any, make(outputs, pixels))  # with a head: weights to start from may have one
        backbone.reset_classifier(0)
        pooled = _try_out(backbone, train, pixels).shape[1]
        return WithFaces(backbone, pooled, face_numbers, outputs)

    return make_joined


def _try_out(model: nn.Module, train: Train, pixels: int, *faces: torch.Tensor) -> torch.Tensor:
    """What `model` makes of a black picture of `pixels` a side."""
    training = model.training
    try:
        with torch.no_grad():
            return model.eval()(torch.zeros(1, 3, pixels, pixels), *faces)
    except (RuntimeError, AssertionError, ValueError) as e:
        raise UserError(
            f"`{train.model}` cannot take pictures of {pixels} × {pixels} pixels",
            where="train.size, train.task_size" if train.task_size else "train.size",
            got=first_line(e),
            fix="take a multiple of 32, or the model's own size",
        ) from e
    finally:
        model.train(training)
