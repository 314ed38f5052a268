"""Access control of the page: only a browser on this machine with the token, and no other site in it.

- Host must be the address itself, or another site could reach the page under its own name (DNS rebinding).
- The token comes once in the address, then as a cookie (HttpOnly, SameSite=strict).
- A POST must also come from the page's own origin and carry the session's CSRF token.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 16_384  # of a decision; pages that take pictures say more
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",  # faces stay in memory only
}


@dataclass(frozen=True)
class SessionTokens:
    """The secrets of one session, and its port."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def address(self) -> str:
        """The address for the user."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """The cookie's name, with the port: browsers share cookies between ports."""
        return f"cleanplate_{self.port}"


class Guard:
    """ASGI middleware in front of everything.

    Args:
        app: the page.
        tokens: of the session.
        command: that printed the address, for messages.
        max_body: bytes of a POST.
    """

    def __init__(
        self,
        app: ASGIApp,
        tokens: SessionTokens,
        command: str = "cleanplate review",
        max_body: int = MAX_BODY_BYTES,
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._command, self._max_body = command, max_body
        self._hosts = {f"127.0.0.1:{tokens.port}", f"localhost:{tokens.port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no websockets, no lifespan

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        app = PlainTextResponse(f"{refusal}\n", status_code=403) if refusal else self._app
        await app(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> str:
        """Why this request is refused, or ""."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return "this page answers only at 127.0.0.1"
        if scope["method"] not in ("GET", "POST"):
            return "only GET and POST"
        if not (self._has_cookie(headers) or self._opens(scope)):
            return f"open the address that `{self._command}` printed: it contains the session's token"
        if scope["method"] == "POST":
            return self._post_refusal(headers, hosts[0])
        return ""

    def _post_refusal(self, headers: Headers, host: str) -> str:
        if headers.getlist("origin") != [f"http://{host}"]:
            return "this request comes from another page"
        if not _same(headers.get("x-csrf", ""), self._tokens.csrf):
            return "this request lacks the session's CSRF token; reload the page"
        length = headers.get("content-length", "")
        if not length.isdigit() or int(length) > self._max_body:
            return "this request is too large"
        return ""

    def _opens(self, scope: Scope) -> bool:
        """Whether this is the address with the token."""
        if scope["method"] != "GET" or scope["path"] != "/":
            return False
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        return len(tokens) == 1 and _same(tokens[0], self._tokens.token)

    def _has_cookie(self, headers: Headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return self._tokens.cookie in cookies and _same(
            cookies[self._tokens.cookie].value, self._tokens.token
        )


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
