"""Parses the lock: its entries, and the requirements for one machine.

Standard library only, and no syntax newer than Python 3.8: this runs before anything is installed.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
# each: requirements-NAME.in and .lock, installed on top by `make setup EXTRAS=NAME`
EXTRAS = ("cluster", "remotes")
TORCH_PAIR = ("torch", "torchvision")  # built against each other

_ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def extra_lock(name: str) -> Path:
    """The lock of an extra: only what it adds to `LOCK`."""
    return ROOT / f"requirements-{name}.lock"


class Entry:
    """One pinned package: name, version, hashes and its lines in the lock."""

    def __init__(self, name: str, version: str, text: str) -> None:
        self.name = name
        self.version = version
        self.text = text

    @property
    def hashes(self) -> list[str]:
        """`sha256:` and 64 hex digits, one per file that may be installed."""
        return sorted(set(_HASH.findall(self.text)))


def entries(text: str) -> list[Entry]:
    """The entries of a lock, in order; a name occurs twice if its version depends on the Python."""
    result: list[Entry] = []
    for line in text.splitlines(keepends=True):
        start = _ENTRY.match(line)
        if start:
            result.append(Entry(start.group(1), start.group(2), line))
        elif result and line.startswith(" "):
            result[-1].text += line
    return result


def entry(text: str, name: str) -> Entry:
    """The first entry called `name`; KeyError when the lock has none."""
    for candidate in entries(text):
        if candidate.name == name:
            return candidate
    raise KeyError(name)


def is_cuda(name: str) -> bool:
    """Whether a package serves only the CUDA build of torch (nvidia-ml-py just reads a GPU's load)."""
    return name == "triton" or (name.startswith(("nvidia-", "cuda-")) and name != "nvidia-ml-py")


def requirements(text: str, torch_local: str) -> str:
    """The lock for this machine: every entry with its hashes, torch and torchvision of one build.

    `torch_local` is "+cpu" for PyTorch's CPU builds (without CUDA libraries), or "" for the package index's
    own. `==2.14.1` would also match `2.14.1+cpu`, which outranks it, and uv looks up hashes by exact version;
    `===` matches only one file.
    """
    kept: list[str] = []
    for item in entries(text):
        if torch_local and is_cuda(item.name):
            continue
        pin = item.text
        if item.name in TORCH_PAIR:
            pin = pin.replace(f"{item.name}=={item.version}", f"{item.name}==={item.version}{torch_local}", 1)
        kept.append(pin)
    return "".join(kept)
