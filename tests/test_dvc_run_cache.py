"""DVC's run cache returns what was made with the same params, also where a param is called size."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.reliability.repository import make_repository, run, write_params


def test_another_size_composes_other_pictures(tmp_path: Path) -> None:
    """DVC leaves `size` inside a section out of its run cache's key: the first pictures would come back."""
    project = make_repository(tmp_path / "project")
    sides = []
    for size in (48, 64, 48):
        write_params(project, compose__size=size, compose__fill="keep")
        code, said = run(project, "dvc", "repro", "compose")
        assert code == 0, said
        with Image.open(min((project / "build/images").rglob("*.jpg"))) as picture:
            sides.append(picture.width)
        again = "Running stage 'compose'" in said
    assert sides == [48, 64, 48]
    assert not again
