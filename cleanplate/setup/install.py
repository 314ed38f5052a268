"""`make setup`: makes a `.venv` with exactly the packages in requirements.lock, and this checkout.

    python3 cleanplate/setup/install.py [--torch auto|cpu|cuda] [--extras auto|none|"cluster remotes"]

uv installs; this script finds a Python, installs the pinned uv, reads pip's settings, chooses torch's build
and resumes an interrupted install. Standard library only, and no syntax newer than Python 3.8: the python3 on
PATH may be too old for the project.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

import lockfile
import pip_settings

VENV = lockfile.ROOT / ".venv"
STAMP = VENV / ".installed"  # without the digest, which comes last, an install was cut short
OLDEST = (3, 11)
TESTED = ((3, 11), (3, 12))


def fail(message: str) -> NoReturn:
    """Stops with one sentence and exit code 1."""
    sys.exit(f"setup: {message}")


def run(command: list[str], **options: object) -> bool:
    """Whether a command succeeds; its output is visible."""
    return subprocess.run(command, check=False, **options).returncode == 0  # type: ignore[call-overload]


def output_of(command: list[str]) -> str:
    """Output of a command; "" if it cannot run or fails."""
    try:
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        return subprocess.run(command, check=True, text=True, **pipe).stdout  # type: ignore[call-overload]
    except (OSError, subprocess.CalledProcessError):
        return ""


def version_of(python: str) -> tuple[int, ...]:
    """(major, minor) of an interpreter; () if it does not run."""
    return tuple(map(int, output_of([python, "-c", "import sys; print(*sys.version_info[:2])"]).split()))


def base_python() -> str:
    """An interpreter for the `.venv`: the running one if tested, else a tested or a newer one."""
    # inside an activated .venv, its base interpreter
    running = getattr(sys, "_base_executable", None) or sys.executable
    candidates = [running, *(shutil.which(f"python{major}.{minor}") for major, minor in reversed(TESTED))]
    for python in filter(None, candidates):
        if version_of(python) in TESTED:
            return python
    if sys.version_info[:2] >= OLDEST:
        return running
    fail(
        f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old, and no python3.12 or python3.11 "
        "is on PATH; Cleanplate needs 3.11 or 3.12. Install one, or name it: make PYTHON=/path/to/python3.12"
    )


def digest() -> str:
    """Hash of an install's inputs: the locks, the project's metadata, and these scripts."""
    locks = [lockfile.LOCK, *map(lockfile.extra_lock, lockfile.EXTRAS)]
    files = [*locks, lockfile.ROOT / "pyproject.toml", *sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def read_stamp() -> dict[str, str]:
    """Facts about the last install; {} if there was none. Without `digest` it was cut short."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_stamp(extras: list[str], **facts: str) -> None:
    """Notes the extras, which later installs keep, where the `.venv` was made, and other facts."""
    VENV.mkdir(parents=True, exist_ok=True)
    noted = {"venv": str(VENV), "extras": " ".join(extras), **facts}
    STAMP.write_text(json.dumps(noted), encoding="utf-8")


def chosen_extras(wanted: str) -> list[str]:
    """The extras that `--extras` means; auto = those of the last install."""
    if wanted == "auto":
        return read_stamp().get("extras", "").split()
    names = [] if wanted == "none" else wanted.replace(",", " ").split()
    for name in names:
        if name not in lockfile.EXTRAS:
            fail(f"there is no extra {name!r}; EXTRAS may be: none, {', '.join(lockfile.EXTRAS)}")
    return sorted(set(names))


def is_installed(torch: str, extras: list[str]) -> bool:
    """Whether the `.venv` matches the locks, this folder, the extras and the requested build of torch."""
    stamp = read_stamp()
    same = stamp.get("digest") == digest() and stamp.get("venv") == str(VENV)
    same = same and stamp.get("extras", "").split() == extras
    return same and torch in ("auto", stamp.get("torch")) and bool(version_of(str(VENV / "bin" / "python")))


def ensure_venv(extras: list[str]) -> None:
    """Makes the `.venv` if there is no working one, and notes in it that an install has begun."""
    python = str(VENV / "bin" / "python")
    moved = read_stamp().get("venv", str(VENV)) != str(VENV)  # scripts in it name the old folder
    works = version_of(python) >= OLDEST and bool(output_of([python, "-m", "pip", "--version"]))
    if works and not moved:
        write_stamp(extras)
        return
    command, made = [base_python(), "-m", "venv", "--clear", str(VENV)], False
    try:
        made = run(command)
    finally:  # the old stamp may be gone with the rest; "": to be made anew
        write_stamp(extras, venv=str(VENV) if made else "")
    if not made:
        fail("python3 made no virtual environment; on Debian and Ubuntu: apt-get install python3-venv")


def ensure_uv() -> str:
    """The path of the pinned uv in the `.venv`."""
    pinned = lockfile.entry(lockfile.LOCK.read_text(encoding="utf-8"), "uv")
    python, uv = str(VENV / "bin" / "python"), str(VENV / "bin" / "uv")
    if output_of([uv, "--version"]).split()[1:2] == [pinned.version]:
        return uv
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "uv.txt"
        wanted.write_text(pinned.text, encoding="utf-8")
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        # some pip settings (a target folder, user installs) would put uv elsewhere
        environment = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
        if not run([*command, "--require-hashes", "--force-reinstall", "-r", str(wanted)], env=environment):
            fail(f"pip could not install uv {pinned.version}; see its message above")
    return uv


def run_uv(uv: str, arguments: list[str], settings: dict[str, str], quiet: bool = False) -> bool:
    """Runs `uv pip install` with pip's indexes; if it fails, once more without the extra indexes."""
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} if quiet else {}
    tries = [pip_settings.uv_arguments(settings), pip_settings.uv_arguments(settings, extra_indexes=False)]
    for number, places in enumerate(tries[:1] if tries[0] == tries[1] else tries):
        if number and not quiet:
            print("setup: trying again without pip's extra indexes", file=sys.stderr)
        call = [uv, "pip", "install", *arguments, "--python", str(VENV / "bin" / "python"), *places]
        if run(call, env=pip_settings.uv_environment(settings), cwd=lockfile.ROOT, **options):
            return True
    return False


def choose_torch(uv: str, wanted: str, settings: dict[str, str], folder: Path) -> str:
    """The build of torch and torchvision: "+cpu", PyTorch's CPU builds, or "", the package index's own.

    Both come from the same build, since one is linked against the other.
    """
    if not sys.platform.startswith("linux"):
        if wanted == "cuda":
            fail("TORCH=cuda needs Linux; leave it out here")
        return ""
    if wanted == "cuda" or (wanted == "auto" and Path("/proc/driver/nvidia").exists()):
        return ""
    text = lockfile.LOCK.read_text(encoding="utf-8")
    pair = "".join(lockfile.entry(text, name).text for name in lockfile.TORCH_PAIR)
    probe = folder / "probe.txt"
    probe.write_text(lockfile.requirements(pair, "+cpu"), encoding="utf-8")
    dry_run = ["--dry-run", "--no-deps", "--require-hashes", "--reinstall", "-r", str(probe)]
    if run_uv(uv, dry_run, settings, quiet=True):
        return "+cpu"
    advice = "point pip's extra-index-url at PyTorch's CPU index, and `make lock` there to add their hashes"
    if wanted == "cpu":
        fail(f"none of pip's indexes offers the CPU builds of torch and torchvision in the lock; {advice}")
    print(f"setup: torch comes with its CUDA libraries (5 GB); for CPU builds, {advice}", flush=True)
    return ""


def install(uv: str, wanted: str, extras: list[str], again: bool) -> str:
    """Installs the locks and this checkout, and nothing else. Returns torch's build, "cpu" or "cuda".

    Args:
        uv: its path.
        wanted: torch's build: auto, cpu or cuda.
        extras: to be installed too.
        again: reinstalls what is there: packages may be half copied.
    """
    settings = pip_settings.read(str(VENV / "bin" / "python"))
    with tempfile.TemporaryDirectory() as name:
        local = choose_torch(uv, wanted, settings, Path(name))
        lock, text = Path(name) / "requirements.txt", lockfile.LOCK.read_text(encoding="utf-8")
        more = [lockfile.extra_lock(extra).read_text(encoding="utf-8") for extra in extras]
        lock.write_text("".join([lockfile.requirements(text, local), *more]), encoding="utf-8")
        exact = ["--no-deps", "--require-hashes", "--exact", *(["--reinstall"] if again else [])]
        if not run_uv(uv, [*exact, "-r", str(lock)], settings):
            fail("uv could not install the lock; see its message above")
    # the build backend is in the lock, so this fetches nothing
    if not run_uv(uv, ["--quiet", "--no-deps", "--no-build-isolation", "-e", "."], settings):
        fail("uv could not install this checkout; see its message above")
    return "cpu" if local else "cuda"


def main() -> None:
    """Reads the arguments, and installs unless the stamp is up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--torch", choices=("auto", "cpu", "cuda"), default="auto", help="build of torch")
    parser.add_argument("--extras", default="auto", help="auto (as before), none, or names of extras")
    given = parser.parse_args()
    extras = chosen_extras(given.extras)
    if is_installed(given.torch, extras):
        return
    start = time.monotonic()
    cut_short = "digest" not in read_stamp()
    ensure_venv(extras)
    build = install(ensure_uv(), given.torch, extras, cut_short)
    write_stamp(extras, digest=digest(), torch=build)
    print(f"setup: .venv is ready ({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    main()
