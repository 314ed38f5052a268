"""The decoder that OpenVINO computes, against the plain network that is fitted and that CUDA computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.limit import gflop_of
from pipeline.segment.unet.config import UnetConfig
from tests.fixtures.tiny_unet import drawn

SHAPES = [(128, 96), (31, 200), (200, 31)]
CHANNELS = (48, 24, 16, 12, 8)


def net_of(encoder: str) -> Any:
    """Untrained, but nothing of it is left out by being 0 or 1: weights, statistics and alphas are spread."""
    import torch

    from pipeline.segment.unet.architecture import build

    torch.manual_seed(5)
    net: Any = build(UnetConfig(encoder=encoder, decoder_channels=CHANNELS, size=128)).eval()
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if name.endswith("running_mean") or (name.endswith("bias") and tensor.ndim == 1):
                tensor.normal_(0, 0.3)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif name.endswith("weight") and tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5)
        head = net.segmentation_head[0]
        pixels = torch.from_numpy(drawn("a bust", 128, 96)[0]).permute(2, 0, 1)[None]
        seen = net(pixels / 127.5 - 1)
        head.weight.mul_(2 / seen.std())
        head.bias.sub_(seen.mean()).mul_(2 / seen.std())
    return net


@pytest.mark.filterwarnings("ignore")  # of tracing
@pytest.mark.parametrize(
    "encoder", ["resnet18", "timm-efficientnet-b0", "tu-mobilenetv3_small_100", "mobilenet_v2"]
)
def test_openvino_multiplies_less_for_the_same_alphas(encoder: str, tmp_path: Path) -> None:
    import openvino
    import torch

    from pipeline.segment.unet.openvino_net import OpenvinoNet, ensure_converted
    from pipeline.segment.unet.torch_net import TorchNet
    from pipeline.segment.unet.weights import load_net, save_net

    config = UnetConfig(encoder=encoder, decoder_channels=CHANNELS, size=128)
    weights = tmp_path / "net.safetensors"
    save_net(weights, net_of(encoder))
    graph = ensure_converted(weights, config, tmp_path)
    net: Any = load_net(weights, config)
    photos = [drawn(f"photo {i}", *shape)[0] for i, shape in enumerate(SHAPES)]
    plain = TorchNet(net, 128, "cpu", "f32")(photos)
    for expected, alpha in zip(plain, OpenvinoNet(graph, 128, "f32")(photos), strict=True):
        assert expected.std() > 20
        assert np.abs(alpha.astype(int) - expected).max() <= 1

    plain_model = openvino.convert_model(net, example_input=torch.zeros((1, 128, 96, 3), dtype=torch.uint8))
    model = openvino.Core().read_model(graph)
    for each in (model, plain_model):
        each.reshape([1, 128, 96, 3])
    below = (net.net.encoder.out_channels[-1], *CHANNELS[:-1])
    pixels = [128 * 96 / 4**i for i in (4, 3, 2, 1, 0)]
    saved = sum(2 * (9 - 4) * p * a * b for p, a, b in zip(pixels, below, CHANNELS, strict=True))
    spent = 2 * 9 * CHANNELS[-1] * (130 * 98 - 128 * 96)  # the head's sums on the padding
    assert 1e9 * (gflop_of(plain_model) - gflop_of(model)) == pytest.approx(saved - spent, rel=1e-9)
    assert "Interpolate" not in {node.get_type_name() for node in model.get_ordered_ops()}


@pytest.mark.parametrize(
    ("encoder", "blocks"),
    [("tu-convnext_atto", 5), ("tu-inception_v3", 0)],
    ids=["one skip has no channels", "no size is half of another"],
)
def test_other_encoders_give_what_they_gave(encoder: str, blocks: int) -> None:
    import torch

    from pipeline.segment.unet.fused_decoder import FusedBlock, fuse_decoder

    net = net_of(encoder)
    x = torch.randn((1, 3, 128, 96), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected = net(x)
        fuse_decoder(net, torch.zeros((1, 3, 96, 96)))
        assert sum(isinstance(block, FusedBlock) for block in net.decoder.blocks) == blocks
        assert torch.allclose(net(x), expected, rtol=1e-4, atol=1e-4)
