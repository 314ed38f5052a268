"""`cleanplate check`: everything wrong at once, before any work, in seconds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from cleanplate.commands import check
from pipeline.params import load_params
from pipeline.runtime.errors import Problems
from stages.shared.rates import rate_key, record_rate
from tests.conftest import ROOT
from tests.fixtures.checked_project import SEED, change, problems, ready
from tests.fixtures.data_folder import ANNA, BERT, add_person

__all__ = ["ready"]  # the fixture


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
