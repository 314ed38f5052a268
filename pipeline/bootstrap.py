"""Confidence intervals by bootstrap over people.

The photos of one person resemble each other, so a photo is not a draw of its own: resampling photos would
give intervals that are too narrow. Whole people are drawn with replacement (the cluster bootstrap; Efron &
Tibshirani, An Introduction to the Bootstrap, 1993), and the interval is the percentile interval. A draw only
counts how often each person was taken, so all draws are one product of counts [draws, people] and per-person
confusions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline import metrics, seeds

LEVEL = 0.95


def draws_of_people(people: int, draws: int, seed: int) -> np.ndarray:
    """int64 [draws, people]: how often each draw takes each person; every row sums to `people`.

    The same `people`, `draws` and `seed` give the same draws, so two models on the same people can be
    compared draw by draw (a paired test).
    """
    if people == 0:
        return np.zeros((draws, 0), dtype=np.int64)
    random = seeds.generator(seed, "bootstrap over people", people)
    return random.multinomial(people, np.full(people, 1.0 / people), size=draws)


def resampled(by_person: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """[draws, ...]: the sum over people of `by_person` [P, ...] weighted with `counts` [draws, P]."""
    flat = by_person.reshape(len(by_person), -1).astype(np.float64)  # float64: BLAS, and exact below 2**53
    summed = counts.astype(np.float64) @ flat
    return np.rint(summed).astype(np.int64).reshape(len(counts), *by_person.shape[1:])


def interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """The percentile interval of draws [B]; draws without a value (NaN) are left out."""
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def score_intervals(by_person: np.ndarray, draws: int, seed: int) -> dict[str, dict[str, float]]:
    """Every score of `metrics.scores` as `{"value", "low", "high"}`.

    Args:
        by_person: int [P, 18, 18], P ≥ 1, from `metrics.confusion_by_person`.
        draws: number of resamples.
        seed: of the resampling.
    """
    counts = draws_of_people(len(by_person), draws, seed)
    at_point = metrics.scores(by_person.sum(axis=0))
    in_draws = metrics.scores(resampled(by_person, counts))
    found: dict[str, dict[str, float]] = {}
    for name, value in at_point.items():
        low, high = interval(in_draws[name])
        found[name] = {"value": float(value), "low": low, "high": high}
    return found


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """`{"age.macro_f1": x}` as `{"age": {"macro_f1": x}}`, the shape of metrics.json."""
    found: dict[str, Any] = {}
    for name, value in flat.items():
        *groups, last = name.split(".")
        inner = found
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[last] = value
    return found
