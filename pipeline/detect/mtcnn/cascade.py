"""MTCNN as facenet-pytorch runs it by default, several times as fast, with the same boxes.

The library sums the photo's pixels anew for each pyramid level and each crop, and runs its networks eagerly.
Here one integral image feeds all of them (`pyramid`), the networks run compiled (`nets`), and with `adaptive`
the fine levels, which cost most of the time, run only where no large face was found. Who wants only the
largest face (`best`) is spared the candidates that cannot be it (`refinement`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import numpy as np

from pipeline.detect.mtcnn.boxes import candidates, passing_cells
from pipeline.detect.mtcnn.nets import ONET, PNET, RNET, Backend, Nets, folded_weights
from pipeline.detect.mtcnn.nms import nms
from pipeline.detect.mtcnn.pyramid import Pyramid
from pipeline.detect.mtcnn.refinement import Refinement
from pipeline.detect.mtcnn.search import Face, Faces, Request, Search, faces_of, faces_of_all

TOGETHER_PIXELS = 32 * 2**20  # of photos looked at together; an integral image takes 12 to 24 bytes each
FINE_LEVELS = 3
"""Levels that `adaptive` leaves out at first. The others keep their scales: others would change boxes."""


class Mtcnn:
    """Finds faces.

    Args:
        backend: "openvino" (CPU) or "torch".
        adaptive: look for large faces first, and for small ones only where the largest is below
            `min_face / factor**4` (79 px by default). The largest face was the same on 598 of 600 photos; on
            the other two all levels took an eye for it. With a large face in the photo, small ones may be
            left out.
        threads: of one photo's networks (OpenVINO). N processes of 1 thread are faster than 1 of N.
        device: torch device.
        min_face: least side of a face, in pixels.
        thresholds: least probability after each of the three networks.
        factor: ratio of pyramid levels.
        root: the folder whose .cache keeps the converted weights.
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
    ) -> None:
        self.nets = load_nets(backend, threads, device, root)
        self.adaptive, self.min_face, self.thresholds, self.factor = adaptive, min_face, thresholds, factor
        self.large = min_face / factor ** (FINE_LEVELS + 1)

    def best(self, image: np.ndarray) -> Face | None:
        """The face that `facenet_pytorch.MTCNN()` picks by default: the largest, or None. As `detect`."""
        return _first(faces_of(self._search(image, Refinement.largest), self.nets))

    def bests(self, images: Sequence[np.ndarray]) -> list[Face | None]:
        """`best` of each of some photos, looked at together as far as memory allows: for a GPU."""
        found: list[Faces] = []
        pixels = np.cumsum([image.shape[0] * image.shape[1] for image in images]) // TOGETHER_PIXELS
        for part in np.unique(pixels):
            some = [image for image, its in zip(images, pixels, strict=True) if its == part]
            found += faces_of_all([self._search(image, Refinement.largest) for image in some], self.nets)
        return [_first(faces) for faces in found]

    def detect(self, image: np.ndarray) -> Faces:
        """All faces, the largest first.

        Args:
            image: uint8 [H, W, 3], RGB, of any size; below `min_face` there is no face.
        """
        return faces_of(self._search(image, Refinement.all), self.nets)

    def _search(self, image: np.ndarray, wanted: Callable[[Refinement], Search]) -> Search:
        height, width = image.shape[:2]
        scales = self._scales(min(height, width))
        if not scales:
            return Faces.none()
        pyramid, coarse = Pyramid(image), scales[FINE_LEVELS:] if self.adaptive else []
        cells = yield from self._levels(pyramid, coarse)
        if coarse:
            faces = yield from wanted(self._refinement(pyramid, cells, coarse))
            if len(faces) and _side(faces.boxes[0]) >= self.large:
                return faces
        missing = yield from self._levels(pyramid, scales[: len(scales) - len(coarse)])
        return (yield from wanted(self._refinement(pyramid, missing + cells, scales)))

    def _scales(self, side: int) -> list[float]:
        """Level pixels per photo pixel, finest first: a 12-pixel cell covers 20, 28, 40, 56, 79 … pixels."""
        scale = 12.0 / self.min_face
        left, scales = side * scale, []
        while left >= 12:
            scales.append(scale)
            scale, left = scale * self.factor, left * self.factor
        return scales

    def _levels(
        self, pyramid: Pyramid, scales: list[float]
    ) -> Generator[Request, np.ndarray, list[np.ndarray]]:
        """Cells of some levels, float32 [N, 8] each as `passing_cells` gives them."""
        cells: list[np.ndarray] = []
        for scale in scales:
            level = pyramid.level(int(pyramid.height * scale + 1), int(pyramid.width * scale + 1))
            answer = yield Request("pnet", level[None])
            cells.append(passing_cells(answer[0], self.thresholds[0]))
        return cells

    def _refinement(self, pyramid: Pyramid, cells: list[np.ndarray], scales: list[float]) -> Refinement:
        """What is left to do once some levels have been looked at."""
        found, levels = candidates(cells, scales, self.thresholds[0])
        found = found[nms(found, found[:, 4], 0.5, levels)]
        found = found[nms(found, found[:, 4], 0.7)]
        return Refinement(self.thresholds[1:], pyramid, found)


def _first(faces: Faces) -> Face | None:
    return faces[0] if len(faces) else None


def _side(box: np.ndarray) -> float:
    return float(np.sqrt(max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)))


def load_nets(backend: Backend, threads: int, device: str, root: Path) -> Nets:
    """The networks on a backend; each backend is imported only when it is asked for.

    Args:
        backend: "openvino" or "torch".
        threads: of OpenVINO.
        device: torch device.
        root: the folder whose .cache keeps the converted weights.
    """
    weights = {net.name: folded_weights(net, root) for net in (PNET, RNET, ONET)}
    if backend == "openvino":
        from pipeline.detect.mtcnn.openvino_nets import OpenvinoNets

        return OpenvinoNets(weights, threads)
    from pipeline.detect.mtcnn.torch_nets import BATCHES, TorchNets

    return TorchNets(weights, device, None if device == "cpu" else BATCHES)
