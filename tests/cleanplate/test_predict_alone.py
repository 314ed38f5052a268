"""`pip install 'cleanplate[predict]'` is enough: an environment of these packages answers from an export."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(900)  # the first test of a session trains the demo
PYTHON = (sys.executable, "-I", "-S", "-c")
START = (
    "import sys; sys.path[:0] = [{place!r}]; import cleanplate; sys.argv = ['cleanplate', *{arguments!r}]; "
)
START += "cleanplate.main()"


def wheel(folder: Path) -> Path:
    """The project as `pip install .` packs it."""
    source = folder / "source"
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "pipeline", "stages", "cleanplate"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in (
        *files,
        "pyproject.toml",
        *(p.name for p in ROOT.glob("requirements*.in")),
        "README.md",
        "LICENSE",
    ):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    command = [sys.executable, "-c", build, str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def packages_of(requirements: list[Requirement]) -> set[str]:
    """The names of these packages and of all that they need."""
    pending, found = [r.name for r in requirements], set[str]()
    while pending:
        name = pending.pop()
        if name.lower() not in found:
            found.add(name.lower())
            needs = [Requirement(text) for text in metadata.requires(name) or []]
            pending += [r.name for r in needs if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


def modules_of(package: str) -> Iterator[Path]:
    """What a package put into site-packages."""
    files = metadata.distribution(package).files or []
    for top in sorted({file.parts[0] for file in files} - {"..", "__pycache__"}):
        yield Path(str(metadata.distribution(package).locate_file(top)))


def link_or_copy(source: str, target: str) -> None:
    """A hard link, or a copy on another disk; cv2 does not start behind a symbolic link."""
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packed project and the packages of its extra `predict`, and no others."""
    place = tmp_path_factory.mktemp("alone")
    with zipfile.ZipFile(wheel(tmp_path_factory.mktemp("wheel"))) as packed:
        packed.extractall(place)
    (facts,) = metadata.distributions(name="cleanplate", path=[str(place)])
    wanted = [Requirement(text) for text in facts.requires or []]
    assert not [r for r in wanted if r.marker is None], "nothing is installed without an extra"
    predict = [r for r in wanted if r.marker and r.marker.evaluate({"extra": "predict"})]
    assert {r.name for r in predict} == {
        "numpy",
        "opencv-python-headless",
        "pillow",
        "simplejpeg",
        "openvino",
    }
    for package in packages_of(predict) - {"openvino-telemetry"}:  # which is never imported
        for module in modules_of(package):
            if module.is_dir():
                shutil.copytree(module, place / module.name, copy_function=link_or_copy, dirs_exist_ok=True)
            elif not (place / module.name).exists():
                link_or_copy(str(module), str(place / module.name))
    assert not {"torch", "pandas", "typer", "dvc", "numba"} & {p.name for p in place.iterdir()}
    return place


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*PYTHON, START.format(place=str(place), arguments=list(arguments))]
    environment = {"PATH": os.environ["PATH"], "HOME": str(place)}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=environment)


def test_it_answers_a_folder_of_photos(alone: Path, trained_demo: Path) -> None:
    photos = trained_demo / "demo/data/eval/images"
    done = run(alone, "predict", str(photos), "--model", str(trained_demo / "build/export"), "--csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert {r["image"] for r in rows} == {p.name for p in photos.iterdir()}
    assert sum(r["status"] == "found" and r["face"] == "0" for r in rows) >= 10


def test_other_commands_say_what_to_install(alone: Path) -> None:
    done = run(alone, "--help")
    assert done.returncode == 0
    assert "predict" in done.stdout
    done = run(alone, "check")
    assert done.returncode == 1
    assert "pip install 'cleanplate[pipeline]'" in done.stderr
    assert "Traceback" not in done.stderr
