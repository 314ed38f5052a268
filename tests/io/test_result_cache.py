"""The result cache gives back exactly what was kept, or nothing."""

from __future__ import annotations

import hashlib
import importlib
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.io import result_cache
from pipeline.io.result_cache import ResultCache, code_identity, prune, stats

PHOTOS = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(40)]
ROW = {"box": [0.1, 1 / 3, 5.5, 1e-7], "score": 0.25, "landmarks": None}


@pytest.fixture
def cache(tmp_path: Path) -> ResultCache:
    return ResultCache(tmp_path / "items", "detect", {"version": "1", "weights": "abc"})


def test_rows_come_back_equal_and_the_later_wins(cache: ResultCache) -> None:
    cache.add_rows(dict.fromkeys(PHOTOS, ROW))
    cache.add_rows({PHOTOS[0]: {"box": None}})
    rows = cache.rows()
    assert set(rows) == set(PHOTOS)
    assert rows[PHOTOS[1]] == ROW
    assert rows[PHOTOS[0]] == {"box": None}


def test_another_identity_or_pass_sees_nothing(cache: ResultCache) -> None:
    cache.add_rows({PHOTOS[0]: ROW})
    cache.add_file(PHOTOS[0], b"matte")
    for other in (
        ResultCache(cache.cache_folder, "detect", {"version": "2", "weights": "abc"}),
        ResultCache(cache.cache_folder, "segment", cache.identity),
    ):
        assert other.rows() == {}
        assert other.files() == {}
    same = ResultCache(cache.cache_folder, "detect", {"weights": "abc", "version": "1"})
    assert same.rows() == {PHOTOS[0]: ROW}


@pytest.mark.parametrize("at", [0.3, 0.5, 0.9])
def test_a_flipped_byte_costs_its_row_and_no_other(cache: ResultCache, at: float) -> None:
    cache.add_rows({photo: {"n": n} for n, photo in enumerate(PHOTOS)})
    path = cache.folder / "rows.jsonl"
    data = bytearray(path.read_bytes())
    data[data.index(b"{", int(len(data) * at))] ^= 1
    path.write_bytes(bytes(data))
    rows = cache.rows()
    assert len(rows) == len(PHOTOS) - 1
    assert all(rows[photo] == {"n": PHOTOS.index(photo)} for photo in rows)


def test_a_half_written_line_spoils_nothing_that_comes_after(cache: ResultCache) -> None:
    cache.add_rows({PHOTOS[0]: ROW, PHOTOS[1]: ROW})
    path = cache.folder / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:-20])  # as a killed process leaves it
    cache.add_rows({PHOTOS[2]: ROW})
    assert set(cache.rows()) == {PHOTOS[0], PHOTOS[2]}


def _add(cache: ResultCache, start: int) -> None:
    for i in range(start, len(PHOTOS), 2):
        cache.add_rows({PHOTOS[i]: {"n": i, "filler": "x" * 5000}})


def test_two_processes_add_at_once(cache: ResultCache) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_add, args=(cache, start)) for start in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    rows = cache.rows()
    assert {photo: row["n"] for photo, row in rows.items()} == {photo: i for i, photo in enumerate(PHOTOS)}


def test_files_are_checked_and_dropped_when_damaged(cache: ResultCache) -> None:
    cache.add_file(PHOTOS[0], b"matte", ".png")
    entry = cache.files()[PHOTOS[0]]
    assert cache.read(entry) == b"matte"
    assert not os.access(entry, os.W_OK) or os.geteuid() == 0
    entry.chmod(0o644)
    entry.write_bytes(b"mattE")
    assert cache.read(entry) is None
    assert cache.files() == {}
    assert cache.read(entry) is None  # gone: no error


def test_reading_leaves_the_modification_time_that_dvc_goes_by(cache: ResultCache) -> None:
    entry = cache.add_file(PHOTOS[0], b"matte")
    before = entry.stat().st_mtime_ns
    assert cache.read(entry) == b"matte"
    assert entry.stat().st_mtime_ns == before


def test_pruning_takes_what_was_not_used_for_longest(cache: ResultCache, tmp_path: Path) -> None:
    entries = [cache.add_file(photo, bytes(1000)) for photo in PHOTOS[:10]]
    for age, entry in enumerate(entries):
        os.utime(entry, (1_000_000 - age, 1_000_000 - age))
    os.link(entries[9], tmp_path / "used")
    assert cache.read(entries[9])  # the oldest is the one used last now
    assert prune(cache.cache_folder, 5000 / 1e9) == 5000
    assert set(cache.files()) == {*PHOTOS[:4], PHOTOS[9]}
    assert prune(cache.cache_folder, 0) == 5000
    assert (tmp_path / "used").read_bytes() == bytes(1000)
    assert cache.add_file(PHOTOS[0], b"again").exists()


def test_stats_count_entries_and_hits(cache: ResultCache) -> None:
    assert stats(cache.cache_folder) == []
    cache.add_rows({PHOTOS[0]: ROW, PHOTOS[1]: ROW})
    ResultCache(cache.cache_folder, "segment", {}).add_file(PHOTOS[0], bytes(100))
    cache.count(hits=0, misses=2)
    cache.count(hits=6, misses=0)
    detect, segment = stats(cache.cache_folder)
    assert (detect.name, detect.entries, detect.hits, detect.misses, detect.hit_rate) == (
        "detect",
        2,
        6,
        2,
        0.75,
    )
    assert (segment.name, segment.entries, segment.bytes, segment.hit_rate) == ("segment", 1, 100, 0.0)
    (cache.cache_folder / "usage.json").write_text("not json")
    cache.count(hits=1, misses=0)
    assert stats(cache.cache_folder)[0].hits == 1


def test_edited_code_is_another_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "drawing_for_a_test"
    (package / "inner").mkdir(parents=True)
    for name in ("__init__.py", "inner/__init__.py", "inner/lines.py"):
        (package / name).write_text("WIDTH = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(package.name)
    before = code_identity([module], ["numpy"])
    assert code_identity([module], ["numpy"]) == before
    assert before["numpy"] == np.__version__
    (package / "inner/lines.py").write_text("WIDTH = 2\n", encoding="utf-8")
    assert code_identity([module], ["numpy"]) != before


def _rows_in_turn(cache: ResultCache, answers: multiprocessing.Queue[str]) -> None:
    result_cache.say = answers.put
    with cache.turn():
        answers.put(" ".join(sorted(cache.rows())))


def test_an_equal_pass_waits_and_finds_what_the_first_computed(cache: ResultCache) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    second = context.Process(target=_rows_in_turn, args=(cache, answers))
    with cache.turn():
        second.start()
        assert answers.get() == "detect: another process computes the same now; waiting for what it finds"
        cache.add_rows({PHOTOS[0]: ROW})
        with ResultCache(cache.cache_folder, "detect", {"version": "2"}).turn():
            pass  # another identity waits for nobody
    assert answers.get() == PHOTOS[0]
    second.join()
