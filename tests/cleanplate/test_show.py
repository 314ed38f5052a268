"""`cleanplate show`: any picture of any stage, whether it lies in a file or in a tar."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cleanplate.commands import show
from cleanplate.commands.show import Picture
from pipeline.io.image_store import ImageStore, composed_name
from pipeline.io.photo import read_photo
from pipeline.runtime.errors import UserError
from stages import compose, synthesize
from tests.fixtures.pixel_project import make_project, stage


@pytest.fixture(params=[None, 4], ids=["files", "tars"])
def done(project: Path, request: pytest.FixtureRequest) -> Path:
    """The small project, composed and with copies, as current folder."""
    make_project(project, people=4)
    shards = {"data__shards": request.param}
    compose.run(stage("compose", compose__fill="blur", **shards))
    synthesize.run(stage("synthesize", synthesize__copies=2.0, **shards))
    return project


def first_photo() -> str:
    return str(pd.read_parquet("build/synthetic/synthetic.parquet")["image"].iloc[0])


def test_a_picture_comes_as_its_stage_wrote_it(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = first_photo()
    show.main(image, Picture.composed)
    (line,) = capsys.readouterr().out.splitlines()
    written = ImageStore.opened(Path("build/images")).read(composed_name(image))
    assert Path(line).read_bytes() == written
    show.main(image, Picture.synthetic, copy=1, out=Path("copy.jpg"))
    files = pd.read_parquet("build/synthetic/synthetic.parquet").query("image == @image")["file"]
    copies = ImageStore.opened(Path("build/synthetic"))
    assert Path("copy.jpg").read_bytes() == copies.read(sorted(files)[1]) != copies.read(sorted(files)[0])
    with pytest.raises(UserError, match="--copy is for --stage synthetic"):
        show.main(image, Picture.matte, copy=1)
    with pytest.raises(UserError, match="no such copy"):
        show.main(image, Picture.synthetic, copy=9)
    show.main(image, Picture.matte, out=Path("matte.png"))
    assert Path("matte.png").read_bytes()[1:4] == b"PNG"


def test_all_stages_stand_side_by_side(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = first_photo()
    show.main(image)
    one_row = read_photo(Path(capsys.readouterr().out.strip()))
    copies = (pd.read_parquet("build/synthetic/synthetic.parquet")["image"] == image).sum()
    assert one_row.shape[1] == 2 * 26 + (4 + copies) * 214 - 14


def test_the_end_of_a_name_is_enough_if_it_is_one_photo_s(done: Path) -> None:
    image = first_photo()
    person, file = image.split("/")[-2:]
    names = [image, "train/images/other/" + file]
    assert show.find_photo(f"{person}/{file}", names) == image
    assert show.find_photo(f"{person}/{Path(file).stem}", names) == image
    with pytest.raises(UserError, match="2 photos have this name"):
        show.find_photo(file, names)
    with pytest.raises(UserError, match=f"did you mean `{image}`"):
        show.find_photo(image.replace("images", "imagse"), names)


def test_what_no_stage_has_made_is_refused_with_the_command(project: Path) -> None:
    make_project(project, people=2)
    image = str(pd.read_parquet("build/photos.parquet")["image"].iloc[0])
    with pytest.raises(UserError, match="dvc repro compose"):
        show.main(image, Picture.composed)
    show.main(image, out=Path("raw.png"))
    assert Path("raw.png").stat().st_size > 0
