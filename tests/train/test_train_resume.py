"""A training that is killed goes on; one on several processes, or run again, ends as one that was not."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.runtime.errors import UserError
from pipeline.train.checkpoint import Progress
from pipeline.train.config import TrainConfig, resolve_config
from pipeline.train.device import refuse_slower
from pipeline.train.loop import fit
from stages.shared.command import Stage
from stages.shared.training_set import training_set
from tests.fixtures.small_set import small_params, write_build
from tests.fixtures.small_training import WEIGHTS, curve, environment, same, trained, weights

pytestmark = pytest.mark.usefixtures("project")


def test_same_params_give_the_same_bytes_and_another_seed_does_not() -> None:
    write_build()
    params = small_params(augment="flip_affine_blur", mix="both", ema_decay=0.9)
    trained(params)
    first, curves = Path(WEIGHTS).read_bytes(), Path("build/live/metrics.json").read_bytes()
    trained(params)
    assert Path(WEIGHTS).read_bytes() == first
    assert Path("build/live/metrics.json").read_bytes() == curves
    trained(small_params(augment="flip_affine_blur", mix="both", ema_decay=0.9, seed=1))
    assert Path(WEIGHTS).read_bytes() != first


@pytest.mark.parametrize(("schedule", "heads"), [("cosine", "multitask"), ("plateau", "separate")])
def test_training_killed_after_an_epoch_goes_on_and_ends_bit_for_bit_as_if_it_had_not_been(
    schedule: str, heads: str
) -> None:
    write_build(12)
    settings: dict[str, object] = {
        "epochs": 12,
        "augment": "flip_affine",
        "ema_decay": 0.9,
        "schedule": schedule,
    }
    settings |= {
        "model": "test_vit",
        "model_args": {"drop_rate": 0.2},
        "patience": 1,
        "optimizer": "lion",
        "heads": heads,
    }
    params = small_params(**settings)
    code = "from stages.shared.command import run_stage; from stages.train import run; "
    code += "from pathlib import Path; "
    code += "raise SystemExit(run_stage('train', run, Path('params.yaml')))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment(), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if list(Path(".cache/checkpoints").glob("*/fold0.pt")):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    assert not Path("build/model").exists()
    trained(params)
    resumed, curves = weights(), curve("valid/loss")
    shutil.rmtree("build/model")
    trained(params)
    assert same(resumed, weights())
    assert curves == curve("valid/loss")
    assert len(curves) == 12


def test_two_processes_give_the_scores_of_one() -> None:
    write_build()
    settings: dict[str, object] = {"epochs": 6, "lr": 0.01, "augment": "flip_affine_blur"}
    trained(small_params(**settings))
    alone = {name: curve(name) for name in ("train/loss", "valid/macro_f1", "valid/age_macro_f1")}
    trained(small_params(**settings, processes=2))
    for name, values in alone.items():
        np.testing.assert_allclose(curve(name), values, atol=0.01, err_msg=name)


LOST = "CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronously reported"


def test_a_gpu_lost_in_the_middle_leaves_the_last_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no GPU to pull out here: the step after the second epoch raises what torch raises."""
    from pipeline.train import loop

    write_build(12)
    params = small_params(epochs=3)
    real = loop.one_epoch

    def lost(run: loop.Run, learn: loop.Examples, epoch: int) -> tuple[dict[str, float], float]:
        if epoch == 2:
            raise RuntimeError(LOST)
        return real(run, learn, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "one_epoch", lost)
        with pytest.raises(UserError, match="the GPU failed in the middle of training"):
            trained(params)
    (checkpoint,) = Path(".cache/checkpoints").glob("*/fold0.pt")
    progress = Progress.load(checkpoint)
    assert progress is not None
    assert progress.epoch == 2
    assert not Path("build/model").exists()
    trained(params)
    assert len(curve("valid/loss")) == 3


def test_a_training_that_began_on_cuda_does_not_go_on_without_it() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    refuse_slower("cpu", resolve_config(small_params().train))
    for device in ("auto", "cpu"):
        with pytest.raises(UserError, match="began on CUDA"):
            refuse_slower("cuda", resolve_config(small_params(device=device).train))


def test_no_fold_joins_on_the_cpu_what_cuda_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of two folds was finished on CUDA, then the machine died; now there is none."""
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    from pipeline.train import loop

    write_build(12)
    params = small_params(epochs=1, folds="all")
    real = loop.start

    def dies(learn: loop.Examples, config: TrainConfig, fold: int) -> loop.Run:
        if fold == 1:
            raise KeyboardInterrupt
        return real(learn, config, fold)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "start", dies)
        with pytest.raises(KeyboardInterrupt):
            trained(params)
    (checkpoint,) = Path(".cache/checkpoints").glob("*/fold0.pt")
    progress = Progress.load(checkpoint)
    assert progress is not None
    assert progress.finished
    progress.device = "cuda"
    progress.save(checkpoint)
    with pytest.raises(UserError, match="began on CUDA"):
        trained(params)
    assert not Path("build/model").exists()


def test_a_gpu_lost_in_validation_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.train import loop

    def lost(*_: object) -> dict[str, float]:
        raise RuntimeError(LOST)

    write_build(12)
    monkeypatch.setattr(loop, "scores_of", lost)
    with pytest.raises(UserError, match="the GPU failed in the middle of training"):
        trained(small_params(epochs=1))


def test_where_a_training_ran_is_kept_with_it() -> None:
    write_build(12)
    params = small_params(epochs=2)
    data = training_set(Stage("train", params))
    checkpoint = Path(".cache/kept.pt")
    fit(*data.sides(0), resolve_config(params.train), 0, checkpoint, lambda _: None)
    progress = Progress.load(checkpoint)
    assert progress is not None
    assert progress.device == "cpu"
    progress.device, progress.finished, progress.epoch = "cuda", False, 1
    progress.save(checkpoint)
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="began on CUDA"):
            fit(*data.sides(0), resolve_config(params.train), 0, checkpoint, lambda _: None)
