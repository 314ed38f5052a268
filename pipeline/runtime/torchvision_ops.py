"""Makes `import torchvision` work where its compiled operators cannot be loaded.

The torchvision wheel on the package registry is linked against CUDA. Next to a CPU build of torch its
`_C` library does not load, and since torchvision registers fake kernels for operators which then do not
exist, even `import torchvision` raises ("operator torchvision::nms does not exist"). Everything that needs
torchvision (timm, segmentation-models-pytorch, facenet-pytorch, ultralytics) is therefore imported after
this module, which defines the two operators that are registered at import, and a working `nms`.

Where the compiled operators load, importing this module changes nothing.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch


def _compiled_operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return True  # no torchvision at all: its own ImportError says it best
    libraries = sorted(Path(next(iter(spec.submodule_search_locations))).glob("_C.*"))
    if not libraries:
        return False
    try:
        torch.ops.load_library(str(libraries[0]))
    except OSError:
        return False
    return True


def nms(dets: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Non-maximum suppression with torchvision's semantics.

    Args:
        dets: boxes `xyxy` in pixels, float [N, 4].
        scores: float [N].
        iou_threshold: boxes with IoU strictly above it are dropped.

    Returns:
        Kept indices by falling score, int64 [K].
    """
    boxes = dets.detach().to("cpu", torch.float64).numpy()
    order = np.argsort(-scores.detach().to("cpu", torch.float64).numpy(), kind="stable")
    boxes = boxes[order]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    alive = np.ones(len(boxes), dtype=bool)
    keep: list[int] = []
    for i in range(len(boxes)):
        if not alive[i]:
            continue
        keep.append(i)
        rest = boxes[i + 1 :]
        width = np.minimum(boxes[i, 2], rest[:, 2]) - np.maximum(boxes[i, 0], rest[:, 0])
        height = np.minimum(boxes[i, 3], rest[:, 3]) - np.maximum(boxes[i, 1], rest[:, 1])
        inter = np.maximum(width, 0.0) * np.maximum(height, 0.0)
        # inter > t * union avoids a division by the zero area of degenerate boxes
        alive[i + 1 :] &= ~(inter > iou_threshold * (area[i] + area[i + 1 :] - inter))
    return torch.as_tensor(order[keep].copy(), dtype=torch.int64, device=dets.device)


if not _compiled_operators_load():
    _library = torch.library.Library("torchvision", "FRAGMENT")
    _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _library.define(
        "qnms(Tensor dets, Tensor scores, float iou_threshold, float scale, int zero_point) -> Tensor"
    )
    _library.impl("nms", nms, "CompositeExplicitAutograd")

    import torchvision.extension

    # torchvision.ops asks this before it calls an operator; the one that we define is all that is used here.
    torchvision.extension._has_ops = lambda: True
