"""PersonNet on OpenVINO or torch, behind one interface: letterboxed photos in, scores and features out."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from pipeline.detect.yolo.box_branch import BoxBranch
from pipeline.detect.yolo.output import MapOutput, NetOutput
from pipeline.io.atomic import atomic_folder, verified_folder
from pipeline.networks.backends import Precision, has_cuda, openvino_properties
from pipeline.runtime.errors import UserError

VERSION = "1"
MAX_COMPILED_SHAPES = 4  # per process; photos are sorted by size, so few are in use at a time


class OpenvinoEngine:
    """Runs the network written by `convert`; never imports torch.

    Args:
        folder: of the converted network.
        precision: f32 or bf16.
    """

    runs_together = False  # one photo at a time stays in the CPU's caches

    def __init__(self, folder: Path, precision: Precision) -> None:
        import openvino

        self.core = openvino.Core()
        self.model = self.core.read_model(folder / "person.xml")
        self.boxes = BoxBranch.load(folder / "boxes.npz")
        self.properties = openvino_properties(precision)
        self.requests: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __call__(self, frames: np.ndarray) -> NetOutput:
        import openvino

        request = self._request(frames.shape)
        request.infer([openvino.Tensor(frames, shared_memory=True)], share_outputs=True)
        logits, *maps = (request.get_output_tensor(i).data for i in range(1 + len(self.boxes.levels)))
        return MapOutput(logits, maps)

    def _request(self, shape: tuple[int, ...]) -> Any:
        """The network for one input shape; keeps the most recent shapes."""
        if shape not in self.requests:
            if len(self.requests) >= MAX_COMPILED_SHAPES:
                self.requests.popitem(last=False)
            model = self.model.clone()
            model.reshape(list(shape))
            self.requests[shape] = self.core.compile_model(
                model, "CPU", self.properties
            ).create_infer_request()
        self.requests.move_to_end(shape)
        return self.requests[shape]


class TorchEngine:
    """Runs the network with torch, channels last; on CUDA if available."""

    runs_together = True

    def __init__(self, weights: Path, root: Path, precision: Precision) -> None:
        import torch

        from pipeline.detect.yolo.checkpoint import load_checkpoint
        from pipeline.detect.yolo.network import PersonNet, box_branch_of

        model = load_checkpoint(weights, root)
        self.boxes = box_branch_of(model)
        dtype = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[precision]
        self.device = torch.device("cuda" if has_cuda() else "cpu")
        net: Any = PersonNet(model).eval()
        self.net = net.to(self.device, dtype, memory_format=torch.channels_last)

    def __call__(self, frames: np.ndarray) -> NetOutput:
        import torch

        with torch.inference_mode():
            images = torch.from_numpy(frames)
            if self.device.type == "cuda":
                images = images.pin_memory().to(self.device, non_blocking=True)
            logits, *maps = self.net(images)
            return MapOutput(logits.float().cpu().numpy(), maps)


def ensure_converted(weights: Path, sha256: str, root: Path) -> Path:
    """The folder with the network in OpenVINO's format, converted from the checkpoint if missing.

    Named by a hash of weights and versions; renamed into place under a lock, so that runs can share it.
    """
    folder = converted_folder(sha256, root)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        try:
            return verified_folder(folder, "detect")
        except UserError:
            shutil.rmtree(folder, ignore_errors=True)  # missing or damaged
        with atomic_folder(folder) as part:
            convert(weights, root, part)
    return folder


def converted_folder(sha256: str, root: Path) -> Path:
    """The folder of `ensure_converted`."""
    import openvino

    key = hashlib.sha256(f"{sha256} {VERSION} {openvino.__version__}".encode()).hexdigest()[:16]
    return root / ".cache" / "compiled" / f"yolov8-{key}"


def convert(weights: Path, root: Path, folder: Path) -> None:
    """Writes person.xml, person.bin (float32, for any multiple of 32) and boxes.npz into `folder`."""
    import openvino
    import torch

    from pipeline.detect.yolo.checkpoint import load_checkpoint
    from pipeline.detect.yolo.network import PersonNet, box_branch_of

    model = load_checkpoint(weights, root)
    example = torch.zeros(1, 64, 96, 3, dtype=torch.uint8)
    with torch.inference_mode(), warnings.catch_warnings():
        # OpenVINO itself traces with torch.jit, which torch calls deprecated
        warnings.filterwarnings("ignore", message=r".*torch\.jit")
        network = openvino.convert_model(PersonNet(model).eval(), example_input=example)
    network.reshape([-1, -1, -1, 3])
    openvino.save_model(network, folder / "person.xml", compress_to_fp16=False)
    box_branch_of(model).save(folder / "boxes.npz")
