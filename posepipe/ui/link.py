"""The way between a browser's camera and the stage: one WebRTC connection, its pictures in and the stage's back.

All connections live on one thread with a loop of its own, whatever server runs the pages.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar
from weakref import WeakSet

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidAccessError, InvalidStateError
from aiortc.mediastreams import MediaStreamError

from posepipe.errors import PosePipeError, UsageError
from posepipe.ui.cameras import StageTrack, to_image
from posepipe.ui.stage import Stage

__all__ = ["Link"]

_ANSWER_S = 15.0
_CLOSE_S = 3.0
# What aiortc's reader raises at text that is no session description.
_UNREADABLE = (
    *(ValueError, AttributeError, IndexError, KeyError, AssertionError, InvalidAccessError, InvalidStateError),
)
_T = TypeVar("_T")
_links: WeakSet[Link] = WeakSet()


class Link:
    """One browser's camera.

    Args:
        stage: who gets the pictures, and whose pictures go back.
        servers: STUN and TURN servers, as `posepipe.ui.cameras.ice_servers` gives them.
    """

    def __init__(self, stage: Stage, servers: Sequence[Mapping[str, Any]] = ()) -> None:
        self._stage = stage
        # Without a list of its own aiortc would ask a server in the internet.
        self._servers = [RTCIceServer(**server) for server in servers]
        self._connection: RTCPeerConnection | None = None
        self._track: StageTrack | None = None
        self._closed = False
        _links.add(self)

    @property
    def alive(self) -> bool:
        """Whether it is open, or being opened."""
        return not self._closed

    def answer(self, offer: str) -> str:
        """Take a browser's offer.

        Args:
            offer: session description (SDP), with all of its addresses in it.

        Returns:
            The description to give the browser.

        Raises:
            UsageError: it isn't such an offer.
            PosePipeError: no answer within 15 s.
        """
        try:
            return _wait(self._answer(offer), _ANSWER_S)
        except _UNREADABLE as error:
            self.close()
            raise UsageError("the browser's offer can't be read", hint="Press Start again") from error
        except Late as error:
            self.close()
            raise PosePipeError("the camera's connection takes too long", hint="Press Start again") from error

    def close(self) -> None:
        """Hang up; may be called again."""
        self._closed = True
        if self._track is not None:
            self._track.stop()
        if self._connection is not None:
            with suppress(Late):
                _wait(self._connection.close(), _CLOSE_S)

    async def _answer(self, offer: str) -> str:
        connection = self._connection = RTCPeerConnection(RTCConfiguration(iceServers=self._servers))
        tasks: list[asyncio.Task[None]] = []

        @connection.on("track")  # type: ignore[untyped-decorator]
        def _begin(track: Any) -> None:
            if track.kind == "video":
                tasks.append(asyncio.ensure_future(self._receive(track)))

        @connection.on("connectionstatechange")  # type: ignore[untyped-decorator]
        async def _changed() -> None:
            if connection.connectionState in {"failed", "closed"}:
                self._closed = True
                await connection.close()

        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        self._track = StageTrack(self._stage)
        connection.addTrack(self._track)
        await connection.setLocalDescription(await connection.createAnswer())
        return str(connection.localDescription.sdp)

    async def _receive(self, track: Any) -> None:
        with suppress(MediaStreamError):
            while not self._closed:
                self._stage.offer(to_image(await track.recv()))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="posepipe-link", daemon=True).start()
    threading.Thread(target=_close_at_the_end, name="posepipe-link-end").start()
    return loop


def _wait(work: Coroutine[Any, Any, _T], longest_s: float) -> _T:
    return asyncio.run_coroutine_threadsafe(work, _loop()).result(longest_s)


def _close_at_the_end() -> None:
    """Hang up when the program ends: it waits for aiortc's decoders, which wait for the connection's end."""
    threading.main_thread().join()
    for link in list(_links):
        link.close()
