"""Finds what killed runs, full disks and bit flips left behind; --mend repairs it.

Checks for a truncated dvc.lock, a detached HEAD and `-S` options that a killed `dvc exp run` left in
params.yaml, partial files, stale DVC locks, and everything that `cleanplate verify` finds. Moves damaged
files to .cache/damaged/, never deletes them; `dvc repro` then makes them again. Exit code 1 while problems
remain.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cleanplate.integrity.leftovers import Problem
    from cleanplate.integrity.outputs import Damage


def main(
    mend: Annotated[
        bool, typer.Option("--mend", help="Repair problems instead of only listing them.")
    ] = False,
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
) -> None:
    from cleanplate.integrity.dvc_records import require_repository
    from cleanplate.integrity.killed_experiment import killed_experiment
    from cleanplate.integrity.leftovers import half_written, running_commands, stale_locks
    from pipeline.runtime.errors import UserError
    from pipeline.runtime.progress import say

    root = Path()
    require_repository(root)
    if busy := running_commands(root):
        raise UserError(
            "a run is in progress here, so broken files may just be unfinished",
            got=busy[0],
            fix="wait for it or stop it, then run this again",
        )
    problems = _truncated_lock_problems(root)
    left = sum(_handle_problem(problem, mend) for problem in problems)
    if left:  # without a readable dvc.lock, nothing else can be checked
        say(f"doctor: {left} found; `cleanplate doctor --mend` repairs what it can")
        raise typer.Exit(1)
    for problem in (*killed_experiment(root), *stale_locks(root), *half_written(root)):
        left += _handle_problem(problem, mend)
    left += _handle_damage(root, params, mend)
    if left and not mend:
        say(f"doctor: {left} found; `cleanplate doctor --mend` repairs what it can")
    elif left:
        say(f"doctor: {left} left that only you can fix")
    else:
        say("doctor: no problems" if not mend else "doctor: nothing is left to repair; now run `dvc repro`")
    raise typer.Exit(1 if left else 0)


def _truncated_lock_problems(root: Path) -> list[Problem]:
    """Truncated `dvc.lock` files of a killed DVC, which its run cache can restore."""
    from functools import partial

    from cleanplate.integrity.dvc_records import truncated_locks
    from cleanplate.integrity.leftovers import Problem

    remedy = "moves it to .cache/damaged/; `dvc repro` writes it again from DVC's run cache"
    what = "truncated or edited by hand: DVC cannot read {}"
    return [
        Problem(what.format(p), remedy, partial(_move_to_damaged, root, p)) for p in truncated_locks(root)
    ]


def _handle_problem(problem: Problem, mend: bool) -> int:
    """Prints one problem and repairs it if allowed; returns 1 if it remains."""
    from pipeline.runtime.errors import printable

    print(printable(problem.what))
    if mend and problem.repair:
        problem.repair()
        print(f"  done:  {problem.remedy}")
        return 0
    print(f"  {'--mend' if problem.repair else 'fix'}: {problem.remedy}")
    return 1


def _handle_damage(root: Path, params: Path, mend: bool) -> int:
    """Moves damaged files away so that stages make them again; returns how many problems remain."""
    from cleanplate.integrity.dvc_records import is_in_project
    from cleanplate.integrity.inputs import check_everything
    from pipeline.runtime.errors import printable

    left = 0
    for damage in check_everything(root, params).damage:
        print(f"{damage.what}: {printable(str(damage.path))}")
        own = all(is_in_project(root, path) for path in damage.remove)
        if not own:
            left += 1
            print("  not touched: it is outside the project, or behind a link that leads out of it")
        elif mend and damage.remove:
            for path in damage.remove:
                _move_to_damaged(root, path)
            print("  done:  moved to .cache/damaged/; `dvc repro` makes it again")
        elif mend and _can_be_rebuilt(damage):
            print(f"  next:  {damage.fix}")
        else:
            left += 1
            print(f"  fix: {damage.fix}")
    return left


def _can_be_rebuilt(damage: Damage) -> bool:
    return damage.fix.startswith(("`dvc checkout", "`dvc repro"))


def _move_to_damaged(root: Path, path: Path) -> None:
    """Moves a file to .cache/damaged/ under a name with its path; refuses files outside the project."""
    import shutil

    from cleanplate.integrity.dvc_records import is_in_project
    from pipeline.runtime.errors import UserError

    if not is_in_project(root, path):
        raise UserError("refusing to move a file outside the project", where=path)
    folder = root / ".cache" / "damaged"
    folder.mkdir(parents=True, exist_ok=True)
    name = "__".join(part for part in path.parts if part not in ("/", "..", "."))
    shutil.move(path, folder / name[-200:])
