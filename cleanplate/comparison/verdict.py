"""Did it help? Variants against references on the same people, corrected for multiple comparisons.

The answer about two models holds for these trained models on similar people. Another `train.seed` gives
another model: that about two recipes, of several seeds each (pooled.py), holds for other seeds too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cleanplate.comparison import paired
from cleanplate.comparison.alignment import AlignedPredictions
from cleanplate.comparison.paired import ALPHA, NAMES, Difference
from cleanplate.comparison.pooled import SeedScores, pooled_differences, pooled_intervals, score_runs
from pipeline.evaluate import bootstrap, metrics
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


@dataclass(frozen=True)
class Comparison:
    """All scores with intervals (`{name: {score: {value, low, high}}}`), all pairs, and the number of runs of
    each name."""

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
    """
    by_person = {
        name: [
            metrics.confusion_by_person(data.truth, answers, data.person) for answers in data.answers(name)
        ]
        for name in data.recipes
    }
    single = all(len(runs) == 1 for runs in by_person.values())
    runs = {} if single else {name: score_runs(c, draws, seed) for name, c in by_person.items()}
    scores = {name: _intervals(c, runs.get(name), draws, seed) for name, c in by_person.items()}
    found = [
        paired.differences(by_person[a][0], by_person[b][0], draws, swaps, seed)
        if len(by_person[a]) == len(by_person[b]) == 1
        else pooled_differences(runs[a], runs[b])
        for a, b in pairs
    ]
    p = np.array([[d[name].p for name in NAMES] for d in found]).reshape(len(found), len(NAMES))
    corrected = np.stack([holm(p[:, i]) for i in range(len(NAMES))], axis=1)
    margin = same_within or 0.0
    p_same = holm(
        np.array([paired.equivalence_p(d[HEADLINE], margin, data.people) if margin else 1.0 for d in found])
    )
    alphas = _thresholds(p[:, NAMES.index(HEADLINE)])
    results = [
        _pair(data, a, b, d, dict(zip(NAMES, row.tolist(), strict=True)), same_within, float(same), alpha)
        for (a, b), d, row, same, alpha in zip(pairs, found, corrected, p_same, alphas, strict=True)
    ]
    seeds = {name: len(c) for name, c in by_person.items()}
    return Comparison(data.people, len(data.image), scores, results, data.notes, seeds)


def _thresholds(p: np.ndarray) -> list[float]:
    """What p-values [M] have to be below in Holm's procedure: the k-th smallest, ALPHA / (M − k + 1)."""
    found = np.empty(len(p))
    found[np.argsort(p, kind="stable")] = ALPHA / np.arange(len(p), 0, -1)
    return [float(alpha) for alpha in found]


def _intervals(
    by_person: Sequence[np.ndarray], runs: SeedScores | None, draws: int, seed: int
) -> dict[str, dict[str, float]]:
    if runs and runs.seeds > 1:
        return pooled_intervals(runs)
    found = bootstrap.score_intervals(by_person[0], draws, seed)
    return {score: found[score] for score in NAMES}


def _pair(
    data: AlignedPredictions,
    reference: str,
    variant: str,
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
    before, after = data.answers(reference), data.answers(variant)
    return Pair(
        reference,
        variant,
        differences,
        p_corrected,
        verdict,
        float((before[:, None] != after[None]).mean(axis=(0, 1)).sum()),
        paired.people_needed(headline, data.people, alpha),
        paired.detectable_difference(headline, alpha),
        (len(before), len(after)),
        same_within,
        p_same,
        alpha,
    )


def format_verdict(pair: Pair, people: int) -> str:
    """The verdict in words."""
    d = pair.differences[HEADLINE]
    at = f"{people} people{_seeds(pair.seeds)}"
    scores = f"macro-F1 {d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f}) against {pair.reference}"
    verdict = f"same within {pair.same_within:g}" if pair.verdict == "same" else pair.verdict
    if pair.changed == 0:
        return f"{pair.variant}: {verdict} at {at}: every answer is the same as that of {pair.reference}"
    if pair.verdict == "same":
        return f"{pair.variant}: {verdict} at {at}: {scores}, p {_p(pair.p_same)}"
    if pair.verdict != "cannot tell":
        return f"{pair.variant}: {pair.verdict} at {at}: {scores}, p {_p(pair.p_corrected[HEADLINE])}"
    why = ""
    if d.p < ALPHA:
        why = f" (p {_p(d.p)} alone, {_p(pair.p_corrected[HEADLINE])} among all that was compared)"
    limit = d.seed_error * paired.power_quantile(d.freedom, pair.alpha)
    if limit > abs(d.value):
        more = f"so few seeds show no difference below {limit:.3f}, by however many people; train more"
    elif pair.needed is None or pair.needed > 100 * people:
        more = (
            f"the difference, if there is one, is far below the {pair.smallest:.3f} that shows at this size"
        )
    elif pair.needed <= people:
        more = f"{people} people show a difference of this size in about 4 of 5 such studies"
    else:
        among = "" if pair.alpha == ALPHA else " among so many comparisons"
        more = f"if the difference is what it looks like, about {pair.needed} people would show it{among}"
    return f"{pair.variant}: cannot tell at {at}: {scores}{why}; {more}"


def _seeds(seeds: tuple[int, int]) -> str:
    reference, variant = seeds
    if reference == variant:
        return "" if variant == 1 else f" and {variant} seeds"
    return f" and {variant} seed{'s' if variant > 1 else ''} against {reference}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
