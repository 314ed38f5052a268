"""Other people's photos in ROOT/extra: learnt from as often as said, never validated on or predicted."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.dataset.extra import NO_FOLD
from pipeline.dataset.layouts import csv as layouts_csv
from pipeline.params.preparation import Data
from pipeline.runtime.errors import Problems
from pipeline.train.sampling import epoch_length, epoch_order
from stages.shared.command import Stage
from stages.shared.training_set import training_set, training_table
from tests.fixtures.data_folder import ANNA, BERT, run_ingest, run_relabel, run_split
from tests.fixtures.small_set import small_params, write_build
from tests.fixtures.small_training import trained

OLD = "000009_female_Asian_71"


def photo(seed: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 12, 3), np.uint8)).save(out, "JPEG")
    return out.getvalue()


def folder(project: Path, people: dict[str, list[str]]) -> Path:
    """Data with a normal and a masked photo of each, all different, by `train` or `extra`."""
    root, seed = project / "photos", 0
    for place, names in people.items():
        for name in names:
            own = root / place / "images" / name
            own.mkdir(parents=True)
            for stem in ("normal", "mask1"):
                seed += 1
                (own / f"{stem}.jpg").write_bytes(photo(seed))
    return root


def test_extra_people_have_labels_and_no_fold_and_are_not_those_of_the_same_name(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder(project, {"train": [ANNA, BERT], "extra": [ANNA, OLD]})
    index = run_ingest(root)
    assert "8 photos of 4 people (2 of them extra) to train on" in capsys.readouterr().err
    assert index["image"].str.startswith("extra/images/").sum() == 4
    labels = run_relabel(root).set_index("image")
    assert labels.loc[f"extra/images/{OLD}/normal.jpg", ["gender", "age"]].tolist() == ["female", 71]
    folds = run_split(root, folds=2, seed=1).set_index("person")["fold"]
    assert folds[[f"extra:{ANNA}", f"extra:{OLD}"]].tolist() == [NO_FOLD, NO_FOLD]
    assert set(folds[[ANNA, BERT]]) <= {0, 1}
    report = json.loads(Path("reports/split.json").read_text())
    assert (report["people"], report["extra_people"], sum(report["people_per_fold"])) == (2, 2, 2)


def test_an_extra_person_who_is_also_among_the_others_is_left_out_whole(project: Path) -> None:
    root = folder(project, {"train": [ANNA], "extra": [BERT, OLD]})
    twin = root / "train/images" / ANNA / "normal.jpg"
    (root / "extra/images" / BERT / "mask1.jpg").write_bytes(twin.read_bytes())
    (root / "eval/images").mkdir(parents=True)
    (root / "eval/images/q.jpg").write_bytes((root / "extra/images" / OLD / "normal.jpg").read_bytes())
    (root / "eval/info.csv").write_text("ImageID,ans\nq.jpg,0\n")
    index = run_ingest(root)
    assert sorted(index["image"]) == [
        "eval/images/q.jpg",
        *(f"train/images/{ANNA}/{s}.jpg" for s in ("mask1", "normal")),
    ]
    left = pd.read_csv("build/quarantine.csv").set_index("path")["reason"]
    assert len(left) == 4
    said = f"extra/images/{BERT}/mask1.jpg is the same file as train/images/{ANNA}/normal.jpg"
    assert said in left[f"extra/images/{BERT}/normal.jpg"]
    assert "is the same file as eval/images/q.jpg" in left[f"extra/images/{OLD}/mask1.jpg"]


def test_a_table_names_extra_rows(project: Path) -> None:
    root = folder(project, {"train": [ANNA, OLD]})
    rows = [
        f"train/images/{n}/normal.jpg,{n},female,{n[-2:]},none,{s}" for n, s in ((ANNA, ""), (OLD, "extra"))
    ]
    (root / "photos.csv").write_text("\n".join(["image,person,gender,age,mask,split", *rows]) + "\n")
    index = run_ingest(root, data={"layout": "csv"})
    assert index.set_index("person")["split"].to_dict() == {ANNA: "train", f"extra:{OLD}": "train"}
    text = (root / "photos.csv").read_text().replace(f",{ANNA},", f",extra:{ANNA},")
    (root / "photos.csv").write_text(text)
    with pytest.raises(Problems, match="`extra:` is for extra people"):
        run_ingest(root, data={"layout": "csv"})


def test_a_folder_of_train_is_never_taken_for_an_extra_person(project: Path) -> None:
    root = folder(project, {"train": [ANNA, BERT, f"extra:{OLD}"]})
    with pytest.raises(Problems, match="`extra:` is for extra people"):
        run_ingest(root)


def test_extra_people_outside_of_images_are_told(project: Path) -> None:
    root = folder(project, {"train": [ANNA, BERT]})
    (root / "train/images" / BERT).rename(root / "extra")
    with pytest.raises(Problems, match="there is no folder extra/images"):
        run_ingest(root)


def test_a_correction_of_an_extra_person_names_them_by_their_key(project: Path) -> None:
    root = folder(project, {"train": [ANNA], "extra": [OLD]})
    run_ingest(root)
    row = f"person,image,field,old,new,reason,source\n{OLD},,age,71,61,seen,test\n"
    (project / "data").mkdir(exist_ok=True)
    (project / "data/corrections.csv").write_text(row)
    with pytest.raises(Problems, match=f"did you mean extra:{OLD}"):
        run_relabel(root)
    (project / "data/corrections.csv").write_text(row.replace(f"\n{OLD}", f"\nextra:{OLD}"))
    assert set(run_relabel(root).set_index("person").loc[f"extra:{OLD}", "age"]) == {61}


def test_a_limit_takes_own_people_too(project: Path) -> None:
    root = folder(project, {"train": [ANNA, BERT, OLD]})
    rows = [
        f"train/images/{n}/normal.jpg,p_{n},{n.split('_')[1]},{n[-2:]},none,{s}"
        for n, s in ((ANNA, "extra"), (BERT, "train"), (OLD, "extra"))
    ]
    (root / "photos.csv").write_text("\n".join(["image,person,gender,age,mask,split", *rows]) + "\n")
    found = layouts_csv.read(root, Data(root=str(root), layout="csv"), 1).photos
    assert sorted(p.person for p in found) == [f"extra:p_{ANNA}", f"p_{BERT}"]


def test_an_epoch_has_one_length_whatever_the_weight() -> None:
    weights, same = np.repeat([1.0, 0.1], [300, 125]), np.zeros(425, np.int64)
    orders = [epoch_order(same, np.arange(425), weights, "none", 0, epoch) for epoch in range(40)]
    assert {len(order) for order in orders} == {epoch_length(np.arange(425), weights, "none")}


@pytest.mark.parametrize(("weight", "times"), [(0.0, 0.0), (0.25, 0.25), (1.0, 1.0), (2.5, 2.5)])
@pytest.mark.parametrize("sampler", ["none", "one_mask", "class"])
def test_extra_photos_are_shown_as_often_as_their_weight_says(
    sampler: str, weight: float, times: float
) -> None:
    """40 own photos and 40 extra of the same two classes."""
    alike, classes = np.arange(80) // 2, np.arange(80) // 2 % 2
    weights = np.repeat([1.0, weight], 40)
    orders = [epoch_order(classes, alike, weights, sampler, 0, epoch) for epoch in range(200)]
    assert {len(order) for order in orders} == {epoch_length(alike, weights, sampler)}
    own, extra = np.bincount(np.concatenate(orders) // 40, minlength=2)
    assert extra / own == pytest.approx(times, abs=0.03 + 0.05 * times)
    if sampler != "class":
        assert own == 200 * (40 if sampler == "none" else 20)
        assert any((a != b).any() for a, b in pairwise(orders))


@pytest.mark.usefixtures("project")
def test_no_fold_validates_on_extra_people_and_each_learns_from_them() -> None:
    write_build(12)
    folds = pd.read_parquet("build/folds.parquet")
    labels = pd.read_parquet("build/labels.parquet")
    chosen = list(folds["person"])[:2]
    for table, place in ((folds, "build/folds.parquet"), (labels, "build/labels.parquet")):
        table["person"] = [f"extra:{p}" if p in chosen else p for p in table["person"]]
        if "fold" in table:
            table.loc[table["person"].str.startswith("extra:"), "fold"] = NO_FOLD
        table.to_parquet(place)
    params = small_params(extra_weight=0.5, folds="all", epochs=1, sampler="one_mask")
    stage = Stage("train", params)
    extra = training_table(stage)["person"].str.startswith("extra:").to_numpy()
    assert extra.sum() == 16  # four photos and four copies of each
    data = training_set(stage)
    for fold in (0, 1):
        learn, valid = data.sides(fold)
        assert not extra[valid.rows].any()
        assert extra[learn.rows].sum() == 16
        assert set(learn.weights[extra[learn.rows]]) == {0.5}
        assert set(learn.weights[~extra[learn.rows]]) == {1.0}
        assert learn.counts("none").sum() == (~extra[learn.rows]).sum() + 8
    trained(params)
    config = json.loads(Path("build/model/config.json").read_text())
    assert sum(config["class_counts"]) == 40  # the photos of the ten others: as those to predict are
    none = Stage("train", small_params(extra_weight=0.0))
    assert not training_table(none)["person"].str.startswith("extra:").any()
