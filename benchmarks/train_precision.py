"""Training steps in float32 and bfloat16 on one thread of this CPU: is `train.precision: auto` right?

    python -m benchmarks.train_precision [MODEL …] [--pixels 64 128]

Batches of 32 random pictures, AdamW, channels last, the two precisions in turns; CPU time of the fastest of
the rounds. All models take ten minutes. Ends with 1 where `auto` chose a precision that is more than 15 %
slower.
"""

from __future__ import annotations

import argparse
import time

import timm
import torch

from pipeline.networks.backends import cpu_has_bf16
from pipeline.params.learning import Train
from pipeline.train.config import resolve_config

MODELS = (
    "mobilenetv2_100",
    "mobilenetv3_large_100",
    "efficientnet_b0",
    "convnext_atto",
    "convnext_tiny",
    "resnet18",
    "resnet50",
    "densenet121",
)
BATCH, STEPS, ROUNDS = 32, 3, 3
TOLERANCE = 1.15


def step_seconds(model: str, pixels: int) -> dict[str, float]:
    """CPU seconds of a step by precision, `f32` and `bf16`."""
    network = timm.create_model(model, num_classes=8).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    pictures = torch.rand(BATCH, 3, pixels, pixels).to(memory_format=torch.channels_last)
    classes = torch.randint(0, 8, (BATCH,))

    def step(precision: str) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(network(pictures).float(), classes)
        loss.backward()
        optimizer.step()

    found: dict[str, float] = {}
    for _ in range(ROUNDS):
        for precision in ("f32", "bf16"):
            step(precision)
            begun = time.process_time()
            for _ in range(STEPS):
                step(precision)
            seconds = (time.process_time() - begun) / STEPS
            found[precision] = min(seconds, found.get(precision, seconds))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL", help="names of timm")
    parser.add_argument("--pixels", nargs="+", type=int, default=[64, 128], help="sides of the pictures")
    options = parser.parse_args()
    if not cpu_has_bf16():
        print("this CPU has no bfloat16: auto is f32")
        return 0
    torch.set_num_threads(1)
    late = 0
    print(f"{'model':24} pixels  f32/s  bf16/s  bf16 is … times as fast  auto")
    for model in options.models:
        for pixels in options.pixels:
            seconds = step_seconds(model, pixels)
            auto = resolve_config(Train.model_validate({"model": model, "device": "cpu"})).precision
            slow = seconds[auto] > TOLERANCE * min(seconds.values())
            late += slow
            print(
                f"{model:24} {pixels:6} {BATCH / seconds['f32']:6.0f} {BATCH / seconds['bf16']:7.0f} "
                f"{seconds['f32'] / seconds['bf16']:24.2f}  {auto}{' (slower)' if slow else ''}",
                flush=True,
            )
    return 1 if late else 0


if __name__ == "__main__":
    raise SystemExit(main())
