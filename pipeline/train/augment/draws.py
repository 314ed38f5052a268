"""Random numbers that belong to a picture and an epoch, drawn for a whole batch at once.

A generator hands out numbers in the order of the calls, so what a picture got would depend on the batch that
it came in, on the number of processes and on the device. Here each number is a hash of (picture, epoch, name
of the draw): SplitMix64 (Steele, Lea, Flood 2014), whose output passes the usual tests for any counter.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch

from pipeline import seeds

BITS = 24  # of a float32 in [0, 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


GOLDEN, MIX1, MIX2 = (_signed(value) for value in seeds.SPLITMIX)


def _right(x: torch.Tensor, by: int) -> torch.Tensor:
    """Logical shift of int64: torch's own keeps the sign."""
    return (x >> by) & ((1 << (64 - by)) - 1)


def scrambled(x: torch.Tensor) -> torch.Tensor:
    """SplitMix64's output function on int64 [...], arithmetic modulo 2⁶⁴."""
    x = x + GOLDEN
    x = (x ^ _right(x, 30)) * MIX1
    x = (x ^ _right(x, 27)) * MIX2
    return x ^ _right(x, 31)


@functools.cache
def _salt(name: str) -> int:
    return seeds.seed_of(0, "draw", name)


class Draws:
    """Random numbers for a batch of pictures.

    Args:
        keys: int64 [B], one for each picture and epoch (`for_epoch` makes them).
    """

    def __init__(self, keys: torch.Tensor) -> None:
        self.keys = keys

    @staticmethod
    def for_epoch(keys: np.ndarray, epoch: int, device: torch.device | str = "cpu") -> Draws:
        """From the pictures' own int64 keys [B] (`pipeline.train.data.keys_of`) and the epoch."""
        own = torch.from_numpy(np.ascontiguousarray(keys, dtype=np.int64)).to(device)
        return Draws(scrambled(own ^ _salt(f"epoch {epoch}")))

    def __len__(self) -> int:
        return len(self.keys)

    def of(self, rows: torch.Tensor, name: str = "") -> Draws:
        """Draws of some rows of the batch; a name makes them other numbers than these."""
        keys = self.keys[rows]
        return Draws(scrambled(keys ^ _salt(f"of {name}")) if name else keys)

    def uniform(self, name: str, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """float32 [B] in [low, high)."""
        unit = _right(scrambled(self.keys ^ _salt(name)), 64 - BITS).float() / (1 << BITS)
        return unit * (high - low) + low

    def sign(self, name: str) -> torch.Tensor:
        """float32 [B], −1 or 1."""
        return torch.where(self.uniform(name) < 0.5, -1.0, 1.0)

    def normal(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        """float32 [B, *shape], standard normal (Box–Muller)."""
        count = math.prod(shape)
        cells = torch.arange(count, device=self.keys.device, dtype=torch.int64)
        bits = scrambled(scrambled(self.keys ^ _salt(name))[:, None] + cells[None, :] * GOLDEN)
        u = (_right(bits, 40).float() + 1) / (1 << 24)  # (0, 1]
        v = (bits & 0xFFFFFF).float() / (1 << 24)
        return ((-2 * u.log()).sqrt() * (2 * math.pi * v).cos()).view(len(self.keys), *shape)
