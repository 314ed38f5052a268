"""Estimates time and disk space of each stage, for `cleanplate check` and `require_room`.

The rates are for one CPU core (float32, photos of 384 x 512), from measurements; docs/reliability.md gives
their accuracy. A GPU runs the networks tens of times faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.io.tar_shards import per_shard
from pipeline.params import Params
from stages.shared.rates import rate_key

PHOTO_PIXELS = 384 * 512
SECONDS = {"ingest": 0.002, "compose": 0.004, "synthesize": 0.008}  # of one core, a photo
DETECT_SECONDS = {"mtcnn": 0.025, "retinaface": 0.02, "blazeface": 0.01, "yolov8": 0.055, "none": 0.0}
FACE_SECONDS = {"faceres": 0.05, "dlib": 0.2, "facenet": 0.1}
SEGMENT_SECONDS = {"selfie": 0.02, "demo": 0.02, "people-unet-b3": 0.23}  # by network
REFINE_SECONDS = {"none": 0.0, "grabcut": 0.15}
TRAIN_SECONDS = 0.14  # resnet18 at 224 px, forwards and backwards; by the area of what the network sees
TRAIN_SIZE = 224
TRAIN_FLOPS = 3.627e9  # of that, forwards
ONE_MASK_SHARE = 3 / 7  # of a person's pictures, in an epoch of sampler one_mask
INFERENCE_SHARE = 0.35  # of a training step: forwards only
COMPOSED_BYTES = {"noise": 1.3}  # of a JPEG, a pixel; noise hardly compresses
OTHER_COMPOSED_BYTES = 0.5
MATTE_BYTES = 0.12 * PHOTO_PIXELS
# a tar, its spool and the result cache's entry; a single file is a link to that entry; plates have none
PACKED_TIMES = {"segment": 3, "compose": 3, "synthesize": 3, "plates": 2}
ROW_BYTES = 300.0
FACE_BYTES = 10_000.0  # 1,024 numbers of a photo, and their entry in the result cache
MODEL_BYTES = 100e6  # a medium backbone, per fold: the best and the last checkpoint


@dataclass(frozen=True)
class Cost:
    """Seconds of wall-clock time and bytes of output of one stage."""

    stage: str
    seconds: float
    bytes: float
    measured: bool = False  # by an earlier run on this machine; else estimated


def written_bytes(name: str, params: Params, photos: int) -> float:
    """Bytes that stage `name` needs as it runs: its output, and of packed pictures spool and cache entry."""
    packed = per_shard(params.data.shards, photos) is not None
    return stage_bytes(name, params, photos) * (PACKED_TIMES.get(name, 1) if packed else 1)


def stage_bytes(name: str, params: Params, photos: int) -> float:
    """Bytes of what stage `name` makes of `photos` photos; 0 for those that make little."""
    size = params.compose.size**2 * COMPOSED_BYTES.get(params.compose.fill, OTHER_COMPOSED_BYTES)
    folds = params.split.folds if params.train.folds == "all" else 1
    swapped = params.train.background_swap > 0
    known = {
        "ingest": 2 * ROW_BYTES * photos,
        "segment": 0.0 if params.segment.method == "none" else MATTE_BYTES * photos,
        "compose": size * photos,
        "synthesize": params.compose.size**2 * OTHER_COMPOSED_BYTES * photos * params.synthesize.copies,
        "faces": FACE_BYTES * len(params.faces.networks) * photos,
        "plates": swapped * (params.compose.size**2 * OTHER_COMPOSED_BYTES + MATTE_BYTES) * photos,
        "train": MODEL_BYTES * folds,
    }
    return known.get(name, ROW_BYTES * photos)


def run_costs(
    params: Params, photos: int, workers: int, rates: Mapping[str, float], flops: float | None = None
) -> list[Cost]:
    """The cost of each stage without any cache, in the order of the run.

    Args:
        params: of the run.
        photos: number of photos.
        workers: processes that share the estimated work.
        rates: seconds per photo of earlier runs here, by `rates.rate_key`.
        flops: of the network on one picture of `train.size`; None = as resnet18's.
    """
    train = params.train
    folds = params.split.folds if train.folds == "all" else 1
    rounds = 1 if train.pseudo_labels is None else 2
    shown = ONE_MASK_SHARE if train.sampler.startswith("one_mask") else 1.0
    learnt = photos * (1 + params.synthesize.copies) * shown
    units = {
        **dict.fromkeys(("ingest", "detect", "compose", "evaluate", "predict"), float(photos)),
        "faces": float(photos) if params.faces.networks else 0.0,
        "segment": 0.0 if params.segment.method == "none" else float(photos),
        "synthesize": photos * params.synthesize.copies,
        "plates": photos * float(train.background_swap > 0),
        "train": learnt * train.epochs * folds * rounds,
    }
    estimates = _core_seconds(params, flops)
    costs: list[Cost] = []
    for name in estimates:
        rate = rates.get(rate_key(name, params))
        if name in ("evaluate", "predict") and rate_key("train", params) in rates:
            rate = rates[rate_key("train", params)] * INFERENCE_SHARE
        seconds = estimates[name] / workers if rate is None else rate
        costs.append(
            Cost(name, seconds * units[name], written_bytes(name, params, photos), measured=rate is not None)
        )
    return costs


def _core_seconds(params: Params, flops: float | None) -> dict[str, float]:
    """Seconds of one CPU core for one photo, by stage."""
    area = (params.train.size / TRAIN_SIZE) ** 2
    segmenter = "selfie" if params.segment.method == "selfie" else params.segment.unet.weights
    train_seconds = TRAIN_SECONDS * (area if flops is None else flops / TRAIN_FLOPS)
    return {
        "ingest": SECONDS["ingest"],
        "detect": DETECT_SECONDS.get(params.detect.method, max(DETECT_SECONDS.values())),
        "faces": sum(FACE_SECONDS.get(name, max(FACE_SECONDS.values())) for name in params.faces.networks),
        "segment": SEGMENT_SECONDS.get(segmenter, SEGMENT_SECONDS["people-unet-b3"])
        + REFINE_SECONDS[params.segment.refine],
        "compose": SECONDS["compose"],
        "synthesize": SECONDS["synthesize"],
        "plates": SECONDS["synthesize"],
        "train": train_seconds,
        "evaluate": train_seconds * INFERENCE_SHARE,
        "predict": train_seconds * INFERENCE_SHARE,
    }
