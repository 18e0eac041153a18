"""Who may do what: limits on every request, before anything else looks at it.

On loopback everybody on this machine may look, and whoever has the token may act. On any other address everything but
the empty page needs the token. Pages of other sites can do neither: they do not know the token, the page is never put
into a frame, and a host name that is not ours is refused, so that no name can be made to point here.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hindscale.core.errors import OutputError
from hindscale.core.files import make_folder

__all__ = ["MOST_BODY_BYTES", "MOST_HEADER_BYTES", "Guard", "is_loopback", "token_in"]

MOST_BODY_BYTES = 16 << 10
MOST_HEADER_BYTES = 16 << 10
FILE = "token"
OPEN_PATHS = ("/", "/favicon.ico", "/healthz", "/readyz")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def token_in(folder: Path) -> str:
    """The token of a state folder, made when there is none; only its owner can read it.

    Raises:
        OutputError: If it cannot be written.
    """
    path = make_folder(folder) / FILE
    try:
        if not path.exists():
            path.touch(mode=0o600, exist_ok=False)
            path.write_text(secrets.token_urlsafe(32) + "\n", encoding="utf-8")
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Refuses what may not be, and puts the headers of a careful page on every answer.

    Args:
        app: What answers the rest.
        token: Who knows it may act.
        is_open: Whether looking needs no token, as on loopback.
        hosts: Names by which the server may be called; empty for any.
    """

    def __init__(self, app: ASGIApp, *, token: str, is_open: bool, hosts: Collection[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._is_open = is_open
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        send = _with_headers(send)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, _limited(receive), send)

    def _refusal(self, scope: Scope, headers: dict[str, bytes]) -> Response | None:
        if self._hosts and _host(headers.get("host", b"").decode("latin-1")) not in self._hosts:
            return _error(421, "this server goes by another name")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADER_BYTES:
            return _error(431, f"headers may have {MOST_HEADER_BYTES} bytes")
        length = headers.get("content-length", b"0")
        if not length.isdigit() or int(length) > MOST_BODY_BYTES:
            return _error(413, f"bodies may have {MOST_BODY_BYTES} bytes")
        if self._needs_token(scope) and not self._knows_token(headers.get("authorization", b"")):
            return _error(401, "needs the token in the state folder's file `token`", {"WWW-Authenticate": "Bearer"})
        return None

    def _needs_token(self, scope: Scope) -> bool:
        if scope["method"] not in ("GET", "HEAD"):
            return True
        path: str = scope["path"]
        return not (self._is_open or path in OPEN_PATHS or path.startswith("/static/"))

    def _knows_token(self, authorization: bytes) -> bool:
        kind, _, given = authorization.partition(b" ")
        # In constant time: how long a wrong guess takes says nothing of the token.
        return hmac.compare_digest(given.strip(), self._token) and kind.lower() == b"bearer"


def _host(header: str) -> str:
    """The host of a Host header, without the port."""
    if header.startswith("["):
        return header.partition("]")[0].removeprefix("[")
    return header.partition(":")[0]


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": text}, status_code=status, headers=headers)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return sending


def _limited(receive: Receive) -> Receive:
    """Bodies whose length was not announced end where the limit is."""
    received = 0

    async def receiving() -> Message:
        nonlocal received
        message: dict[str, Any] = dict(await receive())
        received += len(message.get("body", b""))
        if received > MOST_BODY_BYTES:
            return {"type": "http.disconnect"}
        return message

    return receiving
