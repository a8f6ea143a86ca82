"""Tracks that changed over when people crossed, put right with hindsight.

Whoever is hidden for a moment isn't seen, or the detector looks at whoever hides them; who is who afterwards is a guess
when it is made. Once both are apart again, their ways, their size and their limbs' lengths before and after tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.settings import setting
from posepipe.tracking.tracker import limb_lengths
from posepipe.types import KeypointTrack

__all__ = ["UNCROSS", "UncrossSettings", "uncross"]

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Intp = NDArray[np.intp]

_TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_FIELDS = ("xy_px", "sigma_px", "score", "valid", "interpolated")
_MADE = "chosen on rendered people who cross, by posepipe evaluate crossing"


@dataclass(frozen=True, slots=True)
class UncrossSettings:
    """When two tracks met, and what must speak for an exchange. Lengths are in body sizes."""

    near: float = setting(0.35, "trunks nearer than this may be mistaken for each other", source=_MADE)
    far: float = setting(
        1.2, "who isn't seen was nearer than this when last seen, or hid elsewhere", source="judgement"
    )
    gap_s: float = setting(0.15, "apart for a shorter time they are still meeting", unit="s", source="judgement")
    most_s: float = setting(2.0, "after a longer meeting their ways tell nothing", unit="s", source="judgement")
    edge_s: float = setting(0.4, "so long before and after tells way and limbs", unit="s", source="judgement")
    least_frames: int = setting(4, "frames that must be seen of each, before and after", source="judgement")
    limbs: float = setting(1.0, "weight of a mean log difference of the limbs' lengths", source="judgement")
    clearly: float = setting(0.3, "how much better an exchange for good must fit", source=_MADE)
    better: float = setting(0.1, "and one during the meeting", source=_MADE)


UNCROSS = UncrossSettings()


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two tracks on the frames that either has.

    Attributes:
        tracks: as they are.
        time_s: (F,).
        middle: (2, F, 2) of the trunk; NaN where not seen.
        size: of a body, in pixels.
    """

    tracks: tuple[KeypointTrack, KeypointTrack]
    time_s: Float64
    middle: Float64
    size: float


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """Someone shortly before or after a meeting: place (2,), speed (2,) per second, log limb lengths (5,)."""

    time_s: float
    place: Float64
    speed: Float64
    limbs: Float64

    def at(self, time_s: float) -> Float64:
        """Where they are at another time, if they go on."""
        return self.place + self.speed * (time_s - self.time_s)


def uncross(tracks: Sequence[KeypointTrack], settings: UncrossSettings = UNCROSS) -> tuple[KeypointTrack, ...]:
    """The same people, tracks that changed over given back.

    Args:
        tracks: of one layout, on one time line whose frame numbers rise without a hole.
        settings: thresholds.

    Returns:
        Tracks in the same order; whoever met nobody has the same object.
    """
    out = list(tracks)
    for i, j in combinations(range(len(out)), 2):
        if out[i].layout is out[j].layout:
            out[i], out[j] = _apart(out[i], out[j], settings)
    return tuple(out)


def _apart(a: KeypointTrack, b: KeypointTrack, settings: UncrossSettings) -> tuple[KeypointTrack, KeypointTrack]:
    if min(a.frame[-1], b.frame[-1]) <= max(a.frame[0], b.frame[0]):
        return a, b
    pair = _pair(a, b)
    changed = False
    for first, last in _meetings(pair, settings):
        before, after = _ends(pair, first, settings, -1), _ends(pair, last, settings, 1)
        if before is None or after is None:
            continue
        kept, crossed = (
            sum(_cost(before[k], after[order[k]], pair.size, settings) for k in (0, 1)) for order in ((0, 1), (1, 0))
        )
        over = crossed + settings.clearly < kept
        rows = np.arange(first, last + 1)
        other = _whose(pair, rows, before, after[::-1] if over else after, settings)
        tail = np.arange(last + 1, len(pair.time_s)) if over else rows[:0]
        moved = np.concatenate([rows[other], tail])
        if len(moved):
            pair, changed = _exchanged(pair, moved), True
    return (_trimmed(pair.tracks[0]), _trimmed(pair.tracks[1])) if changed else (a, b)


def _pair(a: KeypointTrack, b: KeypointTrack) -> _Pair:
    frame = np.arange(min(a.frame[0], b.frame[0]), max(a.frame[-1], b.frame[-1]) + 1, dtype=np.int32)
    time_s = np.full(len(frame), np.nan)
    for track in (a, b):
        time_s[track.frame - frame[0]] = track.time_s
    wide = tuple(_widened(track, frame, time_s) for track in (a, b))
    index = a.layout.indices(*_TRUNK)
    middle = np.stack([_middle(track, index) for track in wide])
    spans = [np.where(track.valid[..., None], track.xy_px, np.nan).astype(np.float64) for track in (a, b)]
    tall = [np.hypot(*(np.nanmax(xy, axis=1) - np.nanmin(xy, axis=1)).T) for xy in (s[_any(s)] for s in spans)]
    return _Pair((wide[0], wide[1]), time_s, middle, max(float(np.mean([np.median(t) for t in tall])), 1e-6))


def _any(xy: Float64) -> Bool:
    return np.asarray(np.isfinite(xy).any(axis=(1, 2)))


def _middle(track: KeypointTrack, index: list[int]) -> Float64:
    seen: Bool = np.asarray(track.valid[:, index].all(axis=1))
    return np.where(seen[:, None], track.xy_px[:, index].astype(np.float64).mean(axis=1), np.nan)


def _widened(track: KeypointTrack, frame: NDArray[np.int32], time_s: Float64) -> KeypointTrack:
    """The same with a row for each frame."""
    rows = track.frame - frame[0]
    fields: dict[str, Any] = {}
    for name in _FIELDS:
        old = getattr(track, name)
        new = np.full((len(frame), *old.shape[1:]), np.nan if name.endswith("px") else 0, old.dtype)
        new[rows] = old
        fields[name] = new
    return replace(track, frame=frame, time_s=time_s, **fields)


def _trimmed(track: KeypointTrack) -> KeypointTrack:
    """The same from the first frame that holds a keypoint to the last."""
    seen = np.flatnonzero(track.valid.any(axis=1))
    part = slice(int(seen[0]), int(seen[-1]) + 1)
    fields: dict[str, Any] = {name: getattr(track, name)[part] for name in ("frame", "time_s", *_FIELDS)}
    return replace(track, **fields)


def _meetings(pair: _Pair, settings: UncrossSettings) -> list[tuple[int, int]]:
    """First and last rows of meetings: both near each other, or one not seen; both are seen before and after."""
    seen: Bool = np.asarray(np.isfinite(pair.middle).all(axis=2))
    both: Bool = np.asarray(seen.all(axis=0))
    gap = np.linalg.norm(pair.middle[0] - pair.middle[1], axis=1) / pair.size
    rows = np.flatnonzero(~(both & (gap >= settings.near)))
    if not len(rows):
        return []
    cuts = np.flatnonzero((np.diff(rows) > 1) & (np.diff(pair.time_s[rows]) > settings.gap_s))
    found = []
    for part in np.split(rows, cuts + 1):
        first, last = int(part[0]), int(part[-1])
        inside = first > 0 and last < len(both) - 1
        if not inside or pair.time_s[last] - pair.time_s[first] > settings.most_s:
            continue
        if min(gap[first - 1], gap[last + 1]) <= settings.far:
            found.append((first, last))
    return found


def _ends(pair: _Pair, row: int, settings: UncrossSettings, way: int) -> tuple[_End, _End] | None:
    """Both people before (-1) or after (1) a row; None where too little is seen."""
    gap_s = way * (pair.time_s - pair.time_s[row])
    near = (gap_s > 0.0) & (gap_s <= settings.edge_s)
    ends = []
    for track, middle in zip(pair.tracks, pair.middle, strict=True):
        rows = np.flatnonzero(near & np.isfinite(middle).all(axis=1))
        if len(rows) < settings.least_frames:
            return None
        edge = int(rows[0] if way > 0 else rows[-1])
        line = np.polyfit(pair.time_s[rows] - pair.time_s[edge], middle[rows], 1)
        lengths = limb_lengths(track, rows)[:, 1:]  # Not the shoulders: their width tells the view.
        known = np.isfinite(lengths).any(axis=0)
        limbs = np.full(lengths.shape[1], np.nan)
        limbs[known] = np.nanmedian(lengths[:, known], axis=0)
        ends.append(_End(float(pair.time_s[edge]), line[1], line[0], limbs))
    return ends[0], ends[1]


def _cost(before: _End, after: _End, size: float, settings: UncrossSettings) -> float:
    """How badly one end follows another, in body sizes."""
    there = np.linalg.norm(before.at(after.time_s) - after.place)
    back = np.linalg.norm(after.at(before.time_s) - before.place)
    gap = np.abs(before.limbs - after.limbs)
    unlike = float(gap[np.isfinite(gap)].mean()) if np.isfinite(gap).any() else 0.0
    return float(0.5 * (there + back) / size) + settings.limbs * unlike


def _whose(
    pair: _Pair, rows: Intp, before: tuple[_End, _End], after: tuple[_End, _End], settings: UncrossSettings
) -> Bool:
    """(n,) frames of a meeting in which the tracks hold each other's body; `after` is in the order of people.

    Each way is drawn from its end before the meeting to its end after it. A run of frames with one body alone goes to
    whose way and limbs it fits, and the frames with two to the better order.
    """
    seen: Bool = np.asarray(np.isfinite(pair.middle[:, rows]).all(axis=2))
    # (2 tracks, 2 people, n)
    off = np.full((2, 2, len(rows)), np.nan)
    for person, (start, end) in enumerate(zip(before, after, strict=True)):
        way = _drawn(start, end, pair.time_s[rows])
        limbs = np.stack([start.limbs, end.limbs]).mean(axis=0)
        for track in (0, 1):
            here = np.flatnonzero(seen[track])
            away = np.linalg.norm(pair.middle[track, rows[here]] - way[here], axis=1) / pair.size
            unlike = np.abs(limb_lengths(pair.tracks[track], rows[here])[:, 1:] - limbs)
            off[track, person, here] = away + settings.limbs * np.nan_to_num(unlike).mean(axis=1)
    gain = np.nansum(off[[0, 1], [0, 1]] - off[[0, 1], [1, 0]], axis=0)
    kind = seen[0] + 2 * seen[1]
    out = np.zeros(len(rows), bool)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(kind)) + 1])
    for first, end_row in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
        out[first:end_row] = gain[first:end_row].mean() > settings.better
    return out


def _drawn(before: _End, after: _End, time_s: Float64) -> Float64:
    share = np.clip((time_s - before.time_s) / max(after.time_s - before.time_s, 1e-6), 0.0, 1.0)[:, None]
    return np.asarray((1.0 - share) * before.place + share * after.place)


def _exchanged(pair: _Pair, rows: Intp) -> _Pair:
    """The same with the tracks' samples of these rows exchanged."""
    fields: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for name in _FIELDS:
        one, other = (getattr(track, name).copy() for track in pair.tracks)
        one[rows], other[rows] = other[rows], one[rows].copy()
        fields[0][name], fields[1][name] = one, other
    a, b = (replace(track, **found) for track, found in zip(pair.tracks, fields, strict=True))
    middle = pair.middle.copy()
    middle[:, rows] = middle[::-1, rows]
    return replace(pair, tracks=(a, b), middle=middle)
