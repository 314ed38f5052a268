"""`cleanplate cache`: size, hit rate, and making room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cleanplate.commands import cache
from pipeline.io.result_cache import ResultCache

PHOTO = "ab" * 32


@pytest.fixture
def items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ResultCache:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return ResultCache(Path(".cache/items"), "segment", {"version": 1})


def test_an_empty_cache_is_said_to_be(items: ResultCache, capsys: pytest.CaptureFixture[str]) -> None:
    cache.main()
    assert "empty" in capsys.readouterr().out


def test_size_and_hit_rate(items: ResultCache, capsys: pytest.CaptureFixture[str]) -> None:
    items.add_file(PHOTO, b"x" * 1500, ".png")
    items.count(hits=3, misses=1)
    cache.main()
    said = capsys.readouterr().out
    assert "segment" in said
    assert "1.5 kB" in said
    assert "75%" in said
    cache.main(json=True)
    row = json.loads(capsys.readouterr().out)[0]
    assert (row["entries"], row["bytes"], row["hit_rate"]) == (1, 1500, 0.75)


def test_prune(items: ResultCache, capsys: pytest.CaptureFixture[str]) -> None:
    entry = items.add_file(PHOTO, b"x" * 1500, ".png")
    cache.main(prune=1)
    assert entry.exists()
    cache.main(prune=0)
    assert not entry.exists()
    assert "removed 1.5 kB" in capsys.readouterr().err


def test_the_main_repositorys_cache_is_meant(
    items: ResultCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    items.add_file(PHOTO, b"x")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    cache.main()
    assert "segment" in capsys.readouterr().out
