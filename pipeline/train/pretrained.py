"""Weights to start from: timm's, or a local checkpoint."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from pipeline.runtime.errors import Problems, UserError
from pipeline.runtime.progress import say

WRAPPERS = ("state_dict", "model", "model_state", "state_dict_ema")
PROBE_SECONDS = 5.0


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
            got=_first_line(e),
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


def read_state(path: str) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint: `.safetensors`, or a torch file that holds nothing but tensors.

    Raises:
        UserError: no such file, or no checkpoint; pickled code is never run.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError("there is no such checkpoint", where="train.pretrained", got=path)
    try:
        state: Any = (
            load_file(file)
            if file.suffix == ".safetensors"
            else torch.load(file, map_location="cpu", weights_only=True)
        )
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as e:
        raise UserError("not a checkpoint that can be read", where=path, got=_first_line(e)) from e
    for key in WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise UserError(
            "not a checkpoint: it holds no table of tensors", where=path, got=type(state).__name__
        )
    return {str(k).removeprefix("module."): v for k, v in state.items()}


def load_local(model: nn.Module, path: str) -> None:
    """Loads `path` into `model` in place; a head of another size is left as it is, with a sentence.

    Raises:
        UserError: anything but the head is missing, unexpected or of another shape; lists it.
    """
    state = read_state(path)
    own = model.state_dict()
    heads = _head_names(model)
    in_head = {k for k in {*own, *state} if any(k == h or k.startswith(f"{h}.") for h in heads)}
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


def _head_names(model: nn.Module) -> tuple[str, ...]:
    config = cast(Any, getattr(model, "pretrained_cfg", None)) or {}
    names = config.get("classifier") or ()
    return (names,) if isinstance(names, str) else tuple(names)


def _counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")  # batch norm's own count, which older checkpoints lack


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
