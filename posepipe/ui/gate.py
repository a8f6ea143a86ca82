"""What stands before the app's pages: which names the page may be asked for by, other sites' requests, the password."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import deque
from html import escape
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from posepipe.texts import language_of, load
from posepipe.ui.access import is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Gate", "known_name"]

_COOKIE = "posepipe"
_COOKIE_S = 12 * 3600
_LONGEST_FORM = 4096  # Bytes.
# Wrong passwords: each takes this long, one at a time for all; so many from one address in a window, then no more.
_WRONG_S, _WINDOW_S, _MOST_WRONG = 1.0, 600.0, 10
_REMEMBERED_WRONG = 10_000
_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
}
_PAGE = """<!DOCTYPE html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>posepipe</title>
<style>body {{ font: 1rem sans-serif; max-width: 20rem; margin: 20vh auto; padding: 0 1rem }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; margin-top: .5rem }}</style></head>
<body><h1>posepipe</h1><form method="post"><label for="password">{label}</label>
<input type="password" id="password" name="password" autocomplete="current-password" autofocus required>
<button>{enter}</button></form><p role="alert">{said}</p></body></html>"""


def known_name(host: str, *, local: bool, names: Collection[str] = ()) -> bool:
    """Whether the page may be asked for by this name.

    A site that makes its own name point here (DNS rebinding) would else count as the app's own page. It can do so with
    names from the internet only, not with addresses, names without a dot, or those of ``.local``.

    Args:
        host: the request's Host header.
        local: the app listens on this machine only.
        names: further names, as a proxy shows the page under them.
    """
    name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    if name in names or is_loopback(name):
        return True
    if local or not name:
        return False
    try:
        ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(".local")
    return True


class Gate:
    """ASGI middleware; everything passes through it: pages, uploads, pictures and the WebSocket.

    Args:
        app: what it protects.
        local: the app listens on this machine only.
        names: further names of the page; see `known_name`.
        password: asked for once in a browser; None asks for none.
    """

    def __init__(self, app: ASGIApp, *, local: bool, names: Collection[str] = (), password: str | None = None) -> None:
        self._app = app
        self._local = local
        self._names = frozenset(name.lower() for name in names)
        self._password = password
        self._token = secrets.token_urlsafe(32)
        self._wrong: deque[tuple[float, str]] = deque(maxlen=_REMEMBERED_WRONG)
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] in ("http", "websocket"):
            answer = self._refusal(Headers(scope=scope))
            if answer is None and self._password is not None and not self._has_token(Headers(scope=scope)):
                web = scope["type"] == "http"
                answer = await self._ask(Request(scope, receive)) if web else _refuse("the password is missing")
            if answer is not None:
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": 1008})
                    return
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> Response | None:
        """Why a request isn't the app's own page's; None if it is."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not known_name(host, local=self._local, names=self._names):
            return _refuse("posepipe isn't reached by this name; posepipe app --host NAME allows it")
        # Asked further, Streamlit would look up this machine's address in the internet.
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return _refuse("another site's page asks")
        return None

    def _has_token(self, headers: Headers) -> bool:
        parts = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        return any(name == _COOKIE and _same(value, self._token) for name, _, value in parts)

    async def _ask(self, request: Request) -> Response:
        """The page that asks for the password, or the answer to what was typed in."""
        text = load(language_of(request.headers.get("accept-language", "").split(",")[0]))
        if request.method != "POST":
            return _page(text.language, text("gate.password"), text("gate.enter"), "", 401)
        address = request.client.host if request.client else ""
        wait = _page(text.language, text("gate.password"), text("gate.enter"), text("gate.wait"), 429)
        if self._throttled(address):
            return wait
        given = await _typed(request)
        async with self._one_at_a_time:
            # It may have sent many at once.
            if self._throttled(address):
                return wait
            if not _same(given, self._password or ""):
                self._wrong.append((time.monotonic(), address))
                await asyncio.sleep(_WRONG_S)
                return _page(text.language, text("gate.password"), text("gate.enter"), text("gate.wrong"), 401)
        entered = RedirectResponse(request.url.path, 303)
        secure = request.url.scheme == "https"
        entered.set_cookie(_COOKIE, self._token, _COOKIE_S, httponly=True, samesite="strict", secure=secure)
        return entered

    def _throttled(self, address: str) -> bool:
        since_s = time.monotonic() - _WINDOW_S
        return sum(when > since_s and who == address for when, who in self._wrong) >= _MOST_WRONG


async def _typed(request: Request) -> str:
    """The password of a form; empty if it is none, or far too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM:
            return ""
    return parse_qs(body.decode(errors="replace")).get("password", [""])[0]


def _same(given: str, wanted: str) -> bool:
    """Whether two texts are equal, in a time that doesn't tell how much of them is, nor how long they are."""
    key = secrets.token_bytes(32)
    return hmac.compare_digest(*(hmac.digest(key, text.encode(errors="replace"), "sha256") for text in (given, wanted)))


def _refuse(why: str) -> Response:
    return PlainTextResponse(f"{why}\n", 403)


def _page(language: str, label: str, enter: str, said: str, status: int) -> Response:
    words = {"language": language, "label": label, "enter": enter, "said": said}
    page = _PAGE.format(**{name: escape(word) for name, word in words.items()})
    return HTMLResponse(page, status, _PAGE_HEADERS)
