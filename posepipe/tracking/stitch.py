"""Joining tracks of one person with hindsight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.tracking import shape
from posepipe.types import Keypoints, KeypointTrack

__all__ = ["merge_tracks"]

Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]

_EDGE_S = 0.3  # How much of a track's end tells speed and size.
_DRIFT_S = 0.7  # Speed fades with this time constant.
_SIZE_RATIO = 4.0 / 3.0


@dataclass(frozen=True, slots=True, eq=False)
class _Edge:
    """One end of a track: middle of the body (2,), its speed (2,) per second, the body's size."""

    time_s: float
    xy_px: Float64
    speed_px: Float64
    size_px: float


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    tracks: tuple[KeypointTrack, ...]
    start: _Edge
    end: _Edge


def merge_tracks(
    tracks: Sequence[KeypointTrack],
    frame: Int32,
    time_s: Float64,
    max_away_s: float = 3.0,
    gate: float = 0.5,
) -> tuple[KeypointTrack, ...]:
    """Join tracks that don't overlap in time and fit in place, movement and size.

    The end of one, moved on with its speed, and the start of the other, moved back with its own, must meet within
    `gate` body sizes (less after a long absence), and the sizes must agree within a third. The best pair goes first;
    the lower id stays.

    Args:
        tracks: tracks on one time line, any order.
        frame: (N,) numbers of all frames of the clip.
        time_s: (N,) their times.
        max_away_s: longest absence to bridge.
        gate: largest mismatch, in body sizes.

    Returns:
        Tracks by id. In the frames between joined parts everything is NaN and not valid.
    """
    parts = [_Part((track,), _edge(track, last=False), _edge(track, last=True)) for track in tracks]
    while True:
        best, pair = gate, (0, 0)
        for i, a in enumerate(parts):
            for j, b in enumerate(parts):
                if 0.0 < b.start.time_s - a.end.time_s <= max_away_s:
                    off = _mismatch(a.end, b.start)
                    if off < best:
                        best, pair = off, (i, j)
        if pair[0] == pair[1]:
            break
        a, b = parts[pair[0]], parts[pair[1]]
        parts = [part for k, part in enumerate(parts) if k not in pair]
        parts.append(_Part(a.tracks + b.tracks, a.start, b.end))
    joined = [part.tracks[0] if len(part.tracks) == 1 else _join(part.tracks, frame, time_s) for part in parts]
    return tuple(sorted(joined, key=lambda track: track.person))


def _mismatch(end: _Edge, start: _Edge) -> float:
    """How badly a start follows an end, in body sizes."""
    away_s = start.time_s - end.time_s
    if not abs(np.log(end.size_px / start.size_px)) <= np.log(_SIZE_RATIO):
        return np.inf
    drift_s = _DRIFT_S * (1.0 - np.exp(-away_s / _DRIFT_S))
    scale = 0.5 * (end.size_px + start.size_px)
    step = start.xy_px - end.xy_px
    there = np.linalg.norm(step - end.speed_px * drift_s)
    back = np.linalg.norm(step - start.speed_px * drift_s)
    still = np.linalg.norm(step)
    return float(min(0.5 * (there + back), still) / scale + 0.1 * away_s)


def _edge(track: KeypointTrack, last: bool) -> _Edge:
    seen = np.flatnonzero(track.valid.any(axis=1))
    edge_s = track.time_s[seen[-1 if last else 0]]
    rows = seen[np.abs(track.time_s[seen] - edge_s) <= _EDGE_S]
    middle = np.array([np.median(track.xy_px[row][track.valid[row]], axis=0) for row in rows], dtype=np.float64)
    sizes = [
        shape.body_size(Keypoints(track.layout, track.xy_px[row], track.sigma_px[row], track.score[row]))
        for row in rows
    ]
    speed = np.zeros(2)
    if len(rows) >= 3:
        speed = np.polyfit(track.time_s[rows] - edge_s, middle, 1)[0]
    return _Edge(float(edge_s), middle[-1 if last else 0], speed, max(float(np.median(sizes)), 1e-6))


def _join(tracks: Sequence[KeypointTrack], frame: Int32, time_s: Float64) -> KeypointTrack:
    first = int(np.searchsorted(time_s, min(track.time_s[0] for track in tracks)))
    last = int(np.searchsorted(time_s, max(track.time_s[-1] for track in tracks)))
    part = slice(first, last + 1)
    layout = tracks[0].layout
    shape_2d = (last + 1 - first, len(layout))
    xy = np.full((*shape_2d, 2), np.nan, dtype=np.float32)
    sigma, score = np.full(shape_2d, np.nan, dtype=np.float32), np.zeros(shape_2d, dtype=np.float32)
    valid, interpolated = np.zeros(shape_2d, dtype=bool), np.zeros(shape_2d, dtype=bool)
    for track in tracks:
        start = int(np.searchsorted(time_s, track.time_s[0])) - first
        rows = slice(start, start + len(track))
        xy[rows], sigma[rows], score[rows] = track.xy_px, track.sigma_px, track.score
        valid[rows], interpolated[rows] = track.valid, track.interpolated
    person = min(track.person for track in tracks)
    return KeypointTrack(person, layout, frame[part], time_s[part], xy, sigma, score, valid, interpolated)
