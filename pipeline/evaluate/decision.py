"""From probabilities to answers: the likeliest class, or the answers with the largest expected macro-F1.

Macro-F1 gives a rare class as much as a frequent one, so the best answer about a photo is not always its
likeliest class, and depends on the other photos (Lipton, Elkan, Narayanaswamy 2014, arXiv:1402.1892).
"""

from __future__ import annotations

import numpy as np

from pipeline.params.learning import Decision

ROUNDS = 50  # over all photos; the ascent ends earlier when no answer changes
EMPTY = 1e-9  # a class with less neither occurs nor is answered
TIE = 1e-12  # a gain that is none


def decide(p: np.ndarray, decision: Decision) -> np.ndarray:
    """int64 [N]: the class of each photo.

    Args:
        p: float64 [N, C], probabilities of the classes.
        decision: `likeliest`, or `macro_f1`: the answers to these N photos together.
    """
    likeliest = p.argmax(axis=1).astype(np.int64)
    return likeliest if decision == "likeliest" or len(p) == 0 else _ascend(p, likeliest)


def expected_macro_f1(p: np.ndarray, answers: np.ndarray) -> float:
    """The mean over classes of 2 E[hits] / (answers + E[photos]), if `p` [N, C] is right.

    The expectation of the ratio is approximated by the ratio of expectations, which is close for many photos.
    Classes that are neither expected nor answered do not count.
    """
    hits, size = _hits_and_size(p, answers)
    counts = size > EMPTY
    return float((2 * hits[counts] / size[counts]).mean())


def _hits_and_size(p: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float64 [C] each: expected right answers, and answers + expected photos; F1 is 2 hits / size."""
    chosen = np.zeros_like(p)
    chosen[np.arange(len(p)), answers] = 1
    return (chosen * p).sum(axis=0), chosen.sum(axis=0) + p.sum(axis=0)


def _ascend(p: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Climbs from `answers`, photo by photo, to where no other answer to one photo is expected to score more.

    The photos' order is that of their probabilities, so that the order of the rows does not matter.
    """
    answers = answers.copy()
    hits, size = _hits_and_size(p, answers)
    order = np.lexsort(p.T)
    for _ in range(ROUNDS):
        changed = False
        for i in order:
            old, own = answers[i], p[i]
            hits[old] -= own[old]
            size[old] -= 1
            more = 2 * (hits + own) / (size + 1) - 2 * hits / np.maximum(size, EMPTY)
            new = old if more[old] >= more.max() - TIE else int(more.argmax())
            hits[new] += own[new]
            size[new] += 1
            answers[i], changed = new, changed or new != old
        if not changed:
            break
    return answers
