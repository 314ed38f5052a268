"""Opens a browser page for reviewing the labels that the audit suspects.

Decisions become rows of data/corrections.csv and data/reviewed.csv. The page is only reachable from this
machine, at an address with a new token each time; Ctrl-C ends it.

For photos on another machine, run it there with --port 8123 --no-browser, and here
`ssh -L 8123:127.0.0.1:8123 THERE`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    suspects: Annotated[Path, typer.Option(help="The audit's suspects.")] = Path("reports/suspects.csv"),
    name: Annotated[
        str | None, typer.Option("--as", help="Reviewer's name for `source`. Default: git's user.name.")
    ] = None,
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
) -> None:
    import webbrowser

    from cleanplate.review.opening import open_review, reviewer
    from cleanplate.review.security import SessionTokens
    from cleanplate.review.serving import has_screen, open_socket, serve
    from pipeline.runtime.progress import say

    with open_socket(port) as sock:
        tokens = SessionTokens(sock.getsockname()[1])
        review = open_review(params, suspects, reviewer(name), tokens)
        counts = f"review: {len(review.suspects)} suspects, {len(review.people.by_id)} people"
        say(f"{counts}. {review.note}".rstrip())
        say("review: open this address in a browser on this machine; Ctrl-C ends it")
        print(tokens.address, flush=True)
        if not no_browser and has_screen():
            webbrowser.open(tokens.address)
        serve(review, tokens, sock)
    written = review.decisions.written
    say(f"\nreview: closed; {written} decision{'' if written == 1 else 's'} written in this session.")
