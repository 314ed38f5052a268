"""A sweep: a small YAML file that names many settings, made into experiments and the pairs to compare.

stages: [evaluate]       # run up to these, and no more; left out: the whole pipeline
base:                    # set in all of them; the others are compared with the experiment `<file>-base`
  train.epochs: 8
grids:                   # every combination
  pixels:
    detect.method: [mtcnn, none]
    compose.fill: [keep, black]
variants:                # one by one
  focal:
    train.loss: focal
pairs:                   # with against without, instead of against base ...
  synthesis:
    without: {synthesize.copies: 0}
    with: {synthesize.copies: 1}
    over:                # ... once for every combination of these (may be left out)
      compose.fill: [keep, black]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cleanplate.experiments.sweep_file import FIX, Setting, settings, targets
from pipeline.params.combinations import combination_problems
from pipeline.params.loading import read_params
from pipeline.params.overrides import Overrides, apply_overrides
from pipeline.runtime.errors import Problems


@dataclass
class Sweep:
    """What a file asks for.

    Args:
        experiments: name → overrides, in order, no two with the same effect; the first is the base.
        pairs: (reference, variant), to be compared.
        stages: what to run, with all before it; empty: the whole pipeline.
        skipped: sentences about combinations that cannot be, and settings that another experiment has
            already.
    """

    experiments: dict[str, Overrides] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def plan(document: Any, name: str, params: dict[str, Any]) -> Sweep:
    """The experiments of a sweep file.

    Args:
        document: the file, parsed.
        name: of the file, without suffix; experiments are called `<name>-<variant>`.
        params: params.yaml, parsed; what the file does not set stays as there.

    Raises:
        Problems: everything that the schema of params.yaml refuses, all at once.
        UserError: the file is not laid out as above.
    """
    asked = settings(document, name)
    impossible = {s.name: _impossible(s, params) for s in asked}
    wrong = [f"{s.name}: {p}" for s in asked if s.grid is None for p in impossible[s.name]]
    wrong += _dead_values(asked, impossible)
    if wrong:
        raise Problems(f"the sweep {name} asks for what cannot be", wrong, fix=FIX)
    sweep = _without_repeats(asked, impossible, params)
    sweep.stages = targets(document, name)
    return sweep


def effect(params: dict[str, Any], where: str) -> str:
    """Text that is equal for params (parsed params.yaml) that give equal results: defaults filled in,
    `machine.*` aside.

    Raises:
        Problems: the params are not valid.
    """
    return read_params(params, where, FIX).model_dump_json(by_alias=True, exclude={"machine"})


def _impossible(setting: Setting, params: dict[str, Any]) -> list[str]:
    """Why this combination of values is not allowed. Raises Problems where a value by itself is refused."""
    raw = apply_overrides(params, setting.overrides)
    return combination_problems(read_params(raw, f"{setting.name} of the sweep", FIX))


def _dead_values(asked: list[Setting], impossible: dict[str, list[str]]) -> list[str]:
    """Values of a grid that no combination of it can have: a mistake, where one impossible corner is none."""
    alive = {(s.grid, p, repr(v)) for s in asked if not impossible[s.name] for p, v in s.overrides.items()}
    dead: list[str] = []
    for s in asked:
        if s.grid and any((s.grid, p, repr(v)) not in alive for p, v in s.overrides.items()):
            dead += [f"{s.grid}: {p}" for p in impossible[s.name]]
    return list(dict.fromkeys(dead))


def _without_repeats(asked: list[Setting], impossible: dict[str, list[str]], params: dict[str, Any]) -> Sweep:
    sweep = Sweep()
    named: dict[str, str] = {}  # effect -> the experiment that has it
    same: dict[str, str] = {}  # setting -> the experiment that it is
    for s in asked:
        if impossible[s.name]:
            sweep.skipped.append(f"{s.name} is left out, it cannot be: {'; '.join(impossible[s.name])}")
            continue
        key = effect(apply_overrides(params, s.overrides), s.name)
        same[s.name] = named.setdefault(key, s.name)
        if same[s.name] == s.name:
            sweep.experiments[s.name] = s.overrides
        else:
            sweep.skipped.append(f"{s.name} is {same[s.name]}: the same params")
    for s in asked:
        if s.reference in same and s.name in same:
            pair = (same[s.reference], same[s.name])
            if pair[0] != pair[1] and pair not in sweep.pairs:
                sweep.pairs.append(pair)
    return sweep
