"""The explore stage: what it counts, and whether it tells backgrounds that give labels away from others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from demo.drawing.people import Person, choose_people, mask_of
from demo.drawing.person import draw
from pipeline.analysis.explore.background import background_features
from pipeline.analysis.explore.quality import brightness, sharpness
from pipeline.io.atomic import atomic_folder
from pipeline.io.photo import encode_jpeg, encode_matte
from pipeline.io.tables import write_table
from pipeline.labels import true_class
from pipeline.params import Params, load_params
from pipeline.params.loading import parse_yaml
from pipeline.params.machine import Machine
from pipeline.params.overrides import yaml_text
from pipeline.workers.run import run_parallel
from stages import explore
from stages.shared.command import Stage

ROOT = Path(__file__).parents[2]
PEOPLE, SEED = 60, 7
PHOTOS = ("mask1", "normal")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 drawn people below `tied`, on backgrounds that go with the age group, and below `free`."""
    folder = tmp_path_factory.mktemp("demo")
    for name, tied in (("tied", 0.9), ("free", 0.0)):
        rows = list(
            run_parallel(
                partial(drawer, folder / name, tied),
                [(p, photo) for p in choose_people(SEED, PEOPLE, 0) for photo in PHOTOS],
                machine=Machine(workers=2),
            )
        )
        columns = ["image", "person", "gender", "age", "mask", "true_class"]
        pd.DataFrame(rows, columns=columns).to_csv(folder / name / "facts.csv", index=False)
    return folder


def drawer(folder: Path, tied: float) -> Callable[[tuple[Person, str]], tuple[str, str, str, int, str, int]]:
    def work(order: tuple[Person, str]) -> tuple[str, str, str, int, str, int]:
        person, photo = order
        rgb, alpha, _ = draw(SEED, person.key, photo, size=(96, 128), tied=tied)
        image = f"train/images/{person.key}/{photo}.jpg"
        for place, data in (
            (folder / "data" / image, encode_jpeg(rgb)),
            (matte(folder, image), encode_matte(alpha)),
        ):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        mask = mask_of(photo)
        return image, person.key, person.gender, person.age, mask, true_class(mask, person.gender, person.age)

    return work


def matte(folder: Path, image: str) -> Path:
    return (folder / "mattes" / image).with_suffix(".png")


def set_up(folder: Path, mattes: bool = True) -> Params:
    """A project in the current folder about the people drawn in `folder`."""
    facts = pd.read_csv(folder / "facts.csv").sort_values("image", ignore_index=True)
    people = pd.DataFrame({"person": sorted(set(facts["person"]))})
    people["fold"] = np.arange(len(people)) % 4
    write_table(
        Path("build/photos.parquet"),
        facts[["image", "person"]].assign(
            split="train", width=96, height=128, sha256="", shard="", offset=0, bytes=0
        ),
    )
    write_table(Path("build/labels.parquet"), facts.assign(train_class=facts["true_class"]))
    write_table(Path("build/folds.parquet"), people)
    with atomic_folder(Path("build/mattes")) as out:
        for image in facts["image"] if mattes else ():
            place = (out / image).with_suffix(".png")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(matte(folder, image).read_bytes())
    raw = parse_yaml(Path("params.yaml").read_text(encoding="utf-8"))
    raw["data"]["root"] = str(folder / "data")
    raw["explore"] |= {"bootstrap": 200, "sheet_photos": 3}
    raw["machine"]["workers"] = 1
    Path("params.yaml").write_text(yaml_text(raw), encoding="utf-8")
    return load_params(Path("params.yaml"))


def explored(params: Params, limit: int | None = None) -> dict:
    explore.run(Stage("explore", params, limit))
    return json.loads(Path("quick/reports/explore.json" if limit else "reports/explore.json").read_text())


def test_tied_backgrounds_tell_the_age_and_nothing_else(demo: Path, project: Path) -> None:
    report = explored(set_up(demo / "tied"))
    facts = pd.read_csv(demo / "tied" / "facts.csv")
    probes = report["background"]["probes"]
    assert probes["age"]["significant"]
    assert probes["age"]["balanced_accuracy"]["value"] > 0.6
    for task in ("gender", "mask"):
        assert probes[task]["balanced_accuracy"]["value"] < probes[task]["chance"] + 0.12
    counts = facts["true_class"].value_counts()
    assert report["labels"]["people"] == PEOPLE
    assert list(report["labels"]["class_photos"].values()) == [int(counts.get(c, 0)) for c in range(18)]
    old = facts.drop_duplicates("person")["age"].between(57, 63)
    assert sum(report["labels"]["around_bounds"]["60"].values()) == old.sum()
    figures = sorted(p.name for p in Path("reports/explore").iterdir())
    assert figures == [
        "MANIFEST.json",
        *(f"{n}.png" for n in ("ages", "background", "labels", "quality")),
        "sheets",
    ]
    assert len(list(Path("reports/explore/sheets").iterdir())) == len(counts)


def test_free_backgrounds_tell_nothing(demo: Path, project: Path) -> None:
    probes = explored(set_up(demo / "free"))["background"]["probes"]
    for task, probe in probes.items():
        assert not probe["significant"], task
        assert probe["balanced_accuracy"]["value"] < probe["chance"] + 0.12, task


@pytest.mark.parametrize(("name", "significant_tasks"), [("tied", ["age"]), ("free", [])])
def test_few_people_are_enough_for_a_tie_and_no_reason_for_an_alarm(
    demo: Path, project: Path, capsys: pytest.CaptureFixture[str], name: str, significant_tasks: list[str]
) -> None:
    probes = explored(set_up(demo / name), limit=32)["background"]["probes"]
    assert [task for task, probe in probes.items() if probe["significant"]] == significant_tasks, probes
    said = capsys.readouterr().err
    assert said.count("cannot tell whether the background gives") == 3 - len(significant_tasks)


def test_without_mattes_nothing_is_probed_and_it_says_so(demo: Path, project: Path) -> None:
    report = explored(set_up(demo / "tied", mattes=False), limit=4)
    assert report["background"]["probes"] == {}
    assert "segment.method: unet" in report["background"]["note"]
    assert Path("quick/reports/explore/background.png").exists()  # dvc.yaml promises it: it says the same


def test_the_same_bytes_whatever_the_number_of_workers(demo: Path, project: Path) -> None:
    params = set_up(demo / "tied")
    outputs = []
    for workers in (1, 2):
        changed = params.model_copy(
            update={"machine": params.machine.model_copy(update={"workers": workers})}
        )
        explore.run(Stage("explore", changed, 6))
        files = sorted(p for p in Path("quick/reports").rglob("*") if p.is_file())
        outputs.append([(str(p), p.read_bytes()) for p in files])
    assert outputs[0] == outputs[1]


def test_a_photo_shared_by_two_people_and_with_the_eval_set_is_found(demo: Path, project: Path) -> None:
    params = set_up(demo / "tied")
    photos = pd.read_parquet("build/photos.parquet")
    copied, other = photos["image"].iloc[0], photos["image"].iloc[-1]
    extra = photos.tail(1).assign(image=copied, person=photos["person"].iloc[-1])
    to_predict = photos.tail(1).assign(image=other, person="", split="eval")
    write_table(Path("build/photos.parquet"), pd.concat([photos, extra, to_predict], ignore_index=True))
    looks = explore.compute_stats(pd.read_parquet("build/photos.parquet"), Stage("explore", params))
    found = explore.find_duplicates(pd.read_parquet("build/photos.parquet"), looks, Stage("explore", params))
    assert found["between_people"] == 1
    assert found["between_train_and_eval"] == 1
    assert found["pairs"] == [[copied, copied], [other, other]]


def test_background_features_do_not_see_the_person() -> None:
    random = np.random.default_rng(0)
    photo = random.integers(0, 255, (128, 96, 3)).astype(np.uint8)
    alpha = np.zeros((128, 96), np.uint8)
    alpha[40:, 30:70] = 255
    other = photo.copy()
    other[40:, 30:70] = 7
    assert (background_features(photo, alpha) == background_features(other, alpha)).all()
    wall = photo.copy()
    wall[:30] = 200
    assert np.abs(background_features(wall, alpha) - background_features(photo, alpha)).max() > 0.1
    assert not background_features(photo, np.full_like(alpha, 255)).any()


def test_quality_measures_what_it_says() -> None:
    random = np.random.default_rng(2)
    noise = random.integers(0, 255, (64, 64, 3)).astype(np.uint8)
    flat = np.full((64, 64, 3), 255, np.uint8)
    assert brightness(flat) == 1
    assert brightness(flat // 2) == pytest.approx(0.498, abs=0.002)
    assert sharpness(flat) == 0
    assert sharpness(noise) > 1000


@pytest.mark.parametrize("name", ["audit", "explore"])
def test_starting_imports_no_network(name: str) -> None:
    heavy = "'torch', 'sklearn', 'matplotlib'"
    code = f"import sys, stages.{name}; print([m for m in ({heavy}) if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
