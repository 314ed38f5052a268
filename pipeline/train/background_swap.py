"""Another background in every epoch (`train.background_swap`): the person stays, what is behind changes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from pipeline.compose.composite import composite
from pipeline.compose.crop import NEUTRAL
from pipeline.runtime.process import worker_count
from pipeline.train.augment.draws import Draws


@dataclass(frozen=True)
class Plates:
    """Backgrounds for n examples, of which a share is put on another one in every epoch.

    Which picture gets which background follows from its key and the epoch alone.

    Args:
        share: in [0, 1], of the pictures.
        mattes: uint8 [P, S, S, 3], three times the same: 0 = background, 255 = person.
        backgrounds: uint8 [B, S, S, 3] RGB.
        matte_of: int64 [n], row of `mattes` of each example; -1: its background stays.
        inside: float64 [n, 4], `xyxy` of the photo in the picture as shares of the side; beyond is padding.
        people: int64 [n], whose picture each example is, from 0.
        offered: int64 [m], rows of `backgrounds` that may be used, in the order of `owners`.
        owners: int64 [m], rising: whose photo each is; -1: nobody's. Nobody gets one of their own.
    """

    share: float
    mattes: np.ndarray
    backgrounds: np.ndarray
    matte_of: np.ndarray
    inside: np.ndarray
    people: np.ndarray
    offered: np.ndarray
    owners: np.ndarray

    def with_more(self, count: int) -> Plates:
        """The same for `count` more examples, whose background stays."""
        nothing = np.full(count, -1, np.int64)
        return replace(
            self,
            matte_of=np.concatenate([self.matte_of, nothing]),
            inside=np.concatenate([self.inside, np.zeros((count, 4))]),
            people=np.concatenate([self.people, nothing - 1]),  # nobody's, and no background is theirs
        )

    def others(self) -> np.ndarray:
        """int64 [n]: how many backgrounds are offered to each example."""
        return len(self.owners) - np.diff(self._own(self.people), axis=0)[0]

    def swap_backgrounds(
        self, pixels: torch.Tensor, where: np.ndarray, keys: np.ndarray, epoch: int
    ) -> torch.Tensor:
        """uint8 [b, S, S, 3]: pictures of which some are on another background.

        Args:
            pixels: uint8 [b, S, S, 3], of the examples at int `where` [b].
            keys: int64 [b], of the pictures (`pipeline.train.data.keys_of`).
            epoch: 0, 1, …
        """
        draws = Draws.for_epoch(keys, epoch)
        chosen = (draws.uniform("background swap").numpy() < self.share) & (self.matte_of[where] >= 0)
        first, last = self._own(self.people[where])
        count = len(self.owners) - (last - first)
        which = draws.uniform("which background").double().numpy()
        at = np.minimum((which * count).astype(np.int64), count - 1)
        taken = self.offered[np.where(at < first, at, at + last - first)]
        mirrored = draws.uniform("mirrored background").numpy() < 0.5
        out = pixels.numpy().copy()

        def swap(k: int) -> None:
            plate = self.backgrounds[taken[k]]
            out[k] = on_plate(
                out[k],
                self.mattes[self.matte_of[where[k]], :, :, 0],
                plate[:, ::-1] if mirrored[k] else plate,
                self.inside[where[k]],
            )

        with ThreadPoolExecutor(worker_count(None)) as pool:  # cv2 lets go of the interpreter
            list(pool.map(swap, np.flatnonzero(chosen)))
        return torch.from_numpy(out)

    def _own(self, people: np.ndarray) -> np.ndarray:
        """int64 [2, n]: from where to where in `owners` the backgrounds of each person's own photos are."""
        return np.stack([np.searchsorted(self.owners, people, side) for side in ("left", "right")])


def on_plate(picture: np.ndarray, matte: np.ndarray, plate: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The person of a picture on another background; padding stays as `compose` makes it.

    Args:
        picture: uint8 [S, S, 3] RGB.
        matte: uint8 [S, S].
        plate: uint8 [S, S, 3] RGB.
        inside: float [4], `xyxy` of the photo in the picture as shares of its side.

    Returns:
        uint8 [S, S, 3] RGB.
    """
    left, top, right, bottom = np.rint(inside * len(picture)).astype(int)
    known = np.zeros(matte.shape, np.uint8)
    known[top:bottom, left:right] = 255
    behind = plate.copy()
    behind[known == 0] = NEUTRAL
    return composite(picture, np.ascontiguousarray(matte), behind, known)
