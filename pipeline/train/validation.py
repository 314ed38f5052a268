"""Validation after an epoch, on people held out of training, and the weights to keep if it is the best."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from pipeline.evaluate import metrics
from pipeline.labels import TASKS
from pipeline.train.checkpoint import State
from pipeline.train.network import Classifier

SMALLEST = 1e-12  # a probability below this costs no more


def validation_row(p: np.ndarray, classes: np.ndarray, tasks: Collection[str]) -> dict[str, float]:
    """`valid/macro_f1` of the classes, `valid/TASK_macro_f1`, and `valid/loss`, the mean in nll.

    Args:
        p: float64 [n, 18], rows sum to 1.
        classes: int64 [n], 0-17, the true ones.
        tasks: of `Classifier.prefixes`. Where each task has a network of its own, there is `valid/TASK_loss`
            too, which settles a tie.
    """
    found = metrics.scores(metrics.confusion(classes, p.argmax(axis=1)))
    row = {f"valid/{name.replace('.', '_')}": float(v) for name, v in found.items() if "macro_f1" in name}
    row["valid/loss"] = nll(p, classes)
    for task in tasks:
        if task != "class":
            row[columns_of(task)[1]] = nll(p @ TASKS[task].membership(), TASKS[task].code_of(classes))
    return row


def columns_of(task: str) -> tuple[str, str]:
    """Names of score and loss of `task` in a row of curves."""
    own = "" if task == "class" else f"{task}_"
    return f"valid/{own}macro_f1", f"valid/{own}loss"


def nll(p: np.ndarray, codes: np.ndarray) -> float:
    """Mean negative logarithm of the probabilities [N, C] of int codes [N]."""
    return float(-np.log(np.maximum(p[np.arange(len(p)), codes], SMALLEST)).mean())


def weights_of(net: Classifier, prefix: str) -> State:
    """A copy on the CPU of the weights whose names in the state dict of `net.net` begin with `prefix`."""
    named = net.net.state_dict().items()
    return {k: v.detach().to("cpu", copy=True).contiguous() for k, v in named if k.startswith(prefix)}
