"""From frames to tracks: compact storage while a clip is read, then hindsight."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.skeleton import Layout
from posepipe.types import Keypoints, KeypointTrack

__all__ = ["TrackBuilder"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_CHUNK = 256  # Frames stored together.


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

    def values(self) -> Float32:
        """All sightings (N, J, 4)."""
        return np.concatenate(self._chunks)[: len(self.rows)]


class TrackBuilder:
    """Collects ids and keypoints frame by frame and gives tracks at the end.

    A person is kept who was seen

    - for `min_seen_s` seconds in all, or `min_share` of the clip if that is less (short clips, stills);
    - for `weak_seen_s` seconds at a stretch, or that share of the clip, if the mean presence is below `sure_presence`;
    - steadily: in at least `min_steady` of the time from first to last.

    Everybody else is a flicker: detectors see people in bottles and clouds for a moment. (BlazePose gives a presence of
    about 0.8 to such, and 0.93 or more to people.)

    Args:
        min_seen_s: seconds a person must be seen.
        min_share: or this share of the clip.
        sure_presence: mean presence of somebody who is surely there.
        weak_seen_s: seconds asked of others.
        min_steady: lowest share of the time seen between first and last sighting.
    """

    def __init__(
        self,
        min_seen_s: float = 0.8,
        min_share: float = 0.4,
        sure_presence: float = 0.88,
        weak_seen_s: float = 3.0,
        min_steady: float = 0.4,
    ) -> None:
        self.min_seen_s = min_seen_s
        self.min_share = min_share
        self.sure_presence = sure_presence
        self.weak_seen_s = weak_seen_s
        self.min_steady = min_steady
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
            merge: join tracks of one person who was away for longer than the tracker waits; see `merge_tracks`.
        """
        from posepipe.tracking.stitch import merge_tracks

        time_s = np.array(self._time_s, dtype=np.float64)
        frame = np.array(self._frame, dtype=np.int32)
        if len(time_s) == 0:
            return ()
        step = frame_duration(time_s)
        likely = []
        for person, store in sorted(self._people.items()):
            rows = np.array(store.rows)
            weak = float(np.mean(store.presence)) < self.sure_presence
            if not weak or _enough(float(step[rows].sum()), self.weak_seen_s, self.min_share, step):
                likely.append(_track(person, store, frame, time_s))
        joined = merge_tracks(likely, frame, time_s) if merge else tuple(likely)
        return tuple(track for track in joined if self._real(track, time_s, step))

    def _real(self, track: KeypointTrack, time_s: Float64, step: Float64) -> bool:
        first = int(np.searchsorted(time_s, track.time_s[0]))
        mine = step[first : first + len(track)]
        seen_s = float(mine[track.valid.any(axis=1)].sum())
        steady = seen_s >= self.min_steady * float(mine.sum()) - 1e-6
        return steady and _enough(seen_s, self.min_seen_s, self.min_share, step)


def _enough(seen_s: float, needed_s: float, share: float, step: Float64) -> bool:
    return seen_s >= min(needed_s, share * float(step.sum())) - 1e-6


def frame_duration(time_s: Float64) -> Float64:
    """How long each frame stands, in seconds: until the next one, at most twice the usual step."""
    if len(time_s) < 2:
        return np.zeros(len(time_s))
    step = np.diff(time_s)
    return np.minimum(np.append(step, np.median(step)), 2.0 * np.median(step))


def _track(person: int, store: _Store, frame: NDArray[np.int32], time_s: Float64) -> KeypointTrack:
    rows = np.array(store.rows, dtype=np.intp)
    first, length = int(rows[0]), int(rows[-1] - rows[0]) + 1
    values = np.full((length, len(store.layout), 4), np.nan, dtype=np.float32)
    values[rows - first] = store.values()
    values[..., 3] = np.nan_to_num(values[..., 3])
    valid = np.isfinite(values[..., :3]).all(axis=2)
    values[~valid, :3] = np.nan
    part = slice(first, first + length)
    return KeypointTrack(
        person=person,
        layout=store.layout,
        frame=frame[part],
        time_s=time_s[part],
        xy_px=np.ascontiguousarray(values[..., :2]),
        sigma_px=np.ascontiguousarray(values[..., 2]),
        score=np.ascontiguousarray(values[..., 3]),
        valid=valid,
        interpolated=np.zeros_like(valid),
    )
