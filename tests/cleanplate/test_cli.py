"""`cleanplate`: what it offers, what it imports, and that it prints something readable in any encoding."""

from __future__ import annotations

import ast
import codecs
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cleanplate.cli import HELP
from tests.conftest import ROOT
from tests.fixtures.experiments import experiment, make_project

COMMAND = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from cleanplate.cli import app; "
COMMAND += "app(prog_name='cleanplate')"
ENCODINGS = ("utf-8", "ascii", "latin-1", "euc-kr", "cp949", "cp1252")
STAGES = ("ingest", "split", "train", "fit_segmenter")


def said(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"} | environment
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, check=False
    )


def test_every_command_is_offered_with_the_first_paragraph_of_its_docstring() -> None:
    paths = [p for p in sorted((ROOT / "cleanplate/commands").glob("*.py")) if not p.stem.startswith("_")]
    documents = {p.stem: ast.get_docstring(ast.parse(p.read_text(encoding="utf-8"))) or "" for p in paths}
    assert {name: " ".join(text.split("\n\n")[0].split()) for name, text in documents.items()} == HELP


def test_commands_are_listed_in_the_order_in_which_people_need_them() -> None:
    done = said(["-c", COMMAND, "--help"], ROOT)
    assert done.returncode == 0, done.stderr.decode()
    listed = [
        word for line in done.stdout.decode().splitlines() for word in line.split()[1:2] if word in HELP
    ]
    assert listed == list(HELP)
    expected = ["init", "check", "show", "sweep", "compare", "review", "export", "predict", "doctor"]
    assert [name for name in listed if name in expected] == expected


@pytest.mark.parametrize(("arguments", "loaded"), [(("--help",), []), (("vote", "--help"), ["vote"])])
def test_only_the_command_that_is_called_is_imported(arguments: tuple[str, ...], loaded: list[str]) -> None:
    code = COMMAND.replace(
        "app(prog_name='cleanplate')",
        "\ntry: app(prog_name='cleanplate')\nfinally:\n"
        "    heavy = ('cleanplate.commands.', 'pandas.', 'torch.')\n"
        "    print(sorted(m for m in sys.modules if m.startswith(heavy)))",
    )
    done = said(["-c", code, *arguments], ROOT)
    last = done.stdout.decode().splitlines()[-1]
    assert [name for name in HELP if f"'cleanplate.commands.{name}'" in last] == loaded
    assert "torch." not in last
    assert loaded or "pandas." not in last


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_help_is_readable_in_any_encoding(encoding: str) -> None:
    code = (
        "import sys; from cleanplate.cli import HELP, app\n"
        "for arguments in [[], *([name] for name in HELP)]:\n"
        "    try: app([*arguments, '--help'], prog_name='cleanplate')\n"
        "    except SystemExit as e: assert e.code == 0, (arguments, e.code)\n"
    )
    done = said(["-c", code], ROOT, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr.decode(encoding)
    text = done.stdout.decode(encoding)
    assert text.count("Usage: cleanplate") == 1 + len(HELP)
    assert "\\u" not in text


@pytest.mark.parametrize("encoding", ["ascii", "cp949"])
@pytest.mark.parametrize("name", STAGES)
def test_stages_are_readable_in_any_encoding(name: str, encoding: str, tmp_path: Path) -> None:
    done = said(["-m", f"stages.{name}", "--help"], ROOT, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr.decode(encoding)
    assert "--limit" in done.stdout.decode(encoding)
    (tmp_path / "params.yaml").write_text("train: {size: 64×64}\n", encoding="utf-8")
    done = said(["-m", f"stages.{name}"], tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 1
    text = done.stderr.decode(encoding)
    assert "Traceback" not in text
    assert ("64x64" if encoding == "ascii" else "64×64") in text


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with an experiment whose params hold letters that few encodings have."""
    place = tmp_path_factory.mktemp("project")
    make_project(place)
    experiment(place, "good", "train.weight_decay=0.9")
    return place


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_compare_is_readable_in_any_encoding(compared: Path, encoding: str) -> None:
    command = ["-c", COMMAND, "compare", "workspace", "good", "--people", "--no-plot"]
    done = said(command, compared, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr.decode(encoding)
    text = done.stdout.decode(encoding)
    arrow = "0.6 -> 0.9" if encoding in ("ascii", "latin-1", "cp1252") else "0.6 → 0.9"
    assert f"train.weight_decay: {arrow}" in text
    assert "\\u" not in text


def test_what_has_no_likeness_is_a_number() -> None:
    from pipeline.runtime.terminal import ERROR_HANDLER

    assert codecs.encode("é ± 한 \udcff", "ascii", ERROR_HANDLER) == rb"e +/- \ud55c \udcff"


def test_a_stage_goes_on_when_its_terminal_is_closed(tmp_path: Path) -> None:
    """As `disown` leaves it: what it says has no reader any more, bar and lines alike."""
    code = (
        "import sys; from pathlib import Path\n"
        "from pipeline.runtime.progress import say, track\n"
        "say('began')\n"
        "sys.stdin.readline()\n"
        "say('nobody hears this'); list(track(iter(range(9)), 9, 'x'))\n"
        "sys.stderr.isatty = lambda: True\n"  # as it was when a bar began
        "list(track(iter(range(9)), 9, 'x'))\n"
        "Path('ended').touch()\n"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        assert b"began" in os.read(ours, 100)
        os.close(ours)
        process.communicate(b"\n", timeout=60)
    assert process.returncode == 0
    assert (tmp_path / "ended").exists()
