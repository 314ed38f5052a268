"""Two tables of corrections side by side: what one says and the other does not, and where they contradict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.dataset.corrections_table import CorrectionRow
from pipeline.io.spelling import nfc


@dataclass(frozen=True)
class TableDiff:
    """Rows only in the second table, rows only in the first, and pairs that contradict, each with lines."""

    added: list[tuple[int, CorrectionRow]]
    removed: list[tuple[int, CorrectionRow]]
    contradicting: list[tuple[tuple[int, CorrectionRow], tuple[int, CorrectionRow]]]


def table_diff(
    first: Sequence[tuple[int, CorrectionRow]], second: Sequence[tuple[int, CorrectionRow]]
) -> TableDiff:
    """Compares what rows say: reason and source do not count, nor whether a photo is named by key or stem."""
    there = {_says(e) for _, e in first}
    here = {_says(e) for _, e in second}
    by_person: dict[tuple[str, str], list[tuple[int, CorrectionRow]]] = {}
    for line, e in second:
        by_person.setdefault((nfc(e.person), e.field), []).append((line, e))
    contradicting = [
        ((line, a), (other, b))
        for line, a in first
        for other, b in by_person.get((nfc(a.person), a.field), [])
        if a.field != "drop" and a.new != b.new and _overlap(a, b)
    ]
    clashing = {_says(a) for (_, a), _ in contradicting} | {_says(b) for _, (_, b) in contradicting}
    return TableDiff(
        [(n, e) for n, e in second if _says(e) not in there | clashing],
        [(n, e) for n, e in first if _says(e) not in here | clashing],
        contradicting,
    )


def _says(e: CorrectionRow) -> tuple[str, ...]:
    return nfc(e.person), _photo(e), e.field, e.old, e.new


def _photo(e: CorrectionRow) -> str:
    return nfc(PurePosixPath(e.image).stem)


def _overlap(a: CorrectionRow, b: CorrectionRow) -> bool:
    photos = _photo(a), _photo(b)
    return "" in photos or photos[0] == photos[1]
