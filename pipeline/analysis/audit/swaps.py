"""Photos of one person whose names look exchanged: `incorrect_mask` that shows no mask, and the other way."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

PRIOR = 0.01  # how often people have a swap, before anything was seen; teams found 1 in 300 to 1 in 30


@dataclass(frozen=True)
class Swap:
    """Two photos of a person, by row, and the probability that each has the other's label."""

    first: int
    second: int
    confidence: float


def likely_swaps(p: np.ndarray, codes: np.ndarray, who: np.ndarray, least: float) -> list[Swap]:
    """Each person's likeliest exchange of two labels, where it is likelier than `least`.

    The photos of a person are given: two whose labels differ are held against each other, the likelihood of
    the labels as they are against that of the labels exchanged. An exchange keeps how many photos of each
    kind the person has, which is why it is so much surer than two single doubts.

    Args:
        p: out-of-fold probabilities of the mask codes, [N, K].
        codes: int [N], as said.
        who: int [N], the photo's person.
        least: probability, in [0, 1].
    """
    logs = np.log(p)
    order = np.argsort(who, kind="stable")
    found: list[Swap] = []
    for rows in np.split(order, np.flatnonzero(np.diff(who[order])) + 1) if len(order) else []:
        best = Swap(-1, -1, -1.0)
        for a, b in combinations(rows.tolist(), 2):
            if codes[a] == codes[b]:
                continue
            exchanged = logs[a, codes[b]] + logs[b, codes[a]]
            as_said = logs[a, codes[a]] + logs[b, codes[b]]
            odds = float(exchanged - as_said) + np.log(PRIOR / (1 - PRIOR))
            confidence = float(1 / (1 + np.exp(-odds)))
            if confidence > best.confidence:
                best = Swap(min(a, b), max(a, b), confidence)
        if best.confidence >= least:
            found.append(best)
    return found
