"""Lists of label errors as other teams wrote them, turned into rows of the table of corrections.

`old` always comes from the labels; where a list has an `old` of its own, it must agree. Whatever is not
certain is a problem with its line, and what the labels already say is only counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pandas as pd

from cleanplate.corrections.person_search import NotFound, PersonSearch
from cleanplate.corrections.rules import RULES, Rule, read_rule, read_value
from pipeline.dataset.corrections import names_photo
from pipeline.dataset.corrections_table import CorrectionRow
from pipeline.dataset.user_csv import read_rows
from pipeline.runtime.errors import Problems

RULE_FIX = f"give --rule, one of: {RULES}"
SWAP = ("incorrect_mask", "normal")  # the pair that the real set's swaps are about


@dataclass
class Imported:
    """What a list says: rows, those it marks as contested, how many the labels already say, and problems."""

    entries: list[CorrectionRow] = field(default_factory=list)
    contested: list[CorrectionRow] = field(default_factory=list)
    already: int = 0
    problems: list[str] = field(default_factory=list)


class Importer:
    """Reads lists about the people of one set.

    Args:
        labels: columns image, person, gender, age, mask, as the data folder says.
        source: what the rows' `source` shall say.
    """

    def __init__(self, labels: pd.DataFrame, source: str) -> None:
        self.search = PersonSearch(str(p) for p in labels["person"].unique())
        self.source = source
        self._said: dict[str, dict[str, dict[str, str]]] = {}
        for row in labels[["image", "person", "gender", "age", "mask"]].itertuples(index=False):
            image, person, gender, age, mask = (str(v) for v in row)
            self._said.setdefault(person, {})[image] = {"gender": gender, "age": age, "mask": mask}

    def ids(self, data: bytes, where: str, rule: str | None) -> Imported:
        """A list of ids or folder names that one rule holds for; `[RULE]` on a line of its own changes the
        rule for what follows; `#` begins a comment.
        """
        out, now = Imported(), read_rule(rule) if rule else None
        for line, text in enumerate(lines_of(data, where), 1):
            text = text.split("#")[0].strip()
            section = re.fullmatch(r"\[(.+)\]", text)
            if section:
                now, text = Rule("wrong"), ""
                try:
                    now = read_rule(section[1])
                except ValueError as e:
                    out.problems.append(f"{where} line {line}: {e}")
            for name in filter(None, re.split(r"[,;\s]+", text)):
                if now is None:
                    raise Problems(
                        f"{where} has no rule", [f"line {line}: what is wrong with {name!r}?"], fix=RULE_FIX
                    )
                if now.kind != "wrong":
                    noted(out, where, line, lambda n=name, r=now: self._by_rule(out, n, r))
        return out

    def right_values(self, data: bytes, where: str) -> Imported:
        """A table `id,gender` (or age): the right value; where the labels say the same, nothing follows."""
        out = Imported()
        rows = read_rows(data, where, ["id"], ["gender", "age"])
        fields = [f for f in ("gender", "age") if rows and f in rows[0].cells]
        if rows and not fields:
            raise Problems(
                f"{where} says nothing", ["it has neither a column `gender` nor `age`"], fix=RULE_FIX
            )
        for row in rows:
            for name in (f for f in fields if row[f]):
                noted(out, where, row.line, lambda r=row, f=name: self.row(out, r["id"], "", f, "", r[f]))
        return out

    def known(self, data: bytes, where: str) -> Imported:
        """A table `person,id,field,old,new,teams_agreeing,note`; a note that begins with `contested` sets the
        row apart.
        """
        out = Imported()
        for row in read_rows(
            data, where, ["person", "field", "old", "new"], ["id", "teams_agreeing", "note"]
        ):
            one = Imported()
            noted(one, where, row.line, lambda r=row, o=one: self._known(o, r.cells))
            contested = row["note"].lower().startswith("contested")
            (out.contested if contested else out.entries).extend(one.entries)
            out.already += one.already
            out.problems += one.problems
        return out

    def _known(self, out: Imported, cells: dict[str, str]) -> None:
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

    def _by_rule(self, out: Imported, name: str, rule: Rule) -> None:
        if rule.kind == "swap":
            self._swap(out, name, rule.old, rule.new)
        else:
            self.row(out, name, rule.photo, rule.kind, rule.old, rule.new)

    def _swap(self, out: Imported, name: str, one: str, other: str, reason: str = "") -> None:
        person = self.search.find(name)
        said = [self._one(person, photo)["mask"] for photo in (one, other)]
        why = "; ".join(t for t in (reason, "" if "swap" in reason else "the two photos are swapped") if t)
        self.row(out, person, one, "mask", said[0], said[1], why)
        self.row(out, person, other, "mask", said[1], said[0], why)

    def row(
        self, out: Imported, name: str, photo: str, field_: str, old: str, new: str, reason: str = ""
    ) -> None:
        """Adds what one line says: `field_` of `photo` (empty: all photos) of whoever `name` means is `new`.

        Raises:
            ValueError, NotFound: it is not certain who or what is meant, or `old` is not what the labels say.
        """
        person = self.search.find(name)
        if field_ == "drop":
            out.entries.append(CorrectionRow(person, photo, "drop", "", "", reason, self.source))
            return
        right, note = read_value(field_, new, "new")
        said = {facts[field_] for facts in self.photos(person, photo).values()}
        if said == {right}:
            out.already += 1
            return
        if len(said) > 1:
            raise ValueError(f"{field_} of {person} differs from photo to photo ({', '.join(sorted(said))})")
        (is_,) = said
        if old and read_value(field_, old, "old")[0] != is_:
            raise ValueError(f"the list says {field_} was {old}, but the data folder says {is_} for {person}")
        why = "; ".join(t for t in (reason, note) if t)
        out.entries.append(CorrectionRow(person, photo, field_, is_, right, why, self.source))

    def photos(self, person: str, photo: str) -> dict[str, dict[str, str]]:
        """Labels by image of the person's photos that `photo` names; empty = all of them."""
        photos = self._said[person]
        found = {i: facts for i, facts in photos.items() if not photo or names_photo(i, photo)}
        if not found:
            there = ", ".join(sorted(PurePosixPath(i).name for i in photos))
            raise ValueError(f"{person} has no usable photo {photo!r}; there are: {there}")
        return found

    def _one(self, person: str, photo: str) -> dict[str, str]:
        return next(iter(self.photos(person, photo).values()))


def noted(out: Imported, where: str, line: int, step: Callable[[], None]) -> None:
    """Does `step`; what is not certain becomes a problem of that line."""
    try:
        step()
    except (NotFound, ValueError) as e:
        out.problems.append(f"{where} line {line}: {e}")


def lines_of(data: bytes, where: str) -> list[str]:
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
