"""The `train` section made definite for this machine: device, precision and channel scale, resolved once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from pipeline.networks.backends import Precision, cpu_has_bf16
from pipeline.networks.timm_names import timm_name
from pipeline.params.learning import Train
from pipeline.runtime.errors import UserError

Channels = tuple[float, ...]

SCALES: dict[str, tuple[Channels, Channels]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


@dataclass(frozen=True)
class TrainConfig:
    """What training and inference need to know.

    Args:
        train: the `train` section: network, hyperparameters, seed.
        device: where the network runs.
        precision: of its multiplications.
        mean, std: of each channel, for RGB in [0, 1].
    """

    train: Train
    device: torch.device
    precision: Precision
    mean: Channels
    std: Channels


def resolve_config(train: Train) -> TrainConfig:
    """The config that the `train` section means on this machine.

    Raises:
        UserError: timm has no such model; CUDA or a precision was asked for that this machine lacks.
    """
    device = _device_of(train)
    mean, std = _channel_scale(train)
    return TrainConfig(train, device, _precision_of(train, device), mean, std)


def default_config(name: str) -> dict[str, Any]:
    """What timm knows of the weights named `name`: mean, std, fixed_input_size … ({} if nothing).

    Raises:
        UserError: timm has no such model.
    """
    import timm.models

    config = timm.models.get_pretrained_cfg(timm_name(name))
    return config.to_dict() if config else {}


def _device_of(train: Train) -> torch.device:
    """The device of `train.device`; `auto` is CUDA where there is one."""
    if train.device == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if train.device == "cuda":
        raise UserError(
            "train.device is cuda, and torch finds no CUDA device",
            where="train.device",
            got=f"torch {torch.__version__}",
            allowed="auto, cpu",
            fix="check `nvidia-smi`, `make setup TORCH=cuda` for the CUDA build, or set train.device: auto",
        )
    return torch.device("cpu")


def _precision_of(train: Train, device: torch.device) -> Precision:
    """The precision of `train.precision`; `auto` is the fastest for this network on this hardware.

    A CPU without bfloat16 instructions emulates them, many times slower than float32.
    """
    if train.precision == "f16" and device.type == "cpu":
        raise UserError("float16 is for CUDA", where="train.precision", got="f16", allowed="auto, f32, bf16")
    if train.precision != "auto":
        return train.precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability()[0] >= 8 else "f16"
    return "bf16" if cpu_has_bf16() and not is_mobile(train) else "f32"


def is_mobile(train: Train) -> bool:
    """Whether the network is of the kind of MobileNet and EfficientNet: depthwise convolutions, batch norm,
    and no linear layer before the heads (attention gains by bfloat16).

    On a CPU these learn up to 1.7 times as fast in float32 as in bfloat16, where ResNets, DenseNets and
    larger ConvNeXts take up to 2.1 times as long (`python -m benchmarks.train_precision`).
    """
    import timm

    try:
        with torch.device("meta"):  # the layers without their weights
            network = timm.create_model(timm_name(train.model), num_classes=0, **cast(Any, train.model_args))
    except (UserError, TypeError, AssertionError, ValueError, KeyError):
        return False  # none of timm's (`train.model: features`), or `make_classifier` says what is wrong
    layers = list(network.modules())
    depthwise = any(isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1 for m in layers)
    kinds = {kind for kind in (nn.BatchNorm2d, nn.Linear) if any(isinstance(m, kind) for m in layers)}
    return depthwise and kinds == {nn.BatchNorm2d}


def _channel_scale(train: Train) -> tuple[Channels, Channels]:
    """Mean and standard deviation of each channel for RGB in [0, 1]."""
    if train.normalize != "model":
        return SCALES[train.normalize]
    config = default_config(train.model)
    mean, std = config.get("mean", SCALES["imagenet"][0]), config.get("std", SCALES["imagenet"][1])
    return tuple(float(v) for v in mean), tuple(float(v) for v in std)
