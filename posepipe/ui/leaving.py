"""Leaving a page for another one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Leaving", "Visit"]

# Longer than an answer to a click takes on a machine with far too much to do: without one, a page that fails would hold
# the tab for ever.
_ANSWER_S = 10.0
# From the answer on until the tab shows it.
_SHOWN_S = 1.0


class Visit:
    """Which page a browser's tab asked for last."""

    def __init__(self) -> None:
        self._page = ""  # Streamlit's code of it; the tab doesn't know that of the first page.
        self._left, self._left_path = "", ""
        self._late_until_s = float("-inf")
        self._is_answered = True

    def told(self, data: bytes) -> None:
        """Take a message to the tab: which page the first one is, and that the one asked for comes."""
        if self._page and self._is_answered:
            return
        message = ForwardMsg.FromString(data)
        if not self._page:
            # Empty in all other messages.
            self._page = message.navigation.page_script_hash
        elif message.new_session.page_script_hash == self._page:
            self._is_answered = True
            self._late_until_s = time.monotonic() + _SHOWN_S

    def is_late(self, data: bytes) -> bool:
        """Whether a message from the tab is a call for the page that was just left.

        Until the server answers a click on another page's link, Streamlit's page takes whatever changes on the old one,
        like a camera's frame that is ready or a panel that looks again, as a call for the old page. The server would do
        what was asked for last and undo the click. Its address tells whether the old page is still there.
        """
        try:
            message = BackMsg.FromString(data)
        except DecodeError:
            return False
        asked = message.rerun_script
        page, path = asked.page_script_hash, urlsplit(asked.context_info.url).path
        if not page or page == self._page:
            return False
        by_history = getattr(asked, "is_history_navigation", False)  # Since Streamlit 1.67.
        soon = time.monotonic() < self._late_until_s
        if page == self._left and path == self._left_path and soon and not by_history:
            return True
        self._left, self._left_path = self._page, path
        self._late_until_s = time.monotonic() + _ANSWER_S
        self._page, self._is_answered = page, False
        return False


class Leaving:
    """ASGI middleware: drops calls for a page that was just left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything else on."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        visit = Visit()

        async def from_tab() -> Message:
            while True:
                message = await receive()
                if not visit.is_late(message.get("bytes") or b""):
                    return message

        async def to_tab(message: Message) -> None:
            visit.told(message.get("bytes") or b"")
            await send(message)

        await self._app(scope, from_tab, to_tab)
