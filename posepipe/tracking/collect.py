"""From frames to tracks: compact storage while a clip is read, then hindsight; and whose track to analyse."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.settings import setting
from posepipe.skeleton import Layout
from posepipe.tracking.same_body import join_overlapping
from posepipe.tracking.tracker import body_size, drift_s
from posepipe.tracking.uncross import uncross
from posepipe.types import Keypoints, KeypointTrack

__all__ = ["TRACKS", "TrackBuilder", "TrackSettings", "choose_subject", "frame_duration", "merge_tracks"]

Int32 = NDArray[np.int32]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_LIMBS = ("elbow", "wrist", "knee", "ankle")
_RANGE_SIGMAS = 3.29
"""From the 5th to the 95th percentile of a normal distribution."""
_CHUNK = 256
"""Frames stored together."""

_PRESENCE = "judgement: BlazePose gives a presence of about 0.8 to bottles and clouds, 0.93 or more to people"


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """Who is kept, and what is joined, once a clip is known. Lengths are in body sizes."""

    min_seen_s: float = setting(0.8, "a person is seen for so long, or for `min_share`", unit="s", source="judgement")
    min_share: float = setting(0.4, "or for this share of the clip, if that is less", source="judgement")
    sure_presence: float = setting(0.88, "mean presence of somebody who is surely there", source=_PRESENCE)
    weak_seen_s: float = setting(3.0, "others are seen for so long, or for `min_share`", unit="s", source="judgement")
    min_steady: float = setting(0.4, "least share of the time seen between first and last sighting", source="judgement")
    max_away_s: float = setting(3.0, "the longest absence that is bridged", unit="s", source="judgement")
    gate: float = setting(0.5, "how far apart two ends may be that are joined", source="judgement")
    size_ratio: float = setting(4.0 / 3.0, "how much the body's size may differ", source="judgement")
    edge_s: float = setting(0.3, "so much of a track's end tells its speed and size", unit="s", source="judgement")
    away_weight: float = setting(0.1, "what each second of absence adds to the distance", source="judgement")
    frozen: float = setting(
        0.005, "limbs that move less belong to a picture", source="a poster of a made person: 0.002; planks: 0.01"
    )
    lively: float = setting(0.03, "limbs that move more belong to the subject, if any do", source="judgement")
    still_weight: float = setting(0.02, "what a person counts who doesn't move", source="judgement")
    guessed: float = setting(
        0.5, "median score under which a joint is guessed: what it seems to move doesn't count where others are seen",
        source="judgement: of a filmed poster the hidden arm jumped about at 0.1, the other was seen at 0.9",
    )  # fmt: skip


TRACKS = TrackSettings()


class _Store:
    """One person's sightings: chunks of (256, J, 4) holding x, y, sigma, score."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.rows = array("l")
        self.presence = array("f")
        self._chunks: list[Float32] = []

    def add(self, row: int, keypoints: Keypoints) -> None:
        place = len(self.rows) % _CHUNK
        if place == 0:
            self._chunks.append(np.empty((_CHUNK if self._chunks else 32, len(self.layout), 4), dtype=np.float32))
        chunk = self._chunks[-1]
        if place == len(chunk):  # The first chunk starts small: most false sightings are short.
            chunk = self._chunks[-1] = np.concatenate([chunk, np.empty((_CHUNK - place, *chunk.shape[1:]), np.float32)])
        chunk[place, :, :2] = keypoints.xy_px
        chunk[place, :, 2] = keypoints.sigma_px
        chunk[place, :, 3] = keypoints.score
        self.rows.append(row)
        self.presence.append(keypoints.presence)

    def parts(self) -> Iterator[tuple[slice, Float32]]:
        """All sightings, some at a time: which of them, and (n, J, 4)."""
        start = 0
        for chunk in self._chunks:
            part = slice(start, min(start + len(chunk), len(self.rows)))
            yield part, chunk[: part.stop - start]
            start = part.stop


class TrackBuilder:
    """Collects ids and keypoints frame by frame and gives tracks at the end.

    A person is kept who was seen long enough (longer, where the mean presence is low) and steadily. Everybody else is
    a flicker: detectors see people in bottles and clouds for a moment.

    Args:
        settings: thresholds.
    """

    def __init__(self, settings: TrackSettings = TRACKS) -> None:
        self.settings = settings
        self._frame = array("l")
        self._time_s = array("d")
        self._people: dict[int, _Store] = {}

    def __len__(self) -> int:
        """Frames taken in."""
        return len(self._frame)

    def append(self, frame: int, time_s: float, ids: Sequence[int], people: Sequence[Keypoints]) -> None:
        """Take one frame in; call it for empty frames too, so that absence is known.

        Raises:
            UsageError: ids and people differ in number, an id is double, or time doesn't rise.
        """
        if len(ids) != len(people) or len(set(ids)) != len(ids):
            raise UsageError(f"frame {frame}: {len(people)} people with ids {tuple(ids)}")
        if self._time_s and time_s <= self._time_s[-1]:
            raise UsageError(f"frame {frame}: time {time_s} s isn't after {self._time_s[-1]} s")
        row = len(self._frame)
        self._frame.append(frame)
        self._time_s.append(time_s)
        for person, keypoints in zip(ids, people, strict=True):
            if person not in self._people:
                self._people[person] = _Store(keypoints.layout)
            self._people[person].add(row, keypoints)

    def tracks(self, merge: bool = True) -> tuple[KeypointTrack, ...]:
        """The people who were really there, by id.

        Each track runs over all frames from first to last sighting; where the person is absent it holds NaN and
        `valid` False. An empty tuple means nobody.

        Args:
            merge: join tracks that stand on one body (`posepipe.tracking.same_body`), and those of one person who was
                away for longer than the tracker waits (`merge_tracks`); give back those that changed over when people
                crossed (`posepipe.tracking.uncross`).
        """
        time_s = np.array(self._time_s, dtype=np.float64)
        frame = np.array(self._frame, dtype=np.int32)
        if len(time_s) == 0:
            return ()
        step = frame_duration(time_s)
        likely = []
        for person, store in sorted(self._people.items()):
            rows = np.array(store.rows)
            weak = float(np.mean(store.presence)) < self.settings.sure_presence
            if not weak or self._enough(float(step[rows].sum()), self.settings.weak_seen_s, step):
                likely.append(_track(person, store, frame, time_s))
        # Somebody of whom no joint was ever valid is nobody.
        likely = [track for track in likely if track.valid.any()]
        joined = tuple(likely)
        if merge:
            joined = uncross(merge_tracks(join_overlapping(likely), frame, time_s, self.settings))
        return tuple(track for track in joined if self._real(track, time_s, step))

    def _real(self, track: KeypointTrack, time_s: Float64, step: Float64) -> bool:
        first = int(np.searchsorted(time_s, track.time_s[0]))
        mine = step[first : first + len(track)]
        seen_s = float(mine[track.valid.any(axis=1)].sum())
        steady = seen_s >= self.settings.min_steady * float(mine.sum()) - 1e-6
        return steady and self._enough(seen_s, self.settings.min_seen_s, step)

    def _enough(self, seen_s: float, needed_s: float, step: Float64) -> bool:
        return seen_s >= min(needed_s, self.settings.min_share * float(step.sum())) - 1e-6


def frame_duration(time_s: Float64) -> Float64:
    """How long each frame stands, in seconds: until the next one, at most twice the usual step."""
    if len(time_s) < 2:
        return np.zeros(len(time_s))
    step = np.diff(time_s)
    return np.minimum(np.append(step, np.median(step)), 2.0 * np.median(step))


def _track(person: int, store: _Store, frame: NDArray[np.int32], time_s: Float64) -> KeypointTrack:
    rows = np.array(store.rows, dtype=np.intp)
    first, length = int(rows[0]), int(rows[-1] - rows[0]) + 1
    shape = length, len(store.layout)
    xy, sigma = np.full((*shape, 2), np.nan, dtype=np.float32), np.full(shape, np.nan, dtype=np.float32)
    score = np.zeros(shape, dtype=np.float32)
    for part, values in store.parts():
        at = rows[part] - first
        xy[at], sigma[at], score[at] = values[..., :2], values[..., 2], np.nan_to_num(values[..., 3])
    valid: NDArray[np.bool_] = np.isfinite(xy).all(axis=2) & np.isfinite(sigma)
    xy[~valid], sigma[~valid] = np.nan, np.nan
    part = slice(first, first + length)
    return KeypointTrack(
        person=person,
        layout=store.layout,
        frame=frame[part],
        time_s=time_s[part],
        xy_px=xy,
        sigma_px=sigma,
        score=score,
        valid=valid,
        interpolated=np.zeros_like(valid),
    )


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
    tracks: Sequence[KeypointTrack], frame: Int32, time_s: Float64, settings: TrackSettings = TRACKS
) -> tuple[KeypointTrack, ...]:
    """Join tracks that don't overlap in time and fit in place, movement and size.

    The end of one, moved on with its speed, and the start of the other, moved back with its own, must meet within the
    gate (less after a long absence), and the sizes must agree. The best pair goes first; the lower id stays.

    Args:
        tracks: tracks on one time line, any order.
        frame: (N,) numbers of all frames of the clip.
        time_s: (N,) their times.
        settings: thresholds.

    Returns:
        Tracks by id. In the frames between joined parts everything is NaN and not valid.
    """
    parts = [_Part((track,), _edge(track, False, settings), _edge(track, True, settings)) for track in tracks]
    while True:
        best, pair = settings.gate, (0, 0)
        for i, a in enumerate(parts):
            for j, b in enumerate(parts):
                if 0.0 < b.start.time_s - a.end.time_s <= settings.max_away_s:
                    off = _mismatch(a.end, b.start, settings)
                    if off < best:
                        best, pair = off, (i, j)
        if pair[0] == pair[1]:
            break
        a, b = parts[pair[0]], parts[pair[1]]
        parts = [part for k, part in enumerate(parts) if k not in pair]
        parts.append(_Part(a.tracks + b.tracks, a.start, b.end))
    joined = [part.tracks[0] if len(part.tracks) == 1 else _join(part.tracks, frame, time_s) for part in parts]
    return tuple(sorted(joined, key=lambda track: track.person))


def _mismatch(end: _Edge, start: _Edge, settings: TrackSettings) -> float:
    """How badly a start follows an end, in body sizes."""
    away_s = start.time_s - end.time_s
    if not abs(np.log(end.size_px / start.size_px)) <= np.log(settings.size_ratio):
        return np.inf
    scale = 0.5 * (end.size_px + start.size_px)
    step = start.xy_px - end.xy_px
    there = np.linalg.norm(step - end.speed_px * drift_s(away_s))
    back = np.linalg.norm(step - start.speed_px * drift_s(away_s))
    still = np.linalg.norm(step)
    return float(min(0.5 * (there + back), still) / scale + settings.away_weight * away_s)


def _edge(track: KeypointTrack, last: bool, settings: TrackSettings) -> _Edge:
    seen = np.flatnonzero(track.valid.any(axis=1))
    edge_s = track.time_s[seen[-1 if last else 0]]
    rows = seen[np.abs(track.time_s[seen] - edge_s) <= settings.edge_s]
    middle = np.array([np.median(track.xy_px[row][track.valid[row]], axis=0) for row in rows], dtype=np.float64)
    sizes = [
        body_size(Keypoints(track.layout, track.xy_px[row], track.sigma_px[row], track.score[row])) for row in rows
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


def choose_subject(
    tracks: Sequence[KeypointTrack], subject: str, size_px: tuple[int, int]
) -> tuple[KeypointTrack, ...]:
    """The tracks to analyse.

    Args:
        tracks: everybody there is.
        subject: ``largest`` (most picture area times time, who hardly moves counting little), ``center`` (most time
            near the middle), an id, or ``all``.
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
    if subject == "center":
        return (max(by_id, key=lambda track: _middle(track, size_px)),)
    lively = _liveliness(by_id)
    return (max(by_id, key=lambda track: _area(track, size_px) * lively[track.person]),)


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


def _liveliness(tracks: Sequence[KeypointTrack], settings: TrackSettings = TRACKS) -> dict[int, float]:
    """What each one's area counts: little for who hardly moves where others do, next to nothing for a picture."""
    moves = {track.person: movement(track) for track in tracks}
    least, most = settings.frozen, settings.lively
    if max(moves.values()) < most:  # Nobody exercises: someone who holds still is alive all the same.
        most = least + 1e-6
    if max(moves.values()) < least:
        return dict.fromkeys(moves, 1.0)
    return {who: float(np.clip((m - least) / (most - least), settings.still_weight, 1.0)) for who, m in moves.items()}


def movement(track: KeypointTrack, settings: TrackSettings = TRACKS) -> float:
    """How much the limbs move against the trunk, in body sizes: standard deviation of the livelier joints seen.

    The place in the picture doesn't count: a picture on a wall passes by when the camera turns. The range from the 5th
    to the 95th percentile stands for the deviation. 0 with fewer than three frames in which all limbs are known.
    """
    names = [f"{side}_{part}" for part in ("shoulder", "hip", *_LIMBS) for side in ("left", "right")]
    index = track.layout.indices(*names)
    rows = track.valid[:, index].all(axis=1)
    xy = track.xy_px[rows][:, index].astype(np.float64)
    if len(xy) < 3:
        return 0.0
    size = float(np.median(np.hypot(*np.ptp(xy, axis=1).T)))
    low, high = np.percentile(xy - xy[:, :4].mean(axis=1, keepdims=True), (5.0, 95.0), axis=0)
    spread = np.hypot(*((high - low) / _RANGE_SIGMAS).T)
    seen = np.median(track.score[rows][:, index], axis=0) >= settings.guessed
    return float(np.percentile(spread[seen] if seen.any() else spread, 95.0)) / max(size, 1e-6)


def _middle(track: KeypointTrack, size_px: tuple[int, int]) -> float:
    low, high, duration = _box(track, size_px)
    off = ((low + high) / 2.0 - np.array(size_px) / 2.0) / min(size_px)
    return float(np.sum(np.exp(-0.5 * np.sum(off**2, axis=1) / 0.25**2) * duration))
