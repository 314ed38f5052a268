"""Params that are right by themselves, and wrong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.params import load_params
from tests.fixtures.edited_params import edited, refused


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
        ({"compose.fill": "black"}, "compose.fill black removes every background"),
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
        ({"train.loss": "focal"}, "gives no probabilities"),
        ({"train.heads": "age_regression"}, "predicts years"),
        ({"train.heads": "coral", "train.class_weights": "inverse"}, "coral does not weight ages"),
        ({"train.pseudo_labels": 0.9}, "trains on the model's own predictions"),
    ],
)
def test_prior_correction_of_what_is_no_probability_is_refused(
    project: Path, changes: dict[str, Any], said: str
) -> None:
    load_params(edited(project, changes))
    assert said in refused(project, {"predict.prior_correction": True})


@pytest.mark.parametrize("heads", ["age_regression", "coral"])
def test_a_loss_about_ages_that_would_change_nothing_is_refused(project: Path, heads: str) -> None:
    load_params(edited(project, {"train.heads": heads, "train.loss": "focal"}))
    changes = {"train.heads": heads, "train.loss": [{"soft_ordinal": 0.5}, {"focal": 0.5}]}
    assert f"soft_ordinal is about ages, which train.heads {heads}" in refused(project, changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train.heads": "joint"}, "learnt by train.heads multitask, separate, coral, not by joint"),
        ({"train.loss": "age_soft"}, "set train.loss: soft_ordinal"),
        ({"train.pseudo_labels": 0.9}, "finer than pseudo-labels are"),
        ({"relabel.old_from": 58}, "let one say it"),
        ({"relabel.age_rules": [{"from": 59, "to": 60}]}, "let one say it"),
        ({"predict.prior_correction": True}, "take 30 and 60"),
        ({"train.age_classes": [20, 45, 60]}, "no class may lie in two groups"),
    ],
)
def test_finer_ages_that_contradict_another_choice_are_refused(
    project: Path, changes: dict[str, Any], said: str
) -> None:
    load_params(edited(project, {"train.age_classes": [20, 29, 45, 57]}))
    assert said in refused(project, {"train.age_classes": [20, 29, 45, 57]} | changes)


def test_finer_ages_with_the_official_bounds_go_with_rules_about_ages(project: Path) -> None:
    changes = {"train.age_classes": [20, 30, 45, 60], "predict.prior_correction": True}
    load_params(edited(project, changes | {"relabel.age_rules": [{"from": 59, "to": 60}]}))


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


def test_eyes_to_paste_need_a_detector_that_finds_them(project: Path) -> None:
    text = refused(project, {"train.mix": "cutmix", "train.cutmix_boxes": "eyes", "detect.method": "yolov8"})
    assert "train.cutmix_boxes" in text
    eyes = {"train.mix": "cutmix", "train.cutmix_boxes": "eyes", "detect.method": "retinaface"}
    assert load_params(edited(project, eyes)).detect.method == "retinaface"
    assert "hides the eyes that" in refused(project, eyes | {"train.augment": ["flip", "occlude_eyes"]})


def test_parts_of_faces_to_hide_need_a_detector_that_finds_eyes(project: Path) -> None:
    text = refused(project, {"train.augment": ["flip", "occlude_mask"], "detect.method": "yolov8"})
    assert "train.augment: occlude_mask needs eyes" in text
    load_params(edited(project, {"train.augment": "occlude_mask", "detect.method": "mtcnn"}))


@pytest.mark.parametrize("method", ["retinaface", "blazeface"])
def test_a_detector_of_openvino_is_not_asked_to_run_on_torch(project: Path, method: str) -> None:
    text = refused(project, {"detect.method": method, "detect.backend": "torch"})
    assert f"detect.backend: torch runs mtcnn and yolov8; {method}" in text
    assert "auto" in text
