"""Runs before `python -m stages.NAME` imports anything: switches to the project's Python, and watches DVC.

`.venv/bin/dvc repro` without an activated environment, and DVC plugins of editors, run stages with the first
`python3` on the PATH, which may be old. Standard library only, and no syntax newer than Python 3.6.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any, List  # noqa: UP035

OLDEST = (3, 11)
RESTARTED = "CLEANPLATE_STARTED_AGAIN"
OWN = ("", "stages", "pipeline", "demo")
# imports of every stage: module -> package
NEEDED = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "filelock": "filelock",
    "numpy": "numpy",
    "pandas": "pandas",
    "psutil": "psutil",
    "pyarrow": "pyarrow",
    "pydantic": "pydantic",
    "rich": "rich",
    "ruamel": "ruamel-yaml",
    "typer": "typer",
}


def begin(project: Path) -> None:
    """Continues in the project's Python; exits with a message if no Python is suitable."""
    _use_the_projects_python(project)
    sys.excepthook = _excepthook
    _refuse_another_python()
    _end_with_dvc()
    from pipeline.runtime.deferred_dynamo import defer_dynamo
    from pipeline.runtime.process import configure_threads
    from pipeline.runtime.terminal import print_in_any_encoding

    configure_threads()  # before torch is loaded
    defer_dynamo()
    print_in_any_encoding()


def _use_the_projects_python(project: Path) -> None:
    """Restarts with `.venv`'s Python if this is another one.

    The `.venv` is beside the code; for `--temp` experiments, in the repository of DVC_ROOT.
    """
    if os.environ.pop(RESTARTED, None):
        return
    for folder in (project, Path(os.environ.get("DVC_ROOT") or project)):
        venv = folder / ".venv"
        python = venv / "bin" / "python"
        if not (folder / "stages" / "__init__.py").exists() or not python.exists():
            continue
        if Path(sys.prefix).resolve() != venv.resolve():
            _restart(str(python))
        return


def _restart(python: str) -> None:
    """Continues in `python`; returns if that cannot run here, e.g. the host's Python in a container."""
    home = os.environ.pop("PYTHONHOME", None)  # another Python's; `activate` removes it too
    os.environ[RESTARTED] = "1"
    try:
        os.execv(python, [python] + _command_line()[1:])  # noqa: RUF005
    except OSError:
        del os.environ[RESTARTED]
        if home is not None:
            os.environ["PYTHONHOME"] = home


def _command_line() -> List[str]:  # noqa: UP006
    """The command line, including Python's options."""
    if hasattr(sys, "orig_argv"):
        return list(sys.orig_argv)
    try:  # before Python 3.10
        with open("/proc/self/cmdline", "rb") as f:
            return [os.fsdecode(word) for word in f.read().split(b"\0")[:-1]]
    except OSError:
        import ctypes

    count, words = ctypes.c_int(), ctypes.POINTER(ctypes.c_wchar_p)()
    ctypes.pythonapi.Py_GetArgcArgv(ctypes.byref(count), ctypes.byref(words))
    return [words[i] for i in range(count.value)]


def _refuse_another_python() -> None:
    """Exits if this Python is too old or lacks required packages."""
    if sys.version_info < OLDEST:
        _print_error(f"is too old: the project needs Python {OLDEST[0]}.{OLDEST[1]} or newer")
        sys.exit(1)
    from importlib.util import find_spec

    missing = [NEEDED[name] for name in sorted(NEEDED) if find_spec(name) is None]
    if "pydantic" not in missing:
        import pydantic

        if pydantic.VERSION.startswith("1."):
            missing.append(f"pydantic 2 (but pydantic {pydantic.VERSION})")
    if missing:
        _print_error("has no " + ", ".join(missing))
        sys.exit(1)


def _print_error(reason: str) -> None:
    version = ".".join(str(part) for part in sys.version_info[:3])
    fix = "`make setup` makes the project's own, .venv; or install requirements.lock into this one"
    sys.stderr.write(f"error: the Python that this stage was given {reason}\n")
    sys.stderr.write(f"  got:     {sys.executable} ({version})\n  fix:     {fix}\n")


def _excepthook(kind: type, error: BaseException, trace: Any) -> None:
    """Prints a message for a missing or incompatible library, else the traceback."""
    name = (getattr(error, "name", None) or "").partition(".")[0]
    if not issubclass(kind, ImportError) or name in OWN or "--debug" in sys.argv:
        sys.__excepthook__(kind, error, trace)
    else:
        _print_error("cannot import what the project needs: " + " ".join(str(error).split()))


def _end_with_dvc() -> None:
    """Watches DVC before any heavy import, so that a killed DVC leaves no orphan.

    Ctrl-C during the imports ends the process silently; `run_stage` handles it later.
    """
    from pipeline.runtime.process import die_with_dvc

    die_with_dvc()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
