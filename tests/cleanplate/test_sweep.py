"""`cleanplate sweep`: real sweeps over a tiny DVC project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures import predictions
from tests.fixtures.experiments import cleanplate, make_project, run

SWEEP = """
stages: [evaluate]
variants:
  better: {train.weight_decay: 0.95}
  broken: {train.seed: 666}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("project")
    make_project(place)
    return place


@pytest.fixture(scope="module")
def swept(folder: Path) -> Path:
    """The project after the sweep s.yaml, of which one experiment failed."""
    (folder / "s.yaml").write_text(SWEEP)
    cleanplate(folder, "sweep", "s.yaml", "--run")
    return folder


def test_a_real_sweep_runs_compares_and_never_runs_twice(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "s.yaml").write_text(SWEEP)
    planned = cleanplate(folder, "sweep", "s.yaml", "--run", "--dry-run")
    assert planned.stdout.splitlines() == [
        "dvc exp run --temp -n s-base evaluate",
        "dvc exp run --temp -n s-better -S train.weight_decay=0.95 evaluate",
        "dvc exp run --temp -n s-broken -S train.seed=666 evaluate",
    ]
    before = run(folder, "git", "status", "--short")

    first = cleanplate(folder, "sweep", "s.yaml", "--run", "--json")
    assert first.exit_code == 1  # one of the three cannot be trained
    assert "1 of 3 experiments failed" in first.stderr
    assert "s-broken" in first.stderr.splitlines()[-2]
    assert "this variant cannot be trained" in capfd.readouterr().err
    (pair,) = json.loads(first.stdout)["pairs"]
    assert (pair["reference"], pair["variant"], pair["verdict"]) == ("s-base", "s-better", "better")
    assert pair["params"] == {"train.weight_decay": [0.6, 0.95]}
    assert pair["cost"]["stages"] == ["evaluate"]
    assert pair["cost"]["seconds"] > 0
    assert (folder / "reports" / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert run(folder, "git", "status", "--short") == before, "the workspace was changed"

    (folder / "s.yaml").write_text(SWEEP.replace("  broken: {train.seed: 666}\n", ""))
    second = cleanplate(folder, "sweep", "s.yaml", "--run")
    assert second.exit_code == 0
    assert second.stderr.count("exists already") == 2
    assert "[1/" not in second.stderr
    assert "Reproducing" not in capfd.readouterr().out


def test_what_has_run_so_far_is_compared_without_running_more(swept: Path) -> None:
    folder = swept
    (folder / "s.yaml").write_text(SWEEP)
    some = cleanplate(folder, "sweep", "s.yaml", "--compare", "--json")
    assert some.exit_code == 0, some.stderr
    assert "1 of 3 experiments have not run and are not compared" in some.stderr
    assert [pair["variant"] for pair in json.loads(some.stdout)["pairs"]] == ["s-better"]
    person, truth = predictions.people_and_truth(40, 7, 5)  # as the project's one stage
    answers = predictions.table(person, truth, truth).rename(
        columns={"image": "ImageID", "true_class": "ans"}
    )
    answers[["ImageID", "ans", "person"]].to_csv(folder / "answers.csv", index=False)
    free = cleanplate(folder, "sweep", "s.yaml", "--compare", "--answers", "answers.csv", "--json")
    assert free.exit_code == 0, free.stderr
    told = json.loads(free.stdout)
    assert (told["people"], told["photos"]) == (20, 140)  # of the submissions, not of validation
    assert [pair["variant"] for pair in told["pairs"]] == ["s-better"]
    (folder / "none.yaml").write_text("variants: {new: {train.weight_decay: 0.2}}\n")
    nothing = cleanplate(folder, "sweep", "none.yaml", "--compare")
    assert nothing.exit_code == 0
    assert "no pair of experiments has run" in nothing.stderr


@pytest.mark.parametrize(
    "useless",
    [
        ("--compare", "--run"),
        ("--compare", "--dry-run"),
        ("--compare", "--replace"),
        ("--answers", "answers.csv"),
        ("--answers", "answers.csv", "--dry-run", "--run"),
        ("--json",),
    ],
)
def test_options_that_say_nothing_together_are_refused(swept: Path, useless: tuple[str, ...]) -> None:
    refused = cleanplate(swept, "sweep", "s.yaml", *useless)
    assert refused.exit_code == 1
    assert useless[0] in refused.stderr


def test_answers_that_would_end_the_comparison_are_refused_before_anything_runs(swept: Path) -> None:
    (swept / "new.yaml").write_text("stages: [evaluate]\nvariants: {new: {train.weight_decay: 0.3}}\n")
    lost = cleanplate(swept, "sweep", "new.yaml", "--run", "--answers", "lost.csv")
    assert "lost.csv" in lost.stderr
    (swept / "some.csv").write_text("ImageID,ans,person\na.jpg,1,p\n")
    graph = (swept / "dvc.yaml").read_text()
    (swept / "dvc.yaml").write_text(graph.replace("  evaluate:", "  predict:", 1))
    blind = cleanplate(swept, "sweep", "new.yaml", "--run", "--answers", "some.csv")
    (swept / "dvc.yaml").write_text(graph)
    assert "add predict" in blind.stderr
    assert (lost.exit_code, blind.exit_code) == (1, 1)
    assert "new-new" not in experiment_refs(swept)


def test_experiments_of_older_params_are_told_apart_from_those_that_never_ran(swept: Path) -> None:
    (swept / "s.yaml").write_text(SWEEP.replace("0.95", "0.91"))
    some = cleanplate(swept, "sweep", "s.yaml", "--compare")
    assert "1 of 3 experiments have not run" in some.stderr
    assert "1 ran with other params or other code and are not compared: s-better" in some.stderr


def test_every_variant_runs_with_every_seed_and_they_are_pooled(folder: Path) -> None:
    (folder / "m.yaml").write_text(
        "seeds: 3\nsame_within: 0.4\nstages: [evaluate]\nvariants: {best: {train.weight_decay: 0.97}}\n"
    )
    planned = cleanplate(folder, "sweep", "m.yaml", "--run", "--dry-run").stdout.splitlines()
    assert [line.split(" -n ")[1] for line in planned[-3:]] == [
        "m-best-seed2 -S train.weight_decay=0.97 -S train.seed=2 evaluate",
        "m-base-seed3 -S train.seed=3 evaluate",
        "m-best-seed3 -S train.weight_decay=0.97 -S train.seed=3 evaluate",
    ]
    done = cleanplate(folder, "sweep", "m.yaml", "--run", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    (pair,) = told["pairs"]
    assert (pair["seeds"], pair["verdict"], pair["same_within"]) == ([3, 3], "better", 0.4)
    assert pair["params"] == {"train.weight_decay": [0.6, 0.97]}
    base = pair["reference"]  # an experiment of the first test has its params
    again = cleanplate(folder, "compare", base, "m-best", "--seeds", "--json", "--no-plot")
    assert json.loads(again.stdout)["scores"] == told["scores"]


def test_name_taken_by_other_params_is_refused(folder: Path) -> None:
    (folder / "s.yaml").write_text(SWEEP.replace("0.95", "0.9").replace("broken", "other"))
    taken = cleanplate(folder, "sweep", "s.yaml")
    assert taken.exit_code == 1
    assert "with other params or other code (1 in all)" in taken.stderr
    assert "- s-better" in taken.stderr


def test_replace_redoes_what_has_changed_and_nothing_else(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    was = {name: run(folder, "git", "rev-parse", name).strip() for name in experiment_refs(folder)}
    (folder / "s.yaml").write_text("variants: {better: {train.weight_decay: 0.9}}\n")
    planned = cleanplate(folder, "sweep", "s.yaml", "--run", "--replace", "--dry-run")
    assert planned.stdout.splitlines() == ["dvc exp run --temp -n s-better -S train.weight_decay=0.9"]
    assert experiment_refs(folder) == list(was), "a dry run removed an experiment"
    capfd.readouterr()

    done = cleanplate(folder, "sweep", "s.yaml", "--run", "--replace", "--json")
    assert done.exit_code == 0, done.stderr
    assert "[1/1] s-better" in done.stderr
    assert "s-base exists already" in done.stderr
    (pair,) = json.loads(done.stdout)["pairs"]
    assert pair["params"] == {"train.weight_decay": [0.6, 0.9]}
    now = {name: run(folder, "git", "rev-parse", name).strip() for name in experiment_refs(folder)}
    assert [name.split("/")[-1] for name in now if now[name] != was[name]] == ["s-better"]

    (folder / "s.yaml").write_text("variants: {better: {train.weight_decay: 0.95}}\n")  # as others expect it
    assert cleanplate(folder, "sweep", "s.yaml", "--run", "--replace").exit_code == 0


def experiment_refs(folder: Path) -> list[str]:
    """Full names of the refs that DVC keeps experiments in."""
    refs = run(folder, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    return [ref for ref in refs if ref.split("/")[2] not in ("exec", "stash", "celery")]


def test_same_params_under_another_name_are_not_run_again(folder: Path) -> None:
    (folder / "t.yaml").write_text("variants: {very_good: {train.weight_decay: 0.95}}\n")
    done = cleanplate(folder, "sweep", "t.yaml", "--run", "--json")
    assert done.exit_code == 0, done.stderr
    assert "t-very_good exists already: experiment s-better has the same params" in done.stderr
    (pair,) = json.loads(done.stdout)["pairs"]
    assert (pair["reference"], pair["variant"]) == ("s-base", "s-better")


def test_without_run_they_are_queued_once(folder: Path) -> None:
    (folder / "q.yaml").write_text("variants: {worse: {train.weight_decay: 0.3}}\n")
    assert "1 queued" in cleanplate(folder, "sweep", "q.yaml").stderr
    assert "q-worse is queued already" in cleanplate(folder, "sweep", "q.yaml").stderr


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # between DVC and its libraries
def test_data_that_a_temporary_copy_would_lack_is_told_before_anything_runs(folder: Path) -> None:
    params = (folder / "params.yaml").read_text().replace("root: photos", "root: elsewhere")
    (folder / "params.yaml").write_text(params)
    (folder / "elsewhere").mkdir()
    refused = cleanplate(folder, "sweep", "q.yaml")
    assert refused.exit_code == 1
    assert "`dvc add elsewhere`" in refused.stderr


def test_no_such_file_lists_the_sweeps_there_are(project: Path) -> None:
    (project / "examples" / "sweeps").mkdir(parents=True)
    (project / "examples" / "sweeps" / "mine.yaml").write_text("base: {}\n")
    done = cleanplate(project, "sweep", "examples/sweeps/mien.yaml")
    assert done.exit_code == 1
    assert "examples/sweeps/mine.yaml" in done.stderr
