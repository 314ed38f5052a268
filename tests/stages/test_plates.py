"""Other backgrounds while training: what `plates` prepares and what the network is then fed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.io.atomic import atomic_folder
from pipeline.io.photo import encode_matte
from pipeline.runtime.errors import UserError
from pipeline.train.background_swap import Plates
from pipeline.train.config import resolve_config
from pipeline.train.data import Examples
from pipeline.train.loop import OnEpoch, fit
from stages import compose, plates, synthesize
from stages.shared.command import Stage
from stages.shared.training_set import TrainingSet, training_set
from tests.fixtures.pixel_project import bytes_below, make_project, stage

SIZE = 32


def fed(**changes: object) -> Stage:
    """The train stage of the small project, with `changes`, after the stages before it."""
    own = {"train__size": SIZE, "train__background_swap": 1.0, "split__folds": 2, "synthesize__copies": 0.5}
    for name, run in (("compose", compose.run), ("synthesize", synthesize.run), ("plates", plates.run)):
        run(stage(name, **own | changes))
    return stage("train", **own | changes)


def learnt(data: TrainingSet, fold: int = 0) -> Examples:
    return data.sides(fold)[0]


def pictures(examples: Examples, epoch: int) -> np.ndarray:
    """uint8 [n, S, S, 3]: everything of an epoch."""
    return examples.load_batch(np.arange(len(examples)), epoch).numpy()


def unswapped(examples: Examples) -> np.ndarray:
    """uint8 [n, S, S, 3]: the pictures as they are."""
    return examples.pictures.gather(examples.rows).numpy()


def plates_of(examples: Examples) -> Plates:
    assert isinstance(examples.plates, Plates)
    return examples.plates


def masks(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """bool [n, S, S]: what is surely person, and surely background inside the photo."""
    own = plates_of(examples)
    alpha = own.mattes[own.matte_of][..., 0]
    bounds = np.rint(own.inside * SIZE).astype(int)
    known = np.zeros(alpha.shape, bool)
    for one, (left, top, right, bottom) in zip(known, bounds, strict=True):
        one[top:bottom, left:right] = True
    return alpha >= 250, (alpha <= 5) & known


def test_nothing_is_made_while_it_is_off(project: Path) -> None:
    make_project(project)
    compose.run(stage("compose"))
    plates.run(stage("plates"))
    assert sorted(bytes_below(Path("build/plates"))) == ["MANIFEST.json", "plates.parquet"]
    assert pd.read_parquet("build/plates/plates.parquet").empty


def test_the_person_stays_and_the_background_is_another_in_every_epoch(project: Path) -> None:
    make_project(project)
    examples = learnt(training_set(fed(synthesize__backgrounds="procedural")))
    plain, (person, behind) = unswapped(examples), masks(examples)
    assert person.mean() > 0.2
    assert behind.mean() > 0.1
    first, again, other = pictures(examples, 0), pictures(examples, 0), pictures(examples, 1)
    assert np.array_equal(first, again)
    for found in (first, other):
        assert np.array_equal(found[person], plain[person])
        assert (found[behind] != plain[behind]).mean() > 0.5
    assert (first[behind] != other[behind]).mean() > 0.5


def test_what_a_picture_gets_does_not_depend_on_its_batch(project: Path) -> None:
    make_project(project)
    examples = learnt(training_set(fed()))
    whole, order = pictures(examples, 3), np.array([7, 2, 5])
    assert np.array_equal(examples.load_batch(order, 3).numpy(), whole[order])


def test_the_share_is_that_of_the_param_and_validation_is_never_swapped(project: Path) -> None:
    make_project(project)
    examples, valid = training_set(fed(train__background_swap=0.25)).sides(0)
    plain = unswapped(examples)
    swapped = [(pictures(examples, e) != plain).any(axis=(1, 2, 3)).mean() for e in range(60)]
    assert np.mean(swapped) == pytest.approx(0.25, abs=0.06)
    assert valid.plates is None


@pytest.mark.parametrize("fold", [0, 1])
def test_no_background_is_of_the_validation_fold(project: Path, fold: int) -> None:
    make_project(project)  # walls are red in fold 0, blue in fold 1
    examples = learnt(training_set(fed()), fold)
    _, behind = masks(examples)
    own, other = (2, 0) if fold == 0 else (0, 2)
    for epoch in range(10):
        colours = [p[b].mean(axis=0) for p, b in zip(pictures(examples, epoch), behind, strict=True)]
        assert all(colour[own] > colour[other] + 60 for colour in colours)


def test_nobody_gets_a_background_of_their_own(project: Path) -> None:
    make_project(project, people=4, photos=6)  # two people in each fold: the other is the only donor
    examples = learnt(training_set(fed()))
    own = plates_of(examples)
    marked = np.zeros_like(own.backgrounds)
    marked[own.offered] = (100 * (own.owners + 1)).astype(np.uint8)[:, None, None, None]  # whose it is
    examples = replace(examples, plates=replace(own, backgrounds=marked))
    _, behind = masks(examples)
    for epoch in range(5):
        for picture, where, person in zip(pictures(examples, epoch), behind, own.people, strict=True):
            assert (picture[where] == 100 * (1 - person + 1)).all()


def test_a_photo_that_is_not_trained_on_lends_no_background(project: Path) -> None:
    make_project(project)
    labels = pd.read_parquet("build/labels.parquet")
    dropped = labels["image"].iloc[::3].tolist()
    labels.loc[labels["image"].isin(dropped), "train_class"] = -1
    labels.to_parquet("build/labels.parquet")
    data = training_set(fed())
    assert data.plates
    donors = data.plates.table.iloc[plates_of(learnt(data)).offered]["donor"]
    assert len(donors) > 2
    assert not set(donors) & set(dropped)


def test_same_files_for_any_number_of_workers_and_whatever_the_labels_say(project: Path) -> None:
    make_project(project)
    changes = {"train__background_swap": 0.5}
    compose.run(stage("compose"))
    plates.run(stage("plates", **changes, machine__workers=1))
    first = bytes_below(Path("build/plates"))
    Path("build/labels.parquet").unlink()
    Path("build/folds.parquet").unlink()
    plates.run(stage("plates", **changes, machine__workers=2))
    assert bytes_below(Path("build/plates")) == first
    assert len(first) == 2 * 18 + 2


def test_training_goes_on_where_it_was_stopped_and_ends_as_if_it_had_not_been(project: Path) -> None:
    make_project(project)
    small = {"model": "test_resnet", "epochs": 3, "batch_size": 8, "device": "cpu", "precision": "f32"}
    changes = {f"train__{name}": value for name, value in small.items()}
    swapping = fed(**changes)
    learn, valid = training_set(swapping).sides(0)

    def stop(history: list[dict[str, float]]) -> None:
        raise KeyboardInterrupt

    def trained(learn: Examples, name: str, on_epoch: OnEpoch = lambda _: None) -> dict[str, torch.Tensor]:
        return fit(learn, valid, resolve_config(swapping.params.train), 0, Path(name), on_epoch).state

    with pytest.raises(KeyboardInterrupt):
        trained(learn, "stopped.pt", stop)
    resumed, whole = trained(learn, "stopped.pt"), trained(learn, "whole.pt")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    plain = trained(replace(learn, plates=None), "plain.pt")
    assert any(not torch.equal(plain[name], whole[name]) for name in whole)


def test_where_the_matte_shows_nobody_the_background_stays(project: Path) -> None:
    make_project(project)
    kept = {name: data for name, data in bytes_below(Path("build/mattes")).items() if name.endswith(".png")}
    empty = min(kept)
    with atomic_folder(Path("build/mattes")) as out:
        for name, data in kept.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            nobody = encode_matte(np.zeros((128, 96), np.uint8))
            (out / name).write_bytes(nobody if name == empty else data)
    data = training_set(fed(synthesize__copies=0))
    still: list[str] = []
    for fold in (0, 1):
        examples = learnt(data, fold)
        same = (pictures(examples, 0) == unswapped(examples)).all(axis=(1, 2, 3))
        still += data.table.iloc[examples.rows[same]]["image"].tolist()
    assert still == [empty.removesuffix(".png") + ".jpg"]


def test_one_person_has_no_other_background(project: Path) -> None:
    make_project(project, people=2)
    with pytest.raises(UserError, match="no other background"):
        training_set(fed(synthesize__copies=0)).sides(0)
