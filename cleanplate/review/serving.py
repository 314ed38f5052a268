"""Running the page at 127.0.0.1 until Ctrl-C."""

from __future__ import annotations

import contextlib
import socket

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
    config = uvicorn.Config(
        Guard(make_app(review, tokens), tokens),
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
    with contextlib.suppress(KeyboardInterrupt):
        make_server(review, tokens).run(sockets=[sock])
