"""Checks with torch and timm: names of models and optimisers, and whether the network can be built."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cleanplate.preflight.checks import collect_problems
from pipeline.networks.backends import Engine, engine_of, precision_of
from pipeline.params import Params
from pipeline.runtime.errors import first_line, nearest

FACE_NUMBERS = 1000  # of a photo, about: before `faces` has run nobody knows, and they cost next to nothing


def network_problems(params: Params) -> list[str]:
    """Unknown names of models, optimisers and augmentations, and missing checkpoints."""
    from pipeline.networks.timm_names import timm_name
    from pipeline.train.augment.recipe import Recipe
    from pipeline.train.config import resolve_config
    from pipeline.train.face_features import FEATURES

    train = params.train
    on_pictures = train.model != FEATURES
    problems = collect_problems(lambda: timm_name(train.model)) if on_pictures else []
    problems += collect_problems(lambda: Recipe(train.augment))
    optimizers = _optimizers()
    if train.optimizer not in optimizers:
        close = nearest(train.optimizer, optimizers)
        problems.append(f"train.optimizer: timm has no `{train.optimizer}`; did you mean `{close}`?")
    if isinstance(train.pretrained, str) and not Path(train.pretrained).is_file():
        problems.append(f"train.pretrained: there is no such file; got {train.pretrained}")
    if auditor := params.audit.model:
        problems += collect_problems(lambda: timm_name(auditor, "audit.model"))
    scaled = train.model_copy(update={"normalize": "imagenet"})  # the model's name was checked above
    problems += precision_problems(params) + encoder_problems(params)
    return problems + collect_problems(lambda: resolve_config(scaled))


def precision_problems(params: Params) -> list[str]:
    """A precision of the networks of detect and segment that this machine does not have."""
    detect, segment = params.detect, params.segment
    asked: list[tuple[str, Engine, str]] = []
    if detect.method == "yolov8":
        asked.append((detect.yolov8.precision, engine_of(detect.backend), "detect.yolov8.precision"))
    if segment.method == "unet":
        asked.append((segment.unet.precision, engine_of(segment.backend), "segment.unet.precision"))
    if segment.method == "selfie":
        asked.append((segment.selfie.precision, "openvino", "segment.selfie.precision"))
    return [problem for one in asked for problem in collect_problems(partial(precision_of, *one))]


def encoder_problems(params: Params) -> list[str]:
    """Problems with building fit_segmenter's U-Net, on the device `meta` as in `network_flops`."""
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
        return _library_problems(try_out, "fit_segmenter.encoder", fit.encoder)


def network_flops(params: Params) -> tuple[float | None, list[str]]:
    """FLOPs of the network on one picture, and problems with building it or its optimiser.

    Builds it without memory or weights (torch's device `meta`), which is quick for any size.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from pipeline.networks.timm_names import timm_name
    from pipeline.train.config import resolve_config
    from pipeline.train.face_features import APPEND, FEATURES
    from pipeline.train.network import Classifier, make_classifier
    from pipeline.train.optimizers import optimizer_of

    train = params.train
    if train.model == FEATURES or collect_problems(lambda: timm_name(train.model)):
        return None, []  # network_problems reports it
    # network_problems reports what is wrong with device and precision
    config = resolve_config(train.model_copy(update={"device": "cpu", "precision": "f32"}))
    classifiers: list[Classifier] = []
    counted: list[float] = []

    def count() -> None:
        net = (
            classifiers[0].eval().requires_grad_(False)
        )  # the counter hooks what learns, which no_grad forbids
        with FlopCounterMode(display=False) as counter:
            net(torch.zeros(1, 3, train.size, train.size), *faces)
        counted.append(float(counter.get_total_flops()))

    numbers = FACE_NUMBERS if train.face_features == APPEND else 0
    with torch.device("meta"), torch.no_grad():
        faces = (torch.zeros(1, numbers),) if numbers else ()
        problems = _library_problems(
            lambda: classifiers.append(make_classifier(config, weights=False, face_numbers=numbers)),
            "train.model",
            train.model,
        )
        if classifiers and train.optimizer in _optimizers():
            problems += _library_problems(
                lambda: optimizer_of(classifiers[0], train), "train.optimizer", train.optimizer
            )
        if classifiers:
            problems += _library_problems(count, "train.model", train.model)
    return (counted[0] if counted else None), problems


def _library_problems(check: Callable[[], object], param: str, name: str) -> list[str]:
    """Like `collect_problems`, for any exception of a library."""
    try:
        return collect_problems(check)
    except Exception as e:
        reason = f"{type(e).__name__}: {first_line(e)}"
        return [f"{param}: `{name}` cannot be used like this ({reason}); choose another"]


def _optimizers() -> list[str]:
    from timm.optim import list_optimizers  # pyright: ignore[reportPrivateImportUsage]

    return [str(name) for name in list_optimizers()]
