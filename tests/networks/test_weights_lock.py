"""weights.lock: what a row may say, and the rows of this repository."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pipeline.networks.weights import State, resolve, state_of
from pipeline.networks.weights_lock import PackageEntry, UrlEntry, read_lock
from pipeline.runtime.errors import UserError
from tests.conftest import ROOT
from tests.fixtures.weights_server import row

PACKAGED = sorted(name for name, entry in read_lock().items() if isinstance(entry, PackageEntry))
# of the files that issue and data folder name, where they come from has the same bytes
SHARED = ("retinaface_mv1_0.25.onnx", "faceres.json", "faceres.bin", "yolov8n.pt", "yolov8n-seg.pt")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (row("a.pt"), "none of them"),
        (row("a.pt", url="https://x.invalid/a", package="p", version="1", member="a"), "url and package"),
        (row("a.pt", package="p", version="1"), "member: Field required"),
        (row("a.pt", package="p", member="a"), "version: Field required"),
        (row("a.pt", package="p", version="1", member="../a"), "must be a path inside the package"),
        (row("a.pt", package="p", version="1", member="/etc/passwd"), "must be a path inside the package"),
        (row("a.pt", npm="--registry=x", version="1", member="a"), "npm: String should match"),
        (row("a.pt", npm="p", version="latest", member="a"), "version: String should match"),
        (row("a.pt", npm="p", version="1", member="a", literal="X"), "literal: Extra inputs"),
        (row("a.pt", url="file:///etc/passwd"), "url: String should match"),
        (row("a.pt", url="https://x.invalid/a", sha256="abc"), "sha256: String should match"),
        (row("a.pt", url="https://x.invalid/a", bytes=-1), "bytes: Input should be greater"),
        (row("../a.pt", url="https://x.invalid/a"), "also a file's name"),
        ('"a.pt" = "https://x.invalid/a"\n', "none of them"),
        ("[a.pt\n", "cannot be read"),
    ],
)
def test_a_wrong_row_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    lock = tmp_path / "weights.lock"
    lock.write_text(text)
    with pytest.raises(UserError) as refused:
        read_lock(lock)
    assert says in str(refused.value)
    assert str(lock) in str(refused.value)
    if "also a file" not in says and "cannot" not in says:
        assert "row `a.pt`" in str(refused.value)


def test_the_rows_of_the_repository() -> None:
    entries = read_lock()
    assert entries["yolov8n.pt"].bytes == 6_549_796
    assert entries["yolov8n.pt"].sha256.startswith("f59b3d83")
    assert [name for name, entry in entries.items() if not entry.sha256] in (["people-unet-b3"], [])
    for name, entry in entries.items():
        if isinstance(entry, UrlEntry):
            assert entry.url.startswith("https://"), name


def test_packages_of_rows_are_those_that_the_lock_installs() -> None:
    """requirements.in and requirements-files.in pin what weights.lock reads, at the same version."""
    pinned: dict[str, str] = {}
    for file in ("requirements.in", "requirements-files.in"):
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            if wanted := line.partition("#")[0].strip():
                requirement = Requirement(wanted)
                pinned[requirement.name] = str(requirement.specifier).removeprefix("==")
    rows = {e.package: e.version for e in read_lock().values() if isinstance(e, PackageEntry)}
    assert {package: pinned.get(package) for package in rows} == rows
    files = (ROOT / "requirements-files.in").read_text(encoding="utf-8")
    for line in files.splitlines():
        name = line.partition("==")[0]
        assert line.startswith("#") or not line or name in rows, f"no row of weights.lock reads {name}"


@pytest.mark.parametrize("name", PACKAGED)
def test_what_the_installed_packages_hold(name: str, tmp_path: Path) -> None:
    entry = read_lock()[name]
    assert isinstance(entry, PackageEntry)
    try:
        metadata.distribution(entry.package)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{entry.package} has no wheel for this Python")
    assert state_of(name, entry, tmp_path) is State.THERE
    assert not (tmp_path / ".cache").exists()
    path = resolve(name, tmp_path)
    assert path == tmp_path / ".cache" / "weights" / name
    assert path.stat().st_size == entry.bytes


@pytest.mark.parametrize("name", SHARED)
def test_rows_say_what_the_files_beside_the_test_data_are(name: str, test_data: Path) -> None:
    from pipeline.networks.weights import sha256_of

    file = test_data.parent / "weights" / name
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    entry = read_lock()[name]
    assert (sha256_of(file), file.stat().st_size) == (entry.sha256, entry.bytes)
