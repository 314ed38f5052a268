"""Rehashes DVC's cache, the outputs, the weights, the photos and the result cache.

DVC trusts modification time and size, and never rereads its cache. This finds bit flips, writes through links
and truncated transfers, and names the fix. Exit code 1 if there is damage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    most: Annotated[int, typer.Option(min=1, help="Maximum number of findings to list.")] = 50,
) -> None:
    from dataclasses import asdict
    from json import dumps

    from cleanplate.integrity.inputs import check_everything
    from pipeline.runtime.disk import format_bytes
    from pipeline.runtime.errors import printable
    from pipeline.runtime.progress import say

    findings = check_everything(Path(), params)
    if json:
        rows = [{k: str(v) for k, v in asdict(d).items() if k != "remove"} for d in findings.damage]
        print(dumps({"files": findings.files, "bytes": findings.bytes, "damage": rows}, indent=2))
    for damage in () if json else findings.damage[:most]:
        print(f"{damage.what}: {printable(str(damage.path))}\n  fix: {damage.fix}")
    if len(findings.damage) > most and not json:
        print(f"… and {len(findings.damage) - most} more")
    wrong = len(findings.damage) or "none"
    say(f"verify: {findings.files} files, {format_bytes(findings.bytes)} hashed; {wrong} damaged")
    raise typer.Exit(1 if findings.damage else 0)
