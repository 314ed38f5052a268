"""A sweep: a YAML file of many settings, expanded to experiments and pairs to compare.

stages: [evaluate]       # run up to these; omitted: the whole pipeline
seeds: 3                 # of every experiment, compared over people and seeds; omitted: 1
same_within: 0.02        # the difference in macro-F1 that matters; omitted: no verdict "same"
base:                    # set in all experiments; the baseline is the experiment `<file>-base`
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
    over:                # ... once for every combination of these (optional)
      compose.fill: [keep, black]
    seeds: 5             # ... of these experiments (optional)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cleanplate.experiments.sweep_file import (
    FIX,
    SEED,
    Setting,
    read_same_within,
    read_settings,
    read_stages,
)
from pipeline.params.combinations import combination_problems
from pipeline.params.loading import read_params
from pipeline.params.overrides import Overrides, apply_overrides
from pipeline.runtime.errors import Problems, UserError


@dataclass
class Sweep:
    """A sweep file, expanded.

    Args:
        experiments: name → overrides, in order, without duplicates; the first is the base.
        pairs: (reference, variant), to compare.
        stages: the last stages to run; empty: the whole pipeline.
        runs: of each setting the experiments that are its runs, one for each seed, itself first.
        same_within: the difference in macro-F1 that matters, or None.
        skipped: sentences about combinations that are not allowed, and duplicates.
    """

    experiments: dict[str, Overrides] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    runs: dict[str, list[str]] = field(default_factory=dict)
    same_within: float | None = None
    skipped: list[str] = field(default_factory=list)

    def finished(self, done: Mapping[str, str]) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
        """Pairs of which both have run, and the runs with other seeds of each, by the first of them.

        Args:
            done: of each experiment that has run, the one with its params: itself, or an equal one.
        """
        runs = {name: [done[r] for r in of_name if r in done] for name, of_name in self.runs.items()}
        pairs = [(runs[a][0], runs[b][0]) for a, b in self.pairs if runs[a] and runs[b]]
        return pairs, {r[0]: r for r in runs.values() if r}


def plan(document: Any, name: str, params: dict[str, Any]) -> Sweep:
    """The experiments of a sweep file.

    Args:
        document: the file, parsed.
        name: of the file, without suffix; experiments are called `<name>-<variant>`.
        params: params.yaml, parsed; the defaults for the file.

    Raises:
        Problems: every value that the schema of params.yaml refuses.
        UserError: the file does not follow the layout above.
    """
    settings = read_settings(document, name)
    impossible = {s.name: _impossible(s, params) for s in settings}
    wrong = [f"{s.name}: {p}" for s in settings if s.grid is None for p in impossible[s.name]]
    wrong += _unusable_values(settings, impossible)
    if wrong:
        raise Problems(f"the sweep {name} has combinations that are not allowed", wrong, fix=FIX)
    sweep, seeds = _deduplicate(settings, impossible, params)
    sweep.stages = read_stages(document, name)
    sweep.same_within = read_same_within(document, name)
    _repeat(sweep, seeds, params)
    return sweep


def _repeat(sweep: Sweep, seeds: dict[str, int], params: dict[str, Any]) -> None:
    """Adds the experiments of further seeds: `<name>-seed<train.seed>`, after all of the first seed.

    Args:
        seeds: of each experiment.

    Raises:
        UserError: a variant that is run with several seeds sets the seed itself.
    """
    own = {name: overrides.get(SEED) for name, overrides in sweep.experiments.items()}
    base = next(iter(own.values()))
    if other := [name for name, seed in own.items() if seed != base and seeds[name] > 1]:
        raise UserError(
            f"an experiment is run with several seeds, but sets {SEED} itself",
            got=", ".join(other),
            fix=f"remove {SEED} there, or `seeds`",
        )
    first = base if base is not None else params.get("train", {}).get("seed", 0)
    settings = dict(sweep.experiments)
    sweep.runs = {name: [name] for name in settings}
    for seed in range(first + 1, first + max(seeds.values())):
        for name, overrides in settings.items():
            if seed < first + seeds[name]:
                sweep.experiments[f"{name}-seed{seed}"] = overrides | {SEED: seed}
                sweep.runs[name].append(f"{name}-seed{seed}")


def canonical_params(params: dict[str, Any], where: str) -> str:
    """The params (parsed params.yaml) in canonical form, equal for equal results: with defaults, without
    `machine.*`.

    Raises:
        Problems: the params are not valid.
    """
    return read_params(params, where, FIX).model_dump_json(by_alias=True, exclude={"machine"})


def _impossible(setting: Setting, params: dict[str, Any]) -> list[str]:
    """Why this combination of values is not allowed. Raises Problems if a single value is refused."""
    raw = apply_overrides(params, setting.overrides)
    return combination_problems(read_params(raw, f"{setting.name} of the sweep", FIX))


def _unusable_values(settings: list[Setting], impossible: dict[str, list[str]]) -> list[str]:
    """Values of a grid without any allowed combination: a mistake, unlike a single forbidden combination."""
    usable = {
        (s.grid, p, repr(v)) for s in settings if not impossible[s.name] for p, v in s.overrides.items()
    }
    unusable: list[str] = []
    for s in settings:
        if s.grid and any((s.grid, p, repr(v)) not in usable for p, v in s.overrides.items()):
            unusable += [f"{s.grid}: {p}" for p in impossible[s.name]]
    return list(dict.fromkeys(unusable))


def _deduplicate(
    settings: list[Setting], impossible: dict[str, list[str]], params: dict[str, Any]
) -> tuple[Sweep, dict[str, int]]:
    """The sweep, and with how many seeds each experiment is run: the most that a setting of it asks."""
    sweep, seeds = Sweep(), dict[str, int]()
    named: dict[str, str] = {}  # effect -> the experiment that has it
    same: dict[str, str] = {}  # setting -> the experiment that it is
    for s in settings:
        if impossible[s.name]:
            sweep.skipped.append(f"{s.name} is skipped, not allowed: {'; '.join(impossible[s.name])}")
            continue
        key = canonical_params(apply_overrides(params, s.overrides), s.name)
        same[s.name] = named.setdefault(key, s.name)
        seeds[same[s.name]] = max(s.seeds, seeds.get(same[s.name], 1))
        if same[s.name] == s.name:
            sweep.experiments[s.name] = s.overrides
        else:
            sweep.skipped.append(f"{s.name} is {same[s.name]}: the same params")
    for s in settings:
        if s.reference in same and s.name in same:
            pair = (same[s.reference], same[s.name])
            if pair[0] != pair[1] and pair not in sweep.pairs:
                sweep.pairs.append(pair)
    return sweep, seeds
