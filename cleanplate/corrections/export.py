"""Exports the table of corrections in formats for other teams' scripts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from cleanplate.corrections.person_search import PersonSearch
from pipeline.dataset.corrections_table import CorrectionRow
from pipeline.dataset.person import PersonError, read_person


def format_id_lists(entries: Sequence[CorrectionRow], search: PersonSearch) -> str:
    """Ids grouped by rule, `[gender:female:male]`; the whole folder name if the id is ambiguous.
    `cleanplate corrections import` reads it back.
    """
    rules: dict[str, set[str]] = {}
    for e in entries:
        photo = f"@{PurePosixPath(e.image).stem}" if e.image else ""
        rule = f"{e.field}:{e.old}:{e.new}{photo}" if e.field != "drop" else f"drop{photo}"
        rules.setdefault(rule, set()).add(search.short(e.person))
    return "\n".join("\n".join([f"[{rule}]", *sorted(rules[rule]), ""]) for rule in sorted(rules))


def format_renames(entries: Sequence[CorrectionRow]) -> tuple[str, list[str]]:
    """`old,new` folder names for gender and age of whole people, and the reasons for omitted rows."""
    new_names: dict[str, str] = {}
    omitted: list[str] = []
    for e in entries:
        photo = f"{e.person} {e.image}".strip()
        if e.image or e.field not in ("gender", "age"):
            omitted.append(f"{photo}: {e.field} is in no folder name")
            continue
        try:
            read_person(e.person)
        except PersonError as wrong:
            omitted.append(f"{photo}: the name {wrong}")
            continue
        parts = new_names.get(e.person, e.person).split("_")
        parts[{"gender": 1, "age": 3}[e.field]] = e.new
        new_names[e.person] = "_".join(parts)
    return "old,new\n" + "".join(f"{old},{new}\n" for old, new in sorted(new_names.items())), omitted
