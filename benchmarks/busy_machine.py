"""Training beside one busy process: what is left of the quiet rate, with waiting threads asleep and spinning.

OpenMP's threads wait for each other at every layer. When they spin while they wait, a process that wants a
core makes them take turns with their own waiting. Stages set GOMP_SPINCOUNT=0 (`configure_threads`);
the baseline is what libgomp does by itself. Every figure comes from a process of its own, in turns; the load
is one Python loop at normal priority. Aim: at least half of the quiet rate is left.

    python -m benchmarks.busy_machine
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchmarks.interleave import Row, table

AIM = 0.5
SPIN = "300000000"  # libgomp's own count where threads are not more than cores
WAYS = {"asleep": {"GOMP_SPINCOUNT": "0"}, "spinning": {"GOMP_SPINCOUNT": SPIN}}
WORKS = ("train", "fit_segmenter")


def run() -> dict[str, Any]:
    """A row for each work: share of the quiet rate that is left, spinning (baseline) and asleep (ours)."""
    rates: dict[tuple[str, str, bool], float] = {}
    for work in WORKS:
        for way, environment in WAYS.items():
            for busy in (False, True):
                with one_busy_process() if busy else nothing():
                    rates[work, way, busy] = measured(work, environment)
    rows: list[Row] = []
    for work in WORKS:
        left = {way: rates[work, way, True] / rates[work, way, False] for way in WAYS}
        beside = rates[work, "asleep", True]
        shares = f"{left['asleep']:.0%} of the quiet rate, spinning {left['spinning']:.0%}"
        rows.append(
            Row(
                name=f"{work} beside a busy process: {shares}",
                baseline=rates[work, "spinning", True],
                ours=beside,
                ratio=beside / rates[work, "spinning", True],
                ratio_cpu=left["asleep"],
                agreement=None,
                target=AIM,
                limit=None,
                met=left["asleep"] >= AIM,
            )
        )
    named = {f"{work}, {way}, {'busy' if busy else 'quiet'}": r for (work, way, busy), r in rates.items()}
    return {"rates": named, "rows": rows}


@contextmanager
def one_busy_process() -> Iterator[None]:
    """One core's worth of other load."""
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


@contextmanager
def nothing() -> Iterator[None]:
    yield


def measured(work: str, environment: dict[str, str]) -> float:
    """Pictures per second of a process that does `work`."""
    command = [sys.executable, "-m", "benchmarks.busy_machine", work]
    whole = {**os.environ, **environment}
    done = subprocess.run(command, env=whole, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def train_rate() -> float:
    """resnet18 at 64 px, on drawn noise, in the loop that `train` runs."""
    from benchmarks.training_input import examples_of
    from pipeline.params.learning import Train
    from pipeline.train.config import resolve_config
    from pipeline.train.loop import one_epoch
    from pipeline.train.start import start

    array = np.random.default_rng(0).integers(0, 256, (256, 64, 64, 3)).astype(np.uint8)
    examples = examples_of(array, [str(n) for n in range(len(array))])
    running = start(examples, resolve_config(Train(size=64, epochs=1000)), 0)
    one_epoch(running, examples, 0)
    return one_epoch(running, examples, 1)[1]


def fit_rate() -> float:
    """The U-Net of `fit_segmenter`, on drawn noise, at the sizes of the demo."""
    from pipeline.params.preparation import FitSegmenter
    from pipeline.segment.unet.architecture import build
    from pipeline.segment.unet.config import UnetConfig
    from pipeline.segment.unet.fitting import DECODER_CHANNELS, Sample, fit_net, set_seed

    params = FitSegmenter(epochs=2)
    random = np.random.default_rng(0)
    shape = (params.size, params.size * 3 // 4)
    samples = [
        Sample(str(n), random.integers(0, 256, (*shape, 3)).astype(np.uint8), np.zeros(shape, np.uint8))
        for n in range(64)
    ]
    set_seed(0)
    config = UnetConfig(encoder=params.encoder, decoder_channels=DECODER_CHANNELS, size=params.size)
    ends: list[float] = []
    fit_net(build(config), config, params, samples, samples[:1], lambda *_: ends.append(time.monotonic()))
    return len(samples) / (ends[1] - ends[0])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "work", nargs="?", choices=WORKS, help="print the rate of this one; omitted: the rows"
    )
    given = parser.parse_args()
    if given.work:
        print(train_rate() if given.work == "train" else fit_rate())
        return
    found = run()
    print(table(found["rows"]))
    for name, rate in found["rates"].items():
        print(f"{name:32} {rate:.0f} /s")


if __name__ == "__main__":
    main()
