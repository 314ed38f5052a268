"""A small project in a git and DVC repository of its own, with the real code and the real dvc.yaml."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from tests.conftest import ROOT
from tests.fixtures.pixel_project import make_project

STAGES = ("ingest", "relabel", "split", "compose", "synthesize")
BIN = Path(sys.executable).parent
OUTPUTS = ("build", "reports")


def make_repository(folder: Path, people: int = 6, photos: int = 3, git: bool = True) -> Path:
    """A repository below `folder` whose `dvc repro` runs five stages on drawn people in some seconds.

    Boxes and mattes are there from the start, as plain files: no network is needed. `git` False leaves out
    git and DVC.
    """
    add_data(folder, people, photos)
    add_code(folder, STAGES, ("/data/",), git)
    return folder


def add_data(folder: Path, people: int, photos: int) -> None:
    """Drawn photos with their boxes and mattes, params, and corrections that change nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    make_project(folder, people, photos)
    for table in ("photos", "labels", "folds"):
        (folder / f"build/{table}.parquet").unlink()
    write_params(folder)
    header = "person,image,field,old,new,reason,source\n"
    (folder / "corrections.csv").write_text(header, encoding="utf-8")
    (folder / "folds.csv").write_text("person,fold\n", encoding="utf-8")


def write_params(folder: Path, **changes: Any) -> None:
    """params.yaml: the small set's, with `section__param=value` changed."""
    raw: dict[str, Any] = parse_yaml((ROOT / "params.yaml").read_text(encoding="utf-8"))
    raw["data"]["root"] = "data"
    raw["relabel"]["corrections"] = "corrections.csv"
    raw["split"] |= {"folds": 2, "table": "folds.csv"}
    raw["compose"] |= {"size": 64, "fill": "noise"}
    raw["machine"]["workers"] = 2
    for key, value in changes.items():
        section, param = key.split("__")
        raw[section][param] = value
    (folder / "params.yaml").write_text(yaml_text(raw), encoding="utf-8")


def add_code(folder: Path, stages: Sequence[str], ignored: Sequence[str], git: bool = True) -> None:
    """The real code beside data and params that are there, dvc.yaml with these stages, and a first commit."""
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "weights.lock", folder / "weights.lock")
    if git:
        graph = parse_yaml((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        text = yaml_text({"stages": {name: graph[name] for name in stages}})
        (folder / "dvc.yaml").write_text(text, encoding="utf-8")
        _commit(folder, ignored)


def _commit(folder: Path, ignored: Sequence[str]) -> None:
    lines = ("/build/", "/reports/", "/.cache/", "__pycache__/", *ignored)
    (folder / ".gitignore").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", folder / ".dvc/config")
    (folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")
    (folder / ".dvcignore").write_text("__pycache__\n.cache\n.git\n", encoding="utf-8")
    git = ("git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "a start")):
        subprocess.run([*git, *command], cwd=folder, check=True, capture_output=True)


def environment(**more: str) -> dict[str, str]:
    """What a command in the small project sees: this Python first, one thread, quiet."""
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "PYTEST"))},
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "DVC_NO_ANALYTICS": "1",
        "GIT_AUTHOR_NAME": "T",
        "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "T",
        "GIT_COMMITTER_EMAIL": "t@example.org",
        **more,
    }


def start(folder: Path, *command: str, **env: str) -> subprocess.Popen[str]:
    """A command in the small project, in a session of its own; its output is read with `communicate`."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(**env),
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
    )


def heed_ctrl_c() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would everything started below it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def printed(code: str, folder: Path, timeout: float) -> str:
    """What `code` prints in `folder`, in a Python of its own that knows the project."""
    whole = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"
    command = [sys.executable, "-P", "-c", whole]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True, timeout=timeout
    ).stdout


def run(folder: Path, *command: str, timeout: float = 120, **env: str) -> tuple[int, str]:
    """Exit code and all output of a command in the small project."""
    with start(folder, *command, **env) as process:
        try:
            said, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return process.returncode, said


def dvc(*arguments: str) -> tuple[str, ...]:
    """The command line of DVC."""
    return (sys.executable, "-m", "dvc", *arguments)


def cleanplate(*arguments: str) -> tuple[str, ...]:
    """The command line of Cleanplate's own commands, from this checkout."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from cleanplate.cli import app; app()"
    return (sys.executable, "-P", "-c", code, *arguments)


def stage(name: str, *arguments: str) -> tuple[str, ...]:
    """The command line of a stage."""
    return (sys.executable, "-m", f"stages.{name}", *arguments)


def copied(folder: Path, to: Path) -> Path:
    """A copy of a small project with its hard links and times, so that DVC takes it for the same."""
    subprocess.run(["cp", "-a", str(folder), str(to)], check=True)
    return to


def flip(path: Path) -> None:
    """Changes one bit in the middle of a file, and neither its size, its time nor its mode."""
    facts = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as f:
        f.write(content)
    path.chmod(facts.st_mode)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def tree_hash(folder: Path) -> str:
    """sha256 over names and bytes of all outputs, temporary names included."""
    digest = hashlib.sha256()
    for top in OUTPUTS:
        for path in sorted((folder / top).rglob("*")):
            if path.is_file():
                digest.update(path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape") + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def places_named(folder: Path) -> list[str]:
    """Outputs that hold the project's folder, the home or the name of this machine."""
    secrets = [str(folder.parent).encode(), str(Path.home()).encode() + b"/", os.uname().nodename.encode()]
    files = [p for top in OUTPUTS for p in (folder / top).rglob("*") if p.is_file()]
    return [
        f"{p.relative_to(folder)}: {s!r}"
        for p in files
        for s in secrets
        if len(s) > 3 and s in p.read_bytes()
    ]


def at_work(folder: Path) -> list[psutil.Process]:
    """Living processes whose current folder is the small project."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder.resolve()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found
