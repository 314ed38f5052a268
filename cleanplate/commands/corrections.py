"""Checks, imports, exports and compares tables of corrections."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

ParamsFile = Annotated[Path, typer.Option("--params", help="The params file.")]


class ListForm(StrEnum):
    """Formats of imported lists."""

    ids = "ids"
    values = "values"
    photos = "photos"
    renames = "renames"
    known = "known"


class ExportForm(StrEnum):
    """Export formats."""

    ids = "ids"
    renames = "renames"


@app.command()
def check(params: ParamsFile = Path("params.yaml")) -> None:
    """Checks the tables of corrections and of reviewed labels; reports all problems at once."""
    from cleanplate.corrections.files import check_tables, read_labels, table_paths
    from pipeline.runtime.progress import say

    corrections, reviewed = table_paths(params)
    say(check_tables(corrections, reviewed, read_labels()))


@app.command(name="import")
def import_(
    lists: Annotated[list[Path], typer.Argument(help="The lists to read.")],
    form: Annotated[
        ListForm,
        typer.Option(
            help="ids: ids under a rule; values: a table id,gender or id,age with the right values; photos: "
            "a table of photos, path (or person,image) and gender, age, mask or label (0 to 17); renames: "
            "folder names OLD,NEW; known: a table person,id,field,old,new,teams_agreeing,note."
        ),
    ] = ListForm.ids,
    rule: Annotated[
        str | None,
        typer.Option(
            help="Form ids: gender:female:male, age:59:60, age::<30, mask:incorrect:worn@incorrect_mask, "
            "swap:incorrect_mask:normal, drop. A line [RULE] in the list does the same."
        ),
    ] = None,
    source: Annotated[str | None, typer.Option(help="The rows' `source`. Default: the file's name.")] = None,
    contested: Annotated[
        bool, typer.Option("--contested", help="Form known: import only the contested rows.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Where to add the rows. Default: the params' table.")
    ] = None,
    params: ParamsFile = Path("params.yaml"),
) -> None:
    """Imports other teams' lists. All or nothing: if a line is ambiguous, lists the problems and stops."""
    from cleanplate.corrections.files import add_rows, import_lists, read_labels, table_paths
    from pipeline.runtime.progress import say

    table = read_labels()
    imported = import_lists(lists, form.value, rule, source, table)
    rows = imported.contested if contested else imported.entries
    say(add_rows(out or table_paths(params)[0], rows, table))
    if imported.unchanged:
        say(f"{imported.unchanged} agree with the data folder already")
    skipped = imported.entries if contested else imported.contested
    if skipped:
        which = "not contested" if contested else "contested and were left out; --contested imports them"
        say(f"{len(skipped)} rows are {which}")


@app.command()
def export(
    form: Annotated[ExportForm, typer.Option(help="ids: ids under their rules; renames: folder names.")] = (
        ExportForm.ids
    ),
    params: ParamsFile = Path("params.yaml"),
) -> None:
    """Prints the table as id lists per rule, or as folder renames."""
    from cleanplate.corrections.export import format_id_lists, format_renames
    from cleanplate.corrections.files import read_labels, read_table, table_paths
    from cleanplate.corrections.person_search import PersonSearch
    from pipeline.runtime.progress import say

    entries = [e for _, e in read_table(table_paths(params)[0])]
    if form is ExportForm.ids:
        print(
            format_id_lists(entries, PersonSearch(str(p) for p in read_labels()["person"].unique())), end=""
        )
        return
    text, left = format_renames(entries)
    print(text, end="")
    for reason in left:
        say(f"left out: {reason}")


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(help="A table of corrections.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
) -> None:
    """Prints what the second table adds, removes and contradicts; exit code 1 if it contradicts."""
    from cleanplate.corrections.diff import diff_tables
    from cleanplate.corrections.files import diff_lines, read_table

    difference = diff_tables(read_table(first), read_table(second))
    for line in diff_lines(difference, first, second):
        print(line)
    if difference.contradicting:
        raise typer.Exit(1)
