"""The Ray actor: a process on some machine, which finds out what it sees, and then works.

Ray pickles this class whole and not by name (`pool.py`), so that a node needs no checkout: nothing of the
project may be imported at the top of this file.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

NODE_FOLDER = "CLEANPLATE_NODE_FOLDER"  # of a node that does not see the project; else ~/.cache/cleanplate


class PhotoWorker:
    """One worker."""

    def look(self, site: dict[str, Any], packages: list[str]) -> dict[str, Any]:
        """As the function `look`."""
        return look(site, packages)

    def begin(self, site: dict[str, Any], order: bytes, sent: dict[str, Any] | None) -> Any:
        """Loads the function. Returns what must be the same everywhere, or the error that stopped it.

        Args:
            site: where the project and its code are.
            order: for `Bench`.
            sent: of a worker that does not see the project: its code, and files by their path in it.
        """
        folder = enter(site, sent)
        from pipeline.workers.cluster.bench import Bench

        try:
            root = Path(site["main"]) if sent is None else folder
            self.bench = Bench(order, site["module"], root)
        except Exception as e:
            return e
        return self.bench.facts

    def work(self, items: bytes, held: dict[str, Any] | None) -> bytes:
        """A pickled `Outcome`."""
        return self.bench.run(items, held)


def look(site: dict[str, Any], packages: list[str]) -> dict[str, Any]:
    """What is here: node, whether the project's folders are seen, versions of `packages`."""
    import ray

    seen = all(Path(p).is_file() and Path(p).stat().st_size == size for p, size in site["files"])
    node, address = ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()
    return {"node": node, "address": address, "sees": seen, "versions": versions_of(packages)}


def versions_of(packages: Sequence[str]) -> dict[str, str]:
    """The installed versions, or "not installed"; without what follows a +, the build."""
    versions = dict.fromkeys(packages, "not installed")
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name).partition("+")[0]
    return versions


def enter(site: dict[str, Any], sent: dict[str, Any] | None) -> Path:
    """Goes to the project, or what stands for it here, and makes its code importable; returns the folder."""
    folder, code = Path(site["project"]), site["code"]
    if sent is not None:
        folder, code = _own_folders(site, sent)
    os.chdir(folder)
    sys.path.insert(0, code)
    return folder


def _own_folders(site: dict[str, Any], sent: dict[str, Any]) -> tuple[Path, str]:
    """This node's folder in place of the project, and that of the code, both filled."""
    import ray

    home = Path(os.environ.get(NODE_FOLDER) or "~/.cache/cleanplate").expanduser()
    digest, content = sent["code"]
    code = home / "code" / digest
    if not code.exists():
        home.joinpath("code").mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=home / "code", prefix=".part-"))
        with zipfile.ZipFile(io.BytesIO(ray.get(content[0]))) as packed:
            for name in packed.namelist():
                packed.extract(name, part)
        try:
            part.rename(code)
        except OSError:  # another worker of this node was faster
            shutil.rmtree(part, ignore_errors=True)
    folder = home / "projects" / hashlib.sha256(site["project"].encode()).hexdigest()[:16]
    for name, (digest, content) in sent["files"].items():
        place = folder / name
        if place.is_file() and hashlib.sha256(place.read_bytes()).hexdigest() == digest:
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        part.write_bytes(ray.get(content[0]))
        part.replace(place)
    folder.mkdir(parents=True, exist_ok=True)
    return folder, str(code)
