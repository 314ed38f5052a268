"""Validation after an epoch, on people held out of training, and the weights to keep if it is the best."""

from __future__ import annotations

import numpy as np

from pipeline.evaluate import metrics
from pipeline.labels import TASKS
from pipeline.train.checkpoint import State
from pipeline.train.config import TrainConfig
from pipeline.train.data import Examples
from pipeline.train.network import Classifier

SMALLEST = 1e-12  # a probability below this costs no more


def validate(net: Classifier, valid: Examples, config: TrainConfig) -> dict[str, float]:
    """`valid/macro_f1` of the classes, `valid/TASK_macro_f1`, and `valid/loss`, the mean in nll.

    Where each task has a network of its own, also `valid/TASK_loss`, which settles a tie.
    """
    from pipeline.train.inference import predict_probabilities

    p = predict_probabilities(net, valid.pictures, config, valid.rows)
    found = metrics.scores(metrics.confusion(valid.classes, p.argmax(axis=1)))
    row = {f"valid/{name.replace('.', '_')}": float(v) for name, v in found.items() if "macro_f1" in name}
    row["valid/loss"] = nll(p, valid.classes)
    for task in net.prefixes():
        if task != "class":
            row[columns_of(task)[1]] = nll(p @ TASKS[task].membership(), TASKS[task].code_of(valid.classes))
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
