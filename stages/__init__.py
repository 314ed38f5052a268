"""One script per DVC stage: read files, call `pipeline`, publish files."""

import importlib.util
import os
import signal
import sys
from pathlib import Path


def _use_the_projects_python() -> None:
    """Starts again with `.venv`'s Python where this one has no libraries.

    `.venv/bin/dvc repro` without an activated environment runs stages with whatever `python3` is first on the
    PATH; in `--temp` and queued experiments DVC_ROOT names the repository that has the `.venv`.
    """
    python = Path(os.environ.get("DVC_ROOT", ".")).resolve() / ".venv" / "bin" / "python"
    if importlib.util.find_spec("pydantic") is None and python.exists() and sys.orig_argv[1:2] == ["-m"]:
        os.execv(python, [str(python), *sys.orig_argv[1:]])


def _die_with_dvc() -> None:
    """Before anything heavy is imported: a stage whose DVC was killed meanwhile would run on as an orphan.

    Ctrl-C during the imports just ends it; `run_stage` then says a sentence.
    """
    if sys.orig_argv[1:2] == ["-m"] and " ".join(sys.orig_argv[2:3]).startswith("stages."):
        from pipeline.runtime.process import die_with_parent

        die_with_parent()
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


_use_the_projects_python()
_die_with_dvc()
