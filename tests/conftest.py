"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real photos and weights, or a skip."""
    place = os.environ.get("CLEANPLATE_TEST_DATA")
    if not place:
        pytest.skip("CLEANPLATE_TEST_DATA is not set: no real photos here")
    return Path(place)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the project's params.yaml and corrections, as the current directory."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "corrections.csv").write_bytes((ROOT / "data" / "corrections.csv").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path
