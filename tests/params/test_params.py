"""params.yaml: refused before any work, all mistakes at once, with the nearest right name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.params import load_params
from pipeline.runtime.errors import Problems, UserError


def edited(project: Path, changes: dict[str, Any]) -> Path:
    path = project / "params.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        *parents, last = key.split(".")
        section = values
        for parent in parents:
            section = section[parent]
        section[last] = value
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def refused(project: Path, changes: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        load_params(edited(project, changes))
    return str(caught.value)


def test_the_committed_file_is_valid(project: Path) -> None:
    assert load_params(project / "params.yaml").detect.method == "mtcnn"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("compose.margn", 0.2, "margin"),
        ("detect.method", "yolov9", "yolov8"),
        ("compose.fill", "blak", "black"),
        ("segment.method", "unett", "unet"),
        ("synthesize.backgrounds", "other", "others"),
        ("train.epochs", "many", "train.epochs"),
        ("train.epochs", 0, "greater than or equal to 1"),
        ("train.step_rate", 1.0, "less than 1"),
        ("split.validation_fold", 5, "0 to 4"),
        ("relabel.age_rules", [{"from": 59, "too": 60}], "relabel.age_rules"),
        ("data.layout", "folder", "folders"),
        ("train.heads", "multitsk", "multitask"),
        ("train.lr", float("inf"), "finite"),
        ("machine.workers", 10_000, "256"),
        ("split.seed", 2**70, "less than"),
        ("train.seed", -1, "greater than or equal to 0"),
        ("evaluate.tta_scales", [], "at least 1"),
        ("predict.tta_scales", [0.0], "greater than 0"),
        ("evaluate.tta_scales", [True], "YAML reads yes"),
        ("relabel.drop_train_ages", [60, True], "YAML reads yes"),
        ("train.age_soft", [[True, 0, 0], [0, 1, 0], [0, 0, 1]], "YAML reads yes"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(project: Path, key: str, value: Any, said: str) -> None:
    text = refused(project, {key: value})
    assert key.rsplit(".", 1)[0] in text
    assert said in text


def test_all_mistakes_are_listed_at_once(project: Path) -> None:
    text = refused(project, {"compose.margn": 1, "train.epochs": -1, "split.folds": 1})
    assert all(name in text for name in ("compose.margn", "train.epochs", "split.folds"))


def test_freezing_is_for_one_process(project: Path) -> None:
    load_params(edited(project, {"train.freeze_epochs": 1}))
    assert "set processes: 1" in refused(project, {"train.freeze_epochs": 1, "train.processes": 2})


def test_impossible_combinations_are_refused(project: Path) -> None:
    text = refused(project, {"segment.method": "none", "compose.fill": "black", "synthesize.copies": 1})
    assert "compose.fill" in text
    assert "synthesize.copies" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"segment.method": "none", "synthesize.copies": 0}, "train.background_swap: 0.5 needs mattes"),
        ({"compose.fill": "black"}, "compose.fill black takes every background away"),
        ({"compose.fill": "blur"}, "set compose.fill: keep"),
        ({"synthesize.backgrounds": "folder"}, "must name a folder of pictures"),
        ({"train.background_swap": 1.5}, "less than or equal to 1"),
    ],
)
def test_other_backgrounds_while_training_need_people_cut_out_of_their_own(
    project: Path, changes: dict[str, Any], said: str
) -> None:
    load_params(edited(project, {"train.background_swap": 0.5}))
    assert said in refused(project, {"train.background_swap": 0.5} | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train.loss": "focal"}, "does not ask for probabilities"),
        ({"train.heads": "age_regression"}, "answers in years"),
        ({"train.pseudo_labels": 0.9}, "has learnt its own answers"),
    ],
)
def test_prior_correction_of_what_is_no_probability_is_refused(
    project: Path, changes: dict[str, Any], said: str
) -> None:
    load_params(edited(project, changes))
    assert said in refused(project, {"predict.prior_correction": True})


@pytest.mark.parametrize(
    "changes",
    [
        {"detect.method": "none", "segment.method": "none", "synthesize.copies": 0},
        {"segment.method": "none", "synthesize.copies": 0},
        {"detect.method": "none", "compose.fill": "black"},
        {"compose.fill": "black", "relabel.age_rules": [{"from": 59, "to": 60}]},
    ],
)
def test_the_variants_of_the_teams_are_each_a_matter_of_params(
    project: Path, changes: dict[str, Any]
) -> None:
    load_params(edited(project, changes))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "data: [", "\tdata:"])
def test_a_file_that_is_no_params_file_is_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"params\.yaml"):
        load_params(path)
    with pytest.raises(UserError, match="missing"):
        load_params(tmp_path / "none.yaml")


def test_problems_are_a_user_error() -> None:
    assert issubclass(Problems, UserError)


def test_eyes_to_paste_need_a_detector_that_finds_them(project: Path) -> None:
    text = refused(project, {"train.mix": "cutmix", "train.mix_boxes": "eyes", "detect.method": "yolov8"})
    assert "train.mix_boxes" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data:\n  root: a\n  root: b\n", "`root` is there twice"),
        ("data: {root: a}\ndata: {root: b}\n", "`data` is there twice"),
        ("data: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("split: {folds: " + "9" * 5000 + "}\n", "not readable YAML"),
        ("split: {folds: !!bool x}\n", "KeyError"),
        ("split: {folds: !!timestamp x}\n", "AttributeError"),
        ("split: {folds: !!int ''}\n", "IndexError"),
        ("split: {folds: !!int [1]}\n", "TypeError"),
        ("data: {root: a}\n---\ndata: {root: b}\n", "not readable YAML"),
    ],
)
def test_what_is_no_plain_document_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=said):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("inner", ["*a", "[*a, *a]"])
def test_a_list_in_itself_is_looked_into_once(tmp_path: Path, inner: str) -> None:
    (tmp_path / "params.yaml").write_text(f"relabel: {{drop_train_ages: &a [{inner}]}}\n")
    with pytest.raises(UserError, match=r"relabel\.drop_train_ages"):
        load_params(tmp_path / "params.yaml")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "params.yaml")
    with pytest.raises(UserError, match="not a file"):
        load_params(tmp_path / "params.yaml")
