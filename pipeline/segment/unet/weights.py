"""Reads a U-Net's weights from safetensors or a foreign state dict, without running code from the file."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save
from torch import nn

from pipeline.io.atomic import atomic_file
from pipeline.networks.state_dict import State, fitted, read_state_dict
from pipeline.runtime.errors import UserError
from pipeline.segment.unet.architecture import MatteNet, build
from pipeline.segment.unet.config import UnetConfig

MIN_MATCHED = 0.9  # of an encoder's tensors, in a file of encoder weights


def load_net(path: Path, config: UnetConfig) -> MatteNet:
    """The network with its weights, in evaluation mode, float32, on the CPU.

    Raises:
        UserError: the file holds no state dict, or one of another network.
    """
    net = build(config)
    expected = net.state_dict()
    state = fitted(read_state_dict(path), expected, path)
    missing = sorted(k for k in expected if k not in state and not k.endswith("num_batches_tracked"))
    extra = sorted(set(state) - set(expected))
    wrong = sorted(k for k in expected if k in state and state[k].shape != expected[k].shape)
    if missing or extra or wrong:
        raise UserError(
            f"these weights do not fit a U-Net with the encoder {config.encoder}",
            where=path,
            got=f"{len(missing)} tensors missing, {len(extra)} unknown, {len(wrong)} of another shape, "
            f"e.g. {', '.join([*missing[:2], *extra[:2], *wrong[:2]])}",
            fix="put a config.json with the right encoder and decoder_channels beside them",
        )
    net.load_state_dict(state, strict=False)
    return MatteNet(net, config).eval()


def load_encoder(net: nn.Module, path: Path) -> int:
    """Loads a state dict of the encoder alone into a U-Net; returns the number of matched tensors.

    Raises:
        UserError: hardly any tensor of the encoder is in the file.
    """
    encoder = net.get_submodule("encoder")
    expected = encoder.state_dict()
    whole = read_state_dict(path)
    bare = {key: key.removeprefix("model.") for key in expected}  # smp prefixes timm's networks with `model.`
    state = fitted(whole, bare.values(), path)
    matched = {
        key: state[name]
        for key, name in bare.items()
        if name in state and state[name].shape == expected[key].shape
    }
    matched = matched or _in_order(expected, whole)
    if len(matched) < MIN_MATCHED * len(expected):
        raise UserError(
            "these are not the weights of this encoder",
            where=path,
            got=f"{len(matched)} of {len(expected)} tensors fit; it has e.g. {', '.join(sorted(state)[:3])}",
            allowed=f"tensors named like {', '.join(sorted(expected)[:3])}",
            fix="choose fit_segmenter.encoder to match, e.g. tu-<timm name> for weights of timm, "
            "or leave fit_segmenter.encoder_weights empty",
        )
    encoder.load_state_dict(matched, strict=False)
    return len(matched)


def _in_order(expected: State, state: State) -> State:
    """`state` under the names of `expected`, if only the names differ; else empty.

    Libraries define the same network (MobileNetV2 in torchvision and timm) layer by layer in the order of the
    forward pass: several hundred shapes that agree one by one are the same layers. What follows in `state` is
    the classifier's.
    """
    if [t.shape for t in state.values()][: len(expected)] != [t.shape for t in expected.values()]:
        return {}
    return dict(zip(expected, state.values(), strict=False))


def save_net(path: Path, net: nn.Module) -> None:
    """Writes a U-Net's weights as safetensors: float32, sorted, the same bytes for the same weights."""
    state = {k: v.detach().to("cpu").contiguous() for k, v in sorted(net.state_dict().items())}
    with atomic_file(path) as part:
        part.write_bytes(save(state))  # save_file would make the file private
