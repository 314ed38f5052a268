"""The environment: `make setup`, the installed command, and what git and DVC are told to leave alone."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import install
import lockfile
import pip_settings

ROOT = Path(__file__).parent.parent
LOCK = lockfile.LOCK.read_text(encoding="utf-8")


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs git in the checkout."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_extras_stay_until_they_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make test` begins with `make setup`, which must not take them away again."""
    monkeypatch.setattr(install, "STAMP", tmp_path / ".installed")
    assert install.chosen_extras("auto") == []
    install.STAMP.write_text(json.dumps({"extras": "cluster remotes"}), encoding="utf-8")
    assert install.chosen_extras("auto") == ["cluster", "remotes"]
    assert install.chosen_extras("none") == []
    with pytest.raises(SystemExit, match="may be: none, cluster, remotes"):
        install.chosen_extras("clusters")


def test_pip_places_reach_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("pip") is None:
        pytest.skip("no pip here: this environment was not made by `make setup`")
    for variable in ("UV_FIND_LINKS", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INSECURE_HOST", "SSL_CERT_FILE"):
        monkeypatch.delenv(variable, raising=False)
    config = tmp_path / "pip.conf"
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    config.write_text(
        f"[global]\nfind-links = /nowhere\n"
        f"extra-index-url = https://a.invalid/simple\n  https://b.invalid/simple\n"
        f"[install]\nfind-links = {wheels}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_INDEX_URL", "https://c.invalid/simple")
    monkeypatch.setenv("PIP_CERT", "/etc/cert.pem")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    settings = pip_settings.read(sys.executable)
    arguments = " ".join(pip_settings.uv_arguments(settings))
    assert "--default-index https://c.invalid/simple" in arguments
    assert f"--find-links {wheels}" in arguments
    assert "--index https://a.invalid/simple --index https://b.invalid/simple" in arguments
    assert "a.invalid" not in " ".join(pip_settings.uv_arguments(settings, extra_indexes=False))
    assert pip_settings.uv_environment(settings)["SSL_CERT_FILE"] == "/etc/cert.pem"


def test_what_uv_was_told_itself_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mine.invalid/simple")
    assert "--default-index" not in pip_settings.uv_arguments({"index-url": "https://c.invalid/simple"})


def test_a_missing_folder_of_wheels_is_said_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--find-links" not in pip_settings.uv_arguments({"find-links": "/nowhere/wheels"})
    assert "/nowhere/wheels" in capsys.readouterr().err


def test_an_old_python_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.sys, "version_info", (3, 9, 18, "final", 0))
    monkeypatch.setattr(install, "version_of", lambda _: (3, 9))
    with pytest.raises(SystemExit, match=r"Python 3\.9 is too old"):
        install.base_python()


def test_setup_scripts_start_on_an_older_python() -> None:
    """They must get far enough to say so: nothing newer than Python 3.8 in their syntax."""
    for script in sorted((ROOT / "cleanplate" / "setup").glob("*.py")):
        ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_install_is_stale_when_the_lock_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setattr(install, "VENV", tmp_path)
    monkeypatch.setattr(install, "STAMP", tmp_path / ".installed")
    assert not install.is_installed("auto", [])
    facts = {"digest": install.digest(), "venv": str(tmp_path), "torch": "cpu"}
    install.STAMP.write_text(json.dumps(facts), encoding="utf-8")
    assert install.is_installed("auto", [])
    assert not install.is_installed("cuda", [])
    install.STAMP.write_text(json.dumps(facts | {"venv": "/elsewhere/.venv"}), encoding="utf-8")
    assert not install.is_installed("auto", []), "a moved checkout keeps scripts that name the old folder"
    install.STAMP.write_text(json.dumps(facts), encoding="utf-8")
    changed = tmp_path / "requirements.lock"
    changed.write_text(LOCK + "\n", encoding="utf-8")
    monkeypatch.setattr(lockfile, "LOCK", changed)
    assert not install.is_installed("auto", [])


INTERRUPTED = """
def interrupt(command):
    assert command[1:4] == ["-m", "venv", "--clear"], command
    raise KeyboardInterrupt
install.run = interrupt
install.main()"""
UV = """#!/bin/sh
case "$1" in --version) echo "uv {version}"; exit ;; esac
echo "$@" >> "{log}"
for argument; do case "$argument" in */requirements.txt) cat "$argument" >> "{log}" ;; esac; done
if [ -e "{log}.interrupt" ]; then kill -INT $PPID; exit 130; fi
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The real setup scripts and locks, and a `.venv` whose uv only notes what it is asked to install."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("no pip here: this environment was not made by `make setup`")
    for path in (*(ROOT / "cleanplate/setup").glob("*.py"), *ROOT.glob("*.lock"), ROOT / "pyproject.toml"):
        place = tmp_path / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    tools = tmp_path / ".venv/bin"
    tools.mkdir(parents=True)
    version = lockfile.entry(LOCK, "uv").version
    (tools / "uv").write_text(UV.format(version=version, log=tmp_path / "asked"), encoding="utf-8")
    (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    return tmp_path


def test_extras_are_not_forgotten_when_their_install_is_cut_short(checkout: Path) -> None:
    """Ctrl-C in `make setup EXTRAS=remotes`, then `make`."""
    asked, interrupt = checkout / "asked", checkout / "asked.interrupt"
    setup = [sys.executable, "cleanplate/setup/install.py"]

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        asked.write_text("", encoding="utf-8")
        return subprocess.run([*setup, *options], cwd=checkout, capture_output=True, text=True, check=False)

    assert "ready" in run("--extras", "none").stdout
    interrupt.touch()
    assert "KeyboardInterrupt" in run("--extras", "remotes").stderr
    interrupt.unlink()
    assert "ready" in run().stdout, "a stale install was taken for a whole one"
    installed = asked.read_text(encoding="utf-8")
    assert "\ndvc-ssh==" in installed
    assert "--exact --reinstall -r" in installed, "a package may be half copied"
    assert run().stdout == asked.read_text(encoding="utf-8") == "", "up to date"


def test_extras_are_not_forgotten_when_the_environment_is_made_anew(checkout: Path) -> None:
    """The first Ctrl-C may come while Python makes the `.venv`, which it clears first."""
    tools = checkout / ".venv/bin"
    (tools / "python").unlink()
    setup = f"import sys; sys.path.insert(0, 'cleanplate/setup'); import install; {INTERRUPTED}"
    subprocess.run([sys.executable, "-c", setup, "--extras", "remotes"], cwd=checkout, check=False)
    stamp = json.loads((checkout / ".venv/.installed").read_text(encoding="utf-8"))
    assert stamp["extras"] == "remotes"
    assert "digest" not in stamp
    assert stamp["venv"] != str(checkout / ".venv"), "half made, it must not be taken for whole"


@pytest.mark.parametrize(
    "package", ["timm", "torchvision", "segmentation_models_pytorch", "ultralytics", "facenet_pytorch"]
)
def test_packages_import_without_our_code(package: str, tmp_path: Path) -> None:
    """torch and torchvision fit each other: a notebook in `.venv` needs no repair of ours."""
    environment = {**os.environ, "YOLO_CONFIG_DIR": str(tmp_path), "MPLCONFIGDIR": str(tmp_path)}
    command = [sys.executable, "-P", "-c", f"import {package}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr


def test_the_project_is_packed_by_its_metadata(tmp_path: Path) -> None:
    """`pip install .` brings every module, what the pages need, and the command."""
    tracked = git("ls-files", "pipeline", "stages", "cleanplate").stdout.splitlines()
    source = tmp_path / "source"
    inputs = ("requirements.in", *(f"requirements-{name}.in" for name in ("predict", *lockfile.EXTRAS)))
    for name in (*tracked, "pyproject.toml", *inputs, "README.md", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as packed:
        names = set(packed.namelist())
        entry = next(name for name in names if name.endswith("entry_points.txt"))
        assert "cleanplate = cleanplate:main" in packed.read(entry).decode()
    assert set(tracked) <= names


def test_make_lets_python_keep_its_bytecode() -> None:
    """Containers often forbid it; then every stage would compile pandas and torch anew."""
    done = subprocess.run(
        ["make", "-s", "--eval=bytecode: ; @env", "bytecode"],
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "PATH=" in done.stdout
    assert "PYTHONDONTWRITEBYTECODE" not in done.stdout


def test_the_cleanplate_command_is_installed() -> None:
    """`make setup` puts it beside this Python."""
    command = Path(sys.prefix) / "bin" / "cleanplate"
    if not command.exists() or not (Path(sys.prefix) / ".installed").exists():
        pytest.skip("this environment was not made by `make setup`")
    done = subprocess.run([str(command), "--help"], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_the_command_says_what_is_missing_where_nothing_is_installed(tmp_path: Path) -> None:
    """As after `pip install --no-deps`: the commands are listed, a sentence names the fix."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import cleanplate; cleanplate.main()"
    environment = {"PATH": os.environ["PATH"], "PYTHONNOUSERSITE": "1"}
    command = [sys.executable, "-S", "-c", code]  # -S: no site-packages
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert "compare" in done.stdout and "make setup" in done.stderr  # noqa: PT018
    done = subprocess.run([*command, "check"], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
