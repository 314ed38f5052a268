"""requirements.lock and the locks of the extras: complete, hashed, neutral, and what runs here."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lockfile

ROOT = Path(__file__).parent.parent
LOCK = lockfile.LOCK.read_text(encoding="utf-8")
ENTRIES = lockfile.entries(LOCK)


def wanted(*files: str) -> list[Requirement]:
    """The lines of requirements.in and requirements-files.in, or of the files named."""
    texts = [
        (ROOT / file).read_text(encoding="utf-8")
        for file in files or ("requirements.in", "requirements-files.in")
    ]
    lines = [line.partition("#")[0] for text in texts for line in text.splitlines()]
    return [Requirement(line) for line in lines if line.strip()]


def test_every_requirement_is_pinned_within_its_bounds() -> None:
    pinned = {entry.name: entry.version for entry in ENTRIES}
    for requirement in wanted():
        version = pinned.get(requirement.name.lower())
        assert version, f"{requirement.name} is not in requirements.lock: run `make lock`"
        assert requirement.specifier.contains(version), (
            f"{requirement}, but the lock has {version}: run `make lock`"
        )


def test_every_pin_has_hashes() -> None:
    assert [entry.name for entry in ENTRIES if not entry.hashes] == []
    assert len(ENTRIES) > 150


def test_what_is_only_read_as_files_brings_nothing_along() -> None:
    """The lock has these packages at the exact version, and nothing on their account."""
    files = wanted("requirements-files.in")
    for requirement in files:
        pinned = lockfile.entry(LOCK, requirement.name.lower())
        assert str(requirement.specifier) == f"=={pinned.version}"
        assert pinned.text.rstrip().endswith("# via -r requirements-files.in")
    names = "|".join(requirement.name for requirement in files)
    assert not re.search(rf"^    #( via|  ) +({names})$", LOCK, re.MULTILINE)


@pytest.mark.parametrize("extra", lockfile.EXTRAS)
def test_an_extra_adds_to_the_lock_and_changes_nothing_in_it(extra: str) -> None:
    """Together they are complete: whatever an added package needs is pinned and hashed in one of them."""
    added = lockfile.entries(lockfile.extra_lock(extra).read_text(encoding="utf-8"))
    held = {entry.name for entry in ENTRIES}
    assert not held & {entry.name for entry in added}
    assert all(entry.hashes for entry in added)
    names = held | {entry.name for entry in added}
    for entry in added:
        try:
            needs = metadata.requires(entry.name) or []
        except metadata.PackageNotFoundError:
            pytest.skip(f"{entry.name} is not installed: make setup EXTRAS={extra}")
        plain = (Requirement(line) for line in needs)
        wanted_here = {
            canonicalize_name(r.name) for r in plain if r.marker is None or r.marker.evaluate({"extra": ""})
        }
        assert wanted_here <= names, f"{entry.name} needs {sorted(wanted_here - names)}"
    for requirement in wanted(f"requirements-{extra}.in"):
        version = next(entry.version for entry in added if entry.name == requirement.name)
        assert requirement.specifier.contains(version)


def test_the_lock_is_what_runs_here() -> None:
    """Whatever is installed and locked has one of the locked versions."""
    versions: dict[str, set[str]] = {}
    for entry in ENTRIES:
        versions.setdefault(entry.name, set()).add(entry.version)
    for name, allowed in versions.items():
        try:
            version = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            continue  # for another platform
        assert version in allowed, f"{name} {version} is installed, the lock has {sorted(allowed)}"


def test_the_lock_names_no_index_and_no_path() -> None:
    assert not re.search(r"://|--(extra-)?index|--find-links|(^|\s)/\w|file:", LOCK)


def test_every_requirement_says_why_and_has_its_licence_listed() -> None:
    table = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for requirement in wanted():
        assert f"\n| {requirement.name.lower()} | " in table, f"{requirement.name}: run `make lock`"


def test_cpu_build_is_pinned_exactly_and_leaves_cuda_out() -> None:
    cpu = {entry.name: entry for entry in ENTRIES}
    names = [entry.name for entry in ENTRIES]
    text = lockfile.requirements(LOCK, "+cpu")
    assert f"\ntorch==={cpu['torch'].version}+cpu \\\n" in text
    assert f"\ntorchvision==={cpu['torchvision'].version}+cpu \\\n" in text
    assert not re.search(r"^(triton|cuda-\w+|nvidia-cudnn\S*)==", text, re.MULTILINE)
    assert re.search(r"^nvidia-ml-py==", text, re.MULTILINE)
    left_out = [name for name in names if lockfile.is_cuda(name)]
    assert len(left_out) > 10
    assert len(re.findall(r"^\S+==", text, re.MULTILINE)) == len(names) - len(left_out)


def test_default_build_keeps_every_entry() -> None:
    text = lockfile.requirements(LOCK, "")
    assert f"\ntorch==={lockfile.entry(LOCK, 'torch').version} \\\n" in text
    assert len(re.findall(r"^\S+==", text, re.MULTILINE)) == len(ENTRIES)
