"""A sweep's file: what it becomes, and what is refused before anything runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cleanplate.experiments.sweep import plan
from pipeline.params.combinations import combination_problems
from pipeline.params.loading import parse_yaml, read_params
from pipeline.params.overrides import apply_overrides, flatten, set_options, to_hydra
from pipeline.runtime.errors import Problems, UserError
from tests.conftest import ROOT

PARAMS: dict[str, Any] = parse_yaml((ROOT / "params.yaml").read_text(encoding="utf-8"))
SWEEPS = sorted((ROOT / "examples" / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("path", SWEEPS, ids=lambda p: p.stem)
def test_every_variant_that_ships_is_valid(path: Path) -> None:
    sweep = plan(parse_yaml(path.read_text(encoding="utf-8")), path.stem, PARAMS)
    known = flatten(read_params(PARAMS, "params.yaml").model_dump(by_alias=True))
    for name, overrides in sweep.experiments.items():
        params = read_params(apply_overrides(PARAMS, overrides), name)
        assert combination_problems(params) == [], name
        assert set(overrides) <= set(known), name
        assert re.fullmatch(r"[\w-]+", name), f"{name} cannot be the name of an experiment"
        for param in ("relabel.corrections",):
            assert (ROOT / str(overrides.get(param, "params.yaml"))).is_file()
    assert {name for pair in sweep.pairs for name in pair} <= set(sweep.experiments)


def test_teams_sweep_holds_what_the_teams_tried() -> None:
    document = parse_yaml((ROOT / "examples" / "sweeps" / "teams.yaml").read_text(encoding="utf-8"))
    sweep = plan(document, "teams", PARAMS)
    names = set(sweep.experiments)
    for crop in ("none", "mtcnn", "yolov8"):
        assert f"teams-pixels-{crop}-unet-black" in names
    assert ("teams-base", "teams-age59") in sweep.pairs
    assert ("teams-corrections-without", "teams-base") in sweep.pairs
    assert ("teams-pixels-none-unet-keep", "teams-synthesis-unet-keep-with") in sweep.pairs
    losses = {o["train.loss"] for o in sweep.experiments.values()}
    heads = {o["train.heads"] for o in sweep.experiments.values()}
    assert losses >= {"cross_entropy", "focal", "label_smoothing", "f1", "age_soft"}
    assert heads >= {"joint", "multitask", "separate", "age_regression"}
    assert {o["train.mix"] for o in sweep.experiments.values()} == {"none", "mixup", "cutmix", "both"}


def test_competition_sweep_asks_what_the_teams_asked() -> None:
    document = parse_yaml((ROOT / "examples" / "sweeps" / "competition.yaml").read_text(encoding="utf-8"))
    sweep = plan(document, "competition", PARAMS)
    asked = {
        param: {str(overrides[param]) for overrides in sweep.experiments.values() if param in overrides}
        for param in {name for overrides in sweep.experiments.values() for name in overrides}
    }
    assert asked["detect.method"] == {"none", "retinaface", "yolov8"}
    assert asked["compose.fill"] == {"keep", "black", "mean"}
    assert asked["train.heads"] >= {"joint", "separate", "age_regression", "coral"}
    assert asked["train.mix"] == {"none", "mixup", "cutmix"}
    assert asked["train.sampler"] >= {"none", "class", "age", "one_mask"}
    for param in ("relabel.age_rules", "relabel.old_from", "relabel.corrections", "synthesize.copies"):
        assert param in asked
    for param in ("train.loss", "train.folds", "train.pseudo_labels", "predict.tta_flip", "train.augment"):
        assert param in asked
    assert ("competition-seed_team-without", "competition-best-with") in sweep.pairs
    assert sweep.stages == ["evaluate", "predict"]  # submissions are compared too


def test_grid_leaves_out_what_cannot_be_and_says_so() -> None:
    document = {
        "base": {"synthesize.copies": 0},
        "grids": {"g": {"segment.method": ["unet", "none"], "compose.fill": ["keep", "black"]}},
    }
    sweep = plan(document, "s", PARAMS)
    assert list(sweep.experiments) == ["s-base", "s-g-unet-black", "s-g-none-keep"]
    assert sweep.pairs == [("s-base", "s-g-unet-black"), ("s-base", "s-g-none-keep")]
    same, impossible = sweep.skipped
    assert same == "s-g-unet-keep is s-base: the same params"
    assert impossible.startswith("s-g-none-black is skipped, not allowed: compose.fill: black needs mattes")


def test_pair_is_compared_with_its_own_other_side_for_each_combination() -> None:
    pair = {
        "without": {"synthesize": {"copies": 0}},
        "with": {"synthesize.copies": 2},
        "over": {"compose.fill": ["keep", "black"]},
    }
    sweep = plan({"pairs": {"copies": pair}}, "s", PARAMS)
    assert sweep.pairs == [
        ("s-copies-keep-without", "s-copies-keep-with"),
        ("s-copies-black-without", "s-copies-black-with"),
    ]
    assert sweep.experiments["s-copies-black-with"] == {"compose.fill": "black", "synthesize.copies": 2}


def test_seeds_of_a_pair_are_those_of_both_its_sides_alone() -> None:
    pair = {"without": {"train.mix": "none"}, "with": {"train.mix": "mixup"}, "seeds": 3}
    alike = {"without": {}, "with": {"train.mix": "mixup"}}  # shares one side
    sweep = plan({"variants": {"a": {"train.epochs": 3}}, "pairs": {"m": pair, "n": alike}}, "s", PARAMS)
    assert {name: len(runs) for name, runs in sweep.runs.items()} == {
        "s-base": 1,
        "s-a": 1,
        "s-m-without": 3,
        "s-m-with": 3,
    }
    assert sweep.runs["s-m-with"] == ["s-m-with", "s-m-with-seed1", "s-m-with-seed2"]
    assert list(sweep.experiments)[-1] == "s-m-with-seed2"
    assert ("s-base", "s-m-with") in sweep.pairs


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"variants": {"a": {"train.los": "focal"}}}, "did you mean `loss`?"),
        ({"variants": {"a": {"train.loss": "focl"}}}, "did you mean `focal`?"),
        ({"variants": {"a": {"train.epochs": "many"}}}, "train.epochs"),
        ({"grids": {"g": {"compose.fill": ["keep", "blak"]}}}, "did you mean `black`?"),
        ({"grids": {"g": {"compose.fill": "keep"}}}, "a grid needs a list"),
        ({"variants": {"a": {"segment.method": "none", "compose.fill": "black"}}}, "needs mattes"),
        ({"variant": {}}, "did you mean `variants`?"),
        ({"pairs": {"p": {"with": {}}}}, "a pair has two sides"),
        ({"variants": ["a"]}, "expected a mapping"),
        ({"stages": ["--force"]}, "expected a list of stages"),
        ({"stages": "evaluate"}, "expected a list of stages"),
        ({"seeds": 0}, "expected a number of seeds"),
        ({"seeds": True}, "expected a number of seeds"),
        ({"seeds": 2, "variants": {"a": {"train.seed": 7}}}, "but sets train.seed itself"),
        ({"pairs": {"p": {"without": {}, "with": {}, "seeds": 0}}}, "expected a number of seeds"),
        ({"same_within": 2}, "expected a difference in macro-F1"),
        ({"variants": {"a-b": {}}, "grids": {"a": {"train.loss": ["b"]}}}, "have one name"),
    ],
)
def test_mistakes_are_refused_before_anything_runs(document: dict[str, Any], says: str) -> None:
    with pytest.raises((UserError, Problems), match=re.escape(says)):
        plan(document, "s", PARAMS)


def test_overrides_say_the_same_to_dvc(tmp_path: Path) -> None:
    from dvc.utils.hydra import apply_overrides as apply_dvc_overrides

    path = tmp_path / "params.yaml"
    path.write_text("train:\n  loss: a\n  lr: 0.1\nrelabel:\n  age_rules: []\n")
    params = parse_yaml(path.read_text())
    overrides = {
        "train.loss": "b c, 'd'",
        "train.lr": 0.0001,
        "train.new": True,
        "relabel.age_rules": [{"from": 59, "to": 60}],
        "data.root": "data/raw-1",
        "synthesize.folder": None,
        "train.augment": ["flip", "1.0", "null"],
        "train.age_bounds": (30, 58),
    }
    apply_dvc_overrides(path, set_options(params, overrides))
    expected = apply_overrides(params, overrides | {"train.age_bounds": [30, 58]})
    assert parse_yaml(path.read_text()) == expected
    assert to_hydra("mtcnn") == "mtcnn"


@pytest.mark.parametrize("there", ["{}", "{mask: 32, age: 64}"])
@pytest.mark.parametrize("wanted", [{}, {"mask": 48}, {"gender": 16}])
def test_a_mapping_replaces_the_one_that_is_there(tmp_path: Path, there: str, wanted: dict[str, int]) -> None:
    """Hydra would merge them, and refuses keys that are not there."""
    from dvc.utils.hydra import apply_overrides as apply_dvc_overrides

    path = tmp_path / "params.yaml"
    path.write_text(f"train:\n  size: 64\n  task_size: {there}\n")
    apply_dvc_overrides(path, set_options(parse_yaml(path.read_text()), {"train.task_size": wanted}))
    assert parse_yaml(path.read_text()) == {"train": {"size": 64, "task_size": wanted}}


def test_an_empty_mapping_is_a_value_of_its_own() -> None:
    params = apply_overrides(PARAMS, {"train.heads": "separate", "train.task_size": {"mask": 32}})
    sweep = plan({"variants": {"whole": {"train.task_size": {}}}}, "s", params)
    assert sweep.experiments["s-whole"] == {"train.task_size": {}}
