"""How well a task can be told from given features: a linear probe, on people that it has not learnt."""

from __future__ import annotations

import numpy as np

from pipeline.audit.out_of_fold import out_of_fold
from pipeline.bootstrap import draws_of_people, interval, resampled
from pipeline.metrics import macro_f1


def probed(
    components: np.ndarray,
    codes: np.ndarray,
    who: np.ndarray,
    folds: np.ndarray,
    size: int,
    strength: float,
    draws: int,
    seed: int,
) -> dict[str, object]:
    """`{"balanced_accuracy": {"value", "low", "high"}, "macro_f1": {…}, "chance", "above_chance"}`.

    Balanced accuracy is the mean recall of the codes that occur: 1 / their number for whoever knows nothing,
    however uneven they are; that is `chance`. `above_chance`: the whole 95 % interval, over people, is.

    Args:
        components: float [N, C].
        codes: int [N], what to tell, 0 to size - 1.
        who: int [N], the person, 0 to P - 1.
        folds: int [N].
        size: number of codes.
        strength: 1 / L2 penalty.
        draws: resamples of people.
        seed: of the resampling.
    """
    predicted = out_of_fold(components, codes, folds, size, strength, balanced=True).argmax(axis=1)
    people = int(who.max()) + 1
    by_person = np.zeros((people, size, size), np.int64)
    np.add.at(by_person, (who, codes, predicted), 1)
    in_draws = resampled(by_person, draws_of_people(people, draws, seed))
    whole = by_person.sum(axis=0)
    chance = 1 / max(1, int((whole.sum(axis=1) > 0).sum()))
    found: dict[str, object] = {}
    low = 0.0
    for name, score in (("macro_f1", macro_f1), ("balanced_accuracy", balanced_accuracy)):
        low, high = interval(score(in_draws))
        found[name] = {"value": float(score(whole)), "low": low, "high": high}
    return found | {"chance": chance, "above_chance": low > chance}


def balanced_accuracy(confusions: np.ndarray) -> np.ndarray:
    """float64 [...] in [0, 1] from confusions [..., k, k]: mean recall of the codes that occur."""
    said = confusions.sum(axis=-1)
    right = np.diagonal(confusions, axis1=-2, axis2=-1).astype(np.float64)
    recall = np.divide(right, said, out=np.zeros_like(right), where=said > 0)
    return recall.sum(axis=-1) / np.maximum((said > 0).sum(axis=-1), 1)
