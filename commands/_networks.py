"""What `cleanplate check` asks torch and timm: names only they know, and whether the network can be made."""

from __future__ import annotations

from pathlib import Path

from commands._checks import said
from pipeline.errors import nearest
from pipeline.params import Params


def network_problems(params: Params) -> list[str]:
    """Names that only the libraries know: model, optimiser, augmentation; and checkpoints to start from."""
    import pipeline.torchvision_ops  # noqa: F401
    from pipeline.augment.recipe import Recipe
    from pipeline.training.device import device_of, precision_of
    from pipeline.training.network import known_model

    train = params.train
    problems = said(lambda: known_model(train.model)) + said(lambda: Recipe(train.augment))
    from timm.optim import list_optimizers  # pyright: ignore[reportPrivateImportUsage]

    optimizers = [str(name) for name in list_optimizers()]
    if train.optimizer not in optimizers:
        close = nearest(train.optimizer, optimizers)
        problems.append(f"train.optimizer: timm has no `{train.optimizer}`; did you mean `{close}`?")
    files = {
        "train.pretrained": train.pretrained,
        "fit_segmenter.encoder_weights": params.fit_segmenter.encoder_weights,
    }
    for param, value in files.items():
        if isinstance(value, str) and not Path(value).is_file():
            problems.append(f"{param}: there is no such file; got {value}")
    if params.audit.model:
        wrong = said(lambda: known_model(params.audit.model or ""))
        problems += [p.replace("train.model", "audit.model") for p in wrong]
    return problems + said(lambda: precision_of(train, device_of(train)))


def network_flops(params: Params) -> tuple[float | None, list[str]]:
    """Operations of the network on one picture, and what keeps it from being made with these arguments.

    It is made without memory or weights (torch's device `meta`), which takes a moment whatever its size.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from pipeline.training.network import classifier, known_model

    size = params.train.size
    if said(lambda: known_model(params.train.model)):
        return None, []  # is among the names
    counted: list[float] = []

    def count() -> None:
        with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
            net = classifier(params.train, weights=False)
            tried = counter.get_total_flops()
            net.eval()(torch.zeros(1, 3, size, size))
            counted.append(float(counter.get_total_flops() - tried))

    problems = said(count)
    return (counted[0] if counted else None), problems
