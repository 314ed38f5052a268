"""Hashes everything again: DVC's cache, the outputs, the weights, the photos and the result cache.

DVC trusts the time and size of a file, and never looks again into one of its own cache. A disk that flipped
one bit, a tool that wrote through a link, a transfer that a full disk cut short: this finds it, names it
and says how to mend it. Exit code 1 where anything is wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    params: Annotated[Path, typer.Option(help="The params file: says where the photos are.")] = Path(
        "params.yaml"
    ),
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    most: Annotated[int, typer.Option(min=1, help="How many findings to name.")] = 50,
) -> None:
    from dataclasses import asdict
    from json import dumps

    from cleanplate.integrity.inputs import survey
    from pipeline.runtime.disk import format_bytes
    from pipeline.runtime.errors import printable
    from pipeline.runtime.progress import say

    found = survey(Path(), params)
    if json:
        rows = [{k: str(v) for k, v in asdict(d).items() if k != "remove"} for d in found.damage]
        print(dumps({"files": found.files, "bytes": found.bytes, "damage": rows}, indent=2))
    for damage in () if json else found.damage[:most]:
        print(f"{damage.what}: {printable(str(damage.path))}\n  fix: {damage.fix}")
    if len(found.damage) > most and not json:
        print(f"… and {len(found.damage) - most} more")
    wrong = len(found.damage) or "nothing"
    say(f"verify: {found.files} files, {format_bytes(found.bytes)} hashed; {wrong} wrong")
    raise typer.Exit(1 if found.damage else 0)
