"""`make setup`: a `.venv` with exactly what requirements.lock pins. Run it as often as you like.

    python3 setup/install.py [--torch auto|cpu|cuda]

The stamp is written last, so that an install which was cut short is taken up again by the next run; whatever
that one left half-copied is then installed anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bootstrap
import lockfile
import pip_settings

_STAMP = bootstrap.VENV / ".installed"
_BEGUN = bootstrap.VENV / ".installing"
_COMMAND = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

from cleanplate.cli import app

sys.exit(app(prog_name="cleanplate"))
"""


def digest() -> str:
    """What an install depends on: the lock, and the scripts that read it."""
    files = [lockfile.LOCK, *sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def installed(torch: str) -> bool:
    """Whether the `.venv` is what this lock, this folder and the wanted torch build ask for."""
    try:
        stamp = json.loads(_STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    same = stamp["digest"] == digest() and stamp["venv"] == str(bootstrap.VENV)
    runs = bootstrap.version_of(bootstrap.venv_program("python")) is not None
    return same and runs and torch in ("auto", stamp["torch"])


def run_uv(uv: str, command: list[str], settings: dict[str, str], quiet: bool = False) -> bool:
    """Runs a uv command with pip's places; should it fail, once more without the extra indexes."""
    output = subprocess.DEVNULL if quiet else None
    tries = [pip_settings.uv_arguments(settings)]
    plain = pip_settings.uv_arguments(settings, extra_indexes=False)
    if plain != tries[0]:
        tries.append(plain)
    for number, places in enumerate(tries):
        if number and not quiet:
            print("setup: trying again without pip's extra indexes", file=sys.stderr)
        call = [uv, "pip", *command, "--python", bootstrap.venv_program("python"), *places]
        environment = pip_settings.uv_environment(settings)
        if subprocess.run(call, env=environment, stdout=output, stderr=output, check=False).returncode == 0:
            return True
    return False


def torch_build(uv: str, wanted: str, settings: dict[str, str], folder: Path) -> str:
    """Which torch to install: "+cpu", PyTorch's CPU build, or "", the package index's own (CUDA on Linux)."""
    if not sys.platform.startswith("linux"):
        if wanted == "cuda":
            bootstrap.fail("TORCH=cuda needs Linux; leave it out here")
        return ""
    if wanted == "cuda" or (wanted == "auto" and Path("/proc/driver/nvidia").exists()):
        return ""
    text = lockfile.LOCK.read_text(encoding="utf-8")
    probe = folder / "probe.txt"
    probe.write_text(lockfile.requirements(lockfile.entry(text, "torch").text, "+cpu"), encoding="utf-8")
    command = ["install", "--dry-run", "--no-deps", "--require-hashes", "--reinstall", "-r", str(probe)]
    if run_uv(uv, command, settings, quiet=True):
        return "+cpu"
    advice = "point pip's extra-index-url at PyTorch's CPU index, or its find-links at a folder of wheels"
    if wanted == "cpu":
        bootstrap.fail(f"no place that pip knows offers the CPU build of torch; {advice}")
    print(f"setup: installing the CUDA build of torch (several GB). For the CPU build, {advice}.", flush=True)
    return ""


def install(uv: str, wanted: str) -> str:
    """Installs the lock, nothing more and nothing less; gives back the torch build, "cpu" or "cuda"."""
    settings = pip_settings.read(bootstrap.venv_program("python"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        local = torch_build(uv, wanted, settings, folder)
        effective = folder / "requirements.txt"
        text = lockfile.LOCK.read_text(encoding="utf-8")
        effective.write_text(lockfile.requirements(text, local), encoding="utf-8")
        command = ["install", "--no-deps", "--require-hashes", "--exact", "-r", str(effective)]
        if _BEGUN.exists():
            command.append("--reinstall")
        _BEGUN.touch()
        if not run_uv(uv, command, settings):
            hint = ""
            if local:
                hint = (
                    ". If it is about torch's hash, the CPU build on offer here is not in the lock yet: "
                    "`make lock` adds it, `make setup TORCH=cuda` does without it"
                )
            bootstrap.fail("uv could not install the lock; what it says stands above" + hint)
    return "cpu" if local else "cuda"


def link_project() -> None:
    """The `cleanplate` command, and the checkout on the import path: an editable install without a build."""
    python = bootstrap.venv_program("python")
    site = bootstrap.answer([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    if site is None:
        bootstrap.fail(f"{python} does not run")
    Path(site, "cleanplate.pth").write_text(f"{lockfile.ROOT}\n", encoding="utf-8")
    command = Path(bootstrap.venv_program("cleanplate"))
    command.write_text(_COMMAND.format(python=python), encoding="utf-8")
    command.chmod(0o755)


def main() -> None:
    """Reads the arguments, and installs unless the stamp says that all is in place."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--torch", choices=("auto", "cpu", "cuda"), default="auto", help="build of torch")
    torch = parser.parse_args().torch
    if installed(torch):
        return
    start = time.monotonic()
    if _STAMP.exists():
        _STAMP.unlink()
    uv = bootstrap.ensure_uv()
    build = install(uv, torch)
    link_project()
    stamp = {"digest": digest(), "venv": str(bootstrap.VENV), "torch": build}
    _STAMP.write_text(json.dumps(stamp), encoding="utf-8")
    _BEGUN.unlink()
    print(f"setup: .venv is ready ({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    main()
