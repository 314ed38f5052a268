"""`make lock`: recomputes requirements.lock from requirements.in and setup/overrides.txt.

    python3 setup/lock.py [--upgrade]

Without --upgrade, versions that still fit stay as they are. The lock holds for every Python from 3.11 and
for Linux and macOS; it names neither a package index nor a path. To torch's hashes come those of its CPU
builds, from whatever place of pip's offers them (see setup/install.py, which chooses the build).
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import tempfile
from pathlib import Path

import bootstrap
import lockfile
import pip_settings

_HEADER = "# Made by `make lock` from requirements.in and setup/overrides.txt: change those, not this.\n"
_COMMON = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet"]
_COMMON += ["--no-emit-index-url", "--no-emit-find-links"]


def compiled(uv: str, arguments: list[str], settings: dict[str, str]) -> bool:
    """Runs `uv pip compile`, in the project's folder so that the lock names files by relative paths."""
    call = [uv, "pip", "compile", *_COMMON, *arguments]
    environment = pip_settings.uv_environment(settings)
    return subprocess.run(call, env=environment, cwd=lockfile.ROOT, check=False).returncode == 0


def cpu_hashes(uv: str, version: str, settings: dict[str, str]) -> set[str]:
    """The hashes of torch's CPU builds that pip's extra indexes and find-links offer; may be empty."""
    found: set[str] = set()
    with tempfile.TemporaryDirectory() as name:
        wanted, output = Path(name, "torch.in"), Path(name, "torch.txt")
        wanted.write_text(f"torch=={version}+cpu\n", encoding="utf-8")
        arguments = [str(wanted), "-o", str(output), "--no-deps", *pip_settings.uv_arguments(settings)]
        if compiled(uv, arguments, settings):
            found.update(lockfile.entry(output.read_text(encoding="utf-8"), "torch").hashes)
    # uv knows no hashes of the files in a plain folder
    for place in settings.get("find-links", "").split():
        for wheel in sorted(Path(place).expanduser().glob(f"torch-{version}+cpu-*.whl")):
            found.add("sha256:" + hashlib.sha256(wheel.read_bytes()).hexdigest())
    return found


def with_hashes(text: str, name: str, hashes: set[str]) -> str:
    """The lock with more hashes for one entry."""
    entry = lockfile.entry(text, name)
    head, _, _ = entry.text.partition("--hash=")
    comments = re.sub(r"(?s)^.*?(?=^    # via)", "", entry.text, flags=re.MULTILINE)
    lines = [f"--hash={value}" for value in sorted(hashes | set(entry.hashes))]
    return text.replace(entry.text, head + " \\\n    ".join(lines) + "\n" + comments)


def main() -> None:
    """Writes the lock by a temporary name, so that a failed run leaves the old one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    upgrade = parser.parse_args().upgrade
    uv = bootstrap.ensure_uv()
    settings = pip_settings.read(bootstrap.venv_program("python"))
    before = lockfile.LOCK.read_text(encoding="utf-8")
    fresh = lockfile.LOCK.with_suffix(".lock.tmp")
    fresh.write_text("" if upgrade else before, encoding="utf-8")
    # a complete list of hashes needs the complete index: no extra indexes, no folders of a few wheels
    index = {key: value for key, value in settings.items() if key not in ("extra-index-url", "find-links")}
    arguments = ["requirements.in", "--override", "setup/overrides.txt", "-o", fresh.name]
    if not compiled(uv, [*arguments, *pip_settings.uv_arguments(index)], settings):
        fresh.unlink()
        bootstrap.fail("uv could not resolve requirements.in; what it says stands above")
    text = fresh.read_text(encoding="utf-8")
    torch, old = lockfile.entry(text, "torch"), lockfile.entry(before, "torch")
    hashes = cpu_hashes(uv, torch.version, settings)
    if torch.version == old.version:
        hashes.update(old.hashes)  # a machine without the CPU builds must not forget them
    fresh.write_text(_HEADER + with_hashes(text, "torch", hashes), encoding="utf-8")
    fresh.replace(lockfile.LOCK)


if __name__ == "__main__":
    main()
