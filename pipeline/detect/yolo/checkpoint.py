"""Reads a YOLOv8 checkpoint (.pt) without running code from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.runtime.errors import UserError


def load_checkpoint(path: Path, root: Path) -> Any:
    """The detection model in a .pt file of ultralytics, batch norms folded in, float32, in eval mode.

    Read with `torch.load(weights_only=True)` against ultralytics' list of known classes, so that a file from
    anywhere cannot run code. Ultralytics is kept from installing, downloading, reporting and writing outside
    `root/.cache`, and from setting the thread count of this process.

    Returns:
        torch.nn.Module (`ultralytics.nn.tasks.DetectionModel`).

    Raises:
        UserError: not a checkpoint, or its network has no YOLOv8 head with class 0 = person.
    """
    os.environ.update(
        ULTRALYTICS_SAFE_LOAD="true",
        YOLO_OFFLINE="true",  # no DNS look-ups, no telemetry (events ask for it), no downloads
        YOLO_AUTOINSTALL="false",
        YOLO_VERBOSE="false",
        YOLO_CONFIG_DIR=str(root / ".cache"),
    )
    import torch
    from PIL import Image

    # on import, ultralytics sets torch's threads for the whole process and puts its own function over PIL's
    threads, pil_open = torch.get_num_threads(), Image.open
    from ultralytics.nn.tasks import torch_safe_load

    Image.open = pil_open

    if path.suffix != ".pt":
        raise UserError("YOLOv8 weights are a .pt file", got=str(path), where="detect.yolov8.weights")
    try:
        checkpoint, _ = torch_safe_load(str(path), safe_only=True)
    except Exception as e:
        raise UserError(
            "this is not a checkpoint of ultralytics that can be read safely",
            where=path,
            got=str(e).splitlines()[0],
            fix="set detect.yolov8.weights to yolov8n.pt, or to a .pt file that ultralytics trained",
        ) from e
    model: Any = checkpoint.get("ema") or checkpoint.get("model")
    _refuse_other_networks(model, path)
    model = model.float().fuse(verbose=False).eval().requires_grad_(False)
    torch.set_num_threads(threads)
    return model


def _refuse_other_networks(model: Any, path: Path) -> None:
    names = getattr(model, "names", None) or {}
    head = model.model[-1] if hasattr(model, "model") else None
    is_detect = type(head).__name__ == "Detect" and not getattr(head, "end2end", False)
    if not is_detect or names[0] != "person":
        raise UserError(
            "detect.method yolov8 needs a YOLOv8 detection network whose class 0 is person",
            where=path,
            got=f"{type(model).__name__} with head {type(head).__name__}, class 0 = {dict(names).get(0)!r}",
            fix="set detect.yolov8.weights to yolov8n.pt, yolov8s.pt, … or to a network trained from one",
        )
