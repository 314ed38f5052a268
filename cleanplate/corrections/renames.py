"""Reads label errors from renames of people's folders."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from cleanplate.corrections.importer import Importer, ImportResult, catch_problem, decode_lines
from pipeline.dataset.person import PersonError, read_person
from pipeline.io.spelling import nfc


def read_renames(importer: Importer, data: bytes, where: str) -> ImportResult:
    """Folder renames, one a line: `OLD,NEW`, `OLD -> NEW`, `mv OLD NEW`."""
    out = ImportResult()
    for line, text in enumerate(decode_lines(data, where), 1):
        text = re.sub(r"^\s*(git\s+)?mv\s+(-\w+\s+)*", "", text.split("#")[0]).strip()
        names = [n.strip("\"' ") for n in re.split(r"\s*(?:->|→|=>|[,;\t ])\s*", text) if n.strip("\"' ")]
        names = [PurePosixPath(n).name for n in names]
        if names and [n.lower() for n in names] not in (
            ["old", "new"],
            ["before", "after"],
            ["from", "to"],
        ):
            catch_problem(out, where, line, lambda n=names: _rename(importer, out, n))
    return out


def _rename(importer: Importer, out: ImportResult, names: list[str]) -> None:
    if len(names) != 2:
        raise ValueError(f"{len(names)} names; a rename is OLD,NEW")
    key = importer.search.find(names[0])
    try:
        before, after = read_person(key), read_person(names[1])
    except PersonError as e:
        raise ValueError(f"{names[1]!r} {e}") from e
    if nfc(before.id) != nfc(after.id):
        raise ValueError(f"{key} and {names[1]} have different ids; corrections change labels, not people")
    changed = [f for f in ("gender", "age") if getattr(before, f) != getattr(after, f)]
    out.unchanged += not changed
    for name in changed:
        importer.row(out, key, "", name, str(getattr(before, name)), str(getattr(after, name)))
