"""The stage fit_segmenter: pairs by name, nobody on both sides, right mattes of people not seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.io.photo import encode_jpeg, encode_matte
from pipeline.runtime.errors import Problems, UserError
from pipeline.segment.unet.matte_pairs import find_pairs, read_pair, split_people
from stages import fit_segmenter as stage
from stages.shared.command import run_stage
from tests.conftest import ROOT
from tests.fixtures.tiny_unet import drawn

PEOPLE = 8
PER_PERSON = 4


def write_pair(name: str, *, turned: bool = False) -> None:
    photo, alpha = drawn(name)
    path = Path("photos") / f"{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    if turned:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(photo).rotate(90, expand=True).save(path, exif=exif)
    else:
        path.write_bytes(encode_jpeg(photo))
    matte = Path("mattes") / f"{name}.png"
    matte.parent.mkdir(parents=True, exist_ok=True)
    matte.write_bytes(encode_matte(alpha))


@pytest.fixture
def fit(project: Path) -> Callable[..., int]:
    """Runs the stage on drawn people, with a small encoder, in `project`."""
    for person in range(PEOPLE):
        for n in range(PER_PERSON):
            write_pair(f"p{person}/{n}", turned=(person, n) == (2, 1))
    Image.open("photos/p3/1.jpg").convert("L").save("photos/p3/1.jpg")
    write_params(project)
    return partial(run_stage, "fit_segmenter", stage.run, Path("params.yaml"), debug=True)


def write_params(project: Path, **changes: object) -> None:
    section: dict[str, object] = {
        "photos": "photos",
        "mattes": "mattes",
        "encoder": "tu-mobilenetv3_small_050",
        "encoder_weights": None,
        "size": 64,
        "epochs": 8,
        "batch_size": 4,
        "lr": 0.01,
    }
    params = {"data": {"root": "photos"}, "fit_segmenter": {**section, **changes}}
    (project / "params.yaml").write_text(json.dumps(params), encoding="utf-8")  # JSON is YAML


def report() -> dict[str, Any]:
    return json.loads(Path("reports/fit_segmenter.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("segment", [{"method": "none"}, {"unet": {"weights": "people-unet-b3"}}])
def test_nothing_is_fitted_that_no_stage_would_read(
    project: Path, capsys: pytest.CaptureFixture[str], segment: dict[str, object]
) -> None:
    params = {"data": {"root": "photos"}, "segment": segment, "synthesize": {"copies": 0}}
    (project / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    assert run_stage("fit_segmenter", stage.run, Path("params.yaml"), debug=True) == 0
    assert "not needed, mattes come from `" in capsys.readouterr().err
    assert not list(Path("build/segmenter").rglob("*.safetensors"))


def test_it_learns_people_that_it_did_not_see_and_does_so_twice_alike(
    fit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit() == 0
    assert report()["iou"] > 0.85
    assert (report()["people"], report()["photos"]) == (2, 2 * PER_PERSON)
    assert (report()["train_people"], report()["train_photos"]) == (6, 6 * PER_PERSON)
    told = capsys.readouterr().err
    assert "epoch 8/8" in told
    files = {p.name: p.read_bytes() for p in Path("build/segmenter").iterdir()}
    assert sorted(files) == ["MANIFEST.json", "config.json", "model.safetensors"]
    assert str(Path.cwd()).encode() not in b"".join(files.values())
    assert fit() == 0
    assert {p.name: p.read_bytes() for p in Path("build/segmenter").iterdir()} == files


def test_pairs_are_found_in_folders_and_flat(project: Path) -> None:
    for name in ("train/a/1", "train/a/2", "train/b/1"):
        write_pair(name)
    (project / "photos" / "train" / "b" / "without_matte.jpg").write_bytes(b"")
    pairs = find_pairs(Path("photos"), Path("mattes"))
    assert [(p.name, p.person) for p in pairs] == [
        ("train/a/1", "train/a"),
        ("train/a/2", "train/a"),
        ("train/b/1", "train/b"),
    ]
    flat = find_pairs(Path("photos/train/a"), Path("mattes/train/a"))
    assert [p.person for p in flat] == ["1", "2"]
    train, unseen = split_people(pairs, 0)
    assert {p.person for p in train}.isdisjoint(p.person for p in unseen)
    assert unseen


def test_a_turned_photo_meets_its_matte_upright(fit: Callable[..., int]) -> None:
    pair = next(p for p in find_pairs(Path("photos"), Path("mattes")) if p.name == "p2/1")
    photo, alpha = read_pair(pair, (255, 255, 255))
    assert photo.shape[:2] == alpha.shape == (64, 48)
    assert photo[alpha > 200].mean() > photo[alpha < 50].mean() + 50


def test_what_cannot_be_used_is_named_all_at_once(
    fit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mattes/p0/0.png").write_bytes(encode_matte(np.zeros((64, 40), np.uint8)))
    Path("photos/p1/2.jpg").write_bytes(b"no photo")
    assert fit() == 1
    told = capsys.readouterr().err
    assert "p0/0.png" in told
    assert "40x64" in told
    assert "p1/2.jpg" in told
    assert not Path("build").exists()


def test_a_matte_without_its_photo_is_an_error(fit: Callable[..., int]) -> None:
    Path("photos/p0/0.jpg").rename("photos/p0/zero.jpg")
    Path("photos/p0/1.png").write_bytes(Path("photos/p0/1.jpg").read_bytes())
    with pytest.raises(Problems, match=r"p0/0\.png: 0 photos[\s\S]*p0/1\.png: 2 photos"):
        find_pairs(Path("photos"), Path("mattes"))
    with pytest.raises(UserError, match="missing"):
        find_pairs(Path("photos"), Path("nowhere"))


def test_one_person_is_not_enough(project: Path) -> None:
    write_pair("only")
    with pytest.raises(UserError, match="one person"):
        split_people(find_pairs(Path("photos"), Path("mattes")), 0)


def test_encoder_weights_of_another_net_are_refused(
    fit: Callable[..., int], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    torch.save({"features.0.weight": torch.zeros(3)}, "other.pth")
    write_params(project, encoder_weights="other.pth")
    assert fit() == 1
    assert "not the weights of this encoder" in capsys.readouterr().err


def test_encoder_weights_under_another_librarys_names_do_the_same(tmp_path: Path) -> None:
    import segmentation_models_pytorch as smp
    import timm
    import torch

    from pipeline.segment.unet.weights import load_encoder

    theirs = timm.create_model("mobilenetv2_100").eval()
    torch.save(theirs.state_dict(), tmp_path / "mobilenetv2.pth")
    net = smp.Unet("mobilenet_v2", encoder_weights=None).eval()
    assert load_encoder(net, tmp_path / "mobilenetv2.pth") > 300
    photo = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(net.encoder(photo)[-1], theirs.forward_features(photo), atol=1e-5)


def test_it_fits_real_photos_on_a_pretrained_encoder(project: Path, test_data: Path) -> None:
    """The packaged ImageNet weights, and real photos with mattes: a few steps show that it learns."""
    source = test_data / "person_masks"
    if not source.is_dir():
        pytest.skip("no mattes of real photos in CLEANPLATE_TEST_DATA")
    shutil.copy(ROOT / "weights.lock", project)
    names = sorted(p.stem for p in (source / "mattes").glob("*.png"))[:40]
    for kind, suffix in (("photos", ".jpg"), ("mattes", ".png")):
        Path(kind).mkdir()
        for name in names:
            (Path(kind) / f"{name}{suffix}").symlink_to(source / kind / f"{name}{suffix}")
    write_params(
        project,
        encoder="tu-mobilenetv2_100",
        encoder_weights="mobilenet_v2-b0353104.pth",
        size=96,
        epochs=4,
        lr=0.003,
    )
    assert run_stage("fit_segmenter", stage.run, Path("params.yaml"), debug=True) == 0
    assert report()["iou"] > 0.6


def test_a_teacher_stands_in_for_mattes_and_those_by_hand_validate(
    fit: Callable[..., int], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for matte in Path("mattes").rglob("*.png"):
        if matte.parent.name not in ("p1", "p4"):
            matte.unlink()
    Path("photos/p5/3.jpg").write_bytes(b"no photo")
    write_params(project, teacher="selfie", epochs=1)
    assert fit() == 0
    told = capsys.readouterr().err
    assert "warning: 1 photos cannot be used: p5/3.jpg" in told
    assert report()["train_photos"] + report()["photos"] == PEOPLE * PER_PERSON - 1
    assert report()["photos_by_hand"] == report()["photos"] == 2 * PER_PERSON
    assert f"by hand on {2 * PER_PERSON} of them" in told
    assert not list(Path(".cache/parts").glob("taught-*"))
    write_params(project, teacher="selfie", epochs=1, max_photos=20, mattes="nothing_by_hand")
    Path("nothing_by_hand").mkdir()
    Path("photos/p5/3.jpg").unlink()
    assert fit() == 0
    assert "20 from the cache, 0 computed" in capsys.readouterr().err
    assert report()["photos_by_hand"] == 0
    assert "iou_by_hand" not in report()


def test_a_teachers_mattes_of_real_photos_are_learnt(project: Path, test_data: Path) -> None:
    source = test_data / "person_masks"
    if not source.is_dir():
        pytest.skip("no mattes of real photos in CLEANPLATE_TEST_DATA")
    shutil.copy(ROOT / "weights.lock", project)
    names = sorted(p.stem for p in (source / "mattes").glob("*.png"))[:40]
    for folder, suffix, few in (("photos", ".jpg", names), ("mattes", ".png", names[::4])):
        Path(folder).mkdir()
        for name in few:
            (Path(folder) / f"{name}{suffix}").symlink_to(source / folder / f"{name}{suffix}")
    write_params(
        project,
        teacher="selfie",
        refine="grabcut",
        encoder="tu-mobilenetv2_100",
        encoder_weights="mobilenet_v2-b0353104.pth",
        size=96,
        epochs=6,
        lr=0.003,
    )
    assert run_stage("fit_segmenter", stage.run, Path("params.yaml"), debug=True) == 0
    assert report()["photos_by_hand"] == 8
    assert report()["iou_by_hand"] > 0.6
    assert report()["iou"] > 0.6
