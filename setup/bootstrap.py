"""From a bare python3 to a `.venv` that holds the pinned uv.

Standard library only, and no syntax newer than Python 3.8: the python3 on PATH may be older than the one
that the project needs, and must get far enough to look for another.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import lockfile

VENV = lockfile.ROOT / ".venv"
OLDEST = (3, 11)
TESTED = ((3, 11), (3, 12))
_MADE_FOR = VENV / ".made-for"


def fail(sentence: str) -> NoReturn:
    """Stops with one sentence and exit code 1."""
    sys.exit(f"setup: {sentence}")


def venv_program(name: str) -> str:
    """The path of a program in the `.venv`."""
    return str(VENV / "bin" / name)


def answer(command: list[str]) -> str | None:
    """What a command prints, or None when it cannot be run or fails."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def version_of(python: str) -> tuple[int, ...] | None:
    """(major, minor) of an interpreter, or None when it does not run."""
    told = answer([python, "-c", "import sys, encodings; print(*sys.version_info[:2])"])
    return tuple(int(part) for part in told.split()) if told else None


def base_python() -> str:
    """An interpreter to make the `.venv` from: the running one if tested, else a tested or a newer one."""
    # inside an activated .venv, the interpreter that it was made from
    running = getattr(sys, "_base_executable", None) or sys.executable
    candidates = [running, *(shutil.which(f"python{major}.{minor}") for major, minor in reversed(TESTED))]
    working = {python: version_of(python) for python in candidates if python}
    for python, version in working.items():
        if version in TESTED:
            return python
    if sys.version_info[:2] >= OLDEST:
        return running
    fail(
        f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old, and no python3.12 or python3.11 "
        "is on PATH; Cleanplate needs 3.11 or 3.12. Install one, or name it: make PYTHON=/path/to/python3.12"
    )


def ensure_venv() -> None:
    """Makes the `.venv`, or makes it anew where it does not run, is too old, or belongs to another folder."""
    moved = _MADE_FOR.exists() and _MADE_FOR.read_text(encoding="utf-8") != str(VENV)
    version = version_of(venv_program("python"))
    usable = version is not None and version >= OLDEST and not moved
    if usable and answer([venv_program("python"), "-m", "pip", "--version"]):
        return
    command = [base_python(), "-m", "venv", *([] if usable else ["--clear"]), str(VENV)]
    if subprocess.run(command, check=False).returncode:
        fail("python3 could not make a virtual environment; on Debian, Ubuntu: apt-get install python3-venv")
    _MADE_FOR.write_text(str(VENV), encoding="utf-8")


def ensure_uv() -> str:
    """The path of the uv that the lock pins, installed by pip, against its hashes, where it is missing."""
    pinned = lockfile.entry(lockfile.LOCK.read_text(encoding="utf-8"), "uv")
    ensure_venv()
    uv = venv_program("uv")
    if (answer([uv, "--version"]) or "").split(" ")[1:2] == [pinned.version]:
        return uv
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "uv.txt"
        wanted.write_text(pinned.text, encoding="utf-8")
        pip = [venv_program("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command = [*pip, "--no-deps", "--require-hashes", "--force-reinstall", "-r", str(wanted)]
        # some pip settings (a target folder, user installs) would put uv elsewhere
        environment = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
        if subprocess.run(command, env=environment, check=False).returncode:
            fail(f"pip could not install uv {pinned.version}; what it says stands above")
    return uv
