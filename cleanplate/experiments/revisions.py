"""Reads files of an experiment, tag, commit or the workspace from DVC's cache, without a checkout."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanplate.experiments.git import (
    WORKSPACE,
    changed_files,
    experiment_names,
    git_bytes,
    project_prefix,
    resolve_commit,
)
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import flatten
from pipeline.runtime.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

PREDICTIONS = "reports/predictions.parquet"
SUBMISSION = "reports/submission.csv"
INPUTS = ("dvc.yaml", "pipeline", "stages", "demo", "data", ":!*.md")  # a change here may change a result
COLUMNS = ("image", "person", "true_class", "predicted")


class Revision:
    """One state of the project, or a predictions file.

    Args:
        name: an experiment, tag, branch, commit, `workspace`, or the path of a .parquet file.
        commit: the commit of the name, if already known.
    """

    def __init__(self, name: str, commit: str | None = None) -> None:
        self.name = name
        self.is_file = name.endswith(".parquet")
        self.is_workspace = name == WORKSPACE
        self._given = commit

    @cached_property
    def commit(self) -> str | None:
        """40 hex digits; None for the workspace and for a file."""
        return None if self.is_file or self.is_workspace else self._given or resolve_commit(self.name)

    def read(self, path: str) -> bytes | None:
        """The bytes of a file of this revision, tracked by git or by DVC; None if it is missing."""
        if self.is_file:
            return None
        if self.is_workspace:
            return _file_bytes(Path(path))
        assert self.commit
        return git_bytes(self.commit, path) or _cached_bytes(self.commit, path)

    def predictions(self) -> pd.DataFrame:
        """reports/predictions.parquet, with at least `COLUMNS`."""
        import io

        import pandas as pd
        import pyarrow as pa

        source = self.name if self.is_file else f"{PREDICTIONS} of {self.name}"
        data = _file_bytes(Path(self.name)) if self.is_file else self.read(PREDICTIONS)
        if data is None:
            raise UserError("there are no predictions", where=source, fix=self.remedy())
        try:
            table = pd.read_parquet(io.BytesIO(data))
        except (pa.ArrowException, OSError, ValueError) as e:
            raise UserError(
                "these predictions cannot be read", where=source, got=str(e), fix=self.remedy()
            ) from e
        missing = [c for c in COLUMNS if c not in table.columns]
        if missing or table.empty:
            got = ", ".join(table.columns) if missing else "no rows"
            raise UserError(
                "these are not predictions", where=source, got=got, allowed=f"with {', '.join(COLUMNS)}"
            )
        return table

    def remedy(self) -> str:
        """How to get results that are missing."""
        if self.is_file:
            return "name a table that `evaluate` or `cleanplate vote` wrote"
        if self.is_workspace:
            return "run `dvc repro`"
        command = (
            f"dvc exp apply {self.name}" if self.name in experiment_names() else f"git checkout {self.name}"
        )
        return f"`dvc pull --all-commits`, or run it: `{command}`, then `dvc repro`"

    def yaml(self, path: str) -> dict[str, Any]:
        """A YAML file of this revision; {} if it is missing or unreadable."""
        try:
            value = parse_yaml((self._tracked_by_git(path) or b"").decode("utf-8-sig"))
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def _tracked_by_git(self, path: str) -> bytes | None:
        return git_bytes(self.commit, path) if self.commit else self.read(path)

    def is_stale(self) -> bool:
        """Whether the workspace's params.yaml changed after its results were computed."""
        params = flatten(self.yaml("params.yaml"))
        for stage in self.yaml("dvc.lock").get("stages", {}).values():
            used = flatten(stage.get("params", {}).get("params.yaml", {}))
            if any(key in params and params[key] != value for key, value in used.items()):
                return True
        return False


def changed_params(a: Revision, b: Revision) -> dict[str, tuple[Any, Any]]:
    """Params that differ, except `machine.*`: dotted name → (value in a, value in b)."""
    before, after = (flatten(r.yaml("params.yaml")) for r in (a, b))
    names = [n for n in sorted(before.keys() | after.keys()) if not n.startswith("machine.")]
    return {n: (before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n)}


def changed_code(a: Revision, b: Revision) -> list[str]:
    """Files of `INPUTS` that differ; empty if `a` or `b` is a file."""
    if a.is_file or b.is_file or a.name == b.name:
        return []
    commits = [c for c in (a.commit, b.commit) if c]
    return changed_files(*commits, within=INPUTS)


def _cached_bytes(commit: str, path: str) -> bytes | None:
    """A DVC output of a commit, from the cache or a remote, without a checkout."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    try:
        files = DVCFileSystem(
            ".", rev=commit, subrepos=True
        )  # of a commit, its root is git's, not the project's
        try:
            with files.open(f"/{project_prefix()}{path}", "rb") as f:
                data = f.read()
                return data if isinstance(data, bytes) else None
        finally:
            files.close()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except DvcException as e:
        raise UserError(f"DVC cannot open {path} of {commit[:7]}", got=str(e), fix="run `dvc doctor`") from e


def _file_bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
