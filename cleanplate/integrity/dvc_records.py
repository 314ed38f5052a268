"""DVC's records: outputs with their hashes, and their paths in the cache."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanplate.experiments.dvc_internals import lock_problem
from pipeline.params.loading import parse_yaml
from pipeline.runtime.errors import UserError
from stages.shared.dvc_cache import cache_folder, object_folders, object_path

SKIPPED = {".git", ".dvc", ".venv", ".cache", "build", "reports", "quick", "node_modules"}


@dataclass(frozen=True)
class Output:
    """One recorded output (or added file): path, md5 (`….dir` for folders), stage.

    `legacy`: recorded by DVC 2, which hashes text with unix line ends and has another cache layout.
    """

    path: Path
    md5: str
    maker: str  # as in `dvc repro <maker>`; for an added file its `.dvc` file
    legacy: bool = False

    @property
    def is_folder(self) -> bool:
        return self.md5.endswith(".dir")

    @property
    def has_stage(self) -> bool:
        """Whether a stage can make it again; else it was added by hand."""
        return not self.maker.endswith(".dvc")


def require_repository(root: Path) -> None:
    """Refuses a folder without `.dvc`.

    Raises:
        UserError: this is no DVC repository's root.
    """
    if not (root / ".dvc").is_dir():
        raise UserError(
            "this is not the project's root folder", where=root.resolve(), fix="run in the repository's root"
        )


def outputs(root: Path) -> list[Output]:
    """Every output in a `dvc.lock` or `.dvc` file, sorted by path.

    Raises:
        UserError: a record is unreadable, or DVC refuses it.
    """
    recorded: dict[Path, Output] = {}
    for record in _find_records(root):
        if record.name == "dvc.lock":
            raw = _read_lock(record)
            folders = _work_folders(record.with_name("dvc.yaml"))
            for stage, facts in (raw.get("stages") or {}).items():
                base = record.parent / folders.get(stage.partition("@")[0], ".")
                maker = (
                    stage
                    if record.parent == root
                    else f"{record.with_name('dvc.yaml').relative_to(root)}:{stage}"
                )
                _add_outputs(recorded, base, facts.get("outs"), maker)
        else:
            raw = _read_yaml(record)
            _add_outputs(
                recorded, record.parent / raw.get("wdir", "."), raw.get("outs"), str(record.relative_to(root))
            )
    return sorted(recorded.values(), key=lambda o: str(o.path))


def _add_outputs(recorded: dict[Path, Output], base: Path, outs: Any, maker: str) -> None:
    for out in outs or ():
        if out.get("md5") and out.get("cache", True):
            path = Path(os.path.normpath(base / out["path"]))
            recorded[path] = Output(path, out["md5"], maker, legacy="hash" not in out)


def _find_records(root: Path, endings: tuple[str, ...] = ("dvc.lock", ".dvc")) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if n not in SKIPPED and not n.startswith("."))
        for name in sorted(files):
            if name.endswith(endings) and name != ".dvc":
                yield Path(folder) / name


def truncated_locks(root: Path) -> list[Path]:
    """Every `dvc.lock` that DVC refuses: DVC does not write it atomically, so a kill can truncate it."""
    truncated: list[Path] = []
    lock_problem({})  # fail here if this DVC is not supported, instead of reporting every file
    for record in _find_records(root, ("dvc.lock",)):
        try:
            _read_lock(record)
        except UserError:
            truncated.append(record)
    return truncated


def _read_lock(path: Path) -> dict[str, Any]:
    """A `dvc.lock`, checked with DVC's schema, since a truncated one is often valid YAML."""
    raw = _read_yaml(path)
    if problem := lock_problem(raw):
        raise UserError(
            "a record of DVC cannot be read", where=path, got=problem, fix=f"`git checkout {path}`"
        )
    return raw


def _work_folders(definition: Path) -> dict[str, str]:
    """Stage → its `wdir`, the base of its recorded paths."""
    if not definition.is_file():
        return {}
    stages = _read_yaml(definition).get("stages") or {}
    return {name: facts.get("wdir", ".") for name, facts in stages.items() if isinstance(facts, dict)}


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise UserError(
            "a record of DVC cannot be read", where=path, got=str(e), fix=f"`git checkout {path}`"
        ) from e
    if not isinstance(raw, dict):
        raise UserError("a record of DVC is empty", where=path, fix=f"`git checkout {path}`")
    return raw


def is_in_project(root: Path, path: Path) -> bool:
    """Whether `path` really is in the project's folder or DVC's cache: only such files may be moved or
    removed.

    A `dvc.lock` is untrusted: it may name a system file, or one behind a link that leads out of the project.
    """
    folder = path.parent.resolve()
    in_cache = folder.parent in [f.resolve() for f in object_folders(cache_folder(root))]
    return folder.is_relative_to(root.resolve()) or (in_cache and _is_object(path))


def objects(cache: Path, legacy: bool) -> list[Path]:
    """All objects of DVC 3, or DVC 2, in the cache, by name, without unfinished transfers."""
    folder = object_folders(cache)[legacy]
    shards = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    return [p for shard in shards for p in sorted(shard.iterdir()) if _is_object(p)]


def _is_object(path: Path) -> bool:
    name = path.parent.name + path.name.removesuffix(".dir")
    return len(name) == 32 and set(name) <= set("0123456789abcdef")


def absent_outputs(root: Path) -> str:
    """A sentence about recorded outputs that are missing here; "" if none or all are missing.

    All are missing in a fresh clone, which needs no note.
    """
    cache = cache_folder(root)
    stage_outputs = [o for o in outputs(root) if o.has_stage]
    absent = [
        o for o in stage_outputs if not o.path.exists() and not object_path(cache, o.md5, o.legacy).exists()
    ]
    if not absent or len(absent) == len(stage_outputs):
        return ""
    makers = ", ".join(dict.fromkeys(o.maker for o in absent))
    return (
        f"dvc.lock names outputs of {makers} that are not on this machine; experiments run without them, "
        "but `dvc exp apply` reports a failed checkout. Run `dvc repro` or `dvc pull`"
    )


def read_dir_listing(listing: Path) -> dict[str, str] | None:
    """Relative path → md5 of a folder's files, from its `.dir` object; None if that is unreadable."""
    try:
        return {row["relpath"]: row["md5"] for row in json.loads(listing.read_bytes())}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def stage_output_paths(root: Path) -> list[Path]:
    """Resolved output paths of all stages of every dvc.yaml, except paths with `${…}`."""
    paths: list[Path] = []
    for record in _find_records(root, ("dvc.yaml",)):
        for facts in (_read_yaml(record).get("stages") or {}).values():
            base = record.parent / facts.get("wdir", ".")
            outs = [next(iter(o)) if isinstance(o, dict) else o for o in facts.get("outs") or ()]
            paths += [(base / str(o)).resolve() for o in outs if "${" not in str(o)]
    return paths
