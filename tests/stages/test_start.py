"""`python3 -m stages.NAME` by whatever Python: it goes on in the project's own, or says what it was given."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from stages.shared.start import NEEDED
from tests.conftest import ROOT

SCRIPT = """
import sys
from stages.shared.command import stage_command

def run(stage):
    print("ran in", sys.prefix)

if __name__ == "__main__":
    stage_command("script", run, "")
"""


@pytest.fixture
def checkout(project: Path) -> Path:
    """A project whose stage `script` says where it runs; no `.venv` yet."""
    return with_code(project)


def with_code(folder: Path) -> Path:
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "stages/script.py").write_text(SCRIPT, encoding="utf-8")
    return folder


def own_environment(folder: Path) -> Path:
    """A `.venv` with what this one has, made without installing anything; its prefix."""
    venv.create(folder / ".venv", with_pip=False)
    site = Path(next(p for p in sys.path if p.endswith("site-packages")))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / ".venv/lib" / version / "site-packages/all.pth").write_text(f"{site}\n")
    return folder / ".venv"


def bare_environment(folder: Path, **files: str) -> str:
    """Another Python with nothing installed but the modules `files`; its path."""
    venv.create(folder, with_pip=False)
    site = next((folder / "lib").glob("python3*/site-packages"))
    for name, source in files.items():
        (site / f"{name}.py").write_text(source, encoding="utf-8")
    return str(folder / "bin/python")


def ran(python: str, folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "PYTHON"))} | environment
    command = [python, *options, "-m", "stages.script"]
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("options", [(), ("-u", "-X", "dev")])
def test_another_python_hands_over_to_the_projects_own(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, options: tuple[str, ...]
) -> None:
    own = own_environment(checkout)
    other = bare_environment(tmp_path_factory.mktemp("other"), pydantic="VERSION = '2.0'\n")
    done = ran(other, checkout, *options, PYTHONHOME=sys.base_prefix)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ran in {own.resolve()}\n"


def test_a_complete_python_hands_over_too(checkout: Path) -> None:
    own = own_environment(checkout)
    assert ran(sys.executable, checkout).stdout == f"ran in {own.resolve()}\n"


@pytest.mark.parametrize("below", [".", "apps/cleanplate"])
def test_a_temporary_copy_runs_in_the_environment_of_its_repository(
    checkout: Path, below: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = own_environment(checkout)
    copy = with_code(checkout / ".dvc/tmp/exps/tmp1" / below)
    shutil.copy(checkout / "params.yaml", copy)
    other = bare_environment(tmp_path_factory.mktemp("other"))
    assert ran(other, copy, DVC_ROOT=str(checkout)).stdout == f"ran in {own.resolve()}\n"


def test_an_environment_of_some_other_folder_is_left_alone(checkout: Path, tmp_path: Path) -> None:
    own_environment(tmp_path / "another")
    done = ran(sys.executable, checkout, DVC_ROOT=str(tmp_path / "another"))
    assert done.stdout == f"ran in {Path(sys.prefix).resolve()}\n"


def test_without_an_environment_of_its_own_any_complete_python_does(checkout: Path) -> None:
    assert ran(sys.executable, checkout).stdout == f"ran in {Path(sys.prefix).resolve()}\n"


def test_an_environment_that_cannot_run_here_is_passed_over(checkout: Path) -> None:
    """A folder mounted into a container: the host's `.venv` is another system's."""
    own_environment(checkout)
    python = checkout / ".venv/bin/python"
    python.unlink()
    python.write_bytes(b"\xcf\xfa\xed\xfe")
    python.chmod(0o755)
    assert ran(sys.executable, checkout).stdout == f"ran in {Path(sys.prefix).resolve()}\n"


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ({}, "has no pillow, opencv-python-headless, filelock, numpy"),
        ({"pydantic": "VERSION = '2.0'\n"}, "has no pillow"),
        ({"pydantic": "VERSION = '1.10'\n"}, "pydantic 2 (but pydantic 1.10)"),
        (
            dict.fromkeys(set(NEEDED) - {"pydantic"}, ""),
            "has no pydantic",
        ),
    ],
)
def test_a_python_that_lacks_libraries_is_named(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, modules: dict[str, str], said: str
) -> None:
    other = bare_environment(tmp_path_factory.mktemp("other"), **modules)
    done = ran(other, checkout)
    assert done.returncode == 1
    assert said in done.stderr
    assert other in done.stderr
    assert "make setup" in done.stderr
    assert "Traceback" not in done.stderr


def old_pythons() -> list[str]:
    found = (shutil.which(f"python3.{minor}") for minor in range(6, 11))
    pyenv = sorted(Path("~/.pyenv/versions").expanduser().glob("3.*/bin/python3"))
    return [p for p in [*found, *map(str, pyenv)] if p and too_old(p)]


def too_old(python: str) -> bool:
    code = "import sys; sys.exit(sys.version_info >= (3, 11))"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("own", [False, True])
def test_an_old_python_hands_over_or_is_named(checkout: Path, own: bool) -> None:
    pythons = old_pythons()
    if not pythons:
        pytest.skip("no Python before 3.11 is installed here")
    prefix = own_environment(checkout).resolve() if own else None
    for python in pythons:
        done = ran(python, checkout)
        if own:
            assert done.stdout == f"ran in {prefix}\n", done.stderr
        else:
            assert done.returncode == 1
            assert "is too old: the project needs Python 3.11 or newer" in done.stderr
            assert "Traceback" not in done.stderr


def test_what_an_old_python_reads_is_old_enough() -> None:
    for path in ("stages/__init__.py", "stages/shared/start.py", "demo/__init__.py"):
        ast.parse((ROOT / path).read_text(encoding="utf-8"), feature_version=(3, 6))


def test_a_mistake_in_the_projects_own_code_keeps_its_traceback(checkout: Path) -> None:
    (checkout / "stages/script.py").write_text(
        "from pipeline.runtime.errors import nobody\n", encoding="utf-8"
    )
    assert "Traceback" in ran(sys.executable, checkout).stderr
    (checkout / "stages/script.py").write_text("from numpy import nobody\n", encoding="utf-8")
    done = ran(sys.executable, checkout)
    assert done.returncode == 1
    assert "cannot import name 'nobody' from 'numpy'" in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_a_stage_changes_nothing() -> None:
    code = (
        "import os, sys, signal; before = dict(os.environ), sys.excepthook, signal.getsignal(signal.SIGINT)\n"
        "import stages, stages.shared.start, demo\n"
        "assert before == (dict(os.environ), sys.excepthook, signal.getsignal(signal.SIGINT))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env={**os.environ, "DVC_STAGE": "x"})
