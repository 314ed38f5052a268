"""Weights to start from: an installed package's, timm's, or a local checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from torch import nn

from pipeline.networks.state_dict import fitted, read_state_dict
from pipeline.networks.weights import resolve
from pipeline.runtime.disk import main_root
from pipeline.runtime.errors import Problems, UserError, first_line
from pipeline.runtime.progress import say

PROBE_SECONDS = 5.0
# Model without a tag → row of weights.lock that a package holds. torchvision's tensors are timm's in order.
PACKAGED = {"mobilenetv2_100": "mobilenet_v2-b0353104.pth"}


def load_packaged(model: nn.Module, name: str) -> None:
    """Loads the packaged ImageNet weights of the timm model `name`, a key of PACKAGED, into `model` in place.

    They need no network. The 1,000 ImageNet classes of the head go, unless `model` has as many outputs.

    Raises:
        UserError: the package is not installed, or its file is not the one in weights.lock.
    """
    path = resolve(PACKAGED[name], main_root())
    own = model.state_dict()
    renamed = dict(zip(own, read_state_dict(path).values(), strict=True))
    head = set(_head_keys(model, own)) if any(own[k].shape != renamed[k].shape for k in own) else set[str]()
    model.load_state_dict({k: v for k, v in renamed.items() if k not in head}, strict=False)


def from_timm(name: str, outputs: int, arguments: dict[str, Any]) -> nn.Module:
    """The model with timm's own weights, from this machine's cache or the model hub.

    Raises:
        UserError: they cannot be fetched, or the model has none.
    """
    import timm
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE or not _reachable(constants.ENDPOINT)
    try:
        return timm.create_model(name, pretrained=True, num_classes=outputs, **arguments)
    except (OSError, RuntimeError) as e:
        raise UserError(
            f"the weights of `{name}` cannot be fetched",
            where="train.pretrained",
            got=first_line(e),
            fix="go online once, set train.pretrained to a local checkpoint, or to false",
        ) from e


def _reachable(address: str) -> bool:
    """Whether anything answers there; the hub's client itself would retry for most of a minute."""
    import httpx

    try:
        httpx.head(address, timeout=PROBE_SECONDS)
    except httpx.HTTPError:
        return False
    return True


def load_local(model: nn.Module, path: str) -> None:
    """Loads `path` into `model` in place; a head of another size is left as it is, with a sentence.

    Raises:
        UserError: anything but the head is missing, unexpected or of another shape; lists it.
    """
    if not Path(path).is_file():
        raise UserError("there is no such checkpoint", where="train.pretrained", got=path)
    own = model.state_dict()
    state = fitted(read_state_dict(Path(path)), own, Path(path))
    in_head = set(_head_keys(model, {*own, *state}))
    misfit = {k for k in in_head if k not in state or k not in own or state[k].shape != own[k].shape}
    problems = [f"unexpected {k}" for k in state if k not in own and k not in misfit]
    problems += [
        f"{k} is {tuple(state[k].shape)}, the model's is {tuple(own[k].shape)}"
        for k in own
        if k in state and k not in misfit and state[k].shape != own[k].shape
    ]
    problems += [f"missing {k}" for k in own if k not in state and k not in misfit and not _counter(k)]
    if problems:
        fix = "set train.model (and train.model_args) to the model that the checkpoint is of"
        raise Problems(f"the checkpoint {path} does not fit the model", problems, fix=fix)
    if misfit:
        rows = ", ".join(f"{k} {tuple(state[k].shape)}" for k in sorted(misfit) if k in state)
        say(
            f"train: the head of {Path(path).name} is not this one and starts afresh ({rows or 'none there'})"
        )
    model.load_state_dict({k: v for k, v in state.items() if k not in misfit}, strict=False)


def _head_keys(model: nn.Module, keys: Iterable[str]) -> list[str]:
    """Those of `keys` that belong to the head."""
    heads = _head_names(model)
    return [k for k in keys if any(k == h or k.startswith(f"{h}.") for h in heads)]


def _head_names(model: nn.Module) -> tuple[str, ...]:
    config = cast(Any, getattr(model, "pretrained_cfg", None)) or {}
    names = config.get("classifier") or ()
    return (names,) if isinstance(names, str) else tuple(names)


def _counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")  # batch norm's own count, which older checkpoints lack
