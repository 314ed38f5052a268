"""Running the page at 127.0.0.1 until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import socket
import sys

import uvicorn

from cleanplate.review.security import Guard, SessionTokens
from cleanplate.review.server import Review, make_app
from pipeline.runtime.errors import UserError


def open_socket(port: int) -> socket.socket:
    """A socket that listens at 127.0.0.1 only.

    Args:
        port: 0 = any free one.

    Raises:
        UserError: the port is taken.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.bind(("127.0.0.1", port))
        sock.listen(128)  # browsers now wait for the server instead of failing
    except OSError as e:
        sock.close()
        raise UserError(f"port {port} cannot be used", got=e.strerror, fix="leave out --port") from e
    return sock


def make_server(review: Review, tokens: SessionTokens) -> uvicorn.Server:
    """The server; `run(sockets=[…])` runs it."""
    return server_of(Guard(make_app(review, tokens), tokens))


def server_of(guarded: Guard) -> uvicorn.Server:
    """A server of any page behind the guard, which tells nobody about requests."""
    config = uvicorn.Config(
        guarded,
        log_level="error",
        access_log=False,  # addresses contain the token
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def serve(review: Review, tokens: SessionTokens, sock: socket.socket) -> None:
    """Serves until Ctrl-C."""
    serve_until_interrupted(make_server(review, tokens), sock)


def serve_until_interrupted(server: uvicorn.Server, sock: socket.socket) -> None:
    """Runs a server until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[sock])


def has_screen() -> bool:
    """Whether a graphical browser can open; without a screen, Python would start a text browser."""
    return sys.platform != "linux" or any(os.environ.get(v) for v in ("DISPLAY", "WAYLAND_DISPLAY"))
