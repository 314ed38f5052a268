"""The tables between stages: declared once, refused when a stage makes another, told in docs/contracts.md."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from pipeline.runtime.errors import UserError
from stages.shared import artefacts
from stages.shared.artefacts import FOLDS, Table
from tests.conftest import ROOT

TABLES = {name: table for name, table in vars(artefacts).items() if isinstance(table, Table)}


def test_a_table_comes_back_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FOLDS.write(FOLDS.path, pd.DataFrame({"person": ["b", "a"], "fold": [1, 0]}))
    assert FOLDS.read().to_dict("list") == {"person": ["b", "a"], "fold": [1, 0]}
    assert list(FOLDS.read("fold").columns) == ["fold"]


@pytest.mark.parametrize(
    "table",
    [
        {"person": ["a"]},
        {"person": ["a"], "fold": [0.0]},
        {"fold": [0], "person": ["a"]},
        {"person": ["a"], "fold": [0], "more": [1]},
    ],
    ids=["missing", "type", "order", "more"],
)
def test_a_table_that_is_not_as_declared_is_not_written(
    table: dict[str, list[object]], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"person string, fold int64"):
        FOLDS.write(tmp_path / "folds.parquet", pd.DataFrame(table))
    assert not (tmp_path / "folds.parquet").exists()


def test_a_table_without_rows_is_written(tmp_path: Path) -> None:
    FOLDS.write(tmp_path / "folds.parquet", pd.DataFrame({"person": [], "fold": []}, dtype="object"))
    assert (tmp_path / "folds.parquet").exists()


@pytest.mark.parametrize("name", TABLES)
def test_contracts_tell_every_column(name: str) -> None:
    table = TABLES[name]
    places = (f"| `{table.path.as_posix()}`", f"| `{table.path.parent.as_posix()}/`")
    lines = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8").splitlines()
    row = next(line for line in lines if line.startswith(places))
    many = re.compile(r"p\d+|(flip_rate|same_background|cam_outside)_\w+")  # told as p0 … p17, flip_rate_TASK
    lacking = [c for c in table.columns if f"{c}" not in row and not many.fullmatch(c)]
    assert not lacking, f"docs/contracts.md tells nothing of {lacking} of {table.path}"
