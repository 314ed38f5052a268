"""The examples that ship are what the list of known errors gives."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.dataset.corrections import read_corrections
from pipeline.io.tables import write_table
from tests.fixtures.corrections_project import (
    EXAMPLES,
    labels_of,
)


@pytest.fixture(scope="module")
def competition(test_data: Path) -> pd.DataFrame:
    names = pd.read_csv(test_data / "competition_photos.csv")["photo"].str.split("/").str[0]
    return labels_of(sorted(set(names)))


def test_the_examples_fit_the_real_set_and_are_what_the_list_gives(
    competition: pd.DataFrame, test_data: Path, project: Path
) -> None:
    from cleanplate.commands.corrections import app

    write_table(project / "build/index.parquet", competition)
    known, source = (
        test_data.parent / "known-label-errors.csv",
        "known label errors of 73 public team repositories",
    )
    for name, more in (("corrections", ["", ""]), ("contested", ["; contested", "--contested"])):
        args = ["import", known, "--form", "known", "--source", source + more[0], "--out", f"{name}.csv"]
        app([str(a) for a in [*args, *filter(None, more[1:])]], standalone_mode=False)
        assert Path(f"{name}.csv").read_bytes() == (EXAMPLES / f"mask-dataset-{name}.csv").read_bytes()
    sure = read_corrections((EXAMPLES / "mask-dataset-corrections.csv").read_bytes(), "sure", competition)
    contested = read_corrections(
        (EXAMPLES / "mask-dataset-contested.csv").read_bytes(), "contested", competition
    )
    assert len({c.person for c in sure}) == 24
    assert len({c.person for c in contested}) == 13
    assert not any("contested" in c.reason + c.source for c in sure)
    assert all("contested" in c.reason and "contested" in c.source for c in contested)
    assert {c.new for c in sure if c.field == "age"} == {20, 60}
