"""Seeds from what a thing is, never from when it was reached."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

SPLITMIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # its increment and multipliers


def seed_of(seed: int, *parts: object) -> int:
    """A 63-bit seed from the run's seed and what it is for: `seed_of(7, "train/images/x/mask1.jpg", epoch)`.

    The same on every machine, Python version and worker count (BLAKE2b of the parts' text).
    """
    text = "\x1f".join([str(seed), *(str(p) for p in parts)])
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(seed: int, *parts: object) -> np.random.Generator:
    """A numpy generator seeded with `seed_of(seed, *parts)`."""
    return np.random.Generator(np.random.PCG64(seed_of(seed, *parts)))


def random_bytes(rng: np.random.Generator, count: int) -> np.ndarray:
    """uint8 [count], uniform; a third of the time of `rng.bytes`."""
    words: Any = rng.bit_generator.random_raw(-(-count // 8))
    return words.astype("<u8", copy=False).view(np.uint8)[:count]


def unit(seed: int, *parts: object) -> float:
    """A number in [0, 1) from the run's seed and what it is for."""
    return seed_of(seed, *parts) / 2**63


def splitmix64(keys: np.ndarray) -> np.ndarray:
    """One step of SplitMix64 on uint64 [...]: a hash for each key; arithmetic wraps around.

    Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    golden, first, second = (np.uint64(value) for value in SPLITMIX)
    mixed = keys + golden
    mixed = (mixed ^ (mixed >> np.uint64(30))) * first
    mixed = (mixed ^ (mixed >> np.uint64(27))) * second
    return mixed ^ (mixed >> np.uint64(31))
