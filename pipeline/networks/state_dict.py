"""Reads state dicts from checkpoints with any of timm's wrappers, without running code from the file."""

from __future__ import annotations

import argparse
import io
import pickle
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from pipeline.runtime.errors import UserError, first_line
from pipeline.runtime.progress import say

State = dict[str, torch.Tensor]
# keys under which training loops keep weights; averaged ones first, as timm takes them
AVERAGED_KEYS = ("state_dict_ema", "model_ema", "ema_state_dict", "model_ema_state_dict", "params_ema", "ema")
MODEL_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "params",
    "module",
)
MAX_DEPTH = 4  # wrappers within wrappers
# of torch, anywhere in a name
WRAPPER_NAMES = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
EXTRA_KEYS = {"n_averaged"}  # of torch's AveragedModel, beside the weights
READ_ERRORS = (
    *(SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError),
    *(ValueError, KeyError, TypeError, AttributeError, IndexError),  # what damaged pickles raise
)


def read_state_dict(path: Path) -> State:
    """Names and tensors of a .safetensors file, or of a torch file that holds nothing but data.

    What wraps them goes: `state_dict` and its like, averaged weights (EMA) before the others, with a word;
    and what torch.compile, DataParallel and FSDP put into names. `fitted` takes off what else is there.

    Raises:
        UserError: it cannot be read, or holds no table of tensors.
    """
    try:
        loaded: Any = load_file(path) if path.suffix == ".safetensors" else _loaded(path)
    except pickle.UnpicklingError as e:
        raise _holds_objects(path, e) from e
    except READ_ERRORS as e:
        raise UserError(
            "not a checkpoint: these weights cannot be read", where=path, got=first_line(e)
        ) from e
    state = _unwrapped(loaded, path)
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise UserError(
            "not a checkpoint: this file holds no state dict",
            where=path,
            got=_outline(state),
            allowed="a table of tensors, alone or under state_dict, model and the like",
            fix="torch.save(model.state_dict(), PATH), or safetensors' save_file",
        )
    return {_plain(str(k)): v for k, v in state.items() if k not in EXTRA_KEYS}


def fitted(state: State, wanted: Iterable[str], path: Path) -> State:
    """`state` with what a training loop puts before all names taken off: `model.`, `net.`, `backbone.` …

    That is what goes before the most of `wanted`. What else the loop kept (a loss, a neck) is left out, with
    a word. Of two networks in one file the averaged one is taken (`ema_model.`, `teacher.`).

    Raises:
        UserError: there are two whole networks, and nothing says which one is meant.
    """
    names = set(wanted)
    prefix_counts: Counter[str] = Counter()
    for key in state:
        parts = key.split(".")
        prefix_counts.update(
            ".".join([*parts[:n], ""]) if n else "" for n in range(len(parts)) if ".".join(parts[n:]) in names
        )
    best = max(prefix_counts.values(), default=0)
    prefixes = [prefix for prefix, count in prefix_counts.items() if count == best]
    if not prefixes or "" in prefixes:
        return state
    prefix = prefixes[0]
    if len(prefixes) > 1:
        averaged = [p for p in prefixes if "ema" in p or "teacher" in p or "averaged" in p]
        if len(averaged) != 1:
            raise UserError(
                "this checkpoint holds several networks",
                where=path,
                got=", ".join(f"{p}*" for p in prefixes),
                fix="keep one: save the tensors whose names begin alike into a file of their own",
            )
        prefix = averaged[0]
    others = sum(not key.startswith(prefix) for key in state)
    say(f"{path.name}: {prefix}* is taken" + (f", {others} other tensors are left out" if others else ""))
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}


def _loaded(path: Path) -> object:
    with torch.serialization.safe_globals([argparse.Namespace]):  # as timm: it keeps a run's arguments
        return torch.load(_unzipped(path), map_location="cpu", weights_only=True)


def _unzipped(path: Path) -> Path | io.BytesIO:
    """The file, or the one file in it: some releases zip their .pth."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) == 1:  # torch's own format is a zip too, of several members
                return io.BytesIO(archive.read(names[0]))
    return path


def _unwrapped(loaded: Any, path: Path) -> Any:
    for _ in range(MAX_DEPTH):
        if not isinstance(loaded, dict):
            break
        tables = [k for k in (*AVERAGED_KEYS, *MODEL_KEYS) if isinstance(loaded.get(k), dict) and loaded[k]]
        if not tables:
            break
        if tables[0] in AVERAGED_KEYS:
            say(f"{path.name}: the averaged weights are taken ({tables[0]})")
        loaded = loaded[tables[0]]
    return loaded


def _plain(name: str) -> str:
    for wrapper in WRAPPER_NAMES:
        name = name.replace(wrapper, "")
    return name.removeprefix("module.")


def _outline(state: Any) -> str:
    if not isinstance(state, dict):
        return type(state).__name__
    return "a table of " + (
        ", ".join(f"{k} ({type(v).__name__})" for k, v in [*state.items()][:5]) or "nothing"
    )


def _holds_objects(path: Path, error: Exception) -> UserError:
    """The error about a file that asks for code to be run, with the way to the tensors in it."""
    try:
        unsafe_names = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except Exception:  # damaged, or an old format: torch itself says what
        unsafe_names = []
    wanted = ", ".join(sorted(unsafe_names)[:5])
    return UserError(
        "not a checkpoint of tensors alone: these weights cannot be read without running what the file says",
        where=path,
        got=f"it asks for {wanted}" if wanted else first_line(error).partition(". ")[0],
        fix="where it was made, save the tensors alone: `torch.save(model.state_dict(), PATH)`",
    )
