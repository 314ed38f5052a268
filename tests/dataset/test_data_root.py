"""A data folder that holds what the pipeline writes, or lies in it, is refused by ingest and by `check`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cleanplate.commands import check
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from pipeline.runtime.errors import UserError
from tests.conftest import ROOT
from tests.fixtures.data_folder import ANNA, BERT, add_person, run_ingest

HOLDS = [".", "./", "..", "data/..", "ABSOLUTE", "link to the project", "link to build", "./build", "quick"]
LIES_IN = ["build/photos", "reports/x", ".cache/photos", ".dvc/tmp/photos", ".git/photos", "quick/../build/x"]


@pytest.fixture
def place(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, the current folder, whose data folder may be anywhere: also in the folder above."""
    place = project / "project"
    (place / "data").mkdir(parents=True)
    (place / "build").mkdir()
    shutil.copy(ROOT / "weights.lock", place / "weights.lock")
    shutil.copy(project / "params.yaml", place / "params.yaml")
    (place / "data/corrections.csv").write_text("person,image,field,old,new,reason,source\n")
    (place / "link to the project").symlink_to(place)
    (place / "link to build").symlink_to("build")
    monkeypatch.chdir(place)
    return place


def set_root(root: str) -> None:
    raw = parse_yaml(Path("params.yaml").read_text(encoding="utf-8"))
    raw["data"]["root"] = root
    raw["split"] |= {"folds": 2, "seed": 0}
    raw["segment"]["method"] = "none"
    raw["synthesize"]["copies"] = 0
    Path("params.yaml").write_text(yaml_text(raw), encoding="utf-8")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("root", HOLDS + LIES_IN)
def test_an_overlap_is_refused_with_the_fix(place: Path, root: str, there: bool) -> None:
    root = str(place) if root == "ABSOLUTE" else root
    if there:
        add_person(Path(root), ANNA)
    set_root(root)
    with pytest.raises(UserError, match="overlaps what the pipeline writes") as by_ingest:
        run_ingest(Path(root))
    with pytest.raises(UserError) as by_check:
        check.main(Path("params.yaml"))
    for refused in (by_ingest, by_check):
        said = str(refused.value)
        assert f"data.root: {Path(root)}; it {'lies in' if root in LIES_IN else 'holds'} " in said
        assert "move the photos into a folder of their own" in said


@pytest.mark.parametrize("root", ["photos", "demo/data", "data", "../photos", "builds", "link"])
def test_a_folder_of_its_own_is_used(place: Path, root: str) -> None:
    add_person(place.parent / "elsewhere", ANNA)
    (place / "link").symlink_to("../elsewhere")
    for person in (ANNA, BERT):
        if root != "link" or person == BERT:
            add_person(Path(root), person)
    set_root(root)
    check.main(Path("params.yaml"))
    assert len(run_ingest(Path(root))) == 14


def test_outputs_on_another_disk_are_followed(place: Path) -> None:
    """`build` as a link to a large disk, and the photos beside it on that disk or around it."""
    disk = place.parent / "disk"
    (place / "build").rmdir()
    (disk / "build").mkdir(parents=True)
    (place / "build").symlink_to(disk / "build")
    add_person(disk / "photos", ANNA)
    assert len(run_ingest(disk / "photos")) == 7
    with pytest.raises(UserError, match="it holds build/"):
        run_ingest(disk)
