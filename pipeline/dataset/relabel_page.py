"""Renders reports/relabel.md: the effects of corrections and rules, for reviewers.

Names, reasons and sources are untrusted text, so they stand in code spans, where Markdown and HTML have no
effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.dataset.relabel_summary import Count, Effect, Effects
from pipeline.runtime.errors import printable

TITLES = {"class": "Classes", "mask": "Mask", "gender": "Gender", "age": "Age group"}
CONTESTED = "**contested**"
MAX_MOVES = 6  # moves listed in a row; a rule can move photos between all classes


def render_page(effects: Effects) -> str:
    """The whole file; the same bytes for the same tables."""
    photos, people = effects.moved
    parts = [
        "# Label changes",
        f"Of {effects.photos} photos of {effects.people} people, corrections gave {photos} photos of "
        f"{people} people another class or dropped them ({effects.dropped} dropped). Corrections are facts: "
        "they hold in training and in validation. Rules change only the training target: "
        f"{sum(rule.photos for rule in effects.rules)} photos are learnt as another class than they are "
        f"validated on, or not at all ({effects.not_learnt}).",
        *_counts(effects),
        *_sources(effects),
        *_corrections(effects),
    ]
    return "\n\n".join(parts) + "\n"


EACH = (
    "Classes are those of the changed photos with all corrections applied: two corrections of one person "
    "show the same move."
)


def code(text: str) -> str:
    """`text` as a code span that is safe in a table: Markdown, HTML and line breaks have no effect.

    A `|` always ends a table cell, so it is escaped.
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


def _counts(effects: Effects) -> list[str]:
    parts = [
        "## Before → after",
        "Data folder → truth → training target; one number if they agree. A person counts in every class "
        "of their photos.",
    ]
    for task, counts in effects.counts.items():
        rows = [(_name(c), _steps(c, 0), _steps(c, 1)) for c in counts]
        parts += [f"### {TITLES[task]}", _table(("", "#photos", "#people"), rows)]
    return parts


def _name(count: Count) -> str:
    return f"**{count.name}**" if count.changed else count.name


def _steps(count: Count, which: int) -> str:
    before, after, learnt = (step[which] for step in (count.before, count.after, count.learnt))
    text = str(before) if before == after else f"{before} → {after} ({after - before:+d})"
    return text if after == learnt else f"{text}, learnt {learnt}"


def _sources(effects: Effects) -> list[str]:
    if not effects.sources and not effects.rules:
        return ["## Who says so", "Nobody: there are no corrections, and no rule applies."]
    rows = [(code(e.by) or "(no source)", e.field, *_sizes(e), _moves(e)) for e in effects.sources]
    rows += [(code(e.by), "rule", *_sizes(e), _moves(e)) for e in effects.rules]
    head = ("source or rule", "field", "#photos", "#people", "classes")
    return ["## Who says so", _table(head, rows)]


def _corrections(effects: Effects) -> list[str]:
    if not effects.corrections:
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
        for e in effects.corrections
    ]
    head = ("person", "which photos", "field", "change", "#photos", "classes", "why")
    return ["## What each correction did", EACH, *_contested(effects.contested), _table(head, rows)]


def _contested(effects: Sequence[Effect]) -> list[str]:
    if not effects:
        return []
    people = ", ".join(dict.fromkeys(code(e.person) for e in effects))
    return [f"{CONTESTED}, says the reason or source of {len(effects)} of them: {people}."]


def _sizes(effect: Effect) -> tuple[str, str]:
    return str(effect.photos), str(effect.people)


def _moves(effect: Effect) -> str:
    """`worn male <30 → worn female <30 (5)`, most photos first."""
    shown = [f"{left} → {joined} ({n})" for left, joined, n in effect.moves[:MAX_MOVES]]
    more = len(effect.moves) - MAX_MOVES
    return "<br>".join([*shown, *([f"and {more} more"] if more > 0 else [])]) or "none"
