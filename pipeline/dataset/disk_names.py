"""Paths from a table as the disk spells them."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.dataset.safe_files import checked_folder
from pipeline.io.spelling import clash_message, nfc


class DiskNames:
    """Looks up paths below `root` (a folder, resolved), reading each folder once and only where needed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, dict[str, list[str]]] = {}

    def spelling(self, path: str) -> str:
        """`path` as it is spelled on disk; unchanged if there is no such file.

        Raises:
            ValueError: a part of it exists in two spellings; the text names both.
        """
        if path.isascii() and os.path.lexists(self._root / path):
            return path
        folder = ""
        for part in path.split("/"):
            spellings = self._names(folder).get(nfc(part), [part])
            if len(spellings) > 1:
                raise ValueError(f"{folder or '.'}: {clash_message(*spellings)}")
            folder = f"{folder}/{spellings[0]}" if folder else spellings[0]
        return folder

    def _names(self, folder: str) -> dict[str, list[str]]:
        """Names in a folder, by composed name; empty if it is unreadable or leads out of `root`."""
        if folder not in self._folders:
            names: dict[str, list[str]] = {}
            try:
                for path in sorted(checked_folder(self._root, folder).iterdir()):
                    names.setdefault(nfc(path.name), []).append(path.name)
            except (OSError, ValueError):
                names = {}
            self._folders[folder] = names
        return self._folders[folder]
