"""A folder in which stages run on nasty input: params and the code, nothing else."""

from __future__ import annotations

from pathlib import Path

from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from tests.conftest import ROOT


def write_params(folder: Path, **sections: dict[str, object]) -> None:
    raw = parse_yaml((ROOT / "params.yaml").read_text(encoding="utf-8"))
    raw["data"]["root"] = "photos"
    raw["ingest"] |= {"max_quarantine": 1.0, "min_side": 1}
    for name, values in sections.items():
        raw[name] |= values
    (folder / "params.yaml").write_text(yaml_text(raw), encoding="utf-8")


def link_code(folder: Path) -> None:
    for name in ("stages", "pipeline"):
        (folder / name).symlink_to(ROOT / name)
