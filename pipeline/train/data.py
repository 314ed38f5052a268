"""What an epoch is fed: which pictures in which order, fetched one batch ahead of the network."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from pipeline import labels, seeds
from pipeline.objective.ages import age_codes
from pipeline.train.face_features import Features
from pipeline.train.sampling import shown_per_epoch


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures from one or more arrays, numbered through.

    Args:
        arrays: uint8 [N_i, S, S, 3], RGB, all of one S; usually memory-mapped.
        faces: what face networks say of each picture's photo (`train.face_features`); None: nothing.
    """

    arrays: tuple[np.ndarray, ...]
    faces: Features | None = None

    def __len__(self) -> int:
        return sum(len(a) for a in self.arrays)

    def and_more(self, others: Pictures) -> Pictures:
        """These pictures and `others` after them."""
        faces = self.faces
        if faces is not None and others.faces is not None:
            faces = replace(faces, numbers=np.concatenate([faces.numbers, others.faces.numbers]))
        return Pictures((*self.arrays, *others.arrays), faces)

    def gather(self, rows: np.ndarray) -> torch.Tensor:
        """uint8 [n, S, S, 3]: the pictures of int rows [n], in that order."""
        out = np.empty((len(rows), *self.arrays[0].shape[1:]), np.uint8)
        start = 0
        for array in self.arrays:
            here = (rows >= start) & (rows < start + len(array))
            out[here] = array[rows[here] - start]
            start += len(array)
        return torch.from_numpy(out)

    def gather_faces(self, rows: np.ndarray, device: torch.device) -> torch.Tensor | None:
        """float32 [n, D] on `device`: `faces` of int rows [n], in that order; None without."""
        if self.faces is None:
            return None
        return torch.from_numpy(self.faces.numbers[rows].astype(np.float32)).to(device)


class OtherBackgrounds(Protocol):
    """What puts people on other backgrounds: `pipeline.train.background_swap.Plates`.

    Asking a model does not need it.
    """

    def swap_backgrounds(
        self, pixels: torch.Tensor, where: np.ndarray, keys: np.ndarray, epoch: int
    ) -> torch.Tensor: ...

    def with_more(self, count: int) -> OtherBackgrounds: ...


@dataclass(frozen=True)
class Examples:
    """Pictures with their answers.

    Args:
        pictures: where the pixels come from.
        rows: int64 [n], into `pictures`.
        classes: int64 [n], 0-17: the training target, or the true class for validation.
        years: float32 [n], the age to learn in years.
        keys: int64 [n], what the random numbers of a picture's augmentation start from (`keys_of`).
        eyes: float32 [n, 4], box `xyxy` around both eyes as shares of the picture's side; NaN: unknown.
        alike: int64 [n]; near-copies, of which `train.sampler` one_mask shows one, share a number.
        weights: float64 [n], how often an epoch shows each: 1, or `train.extra_weight`.
        plates: other backgrounds to put some of them on, or None.
    """

    pictures: Pictures
    rows: np.ndarray
    classes: np.ndarray
    years: np.ndarray
    keys: np.ndarray
    eyes: np.ndarray
    alike: np.ndarray
    weights: np.ndarray
    plates: OtherBackgrounds | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def load_batch(self, where: np.ndarray, epoch: int) -> torch.Tensor:
        """uint8 [b, S, S, 3]: the pictures at int positions [b] as epoch `epoch` sees them."""
        pixels = self.pictures.gather(self.rows[where])
        if self.plates is None:
            return pixels
        return self.plates.swap_backgrounds(pixels, where, self.keys[where], epoch)

    def counts(self, sampler: str) -> np.ndarray:
        """float64 [18]: pictures of each class in an epoch, before `sampler` balances classes or ages."""
        return np.bincount(self.classes, shown_per_epoch(self.alike, sampler) * self.weights, labels.CLASSES)

    def age_counts(self, sampler: str, bounds: Sequence[int]) -> np.ndarray:
        """float64 [K]: as `counts`, of the age classes that begin at `bounds`."""
        shown = shown_per_epoch(self.alike, sampler) * self.weights
        return np.bincount(age_codes(self.years, bounds), shown, len(bounds) + 1)


def keys_of(files: Sequence[str], seed: int) -> np.ndarray:
    """int64 [n]: a number for each picture that depends on its name and the seed alone."""
    return np.array([seeds.seed_of(seed, "picture", file) for file in files], dtype=np.int64)


def batches(order: np.ndarray, batch_size: int, rank: int = 0, world: int = 1) -> list[np.ndarray]:
    """`order` cut into equal batches of about `batch_size`, and of each batch this process's share.

    The last batch is never a rest of one picture, which batch normalisation could not take.
    """
    count = max(1, min(round(len(order) / batch_size), len(order) // (2 * world)))
    return [batch[rank::world] for batch in np.array_split(order, count)]


def prefetch(
    examples: Examples, parts: list[np.ndarray], epoch: int, pin: bool = False
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Yields (positions, uint8 [n, S, S, 3]) of an epoch's parts, while a thread fetches the next two."""
    ready: queue.Queue[tuple[np.ndarray, torch.Tensor] | BaseException | None] = queue.Queue(maxsize=2)
    stop = threading.Event()

    def put(item: tuple[np.ndarray, torch.Tensor] | BaseException | None) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def fetch() -> None:
        try:
            for part in parts:
                pixels = examples.load_batch(part, epoch)
                put((part, pixels.pin_memory() if pin else pixels))
                if stop.is_set():
                    return
            put(None)
        except BaseException as e:
            put(e)

    thread = threading.Thread(target=fetch, daemon=True, name="fetch-pictures")
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
