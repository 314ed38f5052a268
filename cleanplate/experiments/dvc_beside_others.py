"""`python -P dvc_beside_others.py …` is `dvc …`, while other processes add to the same cache.

DVC 3.67.1 (dvc-objects 5.2.0, `fs.system.reflink`) clones a file into its cache where the file system can,
and tries so everywhere before it makes a link. For that it opens the goal for writing, which empties it: an
object that another process has just linked there loses its bytes, and with it every file that shares them.
Here the clone is made beside the goal and then linked to its place, which never overwrites; DVC takes "file
exists" for done.

It is run by its path, so it imports nothing of this project: its folder is not where modules are looked for.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from dvc_objects.fs import system

_clone = system.reflink


def clone_beside(source: str, goal: str) -> None:
    """Clones a file; raises FileExistsError, and changes nothing, where the goal is there already."""
    part = Path(goal).parent / f".{secrets.token_urlsafe(16)}.tmp"  # as DVC names what it is writing
    _clone(source, str(part))
    try:
        os.link(part, goal)
    finally:
        part.unlink()


def main() -> int:
    """Runs DVC's command line."""
    from dvc.cli import main as dvc

    system.reflink = clone_beside
    return int(dvc(sys.argv[1:]) or 0)


if __name__ == "__main__":
    sys.exit(main())
