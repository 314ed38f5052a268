"""Names what killed runs, full disks and flipped bits left behind, and with --mend puts it right.

Looked for: half a dvc.lock, a detached HEAD and `-S` options that a killed `dvc exp run` left in params.yaml,
half-written files, locks of DVC that nobody holds, and everything that `cleanplate verify` finds. Damaged
files are moved to .cache/damaged/, never deleted; `dvc repro` then makes them again. Exit code 1 while
anything is left.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cleanplate.integrity.leftovers import Ailment
    from cleanplate.integrity.outputs import Damage


def main(
    mend: Annotated[bool, typer.Option("--mend", help="Put it right; otherwise only name it.")] = False,
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
) -> None:
    from cleanplate.integrity.dvc_records import require_repository
    from cleanplate.integrity.killed_experiment import killed_experiment
    from cleanplate.integrity.leftovers import at_work, half_written, stale_locks
    from pipeline.runtime.errors import UserError
    from pipeline.runtime.progress import say

    root = Path()
    require_repository(root)
    if busy := at_work(root):
        raise UserError(
            "a run is going on here, so that what looks broken may just be unfinished",
            got=busy[0],
            fix="wait for it or end it, then run this again",
        )
    torn = _torn(root)
    left = sum(_treat(ailment, mend) for ailment in torn)
    if left:  # what is on record cannot be looked at
        say(f"doctor: {left} found; `cleanplate doctor --mend` repairs what it can")
        raise typer.Exit(1)
    for ailment in (*killed_experiment(root), *stale_locks(root), *half_written(root)):
        left += _treat(ailment, mend)
    left += _treat_damage(root, params, mend)
    if left and not mend:
        say(f"doctor: {left} found; `cleanplate doctor --mend` repairs what it can")
    elif left:
        say(f"doctor: {left} left that only you can mend")
    else:
        say("doctor: all is well" if not mend else "doctor: nothing is left to mend; now run `dvc repro`")
    raise typer.Exit(1 if left else 0)


def _torn(root: Path) -> list[Ailment]:
    """Records that DVC was killed over while it wrote them; its cache of runs knows what was in them."""
    from functools import partial

    from cleanplate.integrity.dvc_records import torn_locks
    from cleanplate.integrity.leftovers import Ailment

    remedy = "moves it to .cache/damaged/; `dvc repro` writes it again from DVC's cache of runs"
    what = "half-written, or changed by hand: DVC's record {} cannot be read"
    return [Ailment(what.format(p), remedy, partial(_put_aside, root, p)) for p in torn_locks(root)]


def _treat(ailment: Ailment, mend: bool) -> int:
    """Names one thing and mends it if it may; returns 1 if it is still there."""
    from pipeline.runtime.errors import printable

    print(printable(ailment.what))
    if mend and ailment.mend:
        ailment.mend()
        print(f"  done:  {ailment.remedy}")
        return 0
    print(f"  {'--mend' if ailment.mend else 'fix'}: {ailment.remedy}")
    return 1


def _treat_damage(root: Path, params: Path, mend: bool) -> int:
    """Moves damaged files away so that stages make them again; returns how much is left."""
    from cleanplate.integrity.dvc_records import is_own
    from cleanplate.integrity.inputs import survey
    from pipeline.runtime.errors import printable

    left = 0
    for damage in survey(root, params).damage:
        print(f"{damage.what}: {printable(str(damage.path))}")
        own = all(is_own(root, path) for path in damage.remove)
        if not own:
            left += 1
            print("  not touched: it is outside the project, or behind a link that leads out of it")
        elif mend and damage.remove:
            for path in damage.remove:
                _put_aside(root, path)
            print("  done:  moved to .cache/damaged/; `dvc repro` makes it again")
        elif mend and _is_remade(damage):
            print(f"  next:  {damage.fix}")
        else:
            left += 1
            print(f"  fix: {damage.fix}")
    return left


def _is_remade(damage: Damage) -> bool:
    return damage.fix.startswith(("`dvc checkout", "`dvc repro"))


def _put_aside(root: Path, path: Path) -> None:
    """Moves a file out of the way, under a name that says where it was; never one outside the project."""
    import shutil

    from cleanplate.integrity.dvc_records import is_own
    from pipeline.runtime.errors import UserError

    if not is_own(root, path):
        raise UserError("this is outside the project, so it is not touched", where=path)
    folder = root / ".cache" / "damaged"
    folder.mkdir(parents=True, exist_ok=True)
    name = "__".join(part for part in path.parts if part not in ("/", "..", "."))
    shutil.move(path, folder / name[-200:])
