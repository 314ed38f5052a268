"""Finds and queues DVC experiments of the checked-out commit.

They run in the foreground with `dvc exp run` (jobs.py), not through `dvc queue` (DVC 3.67.1): the queue's
worker continues in the background after Ctrl-C, `dvc exp run --run-all` exits with 0 when experiments failed,
and two queued experiments of one name silently overwrite each other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanplate.experiments.dvc_internals import waiting_experiments
from cleanplate.experiments.git import changed_files, experiments, git
from cleanplate.experiments.revisions import INPUTS
from cleanplate.experiments.sweep import canonical_params
from pipeline.io.url_folder import is_url
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import Overrides, apply_overrides, set_options
from pipeline.runtime.errors import Problems, UserError
from pipeline.runtime.progress import say


@dataclass(frozen=True)
class ExperimentRunner:
    """Plans experiments of one commit.

    Args:
        head: the checked-out commit, the base of the experiments.
        params: params.yaml of the workspace, parsed; every experiment includes its uncommitted changes.
        stages: run up to these; empty: all.
    """

    head: str
    params: dict[str, Any]
    stages: list[str]

    @staticmethod
    def for_workspace(
        params: dict[str, Any], wanted: dict[str, Overrides], stages: list[str]
    ) -> ExperimentRunner:
        """The runner of the current directory; refuses a directory that cannot run the `wanted`
        experiments."""
        head = git("rev-parse", "--verify", "-q", "HEAD").strip()
        if not head:
            raise UserError(
                "DVC experiments need a git repository with a commit", where=Path.cwd(), fix="commit first"
            )
        usual = params.get("data", {}).get("root", "")
        for root in sorted({str(overrides.get("data.root", usual)) for overrides in wanted.values()}):
            _require_tracked_data(root)
        return ExperimentRunner(head, params, stages)

    def commits(self) -> dict[str, str]:
        """Name → commit of the experiments of this head."""
        return {name: commit for (base, name), commit in experiments().items() if base == self.head}

    def split_by_state(self, wanted: dict[str, Overrides]) -> tuple[list[str], dict[str, str]]:
        """(names to run, wanted name → the finished experiment with equal params)."""
        commits = self.commits()
        known = {
            name: _canonical_params_of(c) for name, c in sorted(commits.items()) if not _changed_since(c)
        }
        todo: list[str] = []
        done: dict[str, str] = {}
        for name, overrides in wanted.items():
            own = canonical_params(apply_overrides(self.params, overrides), name)
            equal = [n for n, params in known.items() if params == own]
            if equal:
                done[name] = name if name in equal else equal[0]
            else:
                todo.append(name)
        for name, experiment in done.items():
            say(
                f"{name} exists already"
                + ("" if experiment == name else f": experiment {experiment} has the same params")
            )
        return todo, done

    def outdated(self, todo: list[str]) -> list[str]:
        """Those of the names to run that experiments with other params or other code have."""
        commits = self.commits()
        return [name for name in todo if name in commits]

    def make_room(self, todo: list[str], replace: bool) -> None:
        """Removes outdated experiments with the names to run.

        Raises:
            Problems: their names, unless `replace`.
        """
        outdated = self.outdated(todo)
        if outdated and not replace:
            raise Problems(
                "experiments with these names exist, with other params or other code",
                outdated,
                fix="--replace removes them and runs them again; or rename the sweep file",
            )
        if outdated:
            _dvc("exp", "remove", "-q", *outdated)

    def command(self, name: str, overrides: Overrides, *how: str) -> list[str]:
        """Arguments of `dvc` that run one experiment; `how`: `--temp`, `--queue`, or nothing, for here."""
        options = [part for o in set_options(self.params, overrides) for part in ("-S", o)]
        return ["exp", "run", *how, "-n", name, *options, *self.stages]

    def queue(self, wanted: dict[str, Overrides]) -> None:
        """Adds experiments to DVC's queue, except those already in it."""
        waiting = waiting_experiments()
        for name, overrides in wanted.items():
            if name in waiting:
                say(f"{name} is queued already")
            elif _dvc(*self.command(name, overrides, "--queue")) != 0:
                raise UserError("DVC did not queue an experiment", got=name, fix="see its message above")


def _changed_since(commit: str) -> bool:
    """Whether the workspace's code or data differ from the experiment's."""
    return bool(changed_files(commit, within=INPUTS))


def _canonical_params_of(commit: str) -> str:
    try:
        return canonical_params(parse_yaml(git("show", f"{commit}:./params.yaml")) or {}, commit)
    except (Problems, ValueError):  # from an older schema
        return f"unknown {commit}"


def _require_tracked_data(root: str) -> None:
    """Refuses a data folder that neither git nor DVC tracks: temporary workspaces would lack it."""
    if not root or is_url(root) or Path(root).is_absolute() or git("ls-files", "--", root).strip():
        return
    from dvc.exceptions import OutputNotFoundError
    from dvc.repo import Repo

    try:
        with Repo(".") as repo:
            repo.find_outs_by_path(str(Path(root).resolve()), strict=False)
    except OutputNotFoundError as e:
        raise UserError(
            "experiments run in a copy of the tracked files, and neither git nor DVC tracks the data folder",
            where="data.root",
            got=root,
            fix=f"`dvc add {root}`, or give its absolute path",
        ) from e


def dvc_environment() -> dict[str, str]:
    """What dvc needs: the stages' python first on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1"}


def _dvc(*arguments: str) -> int:
    """Runs dvc; its output goes to the user's stderr."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, env=dvc_environment(), stdout=2).returncode
