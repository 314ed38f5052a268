"""Importing timm and torchvision without torch's compiler, in real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ASK_A_NETWORK = """
import sys
from pipeline.runtime.deferred_dynamo import defer_dynamo
defer_dynamo()
import timm, torch, torchvision
network = timm.create_model("resnet10t", num_classes=2).eval()
with torch.inference_mode():
    network(torch.zeros(1, 3, 32, 32))
kept = torchvision.ops.nms(torch.tensor([[0., 0., 9., 9.], [0., 0., 8., 9.]]), torch.tensor([.9, .8]), .5)
assert kept.tolist() == [0]
assert "torch._dynamo" not in sys.modules, "the compiler was loaded"
"""
COMPILE = """
import torch._dynamo
assert torch._dynamo.__file__
assert torch.compile(lambda x: x + 1, backend="eager")(torch.zeros(1)).item() == 1
optimizer = torch.optim.SGD(network.parameters(), lr=.1)
network(torch.zeros(1, 3, 32, 32)).sum().backward()
optimizer.step()
"""


def test_a_network_answers_without_the_compiler_and_the_compiler_works_afterwards() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK_A_NETWORK + COMPILE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
