"""How long a photo takes each stage on this machine, as earlier runs measured it, for `cleanplate check`.

Kept in `.cache/rates.json`, beside the item cache: it says something about the machine, not about a result.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.params import Params
from pipeline.publish import write_json

LEAST = 20  # photos from which a rate says something


def rate_key(stage: str, params: Params) -> str:
    """The stage with what decides its speed most, e.g. `train resnet18 224`."""
    known = {
        "detect": f"detect {params.detect.method}",
        "segment": f"segment {params.segment.unet.weights}",
        "train": f"train {params.train.model} {params.train.size}",
    }
    return known.get(stage, stage)


def read_rates(cache: Path) -> dict[str, float]:
    """Seconds a photo by `rate_key`; empty where nothing was measured yet, or the file is damaged."""
    try:
        rates = json.loads((cache / "rates.json").read_text(encoding="utf-8"))
        return {str(key): float(value) for key, value in rates.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def record_rate(cache: Path, key: str, seconds: float, photos: float) -> None:
    """Keeps what a run over `photos` photos (or pictures learnt from) took; a few photos say nothing."""
    if photos >= LEAST:
        rates = read_rates(cache) | {key: round(seconds / photos, 6)}
        write_json(cache / "rates.json", dict(sorted(rates.items())))
