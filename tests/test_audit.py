"""The audit stage: planted errors come first, what was reviewed is not asked again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from cleanlab.count import estimate_joint
from sklearn.metrics import average_precision_score

from pipeline import labels
from pipeline.audit.descriptors import difference_hash
from pipeline.audit.duplicates import near_duplicates
from pipeline.audit.error_rate import error_rate
from pipeline.audit.face import PLACES, cut_face, face_matrix
from pipeline.audit.features import Order, describe
from pipeline.audit.planted import judged
from pipeline.audit.pooled import pooled, sharpened
from pipeline.audit.rules import same_ids, same_people
from pipeline.audit.suspects import COLUMNS, Suspect, ranked
from pipeline.audit.swaps import likely_swaps
from pipeline.errors import Problems
from pipeline.params import Params, load_params
from pipeline.params.audit import Audit
from pipeline.photo import decode_photo, encode_jpeg
from pipeline.picture_store import PictureStore
from pipeline.tables import write_table
from stages import audit
from stages.command import Stage
from tests.small_set import write_build

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
    raw = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    raw["audit"] |= {"bootstrap": 100, "size": 64, "strength": 0.01} | changes
    raw["data"]["root"] = "photos"
    raw["machine"]["workers"] = 1
    Path("params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
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
    report = json.loads(Path("reports/audit.json").read_text())
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

    from pipeline.params.training import Train
    from pipeline.training.network import backbone_maker

    network = backbone_maker(Train(model="test_resnet", size=64), weights=False)(1000)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    (tmp_path / "a.jpg").write_bytes(encode_jpeg(picture))
    pictures, orders = PictureStore(tmp_path), [Order("a.jpg", np.eye(2, 3))]
    plain = describe(pictures, orders, Audit(size=64), 1)
    more = describe(
        pictures, orders, Audit(model="test_resnet", pretrained=str(tmp_path / "weights.pth"), size=64), 1
    )
    count = plain.features.shape[1]
    assert more.features.shape[1] > count
    assert (more.features[:, :count] == plain.features).all()
    assert np.isfinite(more.features).all()
    assert more.features[0, count:].std() > 0


def test_a_model_without_weights_is_refused(project: Path) -> None:
    with pytest.raises(Problems, match="set pretrained"):
        set_up(model="resnet18", pretrained=False)


def test_face_is_turned_upright_by_its_landmarks() -> None:
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])  # a quarter
    points = (PLACES - 0.5) @ turn.T * 50 + [100, 120]
    matrix = face_matrix((0, 0, 1, 1), points.ravel(), (20, 10, 220, 210), 0.5, 160)
    composed = (points - [20, 10]) * 0.5
    np.testing.assert_allclose(composed @ matrix[:, :2].T + matrix[:, 2], PLACES * 160, atol=1e-6)
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[20:40, 30:50] = 200
    cut = cut_face(picture, face_matrix((60, 40, 100, 80), (), (0, 0, 200, 200), 0.5, 40), 40)
    assert cut[2:-2, 2:-2].min() == 200


def test_a_swap_is_told_from_a_single_doubt() -> None:
    sure = {0: (0.98, 0.01, 0.01), 1: (0.01, 0.95, 0.04), 2: (0.01, 0.04, 0.95)}
    codes = np.array([0, 1, 2] * 3)
    looks = [0, 2, 1, 0, 2, 2, 0, 1, 2]  # person 0 is swapped, person 1 has one photo in doubt
    found = likely_swaps(np.array([sure[k] for k in looks]), codes, np.repeat([0, 1, 2], 3), 0.5)
    assert [(s.first, s.second) for s in found] == [(1, 2)]
    assert found[0].confidence > 0.8


def test_pooling_follows_the_photos_and_sharpening_the_labels() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 200)
    who = np.repeat(np.arange(200), 7)
    logit = (2 * truth[who] - 1) * 0.3 + random.normal(size=1400)
    p = 1 / (1 + np.exp(-np.column_stack([-logit, logit])))
    people = pooled(p, who, 200)
    sharp = sharpened(people, truth)
    np.testing.assert_allclose(sharp.sum(axis=1), 1)
    assert (np.argsort(people[:, 1]) == np.argsort(sharp[:, 1])).all()
    assert (people.argmax(axis=1) == truth).mean() > 0.7

    def loss(q: np.ndarray) -> float:
        return float(-np.log(q[np.arange(200), truth]).mean())

    assert loss(sharp) < loss(people) - 0.01


def test_error_rate_is_cleanlabs_and_its_interval_holds_the_planted_share() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 3, 600)
    said = np.where(random.random(600) < 0.08, (truth + 1) % 3, truth)
    logits = 4 * np.eye(3)[truth] + random.normal(size=(600, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = error_rate(p, said, np.arange(600), 200, 0)
    expected = 1 - np.trace(estimate_joint(said, p))
    assert found["value"] == pytest.approx(expected, abs=1e-3)
    assert found["low"] < (said != truth).mean() < found["high"]
    together = error_rate(np.repeat(p, 5, axis=0), np.repeat(said, 5), np.repeat(np.arange(600), 5), 200, 0)
    assert together["high"] - together["low"] > 0.8 * (found["high"] - found["low"])


def test_a_photo_saved_again_is_a_duplicate_and_another_is_not() -> None:
    random = np.random.default_rng(2)
    pictures = [
        np.kron(random.integers(0, 255, (8, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8) for _ in range(4)
    ]
    pictures.append(decode_photo(encode_jpeg(pictures[1] // 10 * 9)))
    hashes = np.stack([difference_hash(p) for p in pictures])
    features = np.stack([p[::8, ::8].astype(float)[:15, :15].ravel() for p in pictures])
    found = near_duplicates(hashes, features, ["a", "b", "c", "d", "e"], 60, 0.5)
    assert [(t.first, t.second) for t in found] == [(1, 4)]
    assert near_duplicates(hashes, features, ["a", "b", "c", "d", "b"], 60, 0.5) == []
    photos = pd.DataFrame({"person": list("abcde"), "gender": "male", "age": [20, 20, 30, 30, 21]})
    (suspect,) = same_people(found, photos)
    assert (suspect.person, suspect.field, suspect.old, suspect.proposed) == ("e", "age", "21", "20")


def test_one_id_twice_is_a_suspicion_only_where_the_two_look_alike() -> None:
    random = np.random.default_rng(3)
    names = [f"{i:06d}_male_Asian_30" for i in range(40)] + [
        "000007-1_female_Asian_30",
        "000009_male_Asian_31",
    ]
    photos = pd.DataFrame({"person": names, "gender": "male", "age": 30})
    features = random.normal(size=(42, 8))
    features[40] = features[7] + 0.01  # the same face; 000009 is another
    features[41] = -features[9]
    (suspect,) = same_ids(photos, features)
    assert suspect.person == "000007_male_Asian_30"
    assert "000007-1_female_Asian_30" in suspect.why


def test_ranking_says_each_label_once_the_surest_first() -> None:
    rows = [
        Suspect("b", "", "age", "20", "30-59", 0.6, "model"),
        Suspect("a", "", "gender", "male", "female", 0.7, "model"),
        Suspect("b", "", "age", "20", "21", 0.9, "table"),
    ]
    table = ranked(rows)
    assert table[["rank", "person", "why"]].to_numpy().tolist() == [[1, "b", "table"], [2, "a", "model"]]


def test_judged_is_average_precision() -> None:
    random = np.random.default_rng(4)
    names = [str(i) for i in range(100)]
    errors = set(random.choice(names, 10, replace=False).tolist())
    found = judged(names, errors, 100)
    scores = -np.arange(100.0)
    expected = average_precision_score([n in errors for n in names], scores)
    assert found.average_precision == pytest.approx(expected)
    places = sorted(int(n) + 1 for n in errors)
    assert found.rows_to_90 == places[8]
    assert found.recall_first == sum(p <= 5 for p in places) / 10
    assert judged(names[: places[2]], errors, 100).rows_to_90 is None
