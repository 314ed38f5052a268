"""A temporary copy of the workspace, in which one DVC experiment runs beside others.

`dvc exp run --temp` makes such a copy, too, but several at once fail at one lock (DVC 3.67.1), all of a
repository push to one stash, and whoever comes next pops whatever lies on it; and for a while it writes the
experiment's params into the workspace, where they stay if it is killed then. So each copy here is a git
repository of its own, which borrows the objects of the main one, and shares DVC's cache with it. It holds
what `dvc exp run --temp` would see: the checked-out commit with the uncommitted changes of tracked files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cleanplate.experiments.git import git, project_prefix
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from pipeline.runtime.disk import MAIN_ROOT
from pipeline.runtime.errors import UserError
from stages.shared.dvc_cache import cache_folder, object_path

COPIES = Path(".cache/sweeps/copies")


@dataclass(frozen=True)
class WorkingCopy:
    """One copy; make it with `create`.

    Attributes:
        top: the copy of the repository's root, absolute. `cleanplate doctor` knows its name for that of a
            file that a dead process left half-written.
        folder: the project in it.
        main: the project that it is a copy of, absolute.
    """

    top: Path
    folder: Path
    main: Path

    @staticmethod
    def create(name: str, head: str) -> WorkingCopy:
        """A copy of the project in the current directory.

        Args:
            name: of the experiment that will run there.
            head: the checked-out commit.

        Raises:
            UserError: git cannot make it.
        """
        main = Path.cwd()
        top = main / COPIES / f".{name}.{os.getpid()}.part"
        shutil.rmtree(top, ignore_errors=True)
        top.mkdir(parents=True)
        copy = WorkingCopy(top, top / project_prefix(), main)
        try:
            copy._fill(head, _run_git(main, "stash", "create").strip())
        except BaseException:
            copy.remove()
            raise
        return copy

    def _fill(self, head: str, changes: str) -> None:
        """Checks out `head` with the stash `changes` ("": none) applied, and shares DVC's cache."""
        _run_git(self.top, "init", "-q")
        objects, shallow = (_git_path(self.main, name) for name in ("objects", "shallow"))
        (self.top / ".git/objects/info/alternates").write_text(f"{objects}\n", encoding="utf-8")
        if shallow.is_file():
            shutil.copy(shallow, self.top / ".git/shallow")
        for setting in ("user.name", "user.email"):  # perhaps set for the main repository only
            if value := git("config", setting).strip():
                _run_git(self.top, "config", setting, value)
        _run_git(self.top, "checkout", "-q", "--detach", head)
        if changes:
            _run_git(self.top, "stash", "apply", "-q", changes)
        cache = (self.main / cache_folder(self.main)).resolve()
        self._share_cache(cache)
        self._drop_absent_stages(cache)

    def _drop_absent_stages(self, cache: Path) -> None:
        """Takes stages out of dvc.lock of whose recorded outputs the cache lacks any; they would run anyway.

        DVC 3.67.1 fails with "failed to load directory" where an experiment restores a stage from the run
        cache and the next one depends on a file in its folder: DVC looks that up among the outputs that
        were recorded at first, e.g. the demo's, which a clone never had.
        """
        lock = self.folder / "dvc.lock"
        if not lock.is_file():
            return
        raw = parse_yaml(lock.read_text(encoding="utf-8"))
        stages: dict[str, Any] = raw.get("stages") or {}
        kept = {
            name: stage
            for name, stage in stages.items()
            if all(
                object_path(cache, out["md5"], legacy="hash" not in out).exists()
                for out in stage.get("outs", ())
                if out.get("md5") and out.get("cache", True)
            )
        }
        if len(kept) < len(stages):
            lock.write_text(yaml_text(raw | {"stages": kept}), encoding="utf-8")

    def _share_cache(self, cache: Path) -> None:
        from dvc.config import Config

        local = cast(dict[str, Any], Config(str(self.main / ".dvc")).read("local"))
        with Config(str(self.folder / ".dvc")).edit("local") as edited:
            settings = cast(dict[str, Any], edited)
            settings |= local | {"cache": local.get("cache", {}) | {"dir": str(cache)}}

    def environment(self) -> dict[str, str]:
        """Variables for DVC in this copy: where the main project is, and a place for DVC's own notes."""
        return {MAIN_ROOT: str(self.main), "DVC_SITE_CACHE_DIR": str(self.top / ".git/dvc")}

    def bring_back(self, base: str, name: str) -> str:
        """Copies experiment `name` of commit `base` into the main repository. Returns its commit.

        Raises:
            UserError: git refuses, e.g. as another experiment of that name was made meanwhile.
        """
        ref, goal = f"refs/exps/{base[:2]}/{base[2:]}/{name}", "bring an experiment into the repository"
        fetch = ("fetch", "--no-tags", "--no-write-fetch-head", str(self.top), f"{ref}:{ref}")
        _run_git(self.main, *fetch, goal=goal)  # with `-q` git keeps silent about what it rejects
        return _run_git(self.main, "rev-parse", "--verify", ref, goal=goal).strip()

    def remove(self) -> None:
        """Removes the copy; what it shares stays."""
        shutil.rmtree(self.top, ignore_errors=True)


def _git_path(folder: Path, name: str) -> Path:
    return (folder / _run_git(folder, "rev-parse", "--git-path", name).rstrip("\n")).resolve()


def _run_git(folder: Path, *arguments: str, goal: str = "make a temporary copy of the project") -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # Ctrl-C is for the one who waits for it
    )
    if done.returncode:
        said = "; ".join(line.strip() for line in done.stderr.splitlines() if line.strip())
        raise UserError(
            f"git cannot {goal}",
            got=said or f"git {arguments[0]} ended with {done.returncode}",
            where=folder,
            fix="see git's message",
        )
    return done.stdout
