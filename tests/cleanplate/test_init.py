"""`cleanplate init`: a preset written into params.yaml, line by line, with every change shown."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest

from cleanplate.commands import init
from cleanplate.experiments.preset import PRESETS, read_preset
from cleanplate.preflight.checks import is_stage_output
from pipeline.params import Params, load_params
from pipeline.params.loading import read_document
from pipeline.params.overrides import apply_overrides
from pipeline.runtime.errors import Problems, UserError
from tests.conftest import ROOT

PARAMS = Path("params.yaml")
OWN = "segment:\n  method: selfie\ntrain:\n  size: 128\n"


@pytest.fixture
def own(project: Path) -> str:
    """A preset of one's own, in a project."""
    (project / "own.yaml").write_text(OWN, encoding="utf-8")
    (project / "photos").mkdir()
    return "own.yaml"


def lines_changed(before: str) -> list[str]:
    after = PARAMS.read_text(encoding="utf-8")
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in diff if line[0] in "+-" and line[:3] not in ("+++", "---")]


def test_only_the_values_change_and_are_shown(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = PARAMS.read_text(encoding="utf-8")
    init.main(own, "photos")
    loaded = load_params(PARAMS)
    assert (loaded.segment.method, loaded.train.size, loaded.data.root) == ("selfie", 128, "photos")
    changed = lines_changed(before)
    assert len(changed) == 6
    for old, new in zip(*([c for c in changed if c[0] == sign] for sign in "-+"), strict=True):
        assert old.partition("#")[2] == new.partition("#")[2]
    out, err = capsys.readouterr()
    assert "segment.method: unet -> selfie" in out
    assert "train.size: 64 -> 128" in out
    assert "data.root: demo/data -> photos" in out
    assert "3 values of params.yaml changed" in err


def test_a_second_time_changes_nothing(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    init.main(own)
    before = PARAMS.read_bytes()
    capsys.readouterr()
    init.main(own)
    assert PARAMS.read_bytes() == before
    out, err = capsys.readouterr()
    assert out == ""
    assert "0 values of params.yaml changed, 2 were so already" in err


@pytest.mark.parametrize(
    ("preset", "data", "said"),
    [
        ("photo", None, "did you mean `photos`"),
        ("own.yaml", "nowhere", "no such folder"),
        ("own.yaml", ".", "overlaps what the pipeline writes"),
        ("wrong.yaml", None, "train.sise: no such param; did you mean `size`"),
        ("bare.yaml", None, "segment.method is none"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    own: str, preset: str, data: str | None, said: str
) -> None:
    Path("wrong.yaml").write_text("train:\n  sise: 128\n", encoding="utf-8")
    Path("bare.yaml").write_text("segment:\n  method: none\n", encoding="utf-8")
    before = PARAMS.read_bytes()
    with pytest.raises((UserError, Problems)) as refused:
        init.main(preset, data)
    assert said in str(refused.value)
    assert PARAMS.read_bytes() == before


@pytest.mark.parametrize("preset", [path.stem for path in sorted(PRESETS.glob("*.yaml"))])
def test_every_preset_names_params_that_there_are(preset: str) -> None:
    values: dict[str, Any] = read_document(ROOT / "params.yaml")
    assert Params.model_validate(apply_overrides(values, read_preset(preset))).segment.method == "selfie"


def test_the_preset_for_photographs_is_allowed_and_asks_for_no_demo(own: str) -> None:
    init.main("photos", "photos")
    loaded = load_params(PARAMS)
    for place in (loaded.fit_segmenter.photos, loaded.fit_segmenter.mattes):
        assert (ROOT / place).is_dir(), "in every clone"
        assert not is_stage_output(ROOT, place), "DVC would draw the demo for it"
    assert (loaded.detect.method, loaded.segment.method, loaded.data.root) == (
        "retinaface",
        "selfie",
        "photos",
    )
