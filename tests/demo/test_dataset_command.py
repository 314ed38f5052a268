"""The demo's params and its stage: what is refused, and what DVC has to know."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from demo.dataset import main, read_params
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from pipeline.runtime.errors import UserError
from tests.imports import ROOT, closure
from tests.test_wiring import is_neutral


def test_wrong_params_are_refused_by_name(tmp_path: Path) -> None:
    good = {"seed": 1, "people": 18, "eval_people": 6, "size": [384, 512]}
    path = tmp_path / "params.yaml"
    for change in ({"persons": 3}, {"people": 2}, {"size": 384}, {"seed": "x"}):
        path.write_text(yaml_text(good | change))
        with pytest.raises(UserError, match=next(iter(change))):
            read_params(path)


def test_a_wrong_param_ends_the_command_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, ["--out", str(tmp_path), "--params", str(tmp_path / "params.yaml")])
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert not (tmp_path / "data").exists()


def test_dvc_stage_lists_every_module_and_param() -> None:
    demo = ROOT / "demo"
    stage = parse_yaml((demo / "dvc.yaml").read_text())["stages"]["demo"]
    ends = frozenset(
        p for p in (ROOT / "pipeline").rglob("*.py") if is_neutral(p.relative_to(ROOT).as_posix())
    )
    files = {p.relative_to(ROOT) for p in closure(demo / "dataset.py", ends)[0] if p.name != "__init__.py"}
    rooms = {"demo/drawing" if p.parts[1] == "drawing" else p.as_posix() for p in files}
    assert {r for r in rooms if not is_neutral(r)} | {"demo/dataset.py"} == set(stage["deps"])
    (params,) = stage["params"]
    given = parse_yaml((demo / "params.yaml").read_text())
    width_and_height = {f"size.{i}" for i in range(len(given.pop("size")))}
    assert set(params["demo/params.yaml"]) == set(given) | width_and_height
