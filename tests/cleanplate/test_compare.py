"""`cleanplate compare` on real DVC experiments."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.fixtures.experiments import cleanplate, experiment, make_project, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with the experiments good and like (another seed) and the tag v1."""
    place = tmp_path_factory.mktemp("project")
    make_project(place)
    experiment(place, "good", "train.weight_decay=0.9")
    experiment(place, "like", "train.seed=2")
    run(place, "git", "tag", "v1")
    return place


def test_experiments_tags_commits_and_the_workspace_are_compared(folder: Path) -> None:
    done = cleanplate(folder, "compare", "workspace", "good", "like", "v1", "HEAD", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["people"], told["photos"]) == (40, 280)
    verdicts = {p["variant"]: p["verdict"] for p in told["pairs"]}
    assert verdicts == {"good": "better", "like": "cannot tell", "v1": "cannot tell", "HEAD": "cannot tell"}
    good, like, tag, _ = told["pairs"]
    assert good["params"] == {"train.weight_decay": [0.6, 0.9]}
    assert good["cost"] == {"stages": ["evaluate"], "photos": 0}
    assert good["differences"]["macro_f1"]["p_corrected"] == pytest.approx(
        4 * good["differences"]["macro_f1"]["p"]
    )
    assert like["people_needed"] > 40
    assert (tag["changed_photos"], tag["differences"]["macro_f1"]["value"]) == (0, 0)
    for scores in told["scores"].values():
        for score in scores.values():
            assert score["low"] <= score["value"] <= score["high"]
    assert (folder / "reports" / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_with_fewer_people_takes_none_from_the_others(folder: Path) -> None:
    experiment(folder, "few", "+train.early_stopping=20")
    done = cleanplate(folder, "compare", "workspace", "good", "few", "--people", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    good, few = told["pairs"]
    assert (told["people"], good["people"], few["people"]) == (20, 40, 20)
    assert max(flip["person"] for flip in good["flipped_people"]) >= "p0020"
    assert "good: better at 40 people" in good["sentence"]
    assert "workspace and 1 more answered about 140 more photos (20 more people)" in told["notes"][0]
    plain = cleanplate(folder, "compare", "workspace", "good", "few").stdout
    assert "Scores on 20 people, 140 photos" in plain


def test_what_differs_by_less_than_matters_is_the_same(folder: Path) -> None:
    done = cleanplate(folder, "compare", "workspace", "good", "like", "--same-within", "0.4", "--no-plot")
    assert done.exit_code == 0, done.stderr
    assert "like: same within 0.4 at 40 people: macro-F1" in done.stdout
    assert "good: better at 40 people" in done.stdout


def test_submissions_are_compared_by_true_answers(folder: Path, tmp_path: Path) -> None:
    """The photos to predict are other photos than those of validation: the first 20 people's here."""
    predicted = pd.read_parquet(folder / "reports/predictions.parquet")
    columns = {"image": "ImageID", "true_class": "ans"}
    truth = predicted.rename(columns=columns)[["ImageID", "ans", "person"]]
    truth.to_csv(tmp_path / "truth.csv", index=False)
    options = ("--answers", str(tmp_path / "truth.csv"), "--json", "--no-plot")
    done = cleanplate(folder, "compare", "workspace", "good", *options)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["people"], told["photos"]) == (20, 140)
    right = (predicted["predicted"] == predicted["true_class"]).iloc[:140].mean()
    assert told["scores"]["workspace"]["accuracy"]["value"] == pytest.approx(right)

    more = pd.concat([truth, truth.assign(ImageID="new/" + truth["ImageID"])])
    more.to_csv(tmp_path / "truth.csv", index=False)
    done = cleanplate(folder, "compare", "workspace", "good", *options)
    assert json.loads(done.stdout)["photos"] == 140
    assert "reports/submission.csv of good lacks 420 photos of --answers" in done.stderr
    more.iloc[280:].to_csv(tmp_path / "truth.csv", index=False)
    done = cleanplate(folder, "compare", "workspace", "good", *options)
    assert done.exit_code == 1
    assert "answers none of the photos of --answers" in done.stderr
    done = cleanplate(folder, "compare", "workspace", "good", *options, "--labels", "workspace")
    assert done.exit_code == 1
    assert "give one of them" in done.stderr

    truth.assign(person="").to_csv(tmp_path / "truth.csv", index=False)
    done = cleanplate(folder, "compare", "workspace", "good", *options)
    assert done.exit_code == 1
    assert "line 2: no person" in done.stderr


def test_tables_for_people_are_plain_in_a_pipe_and_list_who_flips(folder: Path) -> None:
    done = cleanplate(folder, "compare", "workspace", "good", "--people", "--no-plot")
    assert done.exit_code == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "good: better at 40 people: macro-F1 +0." in done.stdout
    assert "train.weight_decay: 0.6 → 0.9" in done.stdout
    assert "people with changed predictions" in done.stdout
    assert cleanplate(folder, "compare", "workspace", "good", "--people", "--no-plot").stdout == done.stdout


def test_unknown_name_lists_what_there_is(folder: Path) -> None:
    done = cleanplate(folder, "compare", "workspace", "goood")
    assert done.exit_code == 1
    assert "did you mean `good`?" in done.stderr
    assert "like" in done.stderr
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_seeds_are_pooled(folder: Path) -> None:
    """The workspace has the seed 1, the experiment like differs in having 2."""
    alone = json.loads(cleanplate(folder, "compare", "workspace", "like", "--json", "--no-plot").stdout)[
        "scores"
    ]
    done = cleanplate(folder, "compare", "workspace", "good", "--seeds", "--json", "--no-plot")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["seeds"] == {"workspace": 2, "good": 1}
    mean = (alone["workspace"]["macro_f1"]["value"] + alone["like"]["macro_f1"]["value"]) / 2
    assert told["scores"]["workspace"]["macro_f1"]["value"] == pytest.approx(mean)
    assert told["pairs"][0]["params"] == {"train.weight_decay": [0.6, 0.9]}
    text = cleanplate(folder, "compare", "workspace", "good", "--seeds", "--no-plot", "--people").stdout
    assert "workspace (2 seeds)" in text
    assert "at 40 people and 1 seed against 2" in text
    done = cleanplate(folder, "compare", "workspace", "like", "--seeds", "--no-plot")
    assert done.exit_code == 1
    assert "one recipe, trained with several seeds" in done.stderr
    assert "workspace, like" in done.stderr
    done = cleanplate(folder, "compare", "good", "v1", "--seeds", "--json", "--no-plot")
    assert json.loads(done.stdout)["seeds"] == {"good": 1, "v1": 2}


def test_only_one_name_is_no_comparison(folder: Path) -> None:
    done = cleanplate(folder, "compare", "good")
    assert done.exit_code == 1
    assert "a baseline and at least one variant" in done.stderr


def test_revision_without_predictions_says_how_to_get_them(folder: Path) -> None:
    tree = run(folder, "git", "write-tree", "--prefix=.dvc/").strip()  # a commit that holds no dvc.lock
    commit = run(folder, "git", "commit-tree", tree, "-m", "never run").strip()
    run(folder, "git", "tag", "never_run", commit)
    done = cleanplate(folder, "compare", "workspace", "never_run")
    assert done.exit_code == 1
    assert "reports/predictions.parquet of never_run" in done.stderr
    assert "git checkout never_run" in done.stderr


def test_corrected_labels_score_both(folder: Path, tmp_path: Path) -> None:
    """A table whose labels were mended since: both are scored by the first one's, or by those asked for."""
    mended = pd.read_parquet(folder / "reports" / "predictions.parquet")
    mended.loc[mended["person"] == "p0003", "true_class"] = 17
    path = tmp_path / "mended.parquet"
    mended.to_parquet(path)
    done = cleanplate(folder, "compare", "workspace", str(path), "--json", "--no-plot")
    (note,) = json.loads(done.stdout)["notes"]
    assert note.endswith("had other true labels for 7 photos; it is scored by those of workspace")
    asked = cleanplate(
        folder, "compare", "workspace", str(path), "--labels", str(path), "--json", "--no-plot"
    )
    (note,) = json.loads(asked.stdout)["notes"]
    assert note.startswith("workspace had other true labels for 7 photos")


def test_params_changed_since_the_run_are_warned_about(folder: Path) -> None:
    params = folder / "params.yaml"
    kept = params.read_text()
    params.write_text(kept.replace("weight_decay: 0.6", "weight_decay: 0.7"))
    done = cleanplate(folder, "compare", "workspace", "good", "--no-plot")
    params.write_text(kept)
    assert "params.yaml has changed since the workspace's predictions were made" in done.stderr


def test_same_name_on_two_commits_takes_that_of_the_commit_checked_out(folder: Path) -> None:
    run(folder, "git", "commit", "-q", "--allow-empty", "-m", "second")
    experiment(folder, "good", "train.weight_decay=0.3")
    done = cleanplate(folder, "compare", "workspace", "good", "--json", "--no-plot")
    assert "2 commits have an experiment good" in done.stderr
    assert json.loads(done.stdout)["pairs"][0]["params"] == {"train.weight_decay": [0.6, 0.3]}


def test_folder_that_is_no_project_says_so(tmp_path: Path) -> None:
    done = cleanplate(tmp_path, "compare", "a", "b")
    assert done.exit_code == 1
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_commands_start_without_what_takes_long_to_import() -> None:
    names = ("compare", "sweep", "vote", "score")
    heavy = "{'pandas', 'dvc', 'torch'}"
    imports = f"from cleanplate.commands import {', '.join(names)}"
    code = f"import sys; {imports}; print({heavy} & set(sys.modules))"
    assert run(ROOT, sys.executable, "-c", code).strip() == "set()"
