"""The config beside a U-Net's weights: its architecture and its input."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.io.atomic import write_json
from pipeline.networks.weights import sha256_of
from pipeline.runtime.errors import UserError

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
Rgb = tuple[float, float, float]


class UnetConfig(BaseModel):
    """An smp U-Net with one class, and its input."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str  # smp's name, e.g. resnet18, timm-efficientnet-b3, tu-mobilenetv3_small_100
    decoder_channels: tuple[int, int, int, int, int] = (256, 128, 64, 32, 16)
    size: int = Field(ge=32, le=4096)  # longest side in training, px
    mean: Rgb = IMAGENET_MEAN  # of RGB in [0, 1]
    std: Rgb = IMAGENET_STD
    sha256: str | None = None  # of model.safetensors
    iou: float | None = None  # mean over photos of held-out people


# The default config of a bare state dict: ternaus' people segmentation U-Net (2020-09-23a). Its input was
# scaled to 800 px, padded with black and normalised as ImageNet's.
PEOPLE_B3 = UnetConfig(encoder="timm-efficientnet-b3", size=512)


def locate(path_or_folder: Path) -> tuple[Path, UnetConfig]:
    """The weights file and config at `path_or_folder`.

    Args:
        path_or_folder: a folder with model.safetensors and config.json; such a .safetensors file; or a torch
            state dict (any other name), with a config.json beside it, or else with the config `PEOPLE_B3`.

    Raises:
        UserError: a file is missing, or config.json is invalid.
    """
    weights = path_or_folder / WEIGHTS if path_or_folder.is_dir() else path_or_folder
    config = weights.with_name(CONFIG)
    if not weights.is_file():
        raise UserError(
            "the weights of the U-Net are missing", where=weights, fix="check segment.unet.weights"
        )
    if config.is_file():
        return weights, read_config(config)
    if weights.suffix == ".safetensors":
        raise UserError(
            "these weights do not say which U-Net they belong to",
            where=weights,
            fix=f'put a {CONFIG} beside them: {{"encoder": "resnet18", "size": 256}}',
        )
    return weights, PEOPLE_B3


def read_config(path: Path) -> UnetConfig:
    """Reads a config.json.

    Raises:
        UserError: the file is missing or invalid.
    """
    try:
        return UnetConfig.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as e:
        raise UserError("not the config of a U-Net", where=path, got=str(e)) from e


def write_config(path: Path, config: UnetConfig) -> None:
    """Writes config.json."""
    write_json(path, config.model_dump(mode="json"))


def fingerprint(weights: Path, config: UnetConfig) -> str:
    """sha256 over the weights' bytes and the config: the same for the same net in any folder.

    Raises:
        UserError: the config belongs to other weights.
    """
    actual = sha256_of(weights)
    if config.sha256 and actual != config.sha256:
        raise UserError(
            "these weights are damaged, or not those that their config was written for",
            where=weights,
            got=actual,
            allowed=config.sha256,
            fix="fit or fetch them again",
        )
    config_json = config.model_dump_json(exclude={"sha256", "iou"})
    return hashlib.sha256(f"{actual}\n{config_json}".encode()).hexdigest()
