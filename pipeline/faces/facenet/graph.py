"""InceptionResnetV1's weights, read by torch and converted for OpenVINO once."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from pipeline.networks.compiled_graph import ensure_graph
from pipeline.networks.weights import sha256_of
from pipeline.runtime.errors import UserError, first_line

CONVERSION = "1"  # raise it with any change of the graph
CLASSIFIER = "logits."  # of the people that it was trained on; not needed for an embedding


def ensure_converted(weights: Path, root: Path) -> Path:
    """The network's OpenVINO graph, below `root/.cache/compiled`; converted if missing.

    float32 [1, 160, 160, 3] RGB in about [-1, 1] -> float32 [1, 512], of length 1.

    Raises:
        UserError: the file is no state dict of this network.
    """
    name = f"facenet-{sha256_of(weights)[:32]}-{CONVERSION}"
    return ensure_graph(name, root, lambda graph: _convert(weights, graph))


def _convert(weights: Path, graph: Path) -> None:
    import openvino
    import torch
    from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

    from pipeline.networks.state_dict import fitted, read_state_dict

    net = InceptionResnetV1(pretrained=None)
    names = net.state_dict().keys()
    state = fitted(read_state_dict(weights), names, weights)
    try:
        net.load_state_dict({k: v for k, v in state.items() if not k.startswith(CLASSIFIER)})
    except RuntimeError as e:
        raise UserError(
            "these weights are not InceptionResnetV1",
            where=weights,
            got=first_line(e),
            allowed="a state dict of facenet-pytorch's InceptionResnetV1",
            fix="set faces.facenet.weights: facenet-vggface2.pt",
        ) from e

    class ChannelsLast(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net.eval()

        def forward(self, faces: torch.Tensor) -> torch.Tensor:
            return self.net(faces.permute(0, 3, 1, 2))

    example = torch.zeros(1, 160, 160, 3)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # tracing is deprecated in torch; a test compares the outputs
        traced: Any = torch.jit.trace(ChannelsLast(), example, check_trace=False)
        model = openvino.convert_model(traced, example_input=example)
    model.reshape([1, 160, 160, 3])
    openvino.save_model(model, graph, compress_to_fp16=False)
