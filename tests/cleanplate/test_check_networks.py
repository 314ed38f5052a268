"""`cleanplate check`: networks, their weights and precisions, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanplate.commands import check
from tests.fixtures.checked_project import change, problems, ready
from tests.fixtures.data_folder import add_person
from tests.fixtures.weights_server import row

__all__ = ["ready"]  # the fixture


def test_weights_are_looked_at_and_not_fetched(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(detect={"method": "yolov8"})
    check.main(Path("params.yaml"))
    assert "yolov8n.pt will be fetched (6.5 MB) from https://" in capsys.readouterr().err
    change(detect={"method": "yolov8", "yolov8": {"weights": "lost.pt"}})
    change(segment={"method": "unet", "unet": {"weights": "unknown.pt"}})
    Path("weights.lock").write_text(
        row("lost.pt", package="no-such-package", version="1.0", member="a", sha256="0" * 64)
        + row("unknown.pt", url="https://x.invalid/a")
    )
    text = problems()
    assert "no-such-package 1.0, which holds lost.pt, is not installed; `make setup`" in text
    assert "`cleanplate weights pin unknown.pt`" in text


def test_a_network_that_cannot_be_made_is_told_of(ready: Path) -> None:
    change(
        train={"model_args": {"nope": 1}, "precision": "f16", "device": "cpu"}, audit={"model": "resnet81"}
    )
    text = problems()
    assert "timm cannot make `resnet10t`" in text
    assert "float16 is for CUDA" in text
    assert "audit.model" in text


def test_the_linear_model_is_no_network_of_timms(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(train={"model": "features", "precision": "auto", "device": "cpu"}, faces={"network": "faceres"})
    check.main(Path("params.yaml"))
    assert "no problems" in capsys.readouterr().err


def test_a_misspelt_network_is_told_of_once(ready: Path) -> None:
    change(train={"model": "resnet81", "precision": "auto", "device": "cpu"})
    assert problems().count("timm has no model `resnet81`") == 1


def test_a_precision_that_this_machine_lacks_is_told_of(ready: Path) -> None:
    change(detect={"method": "yolov8", "backend": "torch", "yolov8": {"precision": "bf16"}})
    assert "bf16 is not supported on this machine; where: detect.yolov8.precision" in problems()


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        ("foo", "segmentation-models-pytorch has no encoder `foo`"),
        ("resnet81", "did you mean `resnet18`"),
        ("tu-vit_tiny_patch16_224", "fit_segmenter.encoder"),
        ("tu-timm/resnet10t.c3_in1k", None),
        ("mobilenet_v2", None),
    ],
)
def test_smp_is_asked_for_the_encoder(ready: Path, encoder: str, said: str | None) -> None:
    change(segment={"method": "unet"}, fit_segmenter={"encoder": encoder})
    text = problems()  # its folders are missing, at least
    assert (said or "the folder demo/data is missing") in text
    assert ("encoder" in text) == (said is not None)


@pytest.mark.parametrize("model", ["hf-hub:timm/resnet18.a1_in1k", "vit_tiny_patch16_224_in21k"])
def test_hub_names_and_old_names_pass(ready: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    change(train={"model": model}, audit={"model": model})
    check.main(Path("params.yaml"))
    assert "no problems" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["cait_xxs24_224", "vit_base_patch16_siglip_224"])
def test_a_network_that_hands_its_own_weights_around_is_none_the_worse(
    ready: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token of the class is a weight, and the layer that it is fed to gets it as if it were pixels."""
    change(train={"model": model})
    check.main(Path("params.yaml"))
    assert "no problems" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["lambda_resnet26t", "halonet26t"])
def test_a_network_that_breaks_in_its_own_code_hides_no_other_problem(ready: Path, model: str) -> None:
    add_person(ready / "photos", "000003_femail_Asian_20")
    change(train={"model": model})
    text = problems()
    assert f"`{model}` cannot" in text
    assert "000003_femail_Asian_20" in text


def test_an_optimiser_that_training_refuses_is_told_of(ready: Path) -> None:
    change(train={"optimizer": "adahessian"})
    assert "second derivatives" in problems()


def test_a_unet_fitted_to_other_photos_is_noted(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("fitted", "mattes"):
        (ready / folder).mkdir()
    change(segment={"method": "unet"}, fit_segmenter={"photos": "fitted", "mattes": "mattes"})
    check.main(Path("params.yaml"))
    said = capsys.readouterr().err
    assert "demo is a U-Net fitted to fitted, not to photos" in said
    assert "dvc exp run -S segment.method=selfie" in said
    change(fit_segmenter={"photos": "photos"})
    check.main(Path("params.yaml"))
    assert "U-Net" not in capsys.readouterr().err


def test_the_selfie_network_is_looked_for(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(segment={"method": "selfie"})
    check.main(Path("params.yaml"))
    assert "no problems" in capsys.readouterr().err
    change(segment={"method": "selfie", "selfie": {"weights": "gone.tflite"}})
    assert "segment.selfie.weights: 'gone.tflite' is neither" in problems()
