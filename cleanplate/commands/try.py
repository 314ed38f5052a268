"""Opens a browser page that answers who is in a photo, or before the camera, by an exported model.

Drop a photo, paste one, or press C for the camera: box, matte, what the network sees, the three answers, and
the same on another background (B). The page is only reachable from this machine, at an address with a new
token each time; pictures stay in memory, and nothing is stored or sent on. Ctrl-C ends it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    model: Annotated[Path, typer.Option(help="The folder that `cleanplate export OUT` wrote.")] = Path(
        "build/export"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    runtime: Annotated[str, typer.Option(help="auto, openvino or onnxruntime.")] = "auto",
) -> None:
    import webbrowser

    # before cleanplate.predict, which does without numba: a camera's pictures repay its two seconds
    import pipeline.detect.mtcnn.cascade
    import pipeline.detect.nms  # noqa: F401
    from cleanplate.predict import Model
    from cleanplate.review.security import SessionTokens
    from cleanplate.review.serving import has_screen, open_socket, serve_until_interrupted
    from cleanplate.trial.server import make_server
    from pipeline.runtime.progress import say

    loaded = Model.load(model, runtime)
    with open_socket(port) as sock:
        tokens = SessionTokens(sock.getsockname()[1])
        say("try: open this address in a browser on this machine; Ctrl-C ends it")
        print(tokens.address, flush=True)
        if not no_browser and has_screen():
            webbrowser.open(tokens.address)
        serve_until_interrupted(make_server(loaded, tokens), sock)
