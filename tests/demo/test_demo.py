"""The demo is what it says: the layout, planted errors, true facts, and faces that a real detector finds."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from demo.dataset import Params, write_demo
from demo.drawing.people import choose_people, class_of
from demo.drawing.person import PHOTOS, background_of, draw
from pipeline.io.photo import PhotoError, read_photo

SMALL = Params(seed=7, people=18, eval_people=6, size=(384, 512))
UNREADABLE = ["text", "truncated"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    assert write_demo(folder, SMALL, workers=2) == 24 * 7
    return folder


@pytest.fixture(scope="module")
def truth(demo: Path) -> pd.DataFrame:
    return pd.read_csv(demo / "truth" / "truth.csv").set_index("image")


@pytest.fixture(scope="module")
def planted(demo: Path) -> pd.DataFrame:
    return pd.read_csv(demo / "truth" / "planted.csv", dtype=str).fillna("")


def of_kind(planted: pd.DataFrame, kind: str) -> pd.DataFrame:
    return planted[planted.kind == kind]


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield str(path.relative_to(folder)), path.read_bytes()


def test_the_same_params_give_the_same_bytes_with_any_number_of_processes(tmp_path: Path) -> None:
    tiny = Params(seed=3, people=12, eval_people=1, size=(128, 160))
    write_demo(tmp_path / "one", tiny, workers=1)
    write_demo(tmp_path / "two", tiny, workers=2)
    assert dict(files(tmp_path / "one")) == dict(files(tmp_path / "two"))


def test_another_seed_draws_another_picture() -> None:
    first, again, other = (draw(seed, "000001_female_Drawn_30", "normal")[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_layout_is_the_competitions(demo: Path, truth: pd.DataFrame) -> None:
    table = pd.read_csv(demo / "data" / "train" / "train.csv", dtype=str)
    assert list(table.columns) == ["id", "gender", "race", "age", "path"]
    assert len(table) == 18
    folders = sorted(p.name for p in (demo / "data" / "train" / "images").iterdir())
    assert folders == sorted(table.path)
    assert folders == sorted(table.id + "_" + table.gender + "_" + table.race + "_" + table.age)
    for folder in folders:
        photos = sorted(p.stem for p in (demo / "data" / "train" / "images" / folder).iterdir())
        assert photos == sorted(PHOTOS)
    info = pd.read_csv(demo / "data" / "eval" / "info.csv")
    assert list(info.columns) == ["ImageID", "ans"]
    assert set(info.ans) == {0}
    assert sorted(info.ImageID) == sorted(p.name for p in (demo / "data" / "eval" / "images").iterdir())
    assert len(info) == 6 * 7
    on_disk = {name for name, _ in files(demo / "data") if "/images/" in name}
    assert on_disk == set(truth.index)


def test_every_gender_and_age_group_is_there_often_enough_to_learn() -> None:
    people = [p for p in choose_people(7, 60, 12) if p.split == "train"]
    assert len(people) == 60
    groups = pd.Series([class_of(p.gender, p.age, "mask1") for p in people]).value_counts()
    assert sorted(groups.index) == [0, 1, 2, 3, 4, 5]
    assert groups.min() >= 7
    assert max(p.age for p in people) == 60


def test_truth_has_the_class_of_what_is_drawn(truth: pd.DataFrame) -> None:
    groups = pd.cut(truth.age, [0, 29, 59, 200], labels=False)
    expected = truth["mask"].map({"worn": 0, "incorrect": 1, "none": 2}) * 6 + (truth.gender == "female") * 3
    assert (truth["class"] == expected + groups).all()


def test_wrong_genders_are_in_the_folder_names_alone(truth: pd.DataFrame, planted: pd.DataFrame) -> None:
    wrong = of_kind(planted, "wrong_gender")
    assert len(wrong) >= 2
    for row in wrong.itertuples():
        assert row.person.split("_")[1] == row.said != row.truth
        assert set(truth[truth.person == row.person].gender) == {row.truth}
    right = truth[~truth.person.isin(wrong.person)]
    assert (right.person.str.split("_").str[1] == right.gender).all()


def test_swapped_files_show_what_truth_says(demo: Path, truth: pd.DataFrame, planted: pd.DataFrame) -> None:
    swapped = of_kind(planted, "swapped")
    assert len(swapped) == 4
    for row in swapped.itertuples():
        assert truth.loc[row.image, "mask"] == row.truth != row.said
        shown = {"incorrect": "incorrect_mask", "none": "normal"}[row.truth]
        expected = draw(SMALL.seed, row.person, shown)[0].astype(float)
        found = np.asarray(Image.open(demo / "data" / row.image), float)
        assert np.abs(found - expected).mean() < 4
    named = truth.index.to_series().str.extract(r"/([a-z_]+)\d?\.\w+$")[0]
    said = named.map({"mask": "worn", "incorrect_mask": "incorrect", "normal": "none"})
    odd = truth.index[(truth.split == "train") & (said != truth["mask"])]
    assert sorted(odd) == sorted(swapped.image)


def test_three_people_of_57_to_59_are_drawn_old(planted: pd.DataFrame) -> None:
    old = of_kind(planted, "drawn_old")
    assert sorted(old.truth) == ["57", "58", "59"]
    assert all(row.person.endswith(row.truth) and int(row.said) > 60 for row in old.itertuples())


def test_two_files_cannot_be_read_and_all_others_can(
    demo: Path, truth: pd.DataFrame, planted: pd.DataFrame
) -> None:
    unreadable = []
    for image in truth.index:
        try:
            height, width, _ = read_photo(demo / "data" / image).shape
            assert (width, height) == SMALL.size
        except PhotoError:
            unreadable.append(image)
    assert sorted(unreadable) == sorted(planted[planted.kind.isin(UNREADABLE)].image)
    assert len(unreadable) == 2


def test_odd_files_are_odd_in_the_way_that_is_listed(demo: Path, planted: pd.DataFrame) -> None:
    def content(kind: str) -> Image.Image:
        (row,) = of_kind(planted, kind).itertuples()
        return Image.open(io.BytesIO((demo / "data" / row.image).read_bytes()))

    (rotated,) = of_kind(planted, "rotated").itertuples()
    lying = content("rotated")
    assert lying.size == (512, 384)
    assert lying.getexif()[0x0112] == 6
    upright = np.asarray(ImageOps.exif_transpose(lying), float)
    assert np.abs(upright - true_photo(rotated.person, rotated.image)).mean() < 4
    gray = content("grayscale")
    assert (gray.format, gray.mode) == ("JPEG", "L")
    assert content("png").format == "PNG"
    (png,) = of_kind(planted, "png").itertuples()
    assert png.image.endswith(".png")


def true_photo(key: str, image: str) -> np.ndarray:
    return draw(SMALL.seed, key, Path(image).stem)[0].astype(float)


def test_mattes_mirror_the_readable_training_photos(
    demo: Path, truth: pd.DataFrame, planted: pd.DataFrame
) -> None:
    mattes = {name for name, _ in files(demo / "mattes") if name.endswith(".png")}
    bad = set(planted[planted.kind.isin(UNREADABLE)].image)
    train = [name for name in truth.index[truth.split == "train"] if name not in bad]
    assert mattes == {str(Path(name).with_suffix(".png")) for name in train}
    for name in train:
        with Image.open(demo / "mattes" / Path(name).with_suffix(".png")) as picture:
            alpha = np.asarray(picture)
        assert alpha.shape == (512, 384)
        assert alpha.dtype == np.uint8
        row = truth.loc[name]
        x0, y0, x1, y1 = (int(row[c]) for c in ("x0", "y0", "x1", "y1"))
        cx, cy, rx, ry = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2
        v, u = np.mgrid[0:512, 0:384]
        face = ((u - cx) / rx) ** 2 + ((v - cy) / ry) ** 2 < 0.7
        assert alpha[face].min() == 255
        assert 0.15 < (alpha > 127).mean() < 0.7
        assert ((alpha > 10) & (alpha < 245)).sum() > 400  # a soft edge, with hairs


def test_backgrounds_give_the_age_away_in_train_and_not_in_eval() -> None:
    groups = {"young": 22, "middle": 44, "old": 60}
    for tied, low, high in ((0.9, 0.84, 1.0), (0.0, 0.2, 0.47)):
        usual = {"young": ("bokeh", "street"), "middle": ("bookshelf", "wall"), "old": ("foliage", "room")}
        hits = [
            background_of(1, f"{i:06d}_male_Drawn_{age}", tied) in usual[group]
            for group, age in groups.items()
            for i in range(100)
        ]
        assert low < np.mean(hits) < high


def test_drawing_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="mask6"):
        draw(1, "000001_female_Drawn_30", "mask6")
    with pytest.raises(ValueError, match="id_gender_race_age"):
        draw(1, "somebody", "normal")


@pytest.mark.timeout(300)
def test_mtcnn_finds_faces_without_a_mask_and_some_with() -> None:

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # facenet-pytorch's own
        from facenet_pytorch import MTCNN

        detector = MTCNN(device="cpu")
        people = [p for p in choose_people(7, 60, 12) if p.split == "train"][:20]

        def found(photo: str) -> int:
            hits = 0
            for person in people:
                rgb, _, box = draw(7, person.key, photo, drawn_age=person.drawn_age)
                boxes = detector.detect(Image.fromarray(rgb))[0]
                hits += boxes is not None and overlap(boxes[0], box) > 0.3
            return hits

        assert found("normal") > 16
        assert 5 < found("mask3") < 18


def overlap(a: np.ndarray, b: tuple[float, float, float, float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    inter = width * height
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)
