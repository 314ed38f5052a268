"""The network as torch modules."""

from __future__ import annotations

import warnings

import torch
from torch import nn

from pipeline.networks.timm_names import timm_name
from pipeline.runtime.errors import UserError, first_line, nearest
from pipeline.segment.unet.config import UnetConfig

SNAP_MARGIN = 0.02
"""Probabilities this near to 0 or 1 snap to it: no ghost of the background, and a third of the bytes."""


def build(config: UnetConfig) -> nn.Module:
    """An smp U-Net with untrained weights: float32 [N, 3, H, W] normalised -> logits float32 [N, 1, H, W].

    Raises:
        UserError: smp knows no such encoder, or the encoder does not fit a U-Net of five stages.
    """
    import segmentation_models_pytorch as smp

    try:
        with warnings.catch_warnings():
            # public weights are named after smp's own wrappers of timm, which `tu-` encoders would rename
            warnings.filterwarnings("ignore", "`timm-` encoders are deprecated", DeprecationWarning)
            return smp.Unet(
                encoder_name(config.encoder),
                encoder_weights=None,
                decoder_channels=config.decoder_channels,
                classes=1,
            )
    except UserError:
        raise
    except Exception as e:  # smp and timm raise anything for an encoder that does not fit
        raise UserError(
            "segmentation-models-pytorch cannot build a U-Net with this encoder",
            where="fit_segmenter.encoder",
            got=f"{config.encoder} ({type(e).__name__}: {first_line(e)[:300]})",
            allowed="an encoder of smp, e.g. resnet18, mobilenet_v2, efficientnet-b0, or tu-<timm name>",
        ) from e


def encoder_name(name: str) -> str:
    """smp's name of the encoder `name`: its own name, or `tu-` before timm's current name.

    Raises:
        UserError: neither smp nor timm has it; suggests similar names.
    """
    import segmentation_models_pytorch as smp
    import timm
    from segmentation_models_pytorch.encoders import is_equivalent_to_timm_universal

    if name.startswith("tu-"):
        return "tu-" + timm_name(name.removeprefix("tu-"), "fit_segmenter.encoder")
    encoders = smp.encoders.get_encoder_names()
    if name in encoders or is_equivalent_to_timm_universal(name):
        return name
    timm_encoder = f"tu-{name}" if timm.is_model(name) else None
    close = timm_encoder or nearest(name, encoders)
    raise UserError(
        f"segmentation-models-pytorch has no encoder `{name}`",
        where="fit_segmenter.encoder",
        got=name,
        allowed=f"{', '.join(encoders[:8])}, …, or tu-<timm name>",
        fix=f"did you mean `{close}`?" if close else "choose one of these",
    )


class MatteNet(nn.Module):
    """Pixels in, alpha out: uint8 [N, H, W, 3] RGB -> uint8 [N, H, W].

    Normalisation, sigmoid and rounding are in the graph, so that every backend computes the same and only
    bytes are copied to a device.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, net: nn.Module, config: UnetConfig) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", 255 * torch.tensor(config.mean).view(1, 3, 1, 1))
        self.register_buffer("scale", 1 / (255 * torch.tensor(config.std).view(1, 3, 1, 1)))

    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 [N, H, W, 3] RGB -> logits [N, H, W]."""
        return self.net((pixels.permute(0, 3, 1, 2).float() - self.mean) * self.scale)[:, 0]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        stretched = self.logits(pixels).float().sigmoid() * (1 + 2 * SNAP_MARGIN) - SNAP_MARGIN
        return (stretched.clamp(0, 1) * 255 + 0.5).to(torch.uint8)


def channels_last(net: MatteNet) -> MatteNet:
    """`net` with its weights in the channels-last layout, the fastest on CPUs and GPUs."""
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  (torch's stubs lack it)
    return net
