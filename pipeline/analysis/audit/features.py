"""Features of the faces in composed pictures, from descriptors and, optionally, a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from pipeline.analysis.audit.descriptors import colours, difference_hash, gradients
from pipeline.faces.alignment import cut_face
from pipeline.io.image_store import ImageStore
from pipeline.params.machine import Machine
from pipeline.params.schema import Audit
from pipeline.runtime.progress import track
from pipeline.workers.run import run_parallel

POOLED_SIDE = 2  # the map of the last layer but one is pooled to 2 × 2


@dataclass(frozen=True)
class Task:
    """A composed picture's name, and the affine map from its pixels to its face's ([2, 3], see face.py)."""

    picture: str
    matrix: np.ndarray


@dataclass(frozen=True)
class Result:
    """A row per picture: `features` float32 [N, D], `hashes` uint64 [N, 4]."""

    features: np.ndarray
    hashes: np.ndarray


def describe(pictures: ImageStore, tasks: Sequence[Task], audit: Audit, machine: Machine) -> Result:
    """Describes every picture; the numbers do not depend on the machine."""
    results = run_parallel(
        partial(_make_describer, pictures, audit),
        tasks,
        machine=machine,
        name=lambda task: task.picture,
        reads=lambda task: [pictures.source(task.picture)],
    )
    rows = list(track(results, len(tasks), "audit"))
    features = np.stack([features for features, _ in rows])
    return Result(features, np.stack([hashed for _, hashed in rows]))


def _make_describer(pictures: ImageStore, audit: Audit) -> Callable[[Task], tuple[np.ndarray, np.ndarray]]:
    cv2.setNumThreads(1)
    return partial(_describe_one, pictures, audit.size, _network(audit) if audit.model else None)


def _describe_one(
    pictures: ImageStore, size: int, network: Callable[[np.ndarray], np.ndarray] | None, task: Task
) -> tuple[np.ndarray, np.ndarray]:
    picture = pictures.photo(task.picture)
    face = cut_face(picture, task.matrix, size)
    parts = [gradients(face), colours(face)]
    if network:
        parts.append(network(face))
    return np.concatenate(parts), difference_hash(picture)


def _network(audit: Audit) -> Callable[[np.ndarray], np.ndarray]:
    """A function from uint8 [S, S, 3] RGB to float32 [D]: pooled features of the last two resolutions."""
    import torch
    from torch.nn import functional

    from pipeline.params.learning import Train
    from pipeline.train.config import resolve_config
    from pipeline.train.network import backbone_maker

    torch.set_num_threads(1)
    params = Train(
        model=audit.model or "",
        model_args=dict(audit.model_args),
        pretrained=audit.pretrained,
        normalize=audit.normalize,
        size=audit.size,
        device="cpu",
    )
    backbone: Any = backbone_maker(params, weights=True)(1000)
    model = backbone.eval().to(memory_format=torch.channels_last)
    config = resolve_config(params)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (config.mean, config.std))

    def embed(face: np.ndarray) -> np.ndarray:
        image = torch.from_numpy(face).permute(2, 0, 1)[None].float().div(255)
        with torch.inference_mode():
            last, maps = model.forward_intermediates((image - mean) / std, indices=2)
            coarse = functional.adaptive_avg_pool2d(maps[0], POOLED_SIDE).flatten(1)
            whole = model.forward_head(last, pre_logits=True).flatten(1)
        return torch.cat([coarse, whole], dim=1)[0].numpy()

    return embed
