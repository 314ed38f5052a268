"""What DVC has on record here: outputs with their hashes, and where the cache keeps their bytes."""

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
from stages.shared.dvc_cache import cache_folder

SKIPPED = {".git", ".dvc", ".venv", ".cache", "build", "reports", "quick", "node_modules"}


@dataclass(frozen=True)
class Output:
    """One output (or added file) on record: its place, its md5 (`….dir` for folders), who makes it.

    `legacy`: recorded by DVC 2. The md5 of text is then that with unix line ends, and the cache has another
    layout.
    """

    path: Path
    md5: str
    maker: str  # as in `dvc repro <maker>`; of an added file its `.dvc` file
    legacy: bool = False

    @property
    def is_folder(self) -> bool:
        return self.md5.endswith(".dir")

    @property
    def is_made(self) -> bool:
        """Whether a stage makes it, so that losing it costs time only; else a person added it."""
        return not self.maker.endswith(".dvc")


def require_repository(root: Path) -> None:
    """Refuses a folder without `.dvc`.

    Raises:
        UserError: this is no DVC repository's root.
    """
    if not (root / ".dvc").is_dir():
        raise UserError(
            "this is not the project's folder", where=root.resolve(), fix="run in the repository's root"
        )


def outputs(root: Path) -> list[Output]:
    """Every output that a `dvc.lock` or a `.dvc` file records, by path.

    Raises:
        UserError: a record cannot be read, or is a `dvc.lock` that DVC itself refuses.
    """
    found: dict[Path, Output] = {}
    for record in _records(root):
        if record.name == "dvc.lock":
            raw = _lock(record)
            folders = _work_folders(record.with_name("dvc.yaml"))
            for stage, facts in (raw.get("stages") or {}).items():
                base = record.parent / folders.get(stage.partition("@")[0], ".")
                maker = (
                    stage
                    if record.parent == root
                    else f"{record.with_name('dvc.yaml').relative_to(root)}:{stage}"
                )
                _add(found, base, facts.get("outs"), maker)
        else:
            raw = _yaml(record)
            _add(found, record.parent / raw.get("wdir", "."), raw.get("outs"), str(record.relative_to(root)))
    return sorted(found.values(), key=lambda o: str(o.path))


def _add(found: dict[Path, Output], base: Path, outs: Any, maker: str) -> None:
    for out in outs or ():
        if out.get("md5") and out.get("cache", True):
            path = Path(os.path.normpath(base / out["path"]))
            found[path] = Output(path, out["md5"], maker, legacy="hash" not in out)


def _records(root: Path, endings: tuple[str, ...] = ("dvc.lock", ".dvc")) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if n not in SKIPPED and not n.startswith("."))
        for name in sorted(files):
            if name.endswith(endings) and name != ".dvc":
                yield Path(folder) / name


def torn_locks(root: Path) -> list[Path]:
    """Every `dvc.lock` that DVC itself refuses: it writes them in place, so a kill can leave half of one."""
    found: list[Path] = []
    lock_problem({})  # refused once here, rather than taken for damage of each file
    for record in _records(root, ("dvc.lock",)):
        try:
            _lock(record)
        except UserError:
            found.append(record)
    return found


def _lock(path: Path) -> dict[str, Any]:
    """A `dvc.lock`; what a kill left of one is often sound YAML, so DVC's own form of it is asked for."""
    raw = _yaml(path)
    if problem := lock_problem(raw):
        raise UserError(
            "a record of DVC cannot be read", where=path, got=problem, fix=f"`git checkout {path}`"
        )
    return raw


def _work_folders(definition: Path) -> dict[str, str]:
    """Stage → its `wdir`, to which the paths on record are relative."""
    if not definition.is_file():
        return {}
    stages = _yaml(definition).get("stages") or {}
    return {name: facts.get("wdir", ".") for name, facts in stages.items() if isinstance(facts, dict)}


def _yaml(path: Path) -> dict[str, Any]:
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise UserError(
            "a record of DVC cannot be read", where=path, got=str(e), fix=f"`git checkout {path}`"
        ) from e
    if not isinstance(raw, dict):
        raise UserError("a record of DVC holds nothing", where=path, fix=f"`git checkout {path}`")
    return raw


def is_own(root: Path, path: Path) -> bool:
    """Whether `path` really is in the project's folder or DVC's cache: nothing else may be moved or removed.

    A `dvc.lock` is a file like any other: it may name a file of the system, or one behind a link that leads
    out of the project.
    """
    folder = path.parent.resolve()
    in_cache = folder.parent in [f.resolve() for f in object_folders(cache_folder(root))]
    return folder.is_relative_to(root.resolve()) or (in_cache and _is_object(path))


def object_folders(cache: Path) -> tuple[Path, Path]:
    """Where the objects of DVC 3 and those of DVC 2 lie."""
    return cache / "files" / "md5", cache


def object_of(cache: Path, md5: str, legacy: bool) -> Path:
    """Where the cache keeps the bytes with this md5."""
    return object_folders(cache)[legacy] / md5[:2] / md5[2:]


def objects(cache: Path, legacy: bool) -> list[Path]:
    """All that DVC 3, or DVC 2, keeps in its cache, by name; unfinished transfers are not among it."""
    folder = object_folders(cache)[legacy]
    shards = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    return [p for shard in shards for p in sorted(shard.iterdir()) if _is_object(p)]


def _is_object(path: Path) -> bool:
    name = path.parent.name + path.name.removesuffix(".dir")
    return len(name) == 32 and set(name) <= set("0123456789abcdef")


def absent_outputs(root: Path) -> str:
    """A sentence about outputs on record that were made elsewhere only; "" where none or all are so.

    Of a fresh clone in which nothing was run yet there is nothing to say.
    """
    cache = cache_folder(root)
    made = [o for o in outputs(root) if o.is_made]
    absent = [o for o in made if not o.path.exists() and not object_of(cache, o.md5, o.legacy).exists()]
    if not absent or len(absent) == len(made):
        return ""
    makers = ", ".join(dict.fromkeys(o.maker for o in absent))
    return (
        f"dvc.lock names outputs that are not on this machine, of {makers}; experiments run without them, "
        "but `dvc exp apply` says that their checkout failed. `dvc repro` makes them, `dvc pull` brings them"
    )


def files_of(listing: Path) -> dict[str, str] | None:
    """Relative path → md5 of a folder's files, from its `.dir` object; None where that cannot be read."""
    try:
        return {row["relpath"]: row["md5"] for row in json.loads(listing.read_bytes())}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def made_paths(root: Path) -> list[Path]:
    """Everything that a stage of any dvc.yaml makes, resolved; paths with `${…}` are left out."""
    found: list[Path] = []
    for record in _records(root, ("dvc.yaml",)):
        for facts in (_yaml(record).get("stages") or {}).values():
            base = record.parent / facts.get("wdir", ".")
            outs = [next(iter(o)) if isinstance(o, dict) else o for o in facts.get("outs") or ()]
            found += [(base / str(o)).resolve() for o in outs if "${" not in str(o)]
    return found
