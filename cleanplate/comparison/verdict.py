"""Did it help? Variants against references on the same people, corrected for multiple comparisons.

The answer about two models holds for these trained models on similar people. Another `train.seed` gives
another model: that about two recipes, of several seeds each (pooled.py), holds for other seeds too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cleanplate.comparison import paired
from cleanplate.comparison.alignment import AlignedPredictions
from cleanplate.comparison.paired import ALPHA, NAMES, Difference
from cleanplate.comparison.scoring import Scoring
from pipeline.evaluate.multiple_tests import holm

HEADLINE = "macro_f1"


@dataclass(frozen=True)
class Pair:
    """One variant against one reference.

    Args:
        differences: by name of the score (`paired.NAMES`), variant minus reference.
        p_corrected: Holm-corrected over all pairs of the comparison, by name of the score.
        verdict: `better`, `worse` or `cannot tell`, from the corrected p-value of macro-F1; `same` where
            that says nothing and the difference is shown to be smaller than `same_within`.
        same_within: the margin of `same`; None: not asked for.
        p_same: Holm-corrected p-value of a difference as large as that margin (`paired.equivalence_p`);
            1.0 without one.
        changed: number of photos with another predicted class; with several seeds, the mean over their pairs.
        needed: people needed for 80 % power; None if no number would do.
        smallest: the true difference in macro-F1 that this many people detect with 80 % power.
        seeds: number of runs of the reference and of the variant.
        alpha: what p of macro-F1 has to be below, ALPHA over the comparisons that Holm's procedure has left;
            `needed` and `smallest` are for the same.
        people: about whom both have answered.
    """

    reference: str
    variant: str
    differences: dict[str, Difference]
    p_corrected: dict[str, float]
    verdict: str
    changed: float
    needed: int | None
    smallest: float
    seeds: tuple[int, int] = (1, 1)
    same_within: float | None = None
    p_same: float = 1.0
    alpha: float = ALPHA
    people: int = 0


@dataclass(frozen=True)
class Comparison:
    """All scores with intervals (`{name: {score: {value, low, high}}}`), all pairs, and the number of runs of
    each name. `people` and `photos` are those of the scores."""

    people: int
    photos: int
    scores: dict[str, dict[str, dict[str, float]]]
    pairs: list[Pair]
    notes: list[str]
    seeds: dict[str, int] = field(default_factory=dict)


def compare(
    data: AlignedPredictions,
    pairs: Sequence[tuple[str, str]],
    draws: int = 2000,
    swaps: int = 5000,
    seed: int = 0,
    same_within: float | None = None,
    own: Mapping[tuple[str, str], AlignedPredictions] | None = None,
) -> Comparison:
    """Scores every recipe of `data` and tests every (reference, variant) of `pairs`.

    A recipe of one run is judged as that trained model, by the permutation test; one of several by people and
    seeds together.

    Args:
        draws: bootstrap resamples of people behind the intervals.
        swaps: permutations behind the p-values.
        seed: of both; equal input and seed give an equal result.
        same_within: the difference in macro-F1 that would matter, > 0; recipes that are shown to differ by
            less are `same`. None: nothing is.
        own: the photos of pairs that have more in common than `data` (`alignment.align_pairs`).
    """
    of_pair = {pair: (own or {}).get(pair, data) for pair in pairs}
    scoring = Scoring(data, draws, swaps, seed)
    scores = {name: scoring.intervals(name) for name in data.recipes}
    found = [scoring.differences(of_pair[pair], *pair) for pair in pairs]
    p = np.array([[d[name].p for name in NAMES] for d in found]).reshape(len(found), len(NAMES))
    corrected = np.stack([holm(p[:, i]) for i in range(len(NAMES))], axis=1)
    margin = same_within or 0.0
    people = [of_pair[pair].people for pair in pairs]
    p_other = [
        paired.equivalence_p(d[HEADLINE], margin, n) if margin else 1.0
        for d, n in zip(found, people, strict=True)
    ]
    alphas = _thresholds(p[:, NAMES.index(HEADLINE)])
    results = [
        _pair(of_pair[pair], pair, d, dict(zip(NAMES, row.tolist(), strict=True)), same_within, same, alpha)
        for pair, d, row, same, alpha in zip(
            pairs, found, corrected, holm(np.array(p_other)), alphas, strict=True
        )
    ]
    seeds = {name: len(data.answers(name)) for name in data.recipes}
    relabelled = dict.fromkeys(note for one in (data, *of_pair.values()) for note in one.relabelled)
    notes = [*data.left_out, *relabelled, *scoring.notes()]
    return Comparison(data.people, len(data.image), scores, results, notes, seeds)


def _thresholds(p: np.ndarray) -> list[float]:
    """What p-values [M] have to be below in Holm's procedure: the k-th smallest, ALPHA / (M − k + 1)."""
    found = np.empty(len(p))
    found[np.argsort(p, kind="stable")] = ALPHA / np.arange(len(p), 0, -1)
    return [float(alpha) for alpha in found]


def _pair(
    data: AlignedPredictions,
    pair: tuple[str, str],
    differences: dict[str, Difference],
    p_corrected: dict[str, float],
    same_within: float | None,
    p_same: float,
    alpha: float,
) -> Pair:
    headline = differences[HEADLINE]
    verdict = "same" if p_same < ALPHA else "cannot tell"
    if p_corrected[HEADLINE] < ALPHA:
        verdict = "better" if headline.value > 0 else "worse"
    before, after = (data.answers(name) for name in pair)
    return Pair(
        *pair,
        differences,
        p_corrected,
        verdict,
        float((before[:, None] != after[None]).mean(axis=(0, 1)).sum()),
        paired.people_needed(headline, data.people, alpha),
        paired.detectable_difference(headline, alpha),
        (len(before), len(after)),
        same_within,
        float(p_same),
        alpha,
        data.people,
    )
