"""Which helper servers are used, and that a camera may be asked for."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from posepipe.errors import UsageError
from posepipe.pipeline import Config
from posepipe.ui.cameras import StageTrack, ice_servers, is_local, is_secure
from posepipe.ui.stage import Stage

TURN = {"POSEPIPE_TURN_URL": "turn:t:3478", "POSEPIPE_TURN_USERNAME": "u", "POSEPIPE_TURN_PASSWORD": "p"}


@pytest.mark.parametrize("url", ["http://localhost:8501/", "http://127.0.0.1:1", "http://[::1]:8501", None])
def test_nothing_leaves_this_machine(url: str | None) -> None:
    assert is_local(url)
    assert is_secure(url)
    assert ice_servers(url, {**TURN, "POSEPIPE_STUN_URL": "stun:s"}) == []


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("http://192.168.1.7:8501", False),
        ("https://example.org/app", True),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
    ],
)
def test_other_machines(url: str, secure: bool) -> None:
    assert not is_local(url)
    assert is_secure(url) is secure
    assert ice_servers(url, {}) == []


def test_servers_from_settings() -> None:
    url = "https://example.org"
    assert ice_servers(url, {"POSEPIPE_STUN_URL": "stun:s", **TURN}) == [
        {"urls": "stun:s"},
        {"urls": "turn:t:3478", "username": "u", "credential": "p"},
    ]
    assert ice_servers(url, {"POSEPIPE_ICE_SERVERS": '[{"urls": ["stun:a", "stun:b"]}]'}) == [
        {"urls": ["stun:a", "stun:b"]}
    ]
    for wrong in ("nonsense", '{"urls": "stun:s"}', '["stun:s"]'):
        with pytest.raises(UsageError, match="POSEPIPE_ICE_SERVERS"):
            ice_servers(url, {"POSEPIPE_ICE_SERVERS": wrong})


def test_track_gives_each_picture_once_and_ends() -> None:
    stage = Stage(Config())
    track = StageTrack(stage)

    def publish() -> None:
        for _ in range(3):
            time.sleep(0.05)
            stage._publish(np.full((48, 64, 3), 90, np.uint8), None, time.monotonic())
        time.sleep(0.05)
        track.stop()

    async def receive() -> list[int]:
        threading.Thread(target=publish).start()
        stamps = []
        with pytest.raises(MediaStreamError):
            while True:
                frame = await asyncio.wait_for(track.recv(), 5.0)
                assert frame.height == 48
                stamps.append(frame.pts)
        return stamps

    stamps = asyncio.run(receive())
    assert len(stamps) == 3
    assert stamps == sorted(set(stamps))
    assert track.used
    assert stage.on_picture is None
