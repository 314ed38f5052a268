"""`python -m tests.workers.cluster_stages NAME…` in a project folder: stages, one after another.

In one process, so that they import, and join a cluster, once.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from stages.shared.command import run_stage


def main() -> int:
    """The exit code of the first stage that fails; 0 if none does."""
    for name in sys.argv[1:]:
        if code := run_stage(name, import_module(f"stages.{name}").run, Path("params.yaml")):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
