"""Scores the recipes of a comparison, and the difference between two of them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from cleanplate.comparison import paired
from cleanplate.comparison.alignment import AlignedPredictions
from cleanplate.comparison.paired import NAMES, Difference
from cleanplate.comparison.pooled import (
    SeedPriors,
    SeedScores,
    fit_priors,
    pooled_differences,
    pooled_intervals,
    score_runs,
)
from pipeline.evaluate import bootstrap, metrics


class Scoring:
    """
    Args:
        data: the photos that all recipes have in common.
        draws: bootstrap resamples of people.
        swaps: permutations.
        seed: of both.
    """

    def __init__(self, data: AlignedPredictions, draws: int, swaps: int, seed: int) -> None:
        self.data, self.draws, self.swaps, self.seed = data, draws, swaps, seed
        self._scored: dict[tuple[int, str], SeedScores] = {}

    @cached_property
    def priors(self) -> SeedPriors:
        """How scores vary between seeds, from all recipes that have several."""
        several = [name for name in self.data.recipes if len(self.data.answers(name)) > 1]
        return fit_priors([self._score(self.data, name) for name in several])

    def notes(self) -> list[str]:
        """A sentence about what all recipes together say of the seeds, if they say anything."""
        prior = self.priors.priors[NAMES.index("macro_f1")]
        worth = min(prior.freedom, prior.total)
        if worth < 1:
            return []
        return [
            "what all recipes with several seeds say of how macro-F1 varies between them counts for each as "
            f"much as {worth:.0f} more of its own seeds"
        ]

    def intervals(self, recipe: str) -> dict[str, dict[str, float]]:
        """Every score of `NAMES` as `{"value", "low", "high"}`, on the photos that all have in common."""
        if len(self.data.answers(recipe)) > 1:
            return pooled_intervals(self._score(self.data, recipe), self.priors)
        (confusions,) = _by_person(self.data, recipe)
        found = bootstrap.score_intervals(confusions, self.draws, self.seed)
        return {score: found[score] for score in NAMES}

    def differences(self, data: AlignedPredictions, reference: str, variant: str) -> dict[str, Difference]:
        """Each score of `NAMES`, variant minus reference, on the photos of `data`."""
        sides = (reference, variant)
        if all(len(data.answers(name)) == 1 for name in sides):
            (before,), (after,) = (_by_person(data, name) for name in sides)
            return paired.differences(before, after, self.draws, self.swaps, self.seed)
        return pooled_differences(self._score(data, reference), self._score(data, variant), self.priors)

    def _score(self, data: AlignedPredictions, recipe: str) -> SeedScores:
        key = (id(data), recipe)
        if key not in self._scored:
            self._scored[key] = score_runs(_by_person(data, recipe), self.draws, self.seed)
        return self._scored[key]


def _by_person(data: AlignedPredictions, recipe: str) -> list[np.ndarray]:
    return [metrics.confusion_by_person(data.truth, run, data.person) for run in data.answers(recipe)]
