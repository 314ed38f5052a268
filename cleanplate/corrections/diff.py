"""Compares two tables of corrections: added, removed and contradicting rows."""

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


def diff_tables(
    first: Sequence[tuple[int, CorrectionRow]], second: Sequence[tuple[int, CorrectionRow]]
) -> TableDiff:
    """Compares rows, ignoring reason, source, and whether a photo is named by key or stem."""
    first_keys = {_key(e) for _, e in first}
    second_keys = {_key(e) for _, e in second}
    by_person: dict[tuple[str, str], list[tuple[int, CorrectionRow]]] = {}
    for line, e in second:
        by_person.setdefault((nfc(e.person), e.field), []).append((line, e))
    contradicting = [
        ((line, a), (other, b))
        for line, a in first
        for other, b in by_person.get((nfc(a.person), a.field), [])
        if a.field != "drop" and a.new != b.new and _overlap(a, b)
    ]
    clashing = {_key(a) for (_, a), _ in contradicting} | {_key(b) for _, (_, b) in contradicting}
    return TableDiff(
        [(n, e) for n, e in second if _key(e) not in first_keys | clashing],
        [(n, e) for n, e in first if _key(e) not in second_keys | clashing],
        contradicting,
    )


def _key(e: CorrectionRow) -> tuple[str, ...]:
    return nfc(e.person), _photo(e), e.field, e.old, e.new


def _photo(e: CorrectionRow) -> str:
    return nfc(PurePosixPath(e.image).stem)


def _overlap(a: CorrectionRow, b: CorrectionRow) -> bool:
    photos = _photo(a), _photo(b)
    return "" in photos or photos[0] == photos[1]
