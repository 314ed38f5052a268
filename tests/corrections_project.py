"""A project of six people for `cleanplate corrections`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from pipeline.corrections_table import Entry, read_entries
from pipeline.labels import MASK_OF_STEM
from pipeline.person import read_person
from pipeline.tables import write_table

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
ANNA, BERT, CARA = "000001_female_Asian_45", "000002_male_Asian_59", "006359_female_Asian_18"
TWINS = ("003397_female_Asian_19", "003397_female_Asian_20")
OTHER = "001498-1_male_Asian_23"
HEAD = "person,image,field,old,new,reason,source\n"
Corrections = Callable[..., int]


def labels_of(people: list[str]) -> pd.DataFrame:
    """The index of people with seven photos each."""
    rows = [
        (f"train/images/{name}/{stem}.jpg", "train", name, p.gender, p.age, mask)
        for name in people
        for p in [read_person(name)]
        for stem, mask in sorted(MASK_OF_STEM.items())
    ]
    return pd.DataFrame(rows, columns=["image", "split", "person", "gender", "age", "mask"])


def table() -> list[tuple[str, ...]]:
    rows = read_entries(Entry, Path("data/corrections.csv").read_bytes(), "c")
    return [(e.person, e.image, e.field, e.old, e.new) for _, e in rows]


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def commands_in(project: Path) -> Corrections:
    """Runs `cleanplate corrections …` in a project of six people and returns the exit code."""
    from typer import Exit

    from commands.corrections import app

    write_table(project / "build/index.parquet", labels_of([ANNA, BERT, CARA, *TWINS, OTHER]))

    def call(*args: object) -> int:
        try:
            return int(app([str(a) for a in args], standalone_mode=False) or 0)
        except Exit as e:
            return int(e.exit_code)

    return call
