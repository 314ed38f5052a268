"""The audit stage: planted errors come first, what was reviewed is not asked again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import labels
from pipeline.analysis.audit.features import Task, describe
from pipeline.analysis.audit.suspects import COLUMNS
from pipeline.io.image_store import ImageStore
from pipeline.io.photo import encode_jpeg
from pipeline.io.tables import write_table
from pipeline.params import Params, load_params
from pipeline.params.loading import parse_yaml
from pipeline.params.machine import Machine
from pipeline.params.overrides import yaml_text
from pipeline.params.schema import Audit
from pipeline.runtime.errors import Problems, UserError
from stages import audit
from stages.shared.command import Stage
from tests.fixtures.small_set import write_build, write_faces

FLIPPED, SWAPPED = 3, 8  # numbers of people


def plant(people: int = 36) -> tuple[pd.DataFrame, str, str]:
    """build/ of drawn squares with one wrong gender and one swap; its table, and whose they are."""
    table = write_build(people, evals=0, synthetic=False)
    names = table["person"].drop_duplicates().tolist()
    flipped, swapped = names[FLIPPED], names[SWAPPED]
    own = table["person"] == flipped
    table.loc[own, "gender"] = "male" if table.loc[own, "gender"].iloc[0] == "female" else "female"
    for mask, other in (("incorrect", "none"), ("none", "incorrect")):
        photo = (table["person"] == swapped) & table["image"].str.endswith(
            "incorrect_mask.jpg" if mask == "none" else "normal.jpg"
        )
        assert table.loc[photo, "mask"].tolist() == [other]
        table.loc[photo, "mask"] = mask
    facts = zip(table["mask"], table["gender"], table["age"], strict=True)
    table["true_class"] = [labels.true_class(m, g, a) for m, g, a in facts]
    write_table(Path("build/labels.parquet"), table.drop(columns="fold"))
    boxes = pd.DataFrame({"image": table["image"], "x1": 0, "y1": 0, "x2": 64, "y2": 64})
    write_table(
        Path("build/boxes.parquet"), boxes.assign(score=0.9, status="found", landmarks=[[]] * len(table))
    )
    return table, flipped, swapped


def set_up(**changes: object) -> Params:
    raw = parse_yaml(Path("params.yaml").read_text(encoding="utf-8"))
    raw["audit"] |= {"bootstrap": 100, "size": 64, "l2": 100} | changes
    raw["data"]["root"] = "photos"
    raw["machine"]["workers"] = 1
    Path("params.yaml").write_text(yaml_text(raw), encoding="utf-8")
    return load_params(Path("params.yaml"))


def suspects(params: Params) -> pd.DataFrame:
    audit.run(Stage("audit", params))
    return pd.read_csv("reports/suspects.csv", keep_default_na=False)


@pytest.mark.usefixtures("project")
def test_planted_errors_come_first_and_reviewed_ones_are_not_asked_again() -> None:
    table, flipped, swapped = plant()
    params = set_up()
    found = suspects(params)
    assert tuple(found.columns) == COLUMNS
    assert found["rank"].tolist() == list(range(1, len(found) + 1))
    first = found.head(3).set_index("field")
    assert set(first["person"]) == {flipped, swapped}
    gender = first.loc["gender"]
    said = table.loc[table["person"] == flipped, "gender"].iloc[0]
    assert (gender["person"], gender["image"], gender["old"]) == (flipped, "", said)
    assert gender["proposed"] == {"male": "female", "female": "male"}[said]
    swap = first.loc["mask"].set_index("image")
    assert swap["old"].tolist() == ["none", "incorrect"]
    assert swap["proposed"].tolist() == ["incorrect", "none"]
    report = json.loads(Path("reports/audit.json").read_text())["details"][0]
    assert report["swaps"] == 1
    assert report["rows"] == len(found)
    assert 0 < report["gender"]["error_rate"]["value"] < 0.15
    rows = [f"{flipped},,gender,{said},by Mina", f"{swapped},{swap.index[0]},mask,none,by Mina"]
    Path("data/reviewed.csv").write_text("person,image,field,value,source\n" + "\n".join(rows) + "\n")
    left = suspects(params)
    assert len(left) == len(found) - 2
    assert not ((left["person"] == flipped) & (left["field"] == "gender")).any()
    assert swap.index[0] not in set(left["image"])
    assert swap.index[1] in set(left["image"])


def embeddings(table: pd.DataFrame) -> np.ndarray:
    """What a face network might say: float64 [N, 16]; nothing about gender where a mask is worn."""
    rng = np.random.default_rng(0)
    female = table["image"].str.contains("_female_").to_numpy()
    guessed = np.where(table["mask"] == "worn", rng.random(len(table)) < 0.5, female)
    signal = np.where(guessed, 1.0, -1.0)
    return np.column_stack([3 * signal, rng.normal(0, 0.5, (len(table), 15))])


@pytest.mark.usefixtures("project")
def test_a_face_network_finds_a_wrong_gender_by_the_bare_photo() -> None:
    table, flipped, swapped = plant()
    write_faces(table["image"].tolist(), "some", embeddings(table))
    found = suspects(set_up())
    genders = found[found["field"] == "gender"]
    assert genders["person"].tolist() == [flipped]
    assert genders["confidence"].iloc[0] > 0.8
    assert set(found.loc[found["field"] == "mask", "person"]) == {swapped}
    report = json.loads(Path("reports/audit.json").read_text())["details"][0]
    rate = report["gender"]["error_rate"]
    assert rate["low"] <= 1 / 36 <= rate["high"]
    assert report["face_networks"][0]["weights"][0]["trained_on"] == "research only"


@pytest.mark.usefixtures("project")
def test_a_network_that_says_gender_needs_no_embedding() -> None:
    table, flipped, _ = plant()
    female = table["image"].str.contains("_female_").to_numpy()
    male = np.where(female, 0.3, 0.97)  # it is surer of men, as faceres is
    write_faces(table["image"].tolist(), "some", np.zeros((len(table), 4)), male)
    found = suspects(set_up())
    assert found.loc[found["field"] == "gender", "person"].tolist() == [flipped]


@pytest.mark.usefixtures("project")
def test_a_photo_that_the_face_network_has_not_seen_is_named() -> None:
    table, _, _ = plant(12)
    write_faces(table["image"].tolist()[1:], "some", embeddings(table)[1:])
    with pytest.raises(UserError, match="dvc repro faces") as e:
        suspects(set_up())
    assert table["image"].iloc[0] in str(e.value)


@pytest.mark.usefixtures("project")
def test_the_same_bytes_whatever_the_number_of_workers() -> None:
    plant(12)
    outputs = []
    for workers in (1, 2):
        params = set_up()
        machine = params.machine.model_copy(update={"workers": workers})
        audit.run(Stage("audit", params.model_copy(update={"machine": machine})))
        outputs.append([Path(f"reports/{n}").read_bytes() for n in ("suspects.csv", "audit.json")])
    assert outputs[0] == outputs[1]


@pytest.mark.usefixtures("project")
def test_a_table_that_says_otherwise_than_the_folder_is_a_suspicion() -> None:
    table, *_ = plant(12)
    person = table["person"].iloc[0]
    Path("photos/train").mkdir(parents=True)
    head = "id,gender,race,age,path\n"
    Path("photos/train/train.csv").write_text(f"{head}000000,male,Drawn,21,{person}\n")
    found = suspects(set_up())
    row = found[found["why"].str.contains("train.csv")].iloc[0]
    assert (row["person"], row["field"], row["old"], row["proposed"]) == (person, "age", "20", "21")
    assert "line 2" in row["why"]


@pytest.mark.usefixtures("project")
def test_a_model_adds_its_features(tmp_path: Path) -> None:
    import torch

    from pipeline.params.learning import Train
    from pipeline.train.network import backbone_maker

    network = backbone_maker(Train(model="test_resnet", size=64), weights=False)(1000)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(picture))
    pictures, orders = ImageStore(tmp_path), [Task("a.jpg", np.eye(2, 3))]
    plain = describe(pictures, orders, Audit(size=64), Machine(workers=1))
    more = describe(
        pictures,
        orders,
        Audit(model="test_resnet", pretrained=str(tmp_path / "weights.pth"), size=64),
        Machine(workers=1),
    )
    count = plain.features.shape[1]
    assert more.features.shape[1] > count
    assert (more.features[:, :count] == plain.features).all()
    assert np.isfinite(more.features).all()
    assert more.features[0, count:].std() > 0


def test_a_model_without_weights_is_refused(project: Path) -> None:
    with pytest.raises(Problems, match="set pretrained"):
        set_up(model="resnet18", pretrained=False)
