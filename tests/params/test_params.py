"""params.yaml: refused before any work, all mistakes at once, with the nearest right name."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.params import Params, load_params
from pipeline.params.loading import OLD_NAMES, parse_yaml, read_document
from pipeline.params.overrides import flatten
from pipeline.runtime.errors import Problems, UserError
from tests.conftest import ROOT
from tests.fixtures.edited_params import refused


def test_the_committed_file_is_valid(project: Path) -> None:
    assert load_params(project / "params.yaml").detect.method == "mtcnn"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("compose.margn", 0.2, "margin"),
        ("detect.method", "yolov9", "yolov8"),
        ("compose.fill", "blak", "black"),
        ("segment.method", "unett", "unet"),
        ("segment.method", "selfy", "selfie"),
        ("synthesize.backgrounds", "other", "others"),
        ("train.epochs", "many", "train.epochs"),
        ("train.epochs", 0, "greater than or equal to 1"),
        ("train.decay_rate", 1.0, "less than 1"),
        ("split.validation_fold", 5, "0 to 4"),
        ("relabel.age_rules", [{"from": 59, "too": 60}], "relabel.age_rules"),
        ("data.layout", "folder", "folders"),
        ("train.heads", "multitsk", "multitask"),
        ("train.lr", float("inf"), "finite"),
        ("machine.workers", 100_000, "65536"),
        ("machine.address", "somewhere", "HOST:PORT"),
        ("machine.engine", "dask", "local"),
        ("split.seed", 2**70, "less than"),
        ("train.seed", -1, "greater than or equal to 0"),
        ("evaluate.tta_scales", [], "at least 1"),
        ("predict.tta_scales", [0.0], "greater than 0"),
        ("evaluate.tta_scales", [True], "true and false are not allowed"),
        ("relabel.drop_train_ages", [60, True], "true and false are not allowed"),
        ("train.age_soft", [[True, 0, 0], [0, 1, 0], [0, 0, 1]], "true and false are not allowed"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(project: Path, key: str, value: Any, said: str) -> None:
    text = refused(project, {key: value})
    assert key.rsplit(".", 1)[0] in text
    assert said in text


@pytest.mark.parametrize("old", OLD_NAMES)
def test_an_old_name_is_refused_with_the_new_one(project: Path, old: str) -> None:
    new = OLD_NAMES[old]
    section, key = new.split(".")
    value = read_document(project / "params.yaml")[section][key]
    assert f"{old}: was renamed to {new}" in refused(project, {old: value})


def test_a_strength_is_turned_into_a_penalty(project: Path) -> None:
    assert "audit.l2, which is 1 / strength; got 0.001" in refused(project, {"audit.strength": 0.001})


# Why params.yaml does not hold the schema's default.
OF_THE_DEMO = {
    "data.root": "has no default: whose photos are meant must be said",
    "split.seed": "the seed that balances the demo best",
}


def test_params_yaml_holds_the_defaults() -> None:
    written = flatten(read_document(ROOT / "params.yaml"))
    defaults = flatten(Params.model_validate({"data": {"root": "x"}}).model_dump(mode="json", by_alias=True))
    assert {name for name in written if written[name] != defaults[name]} == set(OF_THE_DEMO)


@pytest.mark.parametrize("file", ["params.yaml", "demo/params.yaml"])
def test_dvc_writes_an_unchanged_file_as_it_is(file: str, tmp_path: Path) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    name, value = next(iter(flatten(read_document(ROOT / file)).items()))
    assert changed_by_dvc(tmp_path, text, f"{name}={value}") == []


@pytest.mark.parametrize(
    ("option", "lines"),
    [
        ("compose.fill=black", 1),
        ("train.lr=0.1", 1),
        ("train.pretrained=true", 1),
        ("data.shards=1000", 1),
        ("reliance.max_people=null", 1),
        ("train.pseudo_labels=0.9", 1),
        ("ingest.transparent_rgb=[0,255,255]", 1),
        ("train.age_bounds=[30,58]", 2),  # of a list every item is written anew, 30.0 as 30
        ("relabel.drop_train_ages=[59]", 1),
    ],
)
def test_a_changed_value_is_a_diff_of_its_own_lines(option: str, lines: int, tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    diff = changed_by_dvc(tmp_path, text, option)
    assert len([line for line in diff if line.startswith("-")]) == lines
    assert len([line for line in diff if line.startswith("+")]) <= lines + 1
    load_params(tmp_path / "params.yaml")


def changed_by_dvc(folder: Path, text: str, option: str) -> list[str]:
    """What `dvc exp run -S` makes of a params file, as the lines of a diff."""
    from dvc.utils.hydra import apply_overrides

    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    apply_overrides(path, [option])
    after = path.read_text(encoding="utf-8")
    return [line for line in difflib.ndiff(text.splitlines(True), after.splitlines(True)) if line[0] in "+-"]


def test_all_mistakes_are_listed_at_once(project: Path) -> None:
    text = refused(project, {"compose.margn": 1, "train.epochs": -1, "split.folds": 1})
    assert all(name in text for name in ("compose.margn", "train.epochs", "split.folds"))


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data:\n  root: a\n  root: b\n", "duplicate key `root`"),
        ("data: {root: a}\ndata: {root: b}\n", "duplicate key `data`"),
        ("data: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("split: {folds: " + "9" * 5000 + "}\n", "not readable YAML"),
        ("split: {folds: !!bool x}\n", "KeyError"),
        ("split: {folds: !!timestamp x}\n", "timestamp"),
        ("split: {folds: !!int ''}\n", "IndexError"),
        ("split: {folds: !!int [1]}\n", "expected a scalar"),
        ("data: {root: a}\n---\ndata: {root: b}\n", "not readable YAML"),
    ],
)
def test_what_is_no_plain_document_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=said):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),
        ("1e-3", 0.001),
        ("1_000", 1000),
        ("0o10", 8),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("", None),
    ],
)
def test_a_value_is_what_dvc_takes_it_for(text: str, value: Any) -> None:
    from dvc.utils.serialize import parse_yaml as parse_as_dvc

    document = f"train:\n  lr: {text}\n"
    assert parse_yaml(document) == parse_as_dvc(document, "params.yaml") == {"train": {"lr": value}}


@pytest.mark.parametrize("inner", ["*a", "[*a, *a]"])
def test_a_list_in_itself_is_looked_into_once(tmp_path: Path, inner: str) -> None:
    (tmp_path / "params.yaml").write_text(f"relabel: {{drop_train_ages: &a [{inner}]}}\n")
    with pytest.raises(UserError, match=r"relabel\.drop_train_ages"):
        load_params(tmp_path / "params.yaml")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "params.yaml")
    with pytest.raises(UserError, match="not a file"):
        load_params(tmp_path / "params.yaml")
