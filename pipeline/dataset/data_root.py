"""Where `data.root` may be: apart from what the pipeline, DVC and git write."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.runtime.errors import UserError

OUTPUTS = ("build", "reports", "quick", ".cache", ".dvc", ".git")


def refuse_overlap(root: Path, project: Path = Path()) -> None:
    """Refuses a data folder that holds one of our outputs, or lies in one; links are followed.

    DVC refuses such a folder too, but names stages in place of the param; and each run would change the data.

    Raises:
        UserError: naming the outputs and the fix.
    """
    if "\0" in str(root):
        return  # no folder is called so
    real = Path(os.path.realpath(root))  # unlike `resolve`, it takes links that lead to themselves
    places = {name: Path(os.path.realpath(project / name)) for name in OUTPUTS}
    held = [name for name, place in places.items() if real == place or real in place.parents]
    around = [name for name, place in places.items() if place in real.parents]
    if held or around:
        overlap = f"it lies in {around[0]}/" if around else f"it holds {', '.join(f'{n}/' for n in held)}"
        raise UserError(
            "the data folder overlaps what the pipeline writes",
            where=root,
            got=f"data.root: {root}; {overlap}",
            fix="move the photos into a folder of their own, such as photos/, and set data.root to it",
        )
