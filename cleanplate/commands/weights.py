"""Lists the networks' weights, fetches them, and pins a checksum where none is published.

cleanplate weights               lists every row of weights.lock: size, state, licence, origin
cleanplate weights fetch NAME    fetches it now, so that a run needs no network
cleanplate weights pin NAME      fetches a row without a sha256, shows it, writes the sha256 after a yes
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LOCK = Path("weights.lock")
app = typer.Typer()


@app.callback(invoke_without_command=True)
def table(
    context: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    if context.invoked_subcommand:
        return
    from json import dumps

    from cleanplate.weights.table import advice, as_json, lines, states
    from pipeline.networks.weights_lock import read_lock
    from pipeline.runtime.disk import main_root
    from pipeline.runtime.progress import say

    entries = read_lock(LOCK)
    found = states(entries, main_root())
    if json:
        print(dumps(as_json(entries, found), indent=2, ensure_ascii=False))
        return
    for line in lines(entries, found):
        print(line)
    for line in advice(found):
        say(line)


@app.command()
def fetch(names: Annotated[list[str], typer.Argument(help="Rows of weights.lock.")]) -> None:
    """Fetches files to .cache/weights, checks them, and prints their paths."""
    from pipeline.networks.weights import resolve
    from pipeline.networks.weights_lock import read_lock, row
    from pipeline.runtime.disk import main_root

    entries = read_lock(LOCK)
    for name in names:
        row(entries, name, LOCK)
    for name in names:
        print(resolve(name, main_root(), LOCK))


@app.command()
def pin(
    name: Annotated[str, typer.Argument(help="A row of weights.lock without a sha256.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
) -> None:
    """Fetches a file that has no published checksum, shows what it is, writes its sha256 after a yes."""
    from cleanplate.weights.pinning import pin as write_after_a_yes
    from pipeline.runtime.disk import main_root
    from pipeline.runtime.progress import say

    def agree(description: str) -> bool:
        print(description, flush=True)
        return yes or typer.confirm("Trust this file, and write its sha256 and size into weights.lock?")

    if not write_after_a_yes(name, main_root(), LOCK, agree):
        say("weights.lock is unchanged")
        raise typer.Exit(1)
    say(f"weights.lock: {name} is pinned, and checked from now on; commit it, so that others need no yes")
