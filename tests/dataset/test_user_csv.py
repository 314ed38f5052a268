"""Reading tables: any bytes are either rows or a list of what is wrong."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dataset.user_csv import read_rows
from pipeline.runtime.errors import Problems

CELLS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=8)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_problems(data: bytes) -> None:
    for body in (data, b"a,b\n" + data):
        try:
            rows = read_rows(body, "t.csv", ["a", "b"])
        except Problems:
            continue
        assert all(set(row.cells) >= {"a", "b"} for row in rows)


@settings(deadline=None)
@given(
    st.lists(st.tuples(CELLS, CELLS), max_size=5),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
)
def test_what_was_written_is_read(
    rows: list[tuple[str, str]], separator: str, end: str, bom: bool, swapped: bool
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([row[::-1] if swapped else row for row in [("a", "b"), *rows]])
    data = ("\ufeff" if bom else "").encode() + out.getvalue().encode()
    expected = [(a.strip(), b.strip()) for a, b in rows if a.strip() or b.strip()]
    assert [(r["a"], r["b"]) for r in read_rows(data, "t.csv", ["a", "b"])] == expected


def test_lines_are_those_of_an_editor() -> None:
    data = b'a,b\n\n1,"two\nlines"\n3,4\n'
    assert [row.line for row in read_rows(data, "t.csv", ["a", "b"])] == [3, 5]
    with pytest.raises(Problems, match="line 4: 3 cells"):
        read_rows(b"a,b\n1,2\n\n1,2,3\n", "t.csv", ["a", "b"])


def test_a_cell_of_a_megabyte_is_no_crash() -> None:
    with pytest.raises(Problems, match="line 2"):
        read_rows(b"a,b\n1," + b"x" * 1_000_000, "t.csv", ["a", "b"])
