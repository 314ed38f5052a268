"""Verdicts in words."""

from __future__ import annotations

from cleanplate.comparison import paired
from cleanplate.comparison.paired import ALPHA
from cleanplate.comparison.verdict import HEADLINE, Pair


def format_verdict(pair: Pair) -> str:
    """One sentence."""
    d, people = pair.differences[HEADLINE], pair.people
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
