"""Every byte that the project keeps, hashed again and compared with what it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cleanplate.integrity.dvc_records import Output, files_of, object_of, objects, outputs
from pipeline.io.system_files import is_system
from pipeline.runtime.process import worker_count
from pipeline.runtime.progress import track
from stages.shared.dvc_cache import cache_folder

OWN_COPY = (
    "restore it from your own copy or with `dvc pull`; it was added by hand, so no stage can make it again"
)
KINDS = ("md5", "md5-dos2unix")  # what DVC 3 and DVC 2 call a file by
Hashes = dict[tuple[int, int, bool], str]  # (device, inode, legacy) -> md5 of what was read
AGAIN = "`cleanplate doctor --mend`, then `dvc repro`"


@dataclass(frozen=True)
class Damage:
    """One thing that is not as it should be.

    `remove`: what must go so that `dvc repro` makes it again; empty where only a person can help.
    """

    what: str
    path: Path
    fix: str
    remove: tuple[Path, ...] = ()


@dataclass
class Findings:
    """All damage, and how much was looked at."""

    damage: list[Damage] = field(default_factory=list)
    files: int = 0
    bytes: int = 0


def check_cache_and_outputs(root: Path) -> Findings:
    """Hashes DVC's cache and the outputs in the workspace.

    Raises:
        UserError: a `dvc.lock` cannot be read.
    """
    cache = cache_folder(root)
    found = Findings()
    good: set[Path] = set()
    hashes: Hashes = {}
    kept = [*objects(cache, legacy=False), *objects(cache, legacy=True)]
    for legacy in (False, True):
        good |= _hashed_objects(objects(cache, legacy), legacy, hashes, found)
    known = outputs(root)
    precious = _added_objects(known, cache)
    for path in kept:
        if path not in good:
            again, remove = (OWN_COPY, ()) if path in precious else (AGAIN, (path,))
            found.damage.append(Damage("changed in DVC's cache", path, again, remove))
    for output in known:
        _check_output(output, cache, good, hashes, found)
    return found


def _added_objects(known: list[Output], cache: Path) -> set[Path]:
    """The objects of files that a person added: nothing can make them again."""
    found: set[Path] = set()
    for output in known:
        if not output.is_made:
            entry = object_of(cache, output.md5, output.legacy)
            md5s = (files_of(entry) or {}).values() if output.is_folder else ()
            found |= {entry, *(object_of(cache, md5, output.legacy) for md5 in md5s)}
    return found


def _hashed_objects(kept: list[Path], legacy: bool, hashes: Hashes, found: Findings) -> set[Path]:
    """The objects that are what their name says; `hashes` gets the md5 of each inode that was read."""
    good: set[Path] = set()
    for path, md5 in hashed(kept, KINDS[legacy], "cache"):
        if md5 is None:
            continue
        facts = path.stat()
        found.files, found.bytes = found.files + 1, found.bytes + facts.st_size
        hashes[facts.st_dev, facts.st_ino, legacy] = md5
        if md5 == path.parent.name + path.name.removesuffix(".dir"):
            good.add(path)
    return good


def _check_output(output: Output, cache: Path, good: set[Path], hashes: Hashes, found: Findings) -> None:
    kept = object_of(cache, output.md5, output.legacy)
    expected = {"": output.md5}
    if output.is_folder:
        listed = files_of(kept) if kept in good else None
        if listed is None:
            if not kept.exists():
                found.damage.append(_missing(output, output.path, kept))
            found.damage.append(_unknown(output))
            return
        expected = listed
    there: list[tuple[Path, str]] = []
    for name, md5 in sorted(expected.items()):
        place, entry = (output.path / name if name else output.path), object_of(cache, md5, output.legacy)
        if not entry.exists():
            found.damage.append(_missing(output, place, entry))
        if place.is_file():
            there.append((place, md5))
        else:
            fix = f"`dvc checkout {output.path}`" + (
                f" or `dvc repro {output.maker}`" if output.is_made else ""
            )
            found.damage.append(Damage("missing in the workspace", place, fix))
    unread = [p for p, _ in there if (*_inode(p), output.legacy) not in hashes]
    known = dict(hashed(unread, KINDS[output.legacy], output.path.name))
    for place, md5 in there:
        actual = known.get(place) if place in known else hashes.get((*_inode(place), output.legacy))
        found.files += place in known
        found.bytes += place.stat().st_size if place in known else 0
        if actual != md5 and output.is_made:
            found.damage.append(Damage("not what dvc.lock says", place, AGAIN, (place,)))
        elif actual != md5:
            fix = f"if that was meant, `dvc add {output.path}`; else `dvc checkout --force {output.path}`"
            found.damage.append(Damage(f"not what {output.maker} says", place, fix))
    _check_extras(output, expected, found)


def _check_extras(output: Output, expected: dict[str, str], found: Findings) -> None:
    if not output.is_folder or not output.path.is_dir():
        return
    for path in sorted(output.path.rglob("*")):
        if (
            path.is_file()
            and not is_system(path.name)
            and path.relative_to(output.path).as_posix() not in expected
        ):
            fix = f"remove it, or `dvc checkout --force {output.path}`"
            found.damage.append(Damage("not part of the output", path, fix))


def _missing(output: Output, place: Path, entry: Path) -> Damage:
    what = f"missing in DVC's cache ({entry.parent.name}/{entry.name})"
    if not output.is_made:
        return Damage(what, place, f"`dvc add {output.path}` where the file itself is whole, else `dvc pull`")
    fix = f"`dvc repro --force {output.maker}`"
    return Damage(what, place, fix)


def _unknown(output: Output) -> Damage:
    """A folder whose listing is gone: which of its files are right cannot be known."""
    return Damage(
        "its list of files is missing or damaged in DVC's cache",
        output.path,
        f"`dvc repro --force {output.maker}`",
    )


def _inode(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def hashed(paths: Iterable[Path], kind: str, label: str) -> Iterator[tuple[Path, str | None]]:
    """Each path with the hash of its bytes, on several threads; None where it cannot be read."""
    listed = list(paths)
    with ThreadPoolExecutor(worker_count(None)) as pool:
        results = pool.map(_hasher(kind), listed)
        yield from zip(listed, track(results, len(listed), f"verify: {label}", "files"), strict=True)


def _hasher(kind: str) -> Callable[[Path], str | None]:
    def hash_of(path: Path) -> str | None:
        try:
            if kind == KINDS[True]:
                from dvc_data.hashfile.hash import file_md5

                return file_md5(str(path), name=kind)
            with path.open("rb") as f:
                return hashlib.file_digest(f, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
        except OSError:
            return None

    return hash_of
