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

from tests.small_set import small_params, write_build
from tests.small_training import WEIGHTS, curve, environment, same, trained, weights

pytestmark = pytest.mark.usefixtures("project")


def test_same_params_give_the_same_bytes_and_another_seed_does_not() -> None:
    write_build()
    params = small_params(augment="flip_affine_blur", mix="both", ema=0.9)
    trained(params)
    first, curves = Path(WEIGHTS).read_bytes(), Path("build/live/metrics.json").read_bytes()
    trained(params)
    assert Path(WEIGHTS).read_bytes() == first
    assert Path("build/live/metrics.json").read_bytes() == curves
    trained(small_params(augment="flip_affine_blur", mix="both", ema=0.9, seed=1))
    assert Path(WEIGHTS).read_bytes() != first


@pytest.mark.parametrize(("schedule", "heads"), [("cosine", "multitask"), ("plateau", "separate")])
def test_training_killed_after_an_epoch_goes_on_and_ends_bit_for_bit_as_if_it_had_not_been(
    schedule: str, heads: str
) -> None:
    write_build(12)
    settings: dict[str, object] = {"epochs": 12, "augment": "flip_affine", "ema": 0.9, "schedule": schedule}
    settings |= {
        "model": "test_vit",
        "model_args": {"drop_rate": 0.2},
        "patience": 1,
        "optimizer": "lion",
        "heads": heads,
    }
    params = small_params(**settings)
    code = "from stages.command import run_stage; from stages.train import run; from pathlib import Path; "
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
