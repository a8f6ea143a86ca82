"""Addresses at which pages are asked for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

__all__ = ["FIRST", "ROUTES"]

FIRST = "live"
"""The first page. Streamlit has it at the root alone, and calls its name's address a page that isn't there."""


async def _first(request: Request) -> Response:
    """Send on to the root, from the browser's own point of view: a proxy may show the app in a folder."""
    root = "../" if request.url.path.endswith("/") else "./"
    return RedirectResponse(f"{root}?{request.url.query}" if request.url.query else root)


ROUTES = [Route(f"/{FIRST}{end}", _first) for end in ("", "/")]
"""What the app answers besides Streamlit."""
