"""The WebRTC connection, with another end in this process instead of a browser."""

from __future__ import annotations

import asyncio
import fractions
import time

import numpy as np
import pytest

pytest.importorskip("aiortc")

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from posepipe.errors import UsageError
from posepipe.ui.link import Link


class Echo:
    """A stage that draws nothing: each picture goes back as it came."""

    def __init__(self) -> None:
        self.on_picture = None
        self.came: list[tuple[int, ...]] = []
        self._picture = None

    def offer(self, picture) -> None:
        image = picture()
        self.came.append(image.shape)
        self._picture = (len(self.came), image, time.monotonic())
        if self.on_picture is not None:
            self.on_picture()

    def picture(self):
        return self._picture


class Camera(MediaStreamTrack):
    kind = "video"
    shown = 0

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(0.04)
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="bgr24")
        frame.pts, frame.time_base = self.shown * 3600, fractions.Fraction(1, 90_000)
        self.shown += 1
        return frame


async def _call(link: Link, back: list[int]) -> None:
    browser = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    browser.addTrack(Camera())

    @browser.on("track")
    async def _begin(track: MediaStreamTrack) -> None:
        while len(back) < 3:
            back.append((await track.recv()).width)

    await browser.setLocalDescription(await browser.createOffer())
    answer = await asyncio.to_thread(link.answer, browser.localDescription.sdp)
    await browser.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    for _ in range(200):
        if len(back) >= 3:
            break
        await asyncio.sleep(0.1)
    assert link.alive
    await browser.close()
    for _ in range(100):
        if not link.alive:
            break
        await asyncio.sleep(0.1)


def test_pictures_go_there_and_back_until_the_browser_hangs_up() -> None:
    stage, back = Echo(), []
    link = Link(stage)
    asyncio.run(_call(link, back))
    assert back[:3] == [64, 64, 64]
    assert set(stage.came) == {(48, 64, 3)}
    assert not link.alive
    link.close()
    assert stage.on_picture is None


@pytest.mark.parametrize(
    "offer", ["", "nonsense", "v=0\r\nm=video", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"]
)
def test_what_is_no_offer_is_said(offer: str) -> None:
    link = Link(Echo())
    with pytest.raises(UsageError, match="offer"):
        link.answer(offer)
    assert not link.alive
