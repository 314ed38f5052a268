"""How much scores vary between seeds, learnt from all recipes of a comparison together.

Three seeds tell the variance of one recipe badly: a t test on it has so few degrees of freedom that, among
the comparisons of a sweep, it shows next to nothing. What the other recipes say helps: the variances are
taken as draws from a scaled inverse χ² distribution, whose two parameters are estimated, and each recipe's
own variance is moderated towards it (Smyth, Linear models and empirical Bayes methods for assessing
differential expression in microarray experiments, Statistical Applications in Genetics and Molecular
Biology 3, 2004):

    s̃² = (d₀ s₀² + d s²) / (d₀ + d), with d₀ + d degrees of freedom, and never more than all recipes have

d₀ is not the likeliest value but the smallest that the likelihood does not refuse (DROP), as the likeliest
makes every recipe alike where a few happen to be. Recipes that differ much have a small d₀ and keep their own
variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, stats

MIN_RECIPES = 5  # with several seeds; fewer say too little about how variances vary
DROP = 1.92  # half the .95 quantile of χ² with one degree of freedom
_LEAST = 1e-4  # of the median variance: the scores of three runs may be equal by chance
_GRID = np.exp2(np.arange(-2, 9.01, 0.5))  # of d₀


@dataclass(frozen=True)
class Prior:
    """What is known of a variance before its recipe is looked at.

    Args:
        variance: s₀².
        freedom: d₀; 0: nothing.
        total: degrees of freedom of all recipes together.
    """

    variance: float = 0.0
    freedom: float = 0.0
    total: float = 0.0

    def moderate(self, variance: float, freedom: float, shift: float = 0.0) -> tuple[float, float]:
        """s̃² and its degrees of freedom, from s² and d.

        A recipe with runs of equal answers has no variance, and keeps none.

        Args:
            variance: s², exactly 0 for such a recipe.
            freedom: d > 0.
            shift: added to s₀², where it was fitted on photos that make all variances larger or smaller.
        """
        if self.freedom == 0 or variance == 0:
            return variance, freedom
        both, centre = self.freedom + freedom, max(self.variance + shift, 0.0)
        return (self.freedom * centre + freedom * variance) / both, min(both, self.total)


def fit_prior(variances: np.ndarray, freedom: np.ndarray) -> Prior:
    """From s² and d, float64 [R] each, of the recipes with several seeds.

    Given s₀² and d₀, s² / s₀² has an F distribution with d and d₀ degrees of freedom; for each d₀ of a grid
    s₀² is the likeliest. Variances of exactly 0 do not count.
    """
    used = variances > 0
    variances, freedom = variances[used], freedom[used]
    if len(variances) < MIN_RECIPES:
        return Prior()
    variances = np.maximum(variances, _LEAST * np.median(variances))
    fits = [_likeliest_scale(variances, freedom, d0) for d0 in _GRID]
    loglikelihoods = np.array([fit[1] for fit in fits])
    smallest = int(np.flatnonzero(loglikelihoods >= loglikelihoods.max() - DROP)[0])
    return Prior(fits[smallest][0], float(_GRID[smallest]), float(freedom.sum()))


def _likeliest_scale(variances: np.ndarray, freedom: np.ndarray, d0: float) -> tuple[float, float]:
    """s₀² and the log likelihood."""

    def surprise(log_scale: float) -> float:
        scaled = variances / np.exp(log_scale)
        return float(-(stats.f.logpdf(scaled, freedom, d0) - log_scale).sum())

    middle = float(np.log(variances).mean())
    found: Any = optimize.minimize_scalar(surprise, bounds=(middle - 6, middle + 6), method="bounded")
    return float(np.exp(found.x)), -float(found.fun)
