"""Measured time per photo of each stage on this machine, for `cleanplate check`.

Stored in `.cache/rates.json`, beside the result cache, since it describes the machine, not a result.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from pipeline.io.atomic import write_json
from pipeline.params import Params
from pipeline.runtime.errors import UserError
from pipeline.runtime.process import worker_count

MIN_PHOTOS = 200  # below, start-up dominates the time


def rate_key(stage: str, params: Params) -> str:
    """The stage and the params that determine its speed, e.g. `train resnet18 joint 224 auto auto, 2
    workers`."""
    detect, unet, train = params.detect, params.segment.unet, params.train
    segmenters = {
        "unet": f"{unet.weights} {unet.size or 'as fitted'} {unet.precision} {params.segment.backend}",
        "selfie": f"selfie {params.segment.selfie.precision}",
    }
    detectors = {
        "mtcnn": " adaptive" if detect.mtcnn.adaptive else " thorough",
        "retinaface": f" {detect.retinaface.weights} {detect.retinaface.max_side}",
        "blazeface": f" {detect.blazeface.weights}",
        "yolov8": f" {detect.yolov8.weights} {detect.yolov8.precision}",
    }
    own = "".join(f" {task} {side}" for task, side in sorted(train.task_size.items()))
    refine = "" if params.segment.refine == "none" else f" {params.segment.refine}"
    known = {
        "detect": f"detect {detect.method}{detectors.get(detect.method, '')} {detect.backend}",
        "faces": f"faces {' '.join(params.faces.networks)}",
        "segment": f"segment {segmenters.get(params.segment.method, params.segment.method)}{refine}",
        "train": f"train {train.model} {train.heads} {train.size}{own} {train.device} {train.precision}",
        **{name: f"{name} {params.compose.size}" for name in ("compose", "synthesize", "plates")},
    }
    return f"{known.get(stage, stage)}, {worker_count(params.machine.workers)} workers"


def read_rates(cache: Path) -> dict[str, float]:
    """Seconds per photo by `rate_key`; empty if the file is missing or damaged."""
    try:
        rates = json.loads((cache / "rates.json").read_text(encoding="utf-8"))
        return {str(key): float(value) for key, value in rates.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def record_rate(cache: Path, key: str, seconds: float, photos: float) -> None:
    """Records the time of a run over `photos` photos (or training pictures), unless these are few.

    Ignores write errors, e.g. a full disk: no run fails for an estimate.
    """
    if photos >= MIN_PHOTOS:
        rates = read_rates(cache) | {key: round(seconds / photos, 6)}
        with contextlib.suppress(OSError, UserError):
            write_json(cache / "rates.json", dict(sorted(rates.items())))
