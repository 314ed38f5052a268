"""Parses the sweep file, described in sweep.py, into a list of named settings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.params.overrides import Overrides, to_hydra
from pipeline.runtime.errors import UserError, nearest

SECTIONS = ("stages", "seeds", "same_within", "base", "grids", "variants", "pairs")
PAIR_KEYS = ("without", "with", "over", "seeds")
FIX = "correct the sweep file"
SEED = "train.seed"
MAX_SEEDS = 100
STAGE = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Setting:
    """One experiment of the file.

    Args:
        name: `<file>-<variant>`.
        overrides: dotted name of a param → value, including those of `base`.
        reference: name of the setting to compare it with; None for a reference.
        grid: the grid that contains it, or None.
        seeds: how many seeds it is run with.
    """

    name: str
    overrides: Overrides
    reference: str | None
    grid: str | None = None
    seeds: int = 1


def read_settings(document: Any, name: str) -> list[Setting]:
    """The settings of a parsed file, base first.

    Raises:
        UserError: it does not follow the layout in sweep.py, or two settings have one name.
    """
    sections = _mapping(document, name, SECTIONS)
    base = _overrides(sections.get("base"), "base")
    root, seeds = f"{name}-base", _seeds(sections.get("seeds", 1), "seeds")
    settings = [Setting(root, base, None, None, seeds)]
    for grid, axes in _mapping(sections.get("grids"), "grids").items():
        for words, point in _combinations(axes, f"grids.{grid}"):
            settings.append(Setting(_name(name, grid, *words), base | point, root, grid, seeds))
    for variant, overrides in _mapping(sections.get("variants"), "variants").items():
        own = _overrides(overrides, f"variants.{variant}")
        settings.append(Setting(_name(name, variant), base | own, root, None, seeds))
    for pair, value in _mapping(sections.get("pairs"), "pairs").items():
        settings += _pair(name, pair, value, base, seeds)
    twice = sorted({a.name for a in settings if [b.name for b in settings].count(a.name) > 1})
    if twice:
        raise UserError("two settings of the sweep have one name", got=", ".join(twice), fix=FIX)
    return settings


def read_stages(document: Any, name: str) -> list[str]:
    """The last stages that every experiment runs; empty: the whole pipeline.

    Raises:
        UserError: it is not a list of names.
    """
    stages = _mapping(document, name, SECTIONS).get("stages") or []
    if not isinstance(stages, list) or not all(isinstance(n, str) and STAGE.fullmatch(n) for n in stages):
        raise UserError("expected a list of stages", where="stages", got=stages, fix="e.g. [evaluate]")
    return stages


def read_same_within(document: Any, name: str) -> float | None:
    """The difference in macro-F1 that matters (`cleanplate compare --same-within`); None where none is given.

    Raises:
        UserError: it is not such a number.
    """
    margin = _mapping(document, name, SECTIONS).get("same_within")
    if margin is None:
        return None
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0.001 <= margin <= 0.5:
        raise UserError(
            "expected a difference in macro-F1",
            where="same_within",
            got=margin,
            allowed="0.001 to 0.5",
            fix=FIX,
        )
    return float(margin)


def _seeds(seeds: Any, where: str) -> int:
    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 1 <= seeds <= MAX_SEEDS:
        raise UserError(
            "expected a number of seeds", where=where, got=seeds, allowed=f"1 to {MAX_SEEDS}", fix=FIX
        )
    return seeds


def _pair(name: str, pair: str, value: Any, base: Overrides, seeds: int) -> Iterator[Setting]:
    where = f"pairs.{pair}"
    sides = _mapping(value, where, PAIR_KEYS)
    if not {"without", "with"} <= sides.keys():
        raise UserError("a pair has two sides", where=where, got=", ".join(sides), allowed=PAIR_KEYS, fix=FIX)
    seeds = _seeds(sides.get("seeds", seeds), f"{where}.seeds")
    before, after = (_overrides(sides[side], f"{where}.{side}") for side in ("without", "with"))
    for words, point in _combinations(sides.get("over") or {}, f"{where}.over"):
        reference = _name(name, pair, *words, "without")
        grid = f"{pair}-without" if words else None
        yield Setting(reference, base | point | before, None, grid, seeds)
        variant = _name(name, pair, *words, "with")
        yield Setting(variant, base | point | after, reference, grid and f"{pair}-with", seeds)


def _combinations(axes: Any, where: str) -> Iterator[tuple[list[str], Overrides]]:
    """Words for the name, and overrides, of each combination."""
    lists = _overrides(axes, where)
    for param, values in lists.items():
        if not isinstance(values, list) or not values:
            raise UserError(
                "a grid needs a list of values",
                where=f"{where}.{param}",
                got=values,
                fix="e.g. [keep, black]",
            )
    for values in itertools.product(*lists.values()):
        yield [_word(v) for v in values], dict(zip(lists, values, strict=True))


def _mapping(value: Any, where: str, allowed: tuple[str, ...] = ()) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError("expected a mapping", where=where, got=value, fix=FIX)
    for key in value:
        if allowed and key not in allowed:
            close = nearest(str(key), allowed)
            raise UserError(
                "there is no such section",
                where=where,
                got=key,
                allowed=allowed,
                fix=f"did you mean `{close}`?" if close else FIX,
            )
    return {str(key): inner for key, inner in value.items()}


def _overrides(value: Any, where: str) -> Overrides:
    """Dotted names and values; flattens nested sections."""
    sections = _mapping(value, where)
    plain = {k: v for k, v in sections.items() if not isinstance(v, dict) or not v}
    for section, inner in sections.items():
        if isinstance(inner, dict):
            plain |= {f"{section}.{k}": v for k, v in _overrides(inner, where).items()}
    return plain


def _word(value: Any) -> str:
    """A value as a short part of a name that git allows in a reference."""
    text = value.rsplit("/", 1)[-1] if isinstance(value, str) else to_hydra(value)
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower() or "none"


def _name(*parts: str) -> str:
    return "-".join(re.sub(r"[^A-Za-z0-9_-]+", "_", part) for part in parts)
