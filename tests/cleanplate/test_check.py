"""`cleanplate check`: everything wrong at once, before any work, in seconds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cleanplate.commands import check
from pipeline.params import load_params
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from pipeline.runtime.errors import Problems, UserError
from stages.shared.rates import rate_key, record_rate
from tests.conftest import ROOT
from tests.fixtures.data_folder import ANNA, BERT, add_person
from tests.fixtures.weights_server import row

SEED = 0  # puts the two people into different folds


@pytest.fixture
def ready(project: Path) -> Path:
    """A project with two people, in which nothing is wrong."""
    add_person(project / "photos", ANNA)
    add_person(project / "photos", BERT)
    shutil.copy(ROOT / "weights.lock", project / "weights.lock")
    (project / "data/corrections.csv").write_text("person,image,field,old,new,reason,source\n")
    change(data={"root": "photos"}, segment={"method": "none"}, synthesize={"copies": 0})
    change(split={"folds": 2, "seed": SEED})
    return project


def change(**sections: dict[str, Any]) -> None:
    raw = parse_yaml(Path("params.yaml").read_text(encoding="utf-8"))
    for name, values in sections.items():
        raw[name] |= values
    Path("params.yaml").write_text(yaml_text(raw), encoding="utf-8")


def problems() -> str:
    with pytest.raises(UserError) as refused:
        check.main(Path("params.yaml"))
    return str(refused.value)


def test_a_sound_project_passes_with_an_estimate(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check.main(Path("params.yaml"))
    out, err = capsys.readouterr()
    assert "a run over 14 photos" in out
    assert "in all" in out
    assert out.count("estimate, ") == len(out.splitlines()) - 3
    record_rate(Path(".cache"), rate_key("detect", load_params(Path("params.yaml"))), 10.0, 1000)
    check.main(Path("params.yaml"))
    assert "as measured here" in capsys.readouterr().out
    assert "free for outputs" in out
    assert "no problems" in err
    assert not (ready / "build").exists()


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


def test_everything_wrong_is_told_at_once(ready: Path) -> None:
    add_person(ready / "photos", "000003_femail_Asian_20")
    change(
        train={"model": "resnet81", "optimizer": "adamv", "augment": "flipp", "pretrained": "gone.pth"},
        detect={"method": "yolov8", "yolov8": {"weights": "yolov8m.pth"}},
    )
    text = problems()
    for said in ("resnet81", "adamv", "flipp", "gone.pth", "yolov8m.pth", "000003_femail_Asian_20"):
        assert said in text, said
    assert "did you mean `resnet18`" in text


def test_corrections_are_checked_against_the_data(ready: Path) -> None:
    rows = f"{ANNA},,gender,male,female,,\nnobody,,age,3,4,,\n"
    with (ready / "data/corrections.csv").open("a") as f:
        f.write(rows)
    text = problems()
    assert "line 2" in text
    assert "line 3" in text
    (ready / "data/corrections.csv").unlink()
    assert "there is no such file" in problems()


def test_unusable_files_above_the_limit_are_named(ready: Path) -> None:
    (ready / "photos/train/images" / ANNA / "normal.png").write_bytes(b"x")
    assert "the same photo name as" in problems()


def test_too_few_people_to_validate_on_are_told_of_before_the_run(ready: Path) -> None:
    change(split={"folds": 5, "seed": 448})
    assert "the validation fold has no people" in problems()
    change(split={"folds": 3, "seed": SEED}, train={"folds": "all"})
    assert "make folds of" in problems()
    with (ready / "data/corrections.csv").open("a") as f:
        f.write(f"{ANNA},,drop,,,,\n{BERT},,drop,,,,\n")
    assert "there is no photo to train on" in problems()


@pytest.mark.parametrize("root", ["loop", "nul\0byte"])
def test_a_folder_that_cannot_be_one_is_a_sentence(ready: Path, root: str) -> None:
    (ready / "loop").symlink_to("loop")
    change(data={"root": root})
    assert "the data folder is missing" in problems()


def test_photos_that_only_the_table_knows_are_named(ready: Path) -> None:
    table = "image,person,gender,age,mask\np/1.jpg,A,male,30,worn\np/2.jpg,B,male,30,worn\n"
    (ready / "photos/photos.csv").write_text(table)
    change(data={"layout": "csv"})
    assert "p/1.jpg: there is no such file" in problems()


def test_folders_and_names_that_a_later_stage_would_miss(ready: Path) -> None:
    change(relabel={"drop_train_ages": [45, 59]}, fit_segmenter={"encoder": "tu-resnet81"})
    change(segment={"method": "unet"}, synthesize={"copies": 1, "backgrounds": "folder", "folder": "gone"})
    text = problems()
    for said in ("nobody is left to train on", "fit_segmenter.encoder", "resnet81", "synthesize.folder"):
        assert said in text, said


def test_a_network_that_cannot_be_made_is_told_of(ready: Path) -> None:
    change(
        train={"model_args": {"nope": 1}, "precision": "f16", "device": "cpu"}, audit={"model": "resnet81"}
    )
    text = problems()
    assert "timm cannot make `resnet10t`" in text
    assert "float16 is for CUDA" in text
    assert "audit.model" in text


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


def test_wrong_params_stop_it_first(ready: Path) -> None:
    change(compose={"fil": "black"}, train={"epochs": 0})
    with pytest.raises(Problems) as refused:
        check.main(Path("params.yaml"))
    assert len(refused.value.problems) == 2


def test_too_small_a_disk_is_a_problem(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.runtime.disk.free_bytes", lambda _path: 1000)
    assert "the run needs about" in problems()


def test_data_that_a_stage_will_draw_need_not_be_there(
    ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(data={"root": "demo/data"}, segment={"method": "unet"})
    assert "the data folder is missing" in problems()
    (ready / "demo").mkdir()
    shutil.copy(ROOT / "demo/dvc.yaml", ready / "demo/dvc.yaml")
    check.main(Path("params.yaml"))
    assert "`dvc repro` makes it" in capsys.readouterr().err


def test_the_command_exits_with_1_and_no_traceback(ready: Path) -> None:
    change(train={"model": "resnet81"})
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from cleanplate.cli import app; app()"
    done = subprocess.run([sys.executable, "-c", code, "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "resnet81" in done.stderr
    assert "Traceback" not in done.stderr


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


def test_a_cluster_is_looked_at(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if find_spec("ray") is None:  # imported here, it would miss the engine's settings in later tests
        pytest.skip("Ray is not installed: make setup EXTRAS=cluster")
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(ready))
    change(machine={"engine": "ray", "address": "127.0.0.1:9"})
    check.main(Path("params.yaml"))
    assert "there is no token for the Ray cluster at 127.0.0.1:9" in capsys.readouterr().err
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    check.main(Path("params.yaml"))
    assert "RAY_AUTH_MODE is disabled: whoever reaches a port" in capsys.readouterr().err
    monkeypatch.setattr("cleanplate.preflight.cluster.find_spec", lambda name: None)
    assert "make setup EXTRAS=cluster" in problems()
