"""What `cleanplate check` asks torch and timm: names only they know, and whether the network can be made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cleanplate.preflight.checks import said
from pipeline.params import Params
from pipeline.runtime.errors import first_line, nearest


def network_problems(params: Params) -> list[str]:
    """Names that only the libraries know: model, optimiser, augmentation; and checkpoints to start from."""
    from pipeline.networks.timm_names import timm_name
    from pipeline.train.augment.recipe import Recipe
    from pipeline.train.config import resolve_config

    train = params.train
    problems = said(lambda: timm_name(train.model)) + said(lambda: Recipe(train.augment))
    optimizers = _optimizers()
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
    if auditor := params.audit.model:
        problems += said(lambda: timm_name(auditor, "audit.model"))
    return (
        problems
        + encoder_problems(params)
        + said(lambda: resolve_config(train.model_copy(update={"normalize": "imagenet"})))
    )


def encoder_problems(params: Params) -> list[str]:
    """What keeps fit_segmenter from making its U-Net; made without memory, as in `network_flops`."""
    import torch

    from pipeline.segment.unet.architecture import build
    from pipeline.segment.unet.config import UnetConfig
    from pipeline.segment.unet.fitting import DECODER_CHANNELS
    from pipeline.segment.unet.frame import STRIDE

    fit = params.fit_segmenter
    if params.segment.method != "unet" or params.segment.unet.weights != "demo":
        return []

    def try_out() -> None:
        net = build(UnetConfig(encoder=fit.encoder, decoder_channels=DECODER_CHANNELS, size=fit.size))
        net.eval()(torch.zeros(1, 3, 2 * STRIDE, 2 * STRIDE))

    with torch.device("meta"), torch.no_grad():
        return _refused(try_out, "fit_segmenter.encoder", fit.encoder)


def network_flops(params: Params) -> tuple[float | None, list[str]]:
    """Operations of the network on one picture; and what keeps it from being made with these arguments, or
    the optimiser from teaching it.

    It is made without memory or weights (torch's device `meta`), which takes a moment whatever its size.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from pipeline.networks.timm_names import timm_name
    from pipeline.train.config import resolve_config
    from pipeline.train.network import Classifier, make_classifier
    from pipeline.train.optimizers import optimizer_of

    train = params.train
    if said(lambda: timm_name(train.model)):
        return None, []  # is among the names
    # `network_problems` reports what is wrong with device and precision
    config = resolve_config(train.model_copy(update={"device": "cpu", "precision": "f32"}))
    made: list[Classifier] = []
    counted: list[float] = []

    def count() -> None:
        net = made[0].eval().requires_grad_(False)  # the counter hooks what learns, which no_grad forbids
        with FlopCounterMode(display=False) as counter:
            net(torch.zeros(1, 3, train.size, train.size))
        counted.append(float(counter.get_total_flops()))

    with torch.device("meta"), torch.no_grad():
        problems = _refused(
            lambda: made.append(make_classifier(config, weights=False)), "train.model", train.model
        )
        if made and train.optimizer in _optimizers():
            problems += _refused(lambda: optimizer_of(made[0], train), "train.optimizer", train.optimizer)
        if made:
            problems += _refused(count, "train.model", train.model)
    return (counted[0] if counted else None), problems


def _refused(check: Callable[[], object], param: str, name: str) -> list[str]:
    """What `check` raises, as problems; a library's code, given what it was not made for, raises anything."""
    try:
        return said(check)
    except Exception as e:
        reason = f"{type(e).__name__}: {first_line(e)}"
        return [f"{param}: `{name}` cannot be used like this ({reason}); choose another"]


def _optimizers() -> list[str]:
    from timm.optim import list_optimizers  # pyright: ignore[reportPrivateImportUsage]

    return [str(name) for name in list_optimizers()]
