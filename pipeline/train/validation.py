"""How an epoch is judged, on people that were not learnt, and the weights that are kept if it is best."""

from __future__ import annotations

import numpy as np
import torch

from pipeline.evaluate import metrics
from pipeline.labels import TASKS
from pipeline.networks.backends import Precision
from pipeline.params.schema import Train
from pipeline.train.checkpoint import State
from pipeline.train.data import Examples
from pipeline.train.network import Classifier

SMALLEST = 1e-12  # a probability below this costs no more


def validate(
    net: Classifier, valid: Examples, params: Train, device: torch.device, precision: Precision
) -> dict[str, float]:
    """`valid/macro_f1` of the classes, `valid/TASK_macro_f1`, and `valid/loss`, the mean in nll.

    Where each task has a network of its own, also `valid/TASK_loss`, by which it settles a tie.
    """
    from pipeline.train.inference import probabilities_of

    p = probabilities_of(net, valid.pictures, valid.rows, params, device, precision)
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
