"""Graphs for OpenVINO, converted once and kept below `.cache/compiled`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def ensure_graph(name: str, root: Path, convert: Callable[[Path], None]) -> Path:
    """The graph `name` for the installed OpenVINO, as an .xml with its .bin beside it.

    Args:
        name: of the network, its weights and the version of the conversion; OpenVINO's version is added.
        root: the folder with `.cache`.
        convert: writes the graph to the .xml that it is given; called if the graph is missing. Several
            processes may convert at once: each publishes by rename, and the first one's is kept.
    """
    import openvino

    folder = root / ".cache" / "compiled"
    target = folder / f"{name}-openvino-{openvino.__version__.split('-')[0]}"
    if not target.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=folder))
        try:
            convert(part / "net.xml")
            part.chmod(0o755)  # mkdtemp makes it private
            _publish(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return target / "net.xml"


def _publish(part: Path, target: Path) -> None:
    try:
        part.rename(target)
    except OSError:
        if not target.is_dir():  # else another process was first, with the same content
            raise
