"""The contract of pipeline/compose/backgrounds/, over every file in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.compose.backgrounds import Candidate, Sources
from pipeline.io.image_store import ImageStore
from pipeline.io.photo import encode_jpeg
from pipeline.io.photo_store import PhotoStore
from pipeline.params.machine import Machine
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin, plugin_names
from pipeline.seeds import generator, seed_of
from tests.fixtures.pixel_project import make_project, person_of

CANDIDATES = [
    Candidate(f"train/images/{person_of(n)[0]}/mask{k}.jpg", person_of(n)[0], n % 2)
    for n in range(6)
    for k in (1, 2, 3)
]


@pytest.fixture
def sources(project: Path) -> Sources:
    """Photos, mattes and a folder with one picture and one file that is none."""
    make_project(project)
    (project / "mine/deep").mkdir(parents=True)
    blue = np.full((50, 90, 3), (20, 40, 240), np.uint8)
    (project / "mine/deep/wall.jpg").write_bytes(encode_jpeg(blue))
    (project / "mine/notes.txt").write_text("no picture")
    (project / "mine/.hidden").write_text("not even looked at")
    return Sources(
        PhotoStore(project / "data"),
        ImageStore(project / "build/mattes"),
        project / "mine",
        machine=Machine(workers=1),
    )


@pytest.mark.parametrize("size", [32, 101])
@pytest.mark.parametrize("name", plugin_names("compose.backgrounds"))
def test_contract(name: str, size: int, sources: Sources) -> None:
    kind = load_plugin("compose.backgrounds", name)
    choose = kind.chooser(sources, CANDIDATES)
    fold_of = {c.image: c for c in CANDIDATES}
    for person in CANDIDATES[:4]:
        donor = choose(person, seed_of(0, person.image))
        if donor in fold_of:
            assert fold_of[donor].fold == person.fold
            assert fold_of[donor].person != person.person
        out = kind.picture(sources, donor, size, generator(0, person.image))
        assert out.shape == (size, size, 3)
        assert out.dtype == np.uint8
        assert (out == kind.picture(sources, donor, size, generator(0, person.image))).all()


def test_donors_are_of_the_same_fold_and_never_oneself() -> None:
    choose = load_plugin("compose.backgrounds", "others").chooser(
        Sources(PhotoStore(Path()), ImageStore(Path())), CANDIDATES
    )
    by_image = {c.image: c for c in CANDIDATES}
    for person in CANDIDATES:
        donors = {by_image[choose(person, seed)] for seed in range(200)}
        assert {d.fold for d in donors} == {person.fold}
        assert person.person not in {d.person for d in donors}
        assert len(donors) == 6  # every photo of both others has its turn


def test_a_new_person_takes_a_share_of_the_copies_and_the_others_keep_their_donor() -> None:
    others, sources = (
        load_plugin("compose.backgrounds", "others"),
        Sources(PhotoStore(Path()), ImageStore(Path())),
    )
    crowd = [Candidate(f"train/images/{n}/mask1.jpg", str(n), 0) for n in range(50)]
    late = Candidate("train/images/33b/mask1.jpg", "33b", 0)
    before, after = others.chooser(sources, crowd), others.chooser(sources, [*crowd, late])
    moved = [seed for seed in range(2000) if before(crowd[3], seed) != after(crowd[3], seed)]
    assert {after(crowd[3], seed) for seed in moved} == {late.image}
    assert 20 <= len(moved) <= 65  # 2000 / 50 expected, four standard deviations around it


def test_a_fold_with_one_person_is_an_error_with_a_way_out() -> None:
    choose = load_plugin("compose.backgrounds", "others").chooser(
        Sources(PhotoStore(Path()), ImageStore(Path())), CANDIDATES[:3]
    )
    with pytest.raises(UserError, match=r"one person only[\s\S]*procedural"):
        choose(CANDIDATES[0], 1)


def test_the_donor_is_painted_out(sources: Sources) -> None:
    others = load_plugin("compose.backgrounds", "others")
    for person in CANDIDATES:  # walls are pure red or blue, people are not
        plate = others.picture(sources, person.image, 64, generator(1, person.image)).astype(int)
        wall = (200, 40, 40) if person.fold == 0 else (40, 40, 200)
        assert np.abs(plate - wall).mean() < 12
        assert (np.abs(plate - wall).max(axis=2) > 60).mean() < 0.01


def test_unreadable_pictures_are_listed(sources: Sources, capsys: pytest.CaptureFixture[str]) -> None:
    choose = load_plugin("compose.backgrounds", "folder").chooser(sources, CANDIDATES)
    assert {choose(CANDIDATES[0], seed) for seed in range(20)} == {"deep/wall.jpg"}
    told = capsys.readouterr().err
    assert "notes.txt" in told
    assert ".hidden" not in told


def test_a_folder_without_pictures_is_an_error(sources: Sources, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    folder = load_plugin("compose.backgrounds", "folder")
    for wrong in (empty, tmp_path / "absent", None):
        with pytest.raises(UserError, match="folder"):
            folder.chooser(
                Sources(sources.photos, sources.mattes, wrong, machine=Machine(workers=1)), CANDIDATES
            )


def test_procedural_pictures_differ() -> None:
    kind = load_plugin("compose.backgrounds", "procedural")
    plates = [
        kind.picture(Sources(PhotoStore(Path()), ImageStore(Path())), "", 64, generator(0, i))
        for i in range(20)
    ]
    means = np.array([p.mean(axis=(0, 1)) for p in plates])
    assert means.std(axis=0).min() > 20
    assert min(p.std() for p in plates) > 2
