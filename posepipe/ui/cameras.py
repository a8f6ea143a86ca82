"""Cameras for the stage: the browser's by WebRTC, or one of the machine that the app runs on."""

from __future__ import annotations

import asyncio
import fractions
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from posepipe.errors import PosePipeError, UsageError
from posepipe.media.sources import Source, open_source
from posepipe.ui.stage import Stage

__all__ = ["LocalCamera", "StageTrack", "ice_servers", "is_local", "is_secure", "to_image"]

_CLOCK_HZ = 90_000
_TIME_BASE = fractions.Fraction(1, _CLOCK_HZ)
_LOCAL = ("localhost", "127.0.0.1", "::1")

_FORGOTTEN_S = 10.0


def is_local(url: str | None) -> bool:
    """Whether the browser runs on this machine, by the address it opened."""
    host = urlsplit(url or "http://localhost").hostname or ""
    return host in _LOCAL or host.endswith(".localhost")


def is_secure(url: str | None) -> bool:
    """Whether a browser gives its camera to a page of this address."""
    return is_local(url) or urlsplit(url or "").scheme == "https"


def ice_servers(url: str | None, settings: Mapping[str, str]) -> list[dict[str, Any]]:
    """STUN and TURN servers, which find a way between machines; none on this machine, so that nothing leaves it.

    Args:
        url: address that the browser opened.
        settings: ``POSEPIPE_ICE_SERVERS`` (a JSON list as RTCPeerConnection takes it), or ``POSEPIPE_STUN_URL``,
            ``POSEPIPE_TURN_URL``, ``POSEPIPE_TURN_USERNAME`` and ``POSEPIPE_TURN_PASSWORD``.

    Raises:
        UsageError: ``POSEPIPE_ICE_SERVERS`` isn't such a list.
    """
    if is_local(url):
        return []
    given = settings.get("POSEPIPE_ICE_SERVERS", "").strip()
    if given:
        try:
            servers = json.loads(given)
        except ValueError as error:
            raise UsageError("isn't JSON", where="POSEPIPE_ICE_SERVERS", hint='Form: [{"urls": "stun:…"}]') from error
        if not isinstance(servers, list) or not all(isinstance(one, dict) and "urls" in one for one in servers):
            raise UsageError("isn't a list of servers", where="POSEPIPE_ICE_SERVERS", hint='Form: [{"urls": "stun:…"}]')
        return servers
    servers = []
    if stun := settings.get("POSEPIPE_STUN_URL"):
        servers.append({"urls": stun})
    if turn := settings.get("POSEPIPE_TURN_URL"):
        user, password = settings.get("POSEPIPE_TURN_USERNAME", ""), settings.get("POSEPIPE_TURN_PASSWORD", "")
        servers.append({"urls": turn, "username": user, "credential": password})
    return servers


def to_image(frame: av.VideoFrame) -> Callable[[], Any]:
    """How to get a BGR picture out of a frame, later and on another thread."""
    return lambda: frame.to_ndarray(format="bgr24")


class StageTrack(MediaStreamTrack):  # type: ignore[misc]
    """The stage's newest picture, sent whenever there is a new one and never twice."""

    kind = "video"

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage
        self._new: asyncio.Event | None = None
        self._tell: Callable[[], None] | None = None

    @property
    def used(self) -> bool:
        """Whether a connection has taken pictures from it."""
        return self._new is not None

    async def recv(self) -> av.VideoFrame:
        """The next picture. Raises `MediaStreamError` after `stop`."""
        if self._new is None:
            self._new = asyncio.Event()
            self._stage.on_picture = self._tell = _teller(asyncio.get_running_loop(), self._new)
        await self._new.wait()
        self._new.clear()
        newest = self._stage.picture()
        if self.readyState != "live" or newest is None:
            raise MediaStreamError
        _, image, came_s = newest
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts = round(came_s * _CLOCK_HZ)
        frame.time_base = _TIME_BASE
        return frame

    def stop(self) -> None:
        """End; whoever waits for a picture is told."""
        super().stop()
        if self._tell is not None:
            if self._stage.on_picture is self._tell:
                self._stage.on_picture = None
            self._tell()


def _teller(loop: asyncio.AbstractEventLoop, new: asyncio.Event) -> Callable[[], None]:
    def tell() -> None:
        # The loop closes before the last picture is drawn when the server stops.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(new.set)

    return tell


class LocalCamera:
    """Feeds a stage from a local camera, a stream or a file until it is stopped, or nobody looks any more.

    Args:
        spec: camera number, address of a stream, or a file.
        stage: who gets the pictures.
    """

    def __init__(self, spec: str, stage: Stage) -> None:
        self._spec = spec
        self._stage = stage
        self._stop = threading.Event()
        self._looked_s = time.monotonic()
        self.error: PosePipeError | None = None
        self.seen_ended = False
        self._thread = threading.Thread(target=self._work, name="posepipe-camera", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether pictures still come."""
        return self._thread.is_alive()

    def look(self) -> None:
        """Somebody is still there. A camera whose page was closed must not go on filming."""
        self._looked_s = time.monotonic()

    def stop(self) -> None:
        """Let the camera go."""
        self._stop.set()

    def _work(self) -> None:
        try:
            with open_source(self._spec, latest_only=True) as source:
                self._feed(source)
        except PosePipeError as error:
            self.error = error

    def _feed(self, source: Source) -> None:
        start_s = time.monotonic()
        for frame in source:
            if self._stop.is_set() or time.monotonic() - self._looked_s > _FORGOTTEN_S:
                return
            if not source.info.live:
                # A file plays at its own speed.
                self._stop.wait(max(0.0, frame.time_s - (time.monotonic() - start_s)))
            image = frame.image
            self._stage.offer(lambda image=image: image)  # type: ignore[misc]
