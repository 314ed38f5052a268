"""Keeps `data.root` apart from the outputs of the pipeline, DVC and git."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.runtime.errors import UserError

OUTPUTS = ("build", "reports", "quick", ".cache", ".dvc", ".git")


def refuse_overlap(root: Path, project: Path = Path()) -> None:
    """Refuses a data folder that contains an output folder or lies inside one; follows links.

    Each run would change the data. DVC refuses such a folder too, but its message does not name the param.

    Raises:
        UserError: naming the outputs and the fix.
    """
    if "\0" in str(root):
        return  # no folder has such a name
    real = Path(os.path.realpath(root))  # unlike `resolve`, it accepts circular links
    places = {name: Path(os.path.realpath(project / name)) for name in OUTPUTS}
    inside = [name for name, place in places.items() if real == place or real in place.parents]
    enclosing = [name for name, place in places.items() if place in real.parents]
    if inside or enclosing:
        overlap = (
            f"it lies in {enclosing[0]}/" if enclosing else f"it holds {', '.join(f'{n}/' for n in inside)}"
        )
        raise UserError(
            "the data folder overlaps what the pipeline writes",
            where=root,
            got=f"data.root: {root}; {overlap}",
            fix="move the photos into a folder of their own, such as photos/, and set data.root to it",
        )
