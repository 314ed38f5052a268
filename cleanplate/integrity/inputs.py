"""Verifies weights, photos and the result cache against recorded hashes."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cleanplate.integrity.dvc_records import require_repository
from cleanplate.integrity.outputs import Damage, Findings, check_cache_and_outputs, hash_files
from pipeline.io.cache_usage import ROWS
from pipeline.io.photo_store import PhotoFile
from pipeline.io.url_folder import is_url
from pipeline.networks.weights import read_lock, weights_folder
from pipeline.params import load_params
from pipeline.runtime.errors import UserError
from pipeline.runtime.process import worker_count
from pipeline.runtime.progress import track

ITEM_FIX = "`cleanplate doctor --mend`; it is recomputed on demand"


def check_weights(root: Path, lock: Path) -> Findings:
    """Every fetched weight file against weights.lock."""
    findings = Findings()
    entries = read_lock(lock)
    fetched = {
        weights_folder(root) / n: e
        for n, e in entries.items()
        if e.sha256 and (weights_folder(root) / n).is_file()
    }
    for path, sha256 in hash_files(sorted(fetched), "sha256", "weights"):
        findings.files, findings.bytes = findings.files + 1, findings.bytes + path.stat().st_size
        if sha256 != fetched[path].sha256:
            fix = "`cleanplate doctor --mend`; it is fetched again on demand"
            findings.damage.append(Damage("weights that do not match weights.lock", path, fix, (path,)))
    return findings


def check_photos(root: Path, data: str) -> Findings:
    """Every photo of build/photos.parquet against its sha256 at ingest."""
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    findings = Findings()
    table = root / "build" / "photos.parquet"
    if not table.is_file():
        return findings
    names = ["image", "sha256", "shard", "offset", "bytes"]
    try:
        if lacking := sorted(set(names) - set(pq.read_schema(table).names)):
            what = f"a table of an earlier version, without {', '.join(lacking)}: no photo is verified"
            findings.damage.append(Damage(what, table, "`dvc repro ingest`"))
            return findings
        columns = pq.read_table(table, columns=names)
    except (ArrowException, OSError):
        return findings  # check_cache_and_outputs reports the damaged table
    place = data if is_url(data) else root / data
    rows = zip(*(columns[name].to_pylist() for name in names), strict=True)
    expected = {
        PhotoFile(f"{place}/{shard or image}", image if shard else "", offset, size): sha256
        for image, sha256, shard, offset, size in rows
    }
    files = sorted(expected)
    with ThreadPoolExecutor(worker_count(None)) as pool:
        contents = track(pool.map(_hash_photo, files), len(files), "verify: photos", "files")
        for file, (sha256, size) in zip(files, contents, strict=True):
            findings.files, findings.bytes = findings.files + 1, findings.bytes + size
            if sha256 != expected[file]:
                what = "a photo changed since ingest" if sha256 else "a photo is missing or cannot be read"
                fix = "if intended, `dvc repro`; else restore it from your own copy, or look at its server"
                findings.damage.append(Damage(what, str(file), fix))
    return findings


def _hash_photo(file: PhotoFile) -> tuple[str, int]:
    """sha256 and size of a photo; "" and 0 if it cannot be read."""
    try:
        data = file.fetch()
    except (OSError, UserError):
        return "", 0
    return hashlib.sha256(data).hexdigest(), len(data)


def check_items(items: Path) -> Findings:
    """Every entry of the result cache against its own checksum."""
    findings = Findings()
    for folder in sorted(p for p in items.iterdir() if p.is_dir()) if items.is_dir() else ():
        files = sorted(
            p for s in folder.iterdir() if s.is_dir() for p in s.iterdir() if not p.name.startswith(".")
        )
        for path in (*files, folder / ROWS):
            if not path.is_file():
                continue
            content = path.read_bytes()
            findings.files, findings.bytes = findings.files + 1, findings.bytes + len(content)
            if not (_are_rows_intact(content) if path.name == ROWS else _is_file_intact(path, content)):
                findings.damage.append(Damage("a damaged entry of the result cache", path, ITEM_FIX, (path,)))
    return findings


def _is_file_intact(path: Path, content: bytes) -> bool:
    return path.stem.partition("-")[2] == hashlib.blake2b(content, digest_size=16).hexdigest()


def _are_rows_intact(content: bytes) -> bool:
    """Whether every line is whole: `<photo> <checksum> <json>`."""
    for line in filter(None, content.split(b"\n")):
        photo, _, rest = line.partition(b" ")
        check, _, text = rest.partition(b" ")
        if check != hashlib.blake2b(photo + b" " + text, digest_size=8).hexdigest().encode():
            return False
    return True


def check_everything(root: Path, params: Path) -> Findings:
    """Runs all checks; damage sorted by path.

    Raises:
        UserError: not the project's folder, or a record that cannot be read.
    """
    require_repository(root)
    main = Path(os.environ.get("DVC_ROOT", root))
    data = load_params(params).data.root
    parts = [
        check_cache_and_outputs(root),
        check_weights(main, root / "weights.lock"),
        check_photos(root, data),
        check_items(main / ".cache" / "items"),
    ]
    damage = {(d.what, d.path): d for part in parts for d in part.damage}
    return Findings(
        sorted(damage.values(), key=lambda d: str(d.path)),
        sum(p.files for p in parts),
        sum(p.bytes for p in parts),
    )
