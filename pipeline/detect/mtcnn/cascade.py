"""MTCNN with the defaults and boxes of facenet-pytorch, several times as fast.

facenet-pytorch sums the photo's pixels for each pyramid level and each crop, and runs its networks eagerly.
Here one integral image feeds all of them (`pyramid`), the networks run compiled (`nets`), and with `adaptive`
the fine levels, which take most of the time, run only where no large face was found. `detect_largest` skips
the candidates that cannot be the largest face (`refinement`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import numpy as np

from pipeline.detect.mtcnn.boxes import candidates, passing_cells
from pipeline.detect.mtcnn.coroutine import Cascade, Face, Faces, Request, run_cascade, run_cascades
from pipeline.detect.mtcnn.nets import ONET, PNET, RNET, Backend, Nets, folded_weights
from pipeline.detect.mtcnn.pyramid import Pyramid
from pipeline.detect.mtcnn.refinement import Refinement
from pipeline.detect.nms import nms

MAX_BATCH_PIXELS = 32 * 2**20  # of the photos in a batch; an integral image takes 12 to 24 bytes each
FINE_LEVELS = 3
"""Levels that `adaptive` leaves out at first. The others keep their scales, which decide the boxes."""


class Mtcnn:
    """Finds faces.

    Args:
        backend: "openvino" (CPU) or "torch".
        adaptive: look for large faces first, and for small ones only where the largest is below
            `min_face / factor**4` (79 px by default). The largest face was the same on 598 of 600 photos; on
            the other two, all levels together took an eye for it. Small faces beside a large one may be
            missed.
        threads: of OpenVINO, per photo. N processes of 1 thread are faster than 1 process of N threads.
        device: torch device.
        min_face: minimum side of a face, in pixels.
        thresholds: minimum probability after each of the three networks.
        factor: ratio of pyramid levels.
        root: the folder with `.cache`, for the converted weights.
        nets: the networks; None = those of `backend`.
    """

    def __init__(
        self,
        *,
        backend: Backend = "openvino",
        adaptive: bool = True,
        threads: int = 1,
        device: str = "cpu",
        min_face: int = 20,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        root: Path = Path(),
        nets: Nets | None = None,
    ) -> None:
        self.nets = nets or load_nets(backend, threads, device, root)
        self.adaptive, self.min_face, self.thresholds, self.factor = adaptive, min_face, thresholds, factor
        self.large_side = min_face / factor ** (FINE_LEVELS + 1)

    def detect_largest(self, image: np.ndarray) -> Face | None:
        """The largest face, as `facenet_pytorch.MTCNN()` picks it by default, or None; args of `detect`."""
        return _first(run_cascade(self._cascade(image, Refinement.largest), self.nets))

    def detect_largest_in(self, images: Sequence[np.ndarray]) -> list[Face | None]:
        """`detect_largest` for each photo, in batches as large as memory allows: for a GPU."""
        faces: list[Faces] = []
        batch_numbers = np.cumsum([image.shape[0] * image.shape[1] for image in images]) // MAX_BATCH_PIXELS
        for number in np.unique(batch_numbers):
            batch = [image for image, n in zip(images, batch_numbers, strict=True) if n == number]
            faces += run_cascades([self._cascade(image, Refinement.largest) for image in batch], self.nets)
        return [_first(found) for found in faces]

    def detect(self, image: np.ndarray) -> Faces:
        """All faces, the largest first.

        Args:
            image: uint8 [H, W, 3], RGB, of any size; below `min_face` there is no face.
        """
        return run_cascade(self._cascade(image, Refinement.all_faces), self.nets)

    def _cascade(self, image: np.ndarray, faces_of: Callable[[Refinement], Cascade]) -> Cascade:
        height, width = image.shape[:2]
        scales = self._scales(min(height, width))
        if not scales:
            return Faces.none()
        pyramid, coarse = Pyramid(image), scales[FINE_LEVELS:] if self.adaptive else []
        cells = yield from self._levels(pyramid, coarse)
        if coarse:
            faces = yield from faces_of(self._refinement(pyramid, cells, coarse))
            if len(faces) and _side(faces.boxes[0]) >= self.large_side:
                return faces
        missing = yield from self._levels(pyramid, scales[: len(scales) - len(coarse)])
        return (yield from faces_of(self._refinement(pyramid, missing + cells, scales)))

    def _scales(self, side: int) -> list[float]:
        """Level pixels per photo pixel, finest first: a 12-pixel cell covers 20, 28, 40, 56, 79 … pixels."""
        scale = 12.0 / self.min_face
        side_left, scales = side * scale, []
        while side_left >= 12:
            scales.append(scale)
            scale, side_left = scale * self.factor, side_left * self.factor
        return scales

    def _levels(
        self, pyramid: Pyramid, scales: list[float]
    ) -> Generator[Request, np.ndarray, list[np.ndarray]]:
        """Cells of some levels, float32 [N, 8] each, from `passing_cells`."""
        cells: list[np.ndarray] = []
        for scale in scales:
            level = pyramid.level(int(pyramid.height * scale + 1), int(pyramid.width * scale + 1))
            output = yield Request("pnet", level[None])
            cells.append(passing_cells(output[0], self.thresholds[0]))
        return cells

    def _refinement(self, pyramid: Pyramid, cells: list[np.ndarray], scales: list[float]) -> Refinement:
        """The last two networks, over the candidates of these levels."""
        boxes, levels = candidates(cells, scales, self.thresholds[0])
        boxes = boxes[nms(boxes, boxes[:, 4], 0.5, levels)]
        boxes = boxes[nms(boxes, boxes[:, 4], 0.7)]
        return Refinement(self.thresholds[1:], pyramid, boxes)


def _first(faces: Faces) -> Face | None:
    return faces[0] if len(faces) else None


def _side(box: np.ndarray) -> float:
    return float(np.sqrt(max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)))


def load_nets(backend: Backend, threads: int, device: str, root: Path) -> Nets:
    """The networks on a backend; each backend is imported only when needed.

    Args:
        backend: "openvino" or "torch".
        threads: of OpenVINO.
        device: torch device.
        root: the folder with `.cache`, for the converted weights.
    """
    weights = {net.name: folded_weights(net, root) for net in (PNET, RNET, ONET)}
    if backend == "openvino":
        from pipeline.detect.mtcnn.openvino_nets import OpenvinoNets

        return OpenvinoNets(weights, threads)
    from pipeline.detect.mtcnn.torch_nets import BATCHES, TorchNets

    return TorchNets(weights, device, None if device == "cpu" else BATCHES)
