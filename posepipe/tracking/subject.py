"""Whom to analyse: `largest`, `center`, an id, or `all`. Works on stored tracks, so it can be changed afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.tracking.collect import frame_duration
from posepipe.types import KeypointTrack

__all__ = ["choose_subject"]

Float64 = NDArray[np.float64]


def choose_subject(
    tracks: Sequence[KeypointTrack], subject: str, size_px: tuple[int, int]
) -> tuple[KeypointTrack, ...]:
    """The tracks to analyse.

    Args:
        tracks: everybody there is.
        subject: ``largest`` (most picture area times time), ``center`` (most time near the middle), an id, or ``all``.
        size_px: width and height of the picture.

    Returns:
        One track, or all of them by id; nothing if there are no tracks.

    Raises:
        UsageError: an unknown word, or an id that isn't there; the message lists those that are.
    """
    if subject not in ("largest", "center", "all") and not subject.isdecimal():
        raise UsageError(f"unknown subject {subject!r}", hint="Use largest, center, all or a person's id")
    by_id = sorted(tracks, key=lambda track: track.person)
    if subject == "all" or (not by_id and not subject.isdecimal()):
        return tuple(by_id)
    if subject.isdecimal():
        chosen = tuple(track for track in by_id if track.person == int(subject))
        if not chosen:
            there = ", ".join(str(track.person) for track in by_id) or "none"
            raise UsageError(f"no person with id {subject}", hint=f"Ids in this video: {there}")
        return chosen
    score = _area if subject == "largest" else _middle
    return (max(by_id, key=lambda track: score(track, size_px)),)


def _box(track: KeypointTrack, size_px: tuple[int, int]) -> tuple[Float64, Float64, Float64]:
    """Corners (N, 2) of the body's box inside the picture over the frames that have one, and their durations."""
    seen = track.valid.any(axis=1)
    xy = np.where(track.valid[seen, :, None], track.xy_px[seen], np.nan).astype(np.float64)
    low = np.clip(np.nanmin(xy, axis=1, initial=np.inf), 0.0, size_px)
    high = np.clip(np.nanmax(xy, axis=1, initial=-np.inf), 0.0, size_px)
    # A single frame has no duration; let it count as one.
    duration = frame_duration(track.time_s) if len(track) > 1 else np.ones(1)
    return low, high, duration[seen]


def _area(track: KeypointTrack, size_px: tuple[int, int]) -> float:
    low, high, duration = _box(track, size_px)
    return float(np.sum(np.prod(high - low, axis=1) * duration))


def _middle(track: KeypointTrack, size_px: tuple[int, int]) -> float:
    low, high, duration = _box(track, size_px)
    off = ((low + high) / 2.0 - np.array(size_px) / 2.0) / min(size_px)
    return float(np.sum(np.exp(-0.5 * np.sum(off**2, axis=1) / 0.25**2) * duration))
