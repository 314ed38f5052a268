"""Shows and prunes the result cache, which keeps what stages made of each photo.

cleanplate cache                size and hit rate
cleanplate cache --prune 5      removes what was not used for longest until 5 GB are left
"""

from __future__ import annotations

from typing import Annotated

import typer


def main(
    prune: Annotated[
        float | None, typer.Option(min=0, metavar="GB", help="Keep at most this much (10^9 bytes).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    from json import dumps

    from pipeline.io.cache_usage import as_json, stats
    from pipeline.io.cache_usage import prune as make_room
    from pipeline.runtime.disk import format_bytes, free_bytes, main_root
    from pipeline.runtime.progress import say

    items = main_root() / ".cache" / "items"
    if prune is not None:
        removed = make_room(items, prune)
        say(f"cache: removed {format_bytes(removed)}")
    found = stats(items)
    if json:
        print(dumps([as_json(usage) for usage in found], indent=2))
        return
    if not found:
        print(f"the result cache is empty ({items})")
        return
    print(f"{'pass':<12} {'entries':>9} {'size':>10} {'settings':>9} {'looked up':>10} {'hit rate':>9}")
    for usage in found:
        lookups = usage.hits + usage.misses
        rate = f"{usage.hit_rate:.0%}" if lookups else "-"
        print(
            f"{usage.name:<12} {usage.entries:>9} {format_bytes(usage.bytes):>10} {usage.identities:>9} "
            f"{lookups:>10} {rate:>9}"
        )
    total = sum(usage.bytes for usage in found)
    print(f"{format_bytes(total)} in all; {format_bytes(free_bytes(items))} free on its disk")
