"""Stage synthesize: who gets copies, on whose backgrounds; no validation pixel reaches training."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.io.atomic import atomic_folder, verified_folder
from pipeline.io.photo import encode_jpeg, encode_matte, read_photo
from pipeline.io.tables import write_table
from pipeline.runtime.errors import UserError
from stages import compose, synthesize
from tests.fixtures.pixel_project import HEIGHT, WIDTH, bytes_below, make_project, stage

OUT = Path("build/synthetic")


@pytest.fixture
def composed(project: Path) -> Path:
    """The small project after compose, as current folder."""
    make_project(project)
    compose.run(stage("compose"))
    return project


def table() -> pd.DataFrame:
    """synthetic.parquet."""
    return pd.read_parquet(OUT / "synthetic.parquet")


def test_a_copy_has_its_photos_person_fold_and_target(composed: Path) -> None:
    synthesize.run(stage("synthesize", synthesize__copies=1.5))
    rows = table()
    assert len(rows) == 27
    assert verified_folder(OUT, "synthesize") == OUT
    assert sorted(rows["file"]) == sorted(p.relative_to(OUT).as_posix() for p in OUT.rglob("*.jpg"))
    labels = pd.read_parquet("build/labels.parquet").set_index("image")
    folds = pd.read_parquet("build/folds.parquet").set_index("person")["fold"]
    for row in rows.itertuples():
        assert str(row.file).rsplit("__", 1)[0] == str(row.image).removesuffix(".jpg")
        assert row.person == labels.loc[row.image, "person"]
        assert row.train_class == labels.loc[row.image, "train_class"]
        assert row.fold == folds[row.person]
        assert read_photo(OUT / str(row.file)).shape == (64, 64, 3)


def test_no_pixel_of_another_fold_reaches_a_copy(composed: Path) -> None:
    # Walls are red in fold 0 and blue in fold 1; so a copy's background shows where it comes from.
    synthesize.run(stage("synthesize", synthesize__copies=3))
    labels = pd.read_parquet("build/labels.parquet").set_index("image")
    folds = pd.read_parquet("build/folds.parquet").set_index("person")["fold"]
    for row in table().itertuples():
        donor = labels.loc[row.donor, "person"]
        assert donor != row.person
        assert folds[donor] == row.fold
        corner = read_photo(OUT / str(row.file))[:6, :6].mean(axis=(0, 1))
        assert (corner[0] > corner[2]) == (row.fold == 0)


def test_leaving_a_fold_out_changes_no_copy_of_the_others(composed: Path) -> None:
    synthesize.run(stage("synthesize", synthesize__copies=2))
    before, rows = bytes_below(OUT), table()
    data, photos = composed / "data", pd.read_parquet("build/photos.parquet").set_index("image")
    for path in data.rglob("*.jpg"):  # fold 1's photos become noise
        person = path.parent.name
        if rows.loc[rows["person"] == person, "fold"].iloc[0] == 1:
            noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            path.write_bytes(encode_jpeg(noise))
            checksum = hashlib.sha256(path.read_bytes()).hexdigest()
            photos.loc[path.relative_to(data).as_posix(), "sha256"] = checksum
    write_table(Path("build/photos.parquet"), photos.reset_index())
    synthesize.run(stage("synthesize", synthesize__copies=2))
    after = bytes_below(OUT)
    same = {name for name in before if before[name] == after[name]}
    assert set(rows.loc[rows["fold"] == 0, "file"]) <= same
    assert not set(rows.loc[rows["fold"] == 1, "file"]) & same


def test_photos_that_are_not_trained_on_get_no_copies(composed: Path) -> None:
    labels = pd.read_parquet("build/labels.parquet")
    labels.loc[:4, "train_class"] = -1
    write_table(Path("build/labels.parquet"), labels)
    synthesize.run(stage("synthesize", synthesize__copies=1))
    assert set(table()["image"]) == set(labels["image"][5:])


def test_balance_class_evens_the_counts(composed: Path) -> None:
    # 6 people x 3 photos: classes 0 and 1 have 6 photos, 2 and 3 have 3
    synthesize.run(stage("synthesize", synthesize__copies=0.333, synthesize__balance="class"))
    labels = pd.read_parquet("build/labels.parquet")
    counts = pd.concat([labels["train_class"], table()["train_class"]]).value_counts()
    assert counts.tolist() == [6, 6, 6, 6]


def test_no_copies_leave_an_empty_table_with_its_columns(project: Path) -> None:
    synthesize_none = stage_of_nothing(project)
    synthesize.run(synthesize_none)
    assert sorted(bytes_below(OUT)) == ["MANIFEST.json", "synthetic.parquet"]
    assert list(table().columns) == ["file", "image", "person", "fold", "donor", "train_class"]
    assert not len(table())
    assert table()["fold"].dtype == table()["train_class"].dtype == np.int64


def stage_of_nothing(project: Path) -> synthesize.Stage:
    """A stage that is to make no copies, in a project without any input."""
    (project / "params.yaml").write_text("data: {root: data}\n")
    return stage("synthesize", synthesize__copies=0, segment__method="none")


def test_bytes_do_not_depend_on_workers(composed: Path) -> None:
    results = []
    for workers in (1, 2):
        synthesize.run(stage("synthesize", machine__workers=workers))
        shutil.rmtree(".cache/items")
        results.append(bytes_below(OUT))
    assert results[0] == results[1]


def test_a_corrected_label_draws_no_picture_again(composed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthesize.run(stage("synthesize", synthesize__copies=2.0))
    before = {name: data for name, data in bytes_below(OUT).items() if name.endswith(".jpg")}
    labels = pd.read_parquet("build/labels.parquet")
    labels.loc[labels["person"] == labels["person"][0], ["true_class", "train_class"]] = 7
    write_table(Path("build/labels.parquet"), labels)
    capsys.readouterr()
    synthesize.run(stage("synthesize", synthesize__copies=2.0))
    assert "36 pictures, 36 of them from the cache" in capsys.readouterr().err
    assert (table()["train_class"] == 7).sum() == 6
    assert {name: data for name, data in bytes_below(OUT).items() if name.endswith(".jpg")} == before


@pytest.mark.parametrize("backgrounds", ["others", "folder"])
def test_another_donor_photo_is_seen(composed: Path, backgrounds: str) -> None:
    """The donor of the first copy changes its pixels, under the same name."""
    Path("mine").mkdir()
    Path("mine/one.jpg").write_bytes(encode_jpeg(np.full((80, 80, 3), (10, 220, 10), np.uint8)))
    changes = {"synthesize__backgrounds": backgrounds, "synthesize__folder": "mine"}
    synthesize.run(stage("synthesize", **changes))
    first, donor = table()["file"][0], table()["donor"][0]
    before = (OUT / first).read_bytes()
    place = Path("mine") / donor if backgrounds == "folder" else Path("data") / donor
    place.write_bytes(encode_jpeg(255 - read_photo(place)))
    photos = pd.read_parquet("build/photos.parquet")
    photos.loc[photos["image"] == donor, "sha256"] = hashlib.sha256(place.read_bytes()).hexdigest()
    write_table(Path("build/photos.parquet"), photos)
    synthesize.run(stage("synthesize", **changes))
    assert (OUT / first).read_bytes() != before


def test_more_copies_keep_the_first(composed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthesize.run(stage("synthesize", synthesize__copies=1.0))
    capsys.readouterr()
    synthesize.run(stage("synthesize", synthesize__copies=2.0))
    assert "36 pictures, 18 of them from the cache" in capsys.readouterr().err


def test_a_photo_that_was_retouched_since_ingest_is_named(composed: Path) -> None:
    """Of the same size, so that only its bytes tell."""
    image = str(pd.read_parquet("build/photos.parquet")["image"][2])
    (composed / "data" / image).write_bytes(encode_jpeg(np.zeros((HEIGHT, WIDTH, 3), np.uint8)))
    with pytest.raises(UserError, match=rf"not the one that was indexed[\s\S]*{image}"):
        synthesize.run(stage("synthesize"))
    with pytest.raises(UserError, match=rf"not the one that was indexed[\s\S]*{image}"):
        compose.run(stage("compose", compose__margin=0.6))


def test_the_seed_changes_backgrounds(composed: Path) -> None:
    donors = []
    for seed in (0, 1):
        synthesize.run(stage("synthesize", synthesize__seed=seed, synthesize__copies=2))
        donors.append(table()["donor"].tolist())
    assert donors[0] != donors[1]


def test_another_fill_changes_nothing(composed: Path) -> None:
    synthesize.run(stage("synthesize"))
    before, geometry = bytes_below(OUT), Path("build/images/images.parquet").read_bytes()
    compose.run(stage("compose", compose__fill="black"))
    assert (
        Path("build/images/images.parquet").read_bytes() == geometry
    )  # so DVC does not run synthesize again
    synthesize.run(stage("synthesize", compose__fill="black"))
    assert bytes_below(OUT) == before


def test_folder_and_procedural(composed: Path) -> None:
    green = np.full((80, 80, 3), (10, 220, 10), np.uint8)
    Path("mine").mkdir()
    Path("mine/green.jpg").write_bytes(encode_jpeg(green))
    synthesize.run(stage("synthesize", synthesize__backgrounds="folder", synthesize__folder="mine"))
    assert set(table()["donor"]) == {"green.jpg"}
    for file in table()["file"]:
        assert np.abs(read_photo(OUT / file)[:6, :6].astype(int) - (10, 220, 10)).max() < 16
    synthesize.run(stage("synthesize", synthesize__backgrounds="procedural"))
    assert set(table()["donor"]) == {""}
    assert len(list(OUT.rglob("*.jpg"))) == 18


def test_a_photo_whose_matte_shows_nobody_gets_no_copy(
    composed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = pd.read_parquet("build/photos.parquet")["image"][0]
    with atomic_folder(Path("build/other")) as other:
        shutil.copytree("build/mattes", other, dirs_exist_ok=True)
        (other / image).with_suffix(".png").write_bytes(encode_matte(np.zeros((HEIGHT, WIDTH), np.uint8)))
    shutil.rmtree("build/mattes")
    Path("build/other").rename("build/mattes")
    synthesize.run(stage("synthesize"))
    assert image not in set(table()["image"])
    assert len(table()) == len(list(OUT.rglob("*.jpg"))) == 17
    assert image in capsys.readouterr().err


def test_a_person_without_a_fold_is_an_error(composed: Path) -> None:
    folds = pd.read_parquet("build/folds.parquet")
    write_table(Path("build/folds.parquet"), folds.drop(index=0))
    with pytest.raises(UserError, match="no fold"):
        synthesize.run(stage("synthesize"))
    assert not OUT.exists()


def test_limit_is_a_quick_look(composed: Path) -> None:
    quick = stage("synthesize")
    synthesize.run(type(quick)(quick.name, quick.params, limit=2))
    assert len(list(Path("quick/build/synthetic").rglob("*.jpg"))) == 2
    assert not OUT.exists()
