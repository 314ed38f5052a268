"""Recognises files of operating systems, NAS boxes and tools: thumbnails, recycle bins, checkpoints."""

from __future__ import annotations

from pathlib import PurePath

SYSTEM_NAMES = {  # in lower case; hidden ones need no name
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "sthumbs.db", "desktop.ini", "picasa.ini", "icon\r"),
    *("$recycle.bin", "recycler", "system volume information", "lost+found", "__macosx", "__pycache__"),
    *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "@__thumb", "#recycle", "#snapshot", "~snapshot"),
    *("network trash folder", "temporary items", "_vti_cnf"),
}


def is_system(name: str) -> bool:
    """Whether this is a hidden or system name: `.git`, `Thumbs.db`, `._mask1.jpg`, `@eaDir`, …"""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def is_system_path(path: PurePath) -> bool:
    """Whether a relative path, or one of its folders, is a hidden or system one."""
    return any(map(is_system, path.parts))


def system_folder(path: str) -> str:
    """The outermost hidden or system folder of the file `path`, as a path; "" if there is none."""
    folders = [name for name in path.split("/")[:-1] if name != "."]
    for k, name in enumerate(folders, 1):
        if is_system(name):
            return "/".join(folders[:k])
    return ""
