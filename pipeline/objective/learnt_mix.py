"""The class mix that a network was made to believe in: what its probabilities take for granted."""

from __future__ import annotations

import numpy as np

from pipeline import labels
from pipeline.labels import TASKS
from pipeline.objective.class_weights import class_weights
from pipeline.params.training import Train


def learnt_mix(classes: np.ndarray, params: Train) -> np.ndarray:
    """float64 [18], sum 1: the mix of classes in the loss, after `train.sampler` and `train.class_weights`.

    A network that minimises cross-entropy answers as if photos came in this mix. A sampler changes how often
    a class is drawn. A weight of the class has the effect of a count that is as many times higher; with heads
    for each task the answer is a product, so the weights of its three codes multiply.

    Args:
        classes: int [n], training targets 0-17, synthetic and pseudo-labelled pictures included.
        params: the `train` section.
    """
    counts = np.bincount(classes, minlength=labels.CLASSES).astype(np.float64)
    mix = counts.copy()
    if params.sampler != "none":
        groups = (
            np.arange(labels.CLASSES) if params.sampler == "class" else labels.age_group_of(np.arange(18))
        )
        drawn_from = np.bincount(groups, counts)[groups]
        mix = np.divide(counts, drawn_from, out=np.zeros_like(counts), where=drawn_from > 0)
    asked = ("class",) if params.heads == "joint" else ("mask", "gender", "age")
    for name in asked:
        own = class_weights(counts @ TASKS[name].membership(), params.class_weights, params.effective_beta)
        mix *= own[TASKS[name].code_of(np.arange(labels.CLASSES))]
    return mix / mix.sum()
