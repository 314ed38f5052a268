"""The table of corrections: check it, bring in the lists that teams made, hand it on, compare two."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

ParamsFile = Annotated[Path, typer.Option("--params", help="The params file.")]


class ListForm(StrEnum):
    """How an imported list is written."""

    ids = "ids"
    values = "values"
    photos = "photos"
    renames = "renames"
    known = "known"


class ExportForm(StrEnum):
    """How the table is handed on."""

    ids = "ids"
    renames = "renames"


@app.command()
def check(params: ParamsFile = Path("params.yaml")) -> None:
    """Says everything that is wrong with the tables of corrections and of reviewed labels, at once."""
    from cleanplate.corrections.files import checked, labels, tables_of
    from pipeline.runtime.progress import say

    corrections, reviewed = tables_of(params)
    say(checked(corrections, reviewed, labels()))


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
    source: Annotated[
        str | None, typer.Option(help="What the rows' source says. Default: the file's name.")
    ] = None,
    contested: Annotated[
        bool, typer.Option("--contested", help="Form known: take only the contested rows.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Where to add the rows. Default: the params' table.")
    ] = None,
    params: ParamsFile = Path("params.yaml"),
) -> None:
    """Adds the rows of lists that other teams made. All or nothing: whatever is not certain is listed."""
    from cleanplate.corrections.files import added, imported, labels, tables_of
    from pipeline.runtime.progress import say

    table = labels()
    found = imported(lists, form.value, rule, source, table)
    taken = found.contested if contested else found.entries
    say(added(out or tables_of(params)[0], taken, table))
    if found.already:
        say(f"{found.already} say what the data folder already says")
    left = found.entries if contested else found.contested
    if left:
        which = "not contested" if contested else "contested, and stay out; --contested takes them"
        say(f"{len(left)} rows are {which}")


@app.command()
def export(
    form: Annotated[ExportForm, typer.Option(help="ids: ids under their rules; renames: folder names.")] = (
        ExportForm.ids
    ),
    params: ParamsFile = Path("params.yaml"),
) -> None:
    """Prints the table as id lists per rule, or as renames of folders."""
    from cleanplate.corrections.export import id_lists, renames
    from cleanplate.corrections.files import entries_of, labels, tables_of
    from cleanplate.corrections.person_search import PersonSearch
    from pipeline.runtime.progress import say

    entries = [e for _, e in entries_of(tables_of(params)[0])]
    if form is ExportForm.ids:
        print(id_lists(entries, PersonSearch(str(p) for p in labels()["person"].unique())), end="")
        return
    text, left = renames(entries)
    print(text, end="")
    for reason in left:
        say(f"left out: {reason}")


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(help="A table of corrections.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
) -> None:
    """Says what the second table adds, removes and contradicts; exit code 1 where it contradicts."""
    from cleanplate.corrections.diff import table_diff
    from cleanplate.corrections.files import diff_lines, entries_of

    found = table_diff(entries_of(first), entries_of(second))
    for line in diff_lines(found, first, second):
        print(line)
    if found.contradicting:
        raise typer.Exit(1)
