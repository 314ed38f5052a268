"""`cleanplate sweep --run --jobs`: several real `dvc exp run` at once, and how they end."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import psutil
import pytest

from cleanplate.experiments.git import experiments, git_bytes
from cleanplate.experiments.jobs import run_experiments
from cleanplate.experiments.runs import ExperimentRunner
from cleanplate.experiments.working_copy import WorkingCopy
from pipeline.params.loading import parse_yaml
from pipeline.runtime.cpus import usable_cpus
from tests.fixtures.experiments import cleanplate, commit_all, dvc, make_project, run
from tests.reliability import repository

SWEEP = """
stages: [evaluate]
variants:
  better: {train.weight_decay: 0.95}
  broken: {train.seed: 666}
"""
SLEEPERS = """
stages: [evaluate]
variants:
  long: {train.seed: 777}
  longer: {train.seed: 777, train.weight_decay: 0.9}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the project in a subfolder, and a change that is not committed."""
    top = tmp_path_factory.mktemp("made")
    make_project(top, "apps/faces")
    project = top / "apps/faces"
    (project / "params.yaml").write_text(
        (project / "params.yaml").read_text().replace("weight_decay: 0.6", "weight_decay: 0.7")
    )
    return top


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return repository.copied(made, tmp_path / "repository") / "apps/faces"


def tracked(folder: Path) -> dict[str, tuple[Any, Any]]:
    """Params and lock of each experiment, by name."""
    with chdir(folder):
        return {
            name: (parsed(commit, "params.yaml"), parsed(commit, "dvc.lock"))
            for (_, name), commit in experiments().items()
        }


def parsed(commit: str, path: str) -> Any:
    return parse_yaml((git_bytes(commit, path) or b"").decode())


def compared(text: str) -> dict[str, Any]:
    """A printed comparison without the seconds that experiments took."""
    told = json.loads(text)
    for pair in told["pairs"]:
        del pair["cost"]["seconds"]
    return told


def runner_of(variants: dict[str, Any], stage: str) -> ExperimentRunner:
    """Of the current directory."""
    params = parse_yaml(Path("params.yaml").read_text())
    return ExperimentRunner.for_workspace(params, variants, [stage])


def left_copies(folder: Path) -> list[Path]:
    return list((folder / ".cache/sweeps/copies").glob(".*"))


def test_several_at_once_give_what_they_give_one_after_another(folder: Path, tmp_path: Path) -> None:
    other = repository.copied(folder.parents[1], tmp_path / "other") / "apps/faces"
    for place in (folder, other):
        (place / "s.yaml").write_text(SWEEP)
    before = run(folder, "git", "status", "--short"), (folder / "params.yaml").stat().st_mtime_ns

    at_once = cleanplate(folder, "sweep", "s.yaml", "--run", "--jobs", "3", "--json")
    one_by_one = cleanplate(other, "sweep", "s.yaml", "--run", "--json")
    assert (at_once.exit_code, one_by_one.exit_code) == (1, 1), at_once.stderr
    assert compared(at_once.stdout) == compared(one_by_one.stdout)
    found = tracked(folder)
    assert sorted(found) == ["s-base", "s-better"]
    assert found == tracked(other)
    assert found["s-base"][0]["train"]["weight_decay"] == 0.7, "an uncommitted change counts"

    assert "s-broken" in at_once.stderr.splitlines()[-2], "the one that failed is named at the end"
    assert "No file hash info" not in at_once.stderr, "not drowned in what DVC says of outputs"
    assert "    this variant cannot be trained" in at_once.stderr.splitlines()
    now = run(folder, "git", "status", "--short"), (folder / "params.yaml").stat().st_mtime_ns
    assert now == before, "the workspace was touched"
    assert not left_copies(folder)
    run(folder, "git", "fsck", "--connectivity-only")


def test_a_killed_sweep_of_one_after_another_leaves_the_workspace_as_it_was(folder: Path) -> None:
    """`dvc exp run --temp` would leave the params of the experiment, and DVC at work."""
    (folder / "s.yaml").write_text(SLEEPERS)
    before = run(folder, "git", "status", "--short"), (folder / "params.yaml").read_text()
    with repository.start(folder, *repository.cleanplate("sweep", "s.yaml", "--run")) as sweep:
        stages = sleeping_stages(folder, sweep, 1)
        sweep.kill()
        sweep.communicate(timeout=60)
    _, alive = psutil.wait_procs(stages, timeout=10)
    assert not alive
    assert (run(folder, "git", "status", "--short"), (folder / "params.yaml").read_text()) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_the_sweep_is_the_end_of_all(folder: Path, number: signal.Signals) -> None:
    (folder / "s.yaml").write_text(SLEEPERS)
    command = repository.cleanplate("sweep", "s.yaml", "--run", "--jobs", "2")
    with repository.start(folder, *command) as sweep:
        stages = sleeping_stages(folder, sweep)
        share = {(stage.environ()["CLEANPLATE_CPUS"], stage.environ()["CLEANPLATE_JOBS"]) for stage in stages}
        sweep.send_signal(number)
        said, _ = sweep.communicate(timeout=60)
    assert share == {(str(max(1, usable_cpus() // 2)), "2")}
    gone, alive = psutil.wait_procs(stages, timeout=10)
    assert (len(gone), alive) == (2, []), said
    assert not left_after_10_s(folder)
    with chdir(folder):
        assert [name for _, name in experiments()] == ["s-base"], "the one that had ended is kept"
    if number == signal.SIGKILL:
        assert len(left_copies(folder)) == 2
        _, mended = repository.run(folder, *repository.cleanplate("doctor", "--mend"))
        assert "partial file: .cache/sweeps/copies/.s-long." in mended
    else:
        assert sweep.returncode == 130, said
        assert said.rstrip().endswith("interrupted")
        assert "Traceback" not in said
    assert not left_copies(folder)


def sleeping_stages(folder: Path, sweep: subprocess.Popen[str], count: int = 2) -> list[psutil.Process]:
    """The stages that sleep, once the other experiment has ended."""
    end = time.monotonic() + 120
    while time.monotonic() < end and sweep.poll() is None:
        with chdir(folder):
            ended = len(experiments()) == 1
        stages = [p for p in below(folder) if p.name().startswith("python") and "evaluate.py" in p.cmdline()]
        if ended and len(stages) == count:
            return stages
        time.sleep(0.2)
    raise AssertionError(f"the stages did not start: {sweep.communicate()[0]}")


def left_after_10_s(folder: Path) -> list[psutil.Process]:
    """The processes in a copy that do not end by themselves, e.g. a shell whose stage was killed."""
    end = time.monotonic() + 10
    while (left := below(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def below(folder: Path) -> list[psutil.Process]:
    """Living processes at work in a copy of the project."""
    found = []
    for process in psutil.process_iter():
        try:
            if ".cache/sweeps" in process.cwd() and process.cwd().startswith(str(folder)):
                found.append(process)
        except psutil.Error:
            continue
    return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # between DVC and its libraries
def test_copies_share_the_results_of_photos_and_get_the_data(tmp_path: Path) -> None:
    """The real ingest, on photos that DVC tracks."""
    folder = tmp_path / "project"
    repository.add_data(folder, people=3, photos=2)
    shutil.rmtree(folder / "build")
    repository.add_code(folder, ["ingest"], ["/data"])
    dvc(folder, "add", "-q", "data")
    commit_all(folder, "photos")
    variants = {"loose": {"ingest.verify": "header"}, "small": {"ingest.min_side": 24}}
    with chdir(folder):
        assert run_experiments(runner_of(variants, "ingest"), variants, 2) == []
    locks = {name: lock["stages"]["ingest"] for name, (_, lock) in tracked(folder).items()}
    dvc(folder, "repro", "-q")
    photos = locks["small"]["outs"][2]
    assert photos == locks["loose"]["outs"][2]
    assert photos in parse_yaml((folder / "dvc.lock").read_text())["stages"]["ingest"]["outs"]
    passes = {p.name.partition("-")[0] for p in (folder / ".cache/items").iterdir() if p.is_dir()}
    assert passes == {"ingest"}
    assert len(list((folder / ".cache/items").glob("ingest-*"))) == 3, "one for each variant, one for here"


def test_an_experiment_of_a_name_that_was_taken_meanwhile_is_told(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """DVC has ended with 0, and git refuses to overwrite what another has made by hand."""
    head = run(folder, "git", "rev-parse", "HEAD").strip()
    ref = f"refs/exps/{head[:2]}/{head[2:]}/s-taken"
    other = run(folder, "git", "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "by hand").strip()
    run(folder, "git", "update-ref", ref, other)
    variants: dict[str, Any] = {"s-taken": {"train.weight_decay": 0.95}}
    with chdir(folder):
        assert run_experiments(runner_of(variants, "evaluate"), variants, 2) == ["s-taken"]
    said = capfd.readouterr().err
    assert "[rejected]" in said, "git's own words"
    assert "dvc ended with 0" not in said
    assert "Ran experiment" not in said, "what DVC says of a success"
    assert run(folder, "git", "rev-parse", ref).strip() == other
    assert not left_copies(folder)


def test_no_copy_is_left_when_a_result_cannot_be_collected(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(WorkingCopy, "bring_back", fail)
    variants: dict[str, Any] = {"s-full": {"train.weight_decay": 0.95}}
    with chdir(folder), pytest.raises(OSError, match="No space left"):
        run_experiments(runner_of(variants, "evaluate"), variants, 2)
    assert not left_copies(folder)


def test_jobs_without_run_are_refused(folder: Path) -> None:
    (folder / "s.yaml").write_text(SWEEP)
    refused = cleanplate(folder, "sweep", "s.yaml", "--jobs", "2")
    assert refused.exit_code == 1
    assert "dvc queue start --jobs 2" in refused.stderr
