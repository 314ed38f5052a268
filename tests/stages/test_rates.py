"""What a run takes: as earlier runs measured it here, else by the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.params import Params, load_params
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from stages import detect, ingest
from stages.shared.command import Stage
from stages.shared.costs import run_costs
from stages.shared.rates import MIN_PHOTOS, rate_key, read_rates, record_rate
from tests.fixtures.data_folder import add_person


@pytest.fixture
def params(project: Path) -> Params:
    raw = parse_yaml((project / "params.yaml").read_text())
    raw["data"]["root"] = "photos"
    raw["ingest"]["min_side"] = 1  # the photos are tiny
    raw["machine"]["workers"] = 1
    (project / "params.yaml").write_text(yaml_text(raw))
    return load_params(project / "params.yaml")


def test_a_run_leaves_its_rate_for_the_next_estimate(params: Params) -> None:
    for number in range(MIN_PHOTOS // 7 + 1):
        add_person(Path("photos"), f"{number:06d}_male_Asian_30")
    ingest.run(Stage("ingest", params))
    rate = read_rates(Path(".cache"))[rate_key("ingest", params)]
    costs = {c.stage: c for c in run_costs(params, 1000, 2, read_rates(Path(".cache")))}
    assert costs["ingest"].measured
    assert costs["ingest"].seconds == pytest.approx(1000 * rate)
    assert not costs["detect"].measured


def test_a_few_photos_say_nothing(tmp_path: Path) -> None:
    record_rate(tmp_path, "ingest", 100.0, MIN_PHOTOS - 1)
    assert read_rates(tmp_path) == {}


def test_a_run_from_the_cache_is_no_measure(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.shared.rates.MIN_PHOTOS", 1)
    add_person(Path("photos"), "000001_male_Asian_30")
    ingest.run(Stage("ingest", params))
    detect.run(Stage("detect", params))
    key, record = rate_key("detect", params), Path(".cache/rates.json")
    assert read_rates(Path(".cache"))[key] > 0
    record.unlink()
    detect.run(Stage("detect", params))
    assert key not in read_rates(Path(".cache"))


def test_a_rate_that_cannot_be_kept_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    record_rate(tmp_path / "file", "ingest", 100.0, MIN_PHOTOS)


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    for text in ("", "[1]", '{"ingest": "fast"}', "\0"):
        (tmp_path / "rates.json").write_text(text)
        assert read_rates(tmp_path) == {}


def with_param(params: Params, key: str, value: object) -> Params:
    """`params` with the one at `key`, as `detect.mtcnn.adaptive`, changed."""
    raw = params.model_dump(by_alias=True)
    *parents, last = key.split(".")
    section = raw
    for parent in parents:
        section = section[parent]
    assert section[last] != value
    section[last] = value
    return Params.model_validate(raw)


@pytest.mark.parametrize(
    ("stage", "key", "value"),
    [
        ("train", "train.heads", "separate"),
        ("train", "train.precision", "bf16"),
        ("train", "train.task_size", {"mask": 32}),
        ("detect", "detect.mtcnn.adaptive", False),
        ("detect", "detect.yolov8.precision", "bf16"),
        ("detect", "detect.retinaface.max_side", 320),
        ("segment", "segment.unet.precision", "bf16"),
        ("segment", "segment.method", "selfie"),
        ("segment", "segment.refine", "grabcut"),
        ("segment", "segment.selfie.precision", "bf16"),
        ("compose", "machine.workers", 2),
    ],
)
def test_what_makes_a_stage_slower_has_a_rate_of_its_own(
    params: Params, stage: str, key: str, value: object
) -> None:
    if key.startswith(("detect.yolov8", "detect.retinaface")):
        params = with_param(params, "detect.method", key.split(".")[1])
    if key == "train.task_size":
        params = with_param(params, "train.heads", "separate")
    if key.startswith("segment.selfie"):
        params = with_param(params, "segment.method", "selfie")
    changed = with_param(params, key, value)
    measured = {rate_key(stage, params): 0.5}
    assert {c.stage: c.measured for c in run_costs(params, 100, 1, measured)}[stage]
    assert not {c.stage: c.measured for c in run_costs(changed, 100, 1, measured)}[stage]


def test_a_second_round_takes_as_long_again(params: Params) -> None:
    twice = with_param(params, "train.pseudo_labels", 0.9)
    once, again = ({c.stage: c.seconds for c in run_costs(p, 100, 1, {})} for p in (params, twice))
    assert again["train"] == pytest.approx(2 * once["train"])
    assert again["predict"] == once["predict"]


def test_the_plan_knows_the_network_and_what_was_learnt_tells_of_evaluate(params: Params) -> None:
    small, large = (
        {c.stage: c.seconds for c in run_costs(params, 100, 1, {}, flops)} for flops in (3e8, 3e10)
    )
    assert large["train"] == pytest.approx(100 * small["train"])
    rates = {rate_key("train", params): 0.5}
    costs = {c.stage: c for c in run_costs(params, 100, 1, rates, 3e8)}
    assert costs["train"].seconds == pytest.approx(0.5 * 100 * 2 * 3 / 7 * params.train.epochs)
    assert costs["evaluate"].measured
