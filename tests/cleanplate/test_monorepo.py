"""The project as a subfolder of a bigger git repository, whose paths are relative to its own root."""

from __future__ import annotations

import json
import os
import signal
from contextlib import chdir
from pathlib import Path

import pytest

from cleanplate.integrity.killed_experiment import killed_experiment
from cleanplate.integrity.leftovers import running_commands
from tests.fixtures.experiments import cleanplate, commit_all, make_project, run
from tests.reliability.repository import dvc, start

BELOW = "apps/cleanplate"
SWEEP = "base: {}\nvariants: {better: {train.weight_decay: 0.95}}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The subfolder, beside another project that has files of the same names."""
    top = tmp_path_factory.mktemp("mono")
    make_project(top, BELOW)
    (top / "params.yaml").write_text("of: another project\n")
    (top / "pipeline").mkdir()
    (top / "pipeline" / "code.py").write_text("")
    commit_all(top, "another project")
    return top / BELOW


def test_a_commit_is_compared_with_the_workspace(folder: Path) -> None:
    done = cleanplate(folder, "compare", "HEAD", "workspace", "HEAD~1", "--json", "--no-plot")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [p["differences"]["macro_f1"]["value"] for p in told["pairs"]] == [0, 0]
    assert told["notes"] == []


def test_a_sweep_runs_once(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "s.yaml").write_text(SWEEP)
    first = cleanplate(folder, "sweep", "s.yaml", "--run", "--json")
    assert first.exit_code == 0, first.stderr
    (pair,) = json.loads(first.stdout)["pairs"]
    assert pair["params"] == {"train.weight_decay": [0.6, 0.95]}
    assert pair["verdict"] == "better"
    capfd.readouterr()
    (folder.parents[1] / "pipeline" / "code.py").write_text("# an edit of the other project\n")
    second = cleanplate(folder, "sweep", "s.yaml", "--run", "--json")
    assert second.stderr.count("exists already") == 2
    assert "Reproducing" not in capfd.readouterr().out
    assert json.loads(second.stdout)["pairs"] == [pair]


def test_changed_code_is_named_from_the_project(folder: Path) -> None:
    (folder / "pipeline").mkdir()
    (folder / "pipeline" / "own.py").write_text("")
    run(folder, "git", "add", "pipeline/own.py")
    done = cleanplate(folder, "compare", "HEAD", "workspace", "--json", "--no-plot")
    (pair,) = json.loads(done.stdout)["pairs"]
    assert pair["code"] == ["pipeline/own.py"]


def test_a_killed_experiment_is_undone_and_edits_of_both_projects_stay(folder: Path) -> None:
    other, params = folder.parents[1] / "params.yaml", folder / "params.yaml"
    other.write_text("of: another project, edited\n")
    params.write_text(params.read_text() + "# a thought\n")
    mine = params.read_bytes()
    kill_an_experiment(folder)
    assert params.read_bytes() != mine
    assert run(folder, "git", "rev-parse", "--abbrev-ref", "HEAD").strip() == "HEAD"

    with chdir(folder):
        detached, options, notes = killed_experiment(Path())
        assert "detached HEAD" in detached.what
        assert "are still in params.yaml" in options.what
        for problem in (detached, options, notes):
            assert problem.repair is not None
            problem.repair()
        assert killed_experiment(Path()) == []
    assert params.read_bytes() == mine
    assert other.read_text() == "of: another project, edited\n"
    assert run(folder, "git", "rev-parse", "--abbrev-ref", "HEAD").strip() == "main"
    assert "EXEC" not in run(folder, "git", "for-each-ref")


def kill_an_experiment(folder: Path, *, look: Path | None = None) -> None:
    """kill -9 for dvc and its stage while that sleeps; the doctor of the neighbour `look` waits till then."""
    with start(folder, *dvc("exp", "run", "-S", "train.seed=777")) as process:
        assert process.stdout is not None
        assert any(line.startswith("> ") for line in process.stdout)
        if look:
            with chdir(look):
                assert any(str(process.pid) in found for found in running_commands(Path()))
        os.killpg(process.pid, signal.SIGKILL)


def test_a_neighbour_waits_for_an_experiment_and_mends_what_is_left_of_it(folder: Path) -> None:
    neighbour = folder.parents[1] / "apps" / "neighbour"
    neighbour.mkdir()
    before = (folder / "params.yaml").read_bytes()
    kill_an_experiment(folder, look=neighbour)
    with chdir(neighbour):
        for problem in killed_experiment(Path()):
            assert problem.repair is not None
            problem.repair()
    assert (folder / "params.yaml").read_bytes() == before
