"""From points in frames to tracks of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError, NobodyFoundError
from posepipe.keypoints.sigma import sigma_from_score
from posepipe.results.importers.joints import layout_for
from posepipe.skeleton import Layout
from posepipe.tracking.collect import TrackBuilder
from posepipe.tracking.tracker import Tracker
from posepipe.types import Keypoints, KeypointTrack

__all__ = ["Found", "ImportedTracks", "Raw", "build"]

Array = NDArray[np.float64]

_CROP, _CELLS = 1.25, 64.0
"""Top-down networks look at the person's box and a quarter more; a heat map has 64 cells across it."""


@dataclass(frozen=True, slots=True, eq=False)
class ImportedTracks:
    """People that another program saw.

    Attributes:
        path: where they come from.
        tracks: one for each person.
        width_px, height_px: picture size.
        fps_hz: frames a second.
        time_estimated: nobody said how fast the frames follow each other.
        warnings: plain sentences for the user.
    """

    path: str
    tracks: tuple[KeypointTrack, ...]
    width_px: int
    height_px: int
    fps_hz: float
    time_estimated: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One person in one frame of a file.

    Attributes:
        points: (K, 3) x, y, score; score 0 or NaN anywhere means missing.
        id: the program's own number; None if it gives none.
    """

    points: Array
    id: int | None = None


@dataclass(slots=True)
class Raw:
    """What a reader takes from a file.

    Attributes:
        names: our joint names of the K points, None for points that aren't used.
        frames: frame number -> people.
        normalised: x and y are shares of the picture.
        width_px, height_px, fps_hz: where the file says.
        time_s: frame number -> time, where the file says.
    """

    names: tuple[str | None, ...] = ()
    frames: dict[int, list[Found]] = field(default_factory=dict)
    normalised: bool = False
    width_px: int | None = None
    height_px: int | None = None
    fps_hz: float | None = None
    time_s: dict[int, float] = field(default_factory=dict)


def build(raw: Raw, where: str) -> ImportedTracks:
    """Tracks from a file's points: people get ids by their movement where the program gave none.

    Pixel sigmas come from the scores and the person's size (`posepipe.keypoints.sigma.sigma_from_score`), which knows
    nothing of the network that made them.

    Raises:
        InputError: the picture's size isn't known, or the points aren't a person's.
        NobodyFoundError: there is nobody.
    """
    if raw.width_px is None or raw.height_px is None:
        raise InputError("doesn't say how large the picture was", where=where, hint="Give its size, as 1920x1080")
    if not any(raw.frames.values()):
        raise NobodyFoundError("holds nobody", where=where)
    layout = layout_for(raw.names, where)
    scale = (raw.width_px, raw.height_px) if raw.normalised else (1.0, 1.0)
    fps_hz = raw.fps_hz or _rate(raw.time_s) or 30.0
    builder, tracker = TrackBuilder(), Tracker()
    numbered = _numbered(raw)
    for frame in range(min(raw.frames), max(raw.frames) + 1):
        time_s = raw.time_s.get(frame, frame / fps_hz)
        people, ids = [], []
        for found in raw.frames.get(frame, ()):
            keypoints = _keypoints(found, raw.names, layout, scale)
            if keypoints is not None:
                people.append(keypoints)
                ids.append(found.id)
        given = [number for number in ids if number is not None]
        builder.append(frame, time_s, given if numbered else tracker.step(time_s, people), people)
    tracks = builder.tracks(merge=not numbered)
    if not tracks:
        raise NobodyFoundError("holds nobody for long enough", where=where)
    unknown = raw.fps_hz is None and not raw.time_s
    said = ("The file doesn't say how many frames a second there were; 30 are assumed.",) if unknown else ()
    return ImportedTracks(where, tracks, raw.width_px, raw.height_px, fps_hz, unknown, said)


def _rate(time_s: dict[int, float]) -> float | None:
    if len(time_s) < 2:
        return None
    first, last = min(time_s), max(time_s)
    seconds = time_s[last] - time_s[first]
    return (last - first) / seconds if seconds > 0 else None


def _numbered(raw: Raw) -> bool:
    """Whether the program's numbers tell people apart: all have one, and none comes twice in a frame."""
    for people in raw.frames.values():
        ids = [found.id for found in people]
        if None in ids or len(set(ids)) != len(ids):
            return False
    return True


def _keypoints(
    found: Found, names: Sequence[str | None], layout: Layout, scale: tuple[float, float]
) -> Keypoints | None:
    points = np.full((len(layout), 3), np.nan)
    for row, name in enumerate(names):
        if name is not None and name in layout.joints and row < len(found.points):
            points[layout.index(name)] = found.points[row]
    score = np.nan_to_num(np.clip(points[:, 2], 0.0, 1.0))
    seen = np.isfinite(points).all(axis=1) & (points[:, 2] > 0.0)
    if not seen.any():
        return None
    xy = np.where(seen[:, None], points[:, :2] * scale, np.nan)
    side_px = float(np.ptp(xy[seen], axis=0).max()) * _CROP
    sigma = sigma_from_score(score.astype(np.float32), max(side_px, 1.0) / _CELLS)
    return Keypoints(
        layout,
        xy.astype(np.float32),
        np.where(seen, sigma, np.nan).astype(np.float32),
        np.where(seen, score, 0.0).astype(np.float32),
    )
