"""Finds the experiments that repeat a revision with other seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cleanplate.experiments.git import experiments
from cleanplate.experiments.revisions import Revision, changed_code
from cleanplate.experiments.sweep import canonical_params
from cleanplate.experiments.sweep_file import SEED
from pipeline.params.overrides import apply_overrides
from pipeline.runtime.errors import Problems, UserError
from pipeline.runtime.progress import say


def seed_runs(names: Sequence[str], commits: Mapping[str, str]) -> dict[str, tuple[Revision, ...]]:
    """Of each name, itself and the experiments of equal code and params but for `train.seed`, in the order of
    their names, one for each seed.

    `commits`: commits of names, if already known.

    Raises:
        UserError: two of the names are one recipe with two seeds.
    """
    others = [Revision(name, commit) for (_, name), commit in sorted(experiments().items())]
    recipes = {r.commit or r.name: _recipe(r) for r in others}
    found: dict[str, tuple[Revision, ...]] = {}
    owner: dict[str, str] = {}
    for name in names:
        own = Revision(name, commits.get(name))
        recipe, seed = _recipe(own)
        runs = {seed: own}
        for other in others:
            same, its_seed = recipes[other.commit or other.name]
            if recipe and same == recipe and its_seed not in runs and not changed_code(own, other):
                runs[its_seed] = other
        found[name] = tuple(runs.values())
        for run in found[name]:
            key = run.commit or run.name
            if owner.setdefault(key, name) != name:
                raise UserError(
                    "with --seeds these are one recipe, trained with several seeds",
                    got=f"{owner[key]}, {name}",
                    fix="name one of them, or compare without --seeds",
                )
    if all(len(runs) == 1 for runs in found.values()):
        say("note: no experiment repeats these with another train.seed; `seeds: 3` in a sweep file runs such")
    return found


def _recipe(revision: Revision) -> tuple[str, int]:
    """Params without the seed, in canonical form, and the seed; "" for none, or for an older schema's."""
    raw = revision.yaml("params.yaml")
    try:
        return canonical_params(apply_overrides(raw, {SEED: 0}), revision.name), int(
            raw.get("train", {}).get("seed", 0)
        )
    except (Problems, AttributeError, TypeError, ValueError):
        return "", 0
