"""reports/relabel.md: what corrections and rules did, for whoever reviews them.

Every name, reason and source is somebody else's text and stands in a code span, where Markdown and HTML in
it mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.dataset.relabel_summary import Count, Effect, Effects
from pipeline.runtime.errors import printable

TITLES = {"class": "Classes", "mask": "Mask", "gender": "Gender", "age": "Age group"}
CONTESTED = "**contested**"
MOST_MOVES = 6  # named of one row; a rule can move photos between all classes


def page(found: Effects) -> str:
    """The whole file; the same bytes for the same tables."""
    photos, people = found.moved
    parts = [
        "# Label changes",
        f"Of {found.photos} photos of {found.people} people, corrections gave {photos} photos of {people} "
        f"people another class or dropped them ({found.dropped} dropped). Corrections are facts: they hold "
        "in training and in validation. Rules change only what is learnt: "
        f"{sum(rule.photos for rule in found.rules)} photos are learnt as another class than they are "
        f"validated on, or not at all ({found.not_learnt}).",
        *_counts(found),
        *_sources(found),
        *_corrections(found),
    ]
    return "\n\n".join(parts) + "\n"


EACH = (
    "Classes are those of the changed photos with all corrections applied: two corrections of one person "
    "show the same move."
)


def code(text: str) -> str:
    """`text` as a code span that is safe in a table: no Markdown, HTML or line break in it takes effect.

    A bar would end the table's cell whatever stands before it, so it is written as an escape.
    """
    safe = printable(text).replace("|", r"\x7c")
    if not safe.strip():
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", safe)), default=0) + 1)
    pad = " " if "`" in safe else ""
    return fence + pad + safe + pad + fence


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; columns whose head begins with `#` are numbers."""
    names = [name.removeprefix("#") for name in head]
    rule = ["---:" if name.startswith("#") else "---" for name in head]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (names, rule, *rows))


def _counts(found: Effects) -> list[str]:
    parts = [
        "## Before → after",
        "What the data folder says → what is true → what is learnt; one number where they agree. A person "
        "counts in every class that one of their photos is in.",
    ]
    for task, counts in found.counts.items():
        rows = [(_name(c), _steps(c, 0), _steps(c, 1)) for c in counts]
        parts += [f"### {TITLES[task]}", _table(("", "#photos", "#people"), rows)]
    return parts


def _name(count: Count) -> str:
    return f"**{count.name}**" if count.changed else count.name


def _steps(count: Count, which: int) -> str:
    before, after, learnt = (step[which] for step in (count.before, count.after, count.learnt))
    said = str(before) if before == after else f"{before} → {after} ({after - before:+d})"
    return said if after == learnt else f"{said}, learnt {learnt}"


def _sources(found: Effects) -> list[str]:
    if not found.sources and not found.rules:
        return ["## Who says so", "Nobody: there are no corrections, and no rule applies."]
    rows = [(code(e.by) or "(no source)", e.field, *_sizes(e), _moves(e)) for e in found.sources]
    rows += [(code(e.by), "rule", *_sizes(e), _moves(e)) for e in found.rules]
    head = ("source or rule", "field", "#photos", "#people", "classes")
    return ["## Who says so", _table(head, rows)]


def _corrections(found: Effects) -> list[str]:
    if not found.corrections:
        return []
    rows = [
        (
            code(e.person),
            ", ".join(map(code, e.named)) or "all",
            e.field,
            f"{code(e.before)} → {code(e.after)}",
            str(e.photos),
            _moves(e),
            "; ".join(filter(None, (CONTESTED if e.contested else "", code(e.reason), code(e.by)))),
        )
        for e in found.corrections
    ]
    head = ("person", "which photos", "field", "change", "#photos", "classes", "why")
    return ["## What each correction did", EACH, *_contested(found.contested), _table(head, rows)]


def _contested(effects: Sequence[Effect]) -> list[str]:
    if not effects:
        return []
    people = ", ".join(dict.fromkeys(code(e.person) for e in effects))
    return [f"{CONTESTED}, says the reason or source of {len(effects)} of them: {people}."]


def _sizes(effect: Effect) -> tuple[str, str]:
    return str(effect.photos), str(effect.people)


def _moves(effect: Effect) -> str:
    """`worn male <30 → worn female <30 (5)`, most photos first."""
    said = [f"{left} → {joined} ({n})" for left, joined, n in effect.moves[:MOST_MOVES]]
    more = len(effect.moves) - MOST_MOVES
    return "<br>".join([*said, *([f"and {more} more"] if more > 0 else [])]) or "none"
