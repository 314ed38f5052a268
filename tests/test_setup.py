"""The environment: the lock is complete and neutral, git and DVC are told what to leave alone."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import install
import lockfile
import pip_settings

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


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs git in the checkout."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


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


def test_extras_stay_until_they_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make test` begins with `make setup`, which must not take them away again."""
    monkeypatch.setattr(install, "STAMP", tmp_path / ".installed")
    assert install.chosen_extras("auto") == []
    install.STAMP.write_text(json.dumps({"extras": "cluster remotes"}), encoding="utf-8")
    assert install.chosen_extras("auto") == ["cluster", "remotes"]
    assert install.chosen_extras("none") == []
    with pytest.raises(SystemExit, match="may be: none, cluster, remotes"):
        install.chosen_extras("clusters")


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
