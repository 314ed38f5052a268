"""Rehashes DVC's cache and the outputs, and compares them with DVC's records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cleanplate.integrity.dvc_records import Output, objects, outputs, read_dir_listing
from pipeline.io.system_files import is_system
from pipeline.runtime.process import worker_count
from pipeline.runtime.progress import track
from stages.shared.dvc_cache import cache_folder, object_path

OWN_COPY = (
    "restore it from your own copy or with `dvc pull`; no stage can make it, since it was added by hand"
)
HASH_NAMES = ("md5", "md5-dos2unix")  # the hashes of DVC 3 and DVC 2
Hashes = dict[tuple[int, int, bool], str]  # (device, inode, legacy) -> md5
REPAIR_FIX = "`cleanplate doctor --mend`, then `dvc repro`"


@dataclass(frozen=True)
class Damage:
    """One damaged or missing file.

    `path`: text for a photo on a server, its URL. `remove`: files to remove so that `dvc repro` makes them
    again; empty if only a person can help.
    """

    what: str
    path: Path | str
    fix: str
    remove: tuple[Path, ...] = ()


@dataclass
class Findings:
    """All damage, and how much was hashed."""

    damage: list[Damage] = field(default_factory=list)
    files: int = 0
    bytes: int = 0


def check_cache_and_outputs(root: Path) -> Findings:
    """Hashes DVC's cache and the outputs in the workspace.

    Raises:
        UserError: a `dvc.lock` cannot be read.
    """
    cache = cache_folder(root)
    findings = Findings()
    intact: set[Path] = set()
    hashes: Hashes = {}
    cached = [*objects(cache, legacy=False), *objects(cache, legacy=True)]
    for legacy in (False, True):
        intact |= _check_objects(objects(cache, legacy), legacy, hashes, findings)
    recorded = outputs(root)
    irreplaceable = _added_objects(recorded, cache)
    for path in cached:
        if path not in intact:
            fix, remove = (OWN_COPY, ()) if path in irreplaceable else (REPAIR_FIX, (path,))
            findings.damage.append(Damage("changed in DVC's cache", path, fix, remove))
    for output in recorded:
        _check_output(output, cache, intact, hashes, findings)
    return findings


def _added_objects(recorded: list[Output], cache: Path) -> set[Path]:
    """The objects of files that were added by hand: no stage can make them again."""
    objects: set[Path] = set()
    for output in recorded:
        if not output.has_stage:
            entry = object_path(cache, output.md5, output.legacy)
            md5s = (read_dir_listing(entry) or {}).values() if output.is_folder else ()
            objects |= {entry, *(object_path(cache, md5, output.legacy) for md5 in md5s)}
    return objects


def _check_objects(paths: list[Path], legacy: bool, hashes: Hashes, findings: Findings) -> set[Path]:
    """The objects that match their name; adds the md5 of each inode to `hashes`."""
    intact: set[Path] = set()
    for path, md5 in hash_files(paths, HASH_NAMES[legacy], "cache"):
        if md5 is None:
            continue
        info = path.stat()
        findings.files, findings.bytes = findings.files + 1, findings.bytes + info.st_size
        hashes[info.st_dev, info.st_ino, legacy] = md5
        if md5 == path.parent.name + path.name.removesuffix(".dir"):
            intact.add(path)
    return intact


def _check_output(output: Output, cache: Path, intact: set[Path], hashes: Hashes, findings: Findings) -> None:
    listing_object = object_path(cache, output.md5, output.legacy)
    expected = {"": output.md5}
    if output.is_folder:
        listed = read_dir_listing(listing_object) if listing_object in intact else None
        if listed is None:
            if not listing_object.exists():
                findings.damage.append(_missing(output, output.path, listing_object))
            findings.damage.append(_unknown(output))
            return
        expected = listed
    present: list[tuple[Path, str]] = []
    for name, md5 in sorted(expected.items()):
        place, entry = (output.path / name if name else output.path), object_path(cache, md5, output.legacy)
        if not entry.exists():
            findings.damage.append(_missing(output, place, entry))
        if place.is_file():
            present.append((place, md5))
        else:
            fix = f"`dvc checkout {output.path}`" + (
                f" or `dvc repro {output.maker}`" if output.has_stage else ""
            )
            findings.damage.append(Damage("missing in the workspace", place, fix))
    unhashed = [p for p, _ in present if (*_inode(p), output.legacy) not in hashes]
    new_hashes = dict(hash_files(unhashed, HASH_NAMES[output.legacy], output.path.name))
    for place, md5 in present:
        actual = new_hashes.get(place) if place in new_hashes else hashes.get((*_inode(place), output.legacy))
        findings.files += place in new_hashes
        findings.bytes += place.stat().st_size if place in new_hashes else 0
        if actual != md5 and output.has_stage:
            findings.damage.append(Damage("does not match dvc.lock", place, REPAIR_FIX, (place,)))
        elif actual != md5:
            fix = f"if intended, `dvc add {output.path}`; else `dvc checkout --force {output.path}`"
            findings.damage.append(Damage(f"does not match {output.maker}", place, fix))
    _check_extras(output, expected, findings)


def _check_extras(output: Output, expected: dict[str, str], findings: Findings) -> None:
    if not output.is_folder or not output.path.is_dir():
        return
    for path in sorted(output.path.rglob("*")):
        if (
            path.is_file()
            and not is_system(path.name)
            and path.relative_to(output.path).as_posix() not in expected
        ):
            fix = f"remove it, or `dvc checkout --force {output.path}`"
            findings.damage.append(Damage("not part of the output", path, fix))


def _missing(output: Output, place: Path, entry: Path) -> Damage:
    what = f"missing in DVC's cache ({entry.parent.name}/{entry.name})"
    if not output.has_stage:
        return Damage(what, place, f"`dvc add {output.path}` if the file itself is intact, else `dvc pull`")
    fix = f"`dvc repro --force {output.maker}`"
    return Damage(what, place, fix)


def _unknown(output: Output) -> Damage:
    """Damage of a folder without a readable listing, so that its files cannot be checked."""
    return Damage(
        "its list of files is missing or damaged in DVC's cache",
        output.path,
        f"`dvc repro --force {output.maker}`",
    )


def _inode(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def hash_files(paths: Iterable[Path], kind: str, label: str) -> Iterator[tuple[Path, str | None]]:
    """Each path with the hash of its bytes, computed in threads; None if it is unreadable."""
    files = list(paths)
    with ThreadPoolExecutor(worker_count(None)) as pool:
        results = pool.map(_hasher(kind), files)
        yield from zip(files, track(results, len(files), f"verify: {label}", "files"), strict=True)


def _hasher(kind: str) -> Callable[[Path], str | None]:
    def hash_of(path: Path) -> str | None:
        try:
            if kind == HASH_NAMES[True]:
                from dvc_data.hashfile.hash import file_md5

                return file_md5(str(path), name=kind)
            with path.open("rb") as f:
                return hashlib.file_digest(f, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
        except OSError:
            return None

    return hash_of
