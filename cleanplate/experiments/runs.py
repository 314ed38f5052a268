"""DVC experiments of the commit that is checked out: which are there, which are queued, and running more.

They run in the foreground, one by one, with `dvc exp run --temp`, not through `dvc queue` (DVC 3.67.1): the
queue's worker goes on in the background after Ctrl-C, `dvc exp run --run-all` ends with code 0 when
experiments failed, and two queued experiments of one name silently overwrite each other. Whoever wants to
run several at once can queue them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanplate.experiments.cost import record_seconds
from cleanplate.experiments.dvc_internals import waiting_experiments
from cleanplate.experiments.git import changed_files, experiments, git
from cleanplate.experiments.revisions import INPUTS
from cleanplate.experiments.sweep import effect
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import Overrides, apply_overrides, set_options
from pipeline.runtime.errors import Problems, UserError
from pipeline.runtime.progress import say


@dataclass(frozen=True)
class Bench:
    """Where experiments are started from.

    Args:
        head: the commit checked out, which the experiments belong to.
        params: params.yaml of the workspace, parsed; uncommitted changes are part of every experiment.
        stages: run up to these; empty: all.
    """

    head: str
    params: dict[str, Any]
    stages: list[str]

    @staticmethod
    def here(params: dict[str, Any], wanted: dict[str, Overrides], stages: list[str]) -> Bench:
        """The bench of the current directory; refuses one that cannot run the `wanted` experiments."""
        head = git("rev-parse", "--verify", "-q", "HEAD").strip()
        if not head:
            raise UserError(
                "DVC experiments need a git repository with a commit", where=Path.cwd(), fix="commit first"
            )
        usual = params.get("data", {}).get("root", "")
        for root in sorted({str(overrides.get("data.root", usual)) for overrides in wanted.values()}):
            _refuse_untracked_data(root)
        return Bench(head, params, stages)

    def commits(self) -> dict[str, str]:
        """Name → commit of the experiments of this head."""
        return {name: commit for (base, name), commit in experiments().items() if base == self.head}

    def sort(
        self, wanted: dict[str, Overrides], replace: bool, quiet: bool = False
    ) -> tuple[list[str], dict[str, str]]:
        """(names still to run, wanted name → the experiment that has its result already).

        Raises:
            Problems: names that are taken by an experiment with other params or other code, unless `replace`.
        """
        commits = self.commits()
        effects = {name: _effect_of(c) for name, c in sorted(commits.items()) if not _changed_since(c)}
        todo: list[str] = []
        there: dict[str, str] = {}
        for name, overrides in wanted.items():
            own = effect(apply_overrides(self.params, overrides), name)
            same = [n for n, found in effects.items() if found == own]
            if same:
                there[name] = name if name in same else same[0]
            else:
                todo.append(name)
        taken = [name for name in todo if name in commits]
        if taken and replace:
            _dvc("exp", "remove", "-q", *taken)
        elif taken and not quiet:
            raise Problems(
                "experiments of these names are there with other params or other code",
                taken,
                fix="--replace removes them and runs them again; or rename the sweep file",
            )
        for name, found in there.items():
            say(
                f"{name} is there already"
                + ("" if found == name else f": experiment {found} has the same params")
            )
        return todo, there

    def command(self, name: str, overrides: Overrides, queue: bool) -> list[str]:
        """Arguments of `dvc` that run or queue one experiment."""
        options = [part for o in set_options(self.params, overrides) for part in ("-S", o)]
        return ["exp", "run", "--queue" if queue else "--temp", "-n", name, *options, *self.stages]

    def queue(self, wanted: dict[str, Overrides]) -> None:
        """Puts experiments into DVC's queue; those that wait there already are left alone."""
        waiting = waiting_experiments()
        for name, overrides in wanted.items():
            if name in waiting:
                say(f"{name} is queued already")
            elif _dvc(*self.command(name, overrides, queue=True)) != 0:
                raise UserError("DVC did not queue an experiment", got=name, fix="see its message above")

    def run(self, wanted: dict[str, Overrides]) -> list[str]:
        """Runs experiments one after another, through failures. Returns the names of those that failed."""
        failed: list[str] = []
        start = time.monotonic()
        for n, (name, overrides) in enumerate(wanted.items(), 1):
            say(f"[{n}/{len(wanted)}] {name}")
            began = time.monotonic()
            code = _dvc(*self.command(name, overrides, queue=False))
            commit = self.commits().get(name)
            seconds = time.monotonic() - began
            if code != 0 or not commit:
                failed.append(name)
                say(f"[{n}/{len(wanted)}] {name} failed (dvc ended with {code})")
                continue
            record_seconds(commit, seconds)
            left = (time.monotonic() - start) / n * (len(wanted) - n)
            say(f"[{n}/{len(wanted)}] {name}: {seconds:.0f} s, about {left / 60:.0f} min left")
        return failed


def _changed_since(commit: str) -> bool:
    """Whether code or data of the workspace differ from the experiment's."""
    return bool(changed_files(commit, within=INPUTS))


def _effect_of(commit: str) -> str:
    try:
        return effect(parse_yaml(git("show", f"{commit}:./params.yaml")) or {}, commit)
    except (Problems, ValueError):  # made when the schema was another one
        return f"unknown {commit}"


def _refuse_untracked_data(root: str) -> None:
    """A temporary copy of the workspace holds what git or DVC track, and nothing else."""
    if not root or Path(root).is_absolute() or git("ls-files", "--", root).strip():
        return
    from dvc.exceptions import OutputNotFoundError
    from dvc.repo import Repo

    try:
        with Repo(".") as repo:
            repo.find_outs_by_path(str(Path(root).resolve()), strict=False)
    except OutputNotFoundError as e:
        raise UserError(
            "experiments run in a copy of what git and DVC track, and the data folder is tracked by neither",
            where="data.root",
            got=root,
            fix=f"`dvc add {root}`, or give its absolute path",
        ) from e


def _dvc(*arguments: str) -> int:
    """Runs dvc with the stages' python first on the PATH; its output goes to the user's stderr."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1"}
    return subprocess.run([sys.executable, "-m", "dvc", *arguments], env=environment, stdout=2).returncode
