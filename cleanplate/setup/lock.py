"""`make lock`: recomputes requirements.lock from requirements.in, requirements-files.in and overrides.txt,
and the lock of each extra, e.g. requirements-cluster.lock, which adds to it and changes no version in it.

    python3 cleanplate/setup/lock.py [--upgrade]

Packages in requirements-files.in are only read as files, so their dependencies are left out.

Without --upgrade, keeps versions that still fit. The lock is valid for every Python from 3.11 on, on Linux
and macOS, and names no package index or path. It also contains the hashes of the CPU builds of torch and
torchvision, from any of pip's indexes (install.py chooses the build).
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import tempfile
from pathlib import Path

import install
import lockfile
import pip_settings

_HEADER = (
    "# Made by `make lock` from requirements.in, requirements-files.in and cleanplate/setup/overrides.txt:\n"
    "# change those, not this.\n"
)
_EXTRA_HEADER = (
    "# Made by `make lock` from requirements-{0}.in: change that, not this. On top of requirements.lock.\n"
)
_COMMON = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet"]
_COMMON += ["--no-emit-index-url", "--no-emit-find-links"]


def compiled(uv: str, arguments: list[str], settings: dict[str, str], quiet: bool = False) -> bool:
    """Runs `uv pip compile`, in the project's folder so that the lock names files by relative paths."""
    call = [uv, "pip", "compile", *_COMMON, *arguments]
    environment = pip_settings.uv_environment(settings)
    errors = subprocess.DEVNULL if quiet else None
    done = subprocess.run(call, env=environment, cwd=lockfile.ROOT, stderr=errors, check=False)
    return done.returncode == 0


def cpu_hashes(uv: str, name: str, version: str, settings: dict[str, str]) -> set[str]:
    """The hashes of a package's CPU builds in pip's extra indexes and find-links; may be empty."""
    found: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        wanted, output = Path(folder, "cpu.in"), Path(folder, "cpu.txt")
        wanted.write_text(f"{name}=={version}+cpu\n", encoding="utf-8")
        arguments = [str(wanted), "-o", str(output), "--no-deps", *pip_settings.uv_arguments(settings)]
        if compiled(uv, arguments, settings, quiet=True):
            found.update(lockfile.entry(output.read_text(encoding="utf-8"), name).hashes)
    # uv does not hash the files in a plain folder
    for place in settings.get("find-links", "").split():
        for wheel in sorted(Path(place).expanduser().glob(f"{name}-{version}+cpu-*.whl")):
            found.add("sha256:" + hashlib.sha256(wheel.read_bytes()).hexdigest())
    return found


def with_hashes(text: str, name: str, hashes: set[str]) -> str:
    """The lock with more hashes for one entry."""
    entry = lockfile.entry(text, name)
    head, _, _ = entry.text.partition("--hash=")
    comments = re.sub(r"(?s)^.*?(?=^    # via)", "", entry.text, flags=re.MULTILINE)
    lines = [f"--hash={value}" for value in sorted(hashes | set(entry.hashes))]
    return text.replace(entry.text, head + " \\\n    ".join(lines) + "\n" + comments)


def resolved(uv: str, upgrade: bool, settings: dict[str, str]) -> str:
    """The text of the new lock without its head: what is imported with all it needs, then what is only read.

    Writes under a temporary name beside the lock, and removes it again.
    """
    # a complete list of hashes needs the complete index: no extra indexes, no folders of a few wheels
    index = {key: value for key, value in settings.items() if key not in ("extra-index-url", "find-links")}
    places = pip_settings.uv_arguments(index)
    sources = {
        "requirements.in": ["--override", "cleanplate/setup/overrides.txt"],
        "requirements-files.in": ["--no-deps"],
    }
    fresh, text = lockfile.LOCK.with_suffix(".lock.tmp"), ""
    for source, options in sources.items():
        # uv keeps the versions that it finds in the output file
        fresh.write_text("" if upgrade else lockfile.LOCK.read_text(encoding="utf-8"), encoding="utf-8")
        done = compiled(uv, [source, *options, "-o", fresh.name, *places], settings)
        text += fresh.read_text(encoding="utf-8")
        fresh.unlink()
        if not done:
            install.fail(f"uv could not resolve {source}; see its message above")
    return text


def extra_resolved(uv: str, name: str, upgrade: bool, settings: dict[str, str]) -> str:
    """The text of an extra's lock: what `requirements-NAME.in` needs and requirements.lock lacks."""
    index = {key: value for key, value in settings.items() if key not in ("extra-index-url", "find-links")}
    lock, source = lockfile.extra_lock(name), f"requirements-{name}.in"
    fresh, bounds = lock.with_suffix(".lock.tmp"), lock.with_suffix(".bounds.tmp")
    held = lockfile.entries(lockfile.LOCK.read_text(encoding="utf-8"))
    old = "" if upgrade or not lock.exists() else lock.read_text(encoding="utf-8")
    fresh.write_text(old, encoding="utf-8")
    bounds.write_text("".join(e.text.partition(" \\")[0] + "\n" for e in held), encoding="utf-8")
    places = pip_settings.uv_arguments(index)
    done = compiled(uv, [source, "-c", bounds.name, "-o", fresh.name, *places], settings)
    text = fresh.read_text(encoding="utf-8")
    fresh.unlink()
    bounds.unlink()
    if not done:
        install.fail(f"uv could not resolve {source} beside requirements.lock; see its message above")
    names = {entry.name for entry in held}
    return "".join(e.text for e in lockfile.entries(text) if e.name not in names)


def main() -> None:
    """Writes the locks atomically, so that a failed run keeps the old ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    upgrade = parser.parse_args().upgrade
    uv = install.ensure_uv()
    settings = pip_settings.read(str(install.VENV / "bin" / "python"))
    before = lockfile.LOCK.read_text(encoding="utf-8")
    text = resolved(uv, upgrade, settings)
    for name in lockfile.TORCH_PAIR:
        pinned, old = lockfile.entry(text, name), lockfile.entry(before, name)
        hashes = cpu_hashes(uv, name, pinned.version, settings)
        if pinned.version == old.version:
            hashes.update(old.hashes)  # a machine without the CPU builds must not forget them
        text = with_hashes(text, name, hashes)
    fresh = lockfile.LOCK.with_suffix(".lock.tmp")
    fresh.write_text(_HEADER + text, encoding="utf-8")
    fresh.replace(lockfile.LOCK)
    for extra in lockfile.EXTRAS:
        added = extra_resolved(uv, extra, upgrade, settings)
        fresh.write_text(_EXTRA_HEADER.format(extra) + added, encoding="utf-8")
        fresh.replace(lockfile.extra_lock(extra))


if __name__ == "__main__":
    main()
