"""Converts other teams' lists of label errors to rows of the table of corrections.

`old` always comes from the labels; a list's own `old` must agree. Ambiguous lines are problems; lines that
agree with the labels are only counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pandas as pd

from cleanplate.corrections.person_search import PersonSearch, UnknownPerson
from cleanplate.corrections.rules import RULES, Rule, read_rule, read_value
from pipeline.dataset.corrections import names_photo
from pipeline.dataset.corrections_table import CorrectionRow
from pipeline.dataset.user_csv import read_rows
from pipeline.runtime.errors import Problems

RULE_FIX = f"give --rule, one of: {RULES}"
SWAP = ("incorrect_mask", "normal")  # the swapped photos in the real set


@dataclass
class ImportResult:
    """A list's rows, contested rows, number of lines that agree with the labels, and problems."""

    entries: list[CorrectionRow] = field(default_factory=list)
    contested: list[CorrectionRow] = field(default_factory=list)
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)


class Importer:
    """Reads lists about the people of one set.

    Args:
        labels: columns image, person, gender, age, mask, from the data folder.
        source: the rows' `source`.
    """

    def __init__(self, labels: pd.DataFrame, source: str) -> None:
        self.search = PersonSearch(str(p) for p in labels["person"].unique())
        self.source = source
        self._labels: dict[str, dict[str, dict[str, str]]] = {}
        for row in labels[["image", "person", "gender", "age", "mask"]].itertuples(index=False):
            image, person, gender, age, mask = (str(v) for v in row)
            self._labels.setdefault(person, {})[image] = {"gender": gender, "age": age, "mask": mask}

    def read_ids(self, data: bytes, where: str, rule: str | None) -> ImportResult:
        """Reads a list of ids or folder names under one rule. A line `[RULE]` sets the rule for the lines
        below it; `#` begins a comment.
        """
        out, current = ImportResult(), read_rule(rule) if rule else None
        for line, text in enumerate(decode_lines(data, where), 1):
            text = text.split("#")[0].strip()
            section = re.fullmatch(r"\[(.+)\]", text)
            if section:
                current, text = Rule("wrong"), ""
                try:
                    current = read_rule(section[1])
                except ValueError as e:
                    out.problems.append(f"{where} line {line}: {e}")
            for name in filter(None, re.split(r"[,;\s]+", text)):
                if current is None:
                    raise Problems(
                        f"{where} has no rule", [f"line {line}: what is wrong with {name!r}?"], fix=RULE_FIX
                    )
                if current.kind != "wrong":
                    catch_problem(out, where, line, lambda n=name, r=current: self._by_rule(out, n, r))
        return out

    def read_values(self, data: bytes, where: str) -> ImportResult:
        """Reads a table `id,gender` (or age) of right values."""
        out = ImportResult()
        rows = read_rows(data, where, ["id"], ["gender", "age"])
        fields = [f for f in ("gender", "age") if rows and f in rows[0].cells]
        if rows and not fields:
            raise Problems(
                f"{where} has no labels", ["it has neither a column `gender` nor `age`"], fix=RULE_FIX
            )
        for row in rows:
            for name in (f for f in fields if row[f]):
                catch_problem(
                    out, where, row.line, lambda r=row, f=name: self.row(out, r["id"], "", f, "", r[f])
                )
        return out

    def read_known(self, data: bytes, where: str) -> ImportResult:
        """Reads a table `person,id,field,old,new,teams_agreeing,note`; a row is contested if its note begins
        with `contested`.
        """
        out = ImportResult()
        for row in read_rows(
            data, where, ["person", "field", "old", "new"], ["id", "teams_agreeing", "note"]
        ):
            one = ImportResult()
            catch_problem(one, where, row.line, lambda r=row, o=one: self._add_known(o, r.cells))
            contested = row["note"].lower().startswith("contested")
            (out.contested if contested else out.entries).extend(one.entries)
            out.unchanged += one.unchanged
            out.problems += one.problems
        return out

    def _add_known(self, out: ImportResult, cells: dict[str, str]) -> None:
        teams, note, field_ = cells.get("teams_agreeing", ""), cells.get("note", ""), cells["field"].lower()
        unit = "team says so" if teams == "1" else "teams say so"
        reason = "; ".join(t for t in (f"{teams} {unit}" if teams else "", note) if t)
        old, new = cells["old"], cells["new"]
        if new == "swap":
            self._swap(out, cells["person"], *SWAP, reason)
        elif field_ == "mask":
            photo = {"incorrect": SWAP[0], "none": SWAP[1], "normal": SWAP[1]}.get(old, old)
            self.row(out, cells["person"], photo, field_, old, new, reason)
        else:
            self.row(out, cells["person"], "", field_, old, new, reason)

    def _by_rule(self, out: ImportResult, name: str, rule: Rule) -> None:
        if rule.kind == "swap":
            self._swap(out, name, rule.old, rule.new)
        else:
            self.row(out, name, rule.photo, rule.kind, rule.old, rule.new)

    def _swap(self, out: ImportResult, name: str, one: str, other: str, reason: str = "") -> None:
        person = self.search.find(name)
        given = [self._one(person, photo)["mask"] for photo in (one, other)]
        why = "; ".join(t for t in (reason, "" if "swap" in reason else "the two photos are swapped") if t)
        self.row(out, person, one, "mask", given[0], given[1], why)
        self.row(out, person, other, "mask", given[1], given[0], why)

    def row(
        self, out: ImportResult, name: str, photo: str, field_: str, old: str, new: str, reason: str = ""
    ) -> None:
        """Adds one row: `field_` of `photo` (empty: all photos) of the person called `name` is `new`.

        Raises:
            ValueError, UnknownPerson: the line is ambiguous, or `old` does not match the labels.
        """
        person = self.search.find(name)
        if field_ == "drop":
            out.entries.append(CorrectionRow(person, photo, "drop", "", "", reason, self.source))
            return
        right, note = read_value(field_, new, "new")
        given = {facts[field_] for facts in self.photos(person, photo).values()}
        if given == {right}:
            out.unchanged += 1
            return
        if len(given) > 1:
            raise ValueError(f"{field_} of {person} differs from photo to photo ({', '.join(sorted(given))})")
        (is_,) = given
        if old and read_value(field_, old, "old")[0] != is_:
            raise ValueError(f"the list says {field_} was {old}, but the data folder says {is_} for {person}")
        why = "; ".join(t for t in (reason, note) if t)
        out.entries.append(CorrectionRow(person, photo, field_, is_, right, why, self.source))

    def photos(self, person: str, photo: str) -> dict[str, dict[str, str]]:
        """Labels by image of the person's photos that `photo` names; empty = all of them."""
        photos = self._labels[person]
        named = {i: facts for i, facts in photos.items() if not photo or names_photo(i, photo)}
        if not named:
            names = ", ".join(sorted(PurePosixPath(i).name for i in photos))
            raise ValueError(f"{person} has no usable photo {photo!r}; there are: {names}")
        return named

    def _one(self, person: str, photo: str) -> dict[str, str]:
        return next(iter(self.photos(person, photo).values()))


def catch_problem(out: ImportResult, where: str, line: int, step: Callable[[], None]) -> None:
    """Calls `step`; its error becomes a problem of that line."""
    try:
        step()
    except (UnknownPerson, ValueError) as e:
        out.problems.append(f"{where} line {line}: {e}")


def decode_lines(data: bytes, where: str) -> list[str]:
    """The lines of a list.

    Raises:
        Problems: it is not UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        raise Problems(f"{where} is not UTF-8", [f"line {line}"], fix="save it as UTF-8") from e
    return text.splitlines()
