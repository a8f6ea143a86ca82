"""A span of a video as a video of its own."""

from __future__ import annotations

from itertools import chain, takewhile
from pathlib import Path

from posepipe.errors import InputError
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter

__all__ = ["cut"]

_CRF = 20
"""x264's quality: the pictures were coded once before."""
_RATE_HZ = 30.0
"""Told to players where the video tells no rate; the pictures keep their times."""


def cut(video: Path, out: Path, start_s: float, end_s: float) -> int:
    """Write the frames with start <= time <= end; the first of them is at 0 s.

    Args:
        video: what to cut.
        out: ends in ``.mp4``.
        start_s: time in the video.
        end_s: time in the video.

    Returns:
        How many frames were written.

    Raises:
        InputError: the video can't be read, or has no frame in that span.
        OutputError: the disk refuses.
    """
    # The file may have come from somebody else: it must not lead to others.
    with open_source(video, self_contained=True) as source:
        info, frames = source.info, (frame for frame in source if frame.time_s >= start_s)
        first = next(frames, None)
        if first is None or first.time_s > end_s:
            raise InputError(
                f"no picture from {start_s:.2f} to {end_s:.2f} s", where=str(video), hint="Choose a longer span"
            )
        count = 0
        with VideoWriter(out, info.width_px, info.height_px, info.fps_hz or _RATE_HZ, crf=_CRF) as writer:
            for frame in chain((first,), takewhile(lambda frame: frame.time_s <= end_s, frames)):
                writer.write(frame.image, frame.time_s - first.time_s)
                count += 1
    return count
