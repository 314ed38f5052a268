"""Did it help? Variants against references on the same people, corrected for multiple comparisons.

The answer holds for these trained models on similar people. Another `train.seed` gives another model: to
judge a recipe rather than one training run, compare several seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cleanplate.comparison import paired
from cleanplate.comparison.alignment import AlignedPredictions
from cleanplate.comparison.paired import ALPHA, NAMES, Difference
from pipeline.evaluate import bootstrap, metrics
from pipeline.evaluate.multiple_tests import holm

HEADLINE = "macro_f1"


@dataclass(frozen=True)
class Pair:
    """One variant against one reference.

    Args:
        differences: by name of the score (`paired.NAMES`), variant minus reference.
        p_corrected: Holm-corrected over all pairs of the comparison, by name of the score.
        verdict: `better`, `worse` or `cannot tell`, from the corrected p-value of macro-F1.
        changed: number of photos with another predicted class.
        needed: people needed for 80 % power; None if the difference is 0.
        smallest: the true difference in macro-F1 that this many people detect with 80 % power.
    """

    reference: str
    variant: str
    differences: dict[str, Difference]
    p_corrected: dict[str, float]
    verdict: str
    changed: int
    needed: int | None
    smallest: float


@dataclass(frozen=True)
class Comparison:
    """All scores with intervals (`{name: {score: {value, low, high}}}`) and all pairs."""

    people: int
    photos: int
    scores: dict[str, dict[str, dict[str, float]]]
    pairs: list[Pair]
    notes: list[str]


def compare(
    data: AlignedPredictions,
    pairs: Sequence[tuple[str, str]],
    draws: int = 2000,
    swaps: int = 5000,
    seed: int = 0,
) -> Comparison:
    """Scores every model of `data` and tests every (reference, variant) of `pairs`.

    Args:
        draws: bootstrap resamples of people behind the intervals.
        swaps: permutations behind the p-values.
        seed: of both; equal input and seed give an equal result.
    """
    by_person = {
        name: metrics.confusion_by_person(data.truth, answers, data.person)
        for name, answers in data.predicted.items()
    }
    scores = {}
    for name, confusions in by_person.items():
        all_scores = bootstrap.score_intervals(confusions, draws, seed)
        scores[name] = {score: all_scores[score] for score in NAMES}
    found = [paired.differences(by_person[a], by_person[b], draws, swaps, seed) for a, b in pairs]
    p = np.array([[d[name].p for name in NAMES] for d in found]).reshape(len(found), len(NAMES))
    corrected = np.stack([holm(p[:, i]) for i in range(len(NAMES))], axis=1)
    results = [
        _pair(data, a, b, d, dict(zip(NAMES, row.tolist(), strict=True)))
        for (a, b), d, row in zip(pairs, found, corrected, strict=True)
    ]
    return Comparison(data.people, len(data.image), scores, results, data.notes)


def _pair(
    data: AlignedPredictions,
    reference: str,
    variant: str,
    differences: dict[str, Difference],
    p_corrected: dict[str, float],
) -> Pair:
    headline = differences[HEADLINE]
    verdict = "cannot tell"
    if p_corrected[HEADLINE] < ALPHA:
        verdict = "better" if headline.value > 0 else "worse"
    return Pair(
        reference,
        variant,
        differences,
        p_corrected,
        verdict,
        int((data.predicted[reference] != data.predicted[variant]).sum()),
        paired.people_needed(headline, data.people),
        paired.detectable_difference(headline),
    )


def format_verdict(pair: Pair, people: int) -> str:
    """The verdict in words."""
    d = pair.differences[HEADLINE]
    scores = f"macro-F1 {d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f}) against {pair.reference}"
    if pair.changed == 0:
        same = f"every answer is the same as that of {pair.reference}"
        return f"{pair.variant}: cannot tell at {people} people: {same}"
    if pair.verdict != "cannot tell":
        return (
            f"{pair.variant}: {pair.verdict} at {people} people: {scores}, p {_p(pair.p_corrected[HEADLINE])}"
        )
    why = ""
    if d.p < ALPHA:
        why = f" (p {_p(d.p)} alone, {_p(pair.p_corrected[HEADLINE])} among all that was compared)"
    if pair.needed is None or pair.needed > 100 * people:
        more = (
            f"the difference, if there is one, is far below the {pair.smallest:.3f} that shows at this size"
        )
    elif pair.needed <= people:
        more = f"{people} people show a difference of this size in about 4 of 5 such studies"
    else:
        more = f"if the difference is what it looks like, about {pair.needed} people would show it"
    return f"{pair.variant}: cannot tell at {people} people: {scores}{why}; {more}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
