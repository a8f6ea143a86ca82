"""From points in frames to tracks of people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError, NobodyFoundError
from posepipe.formats.read_values import FEW, confidences, frame_numbers, frame_times, pixels
from posepipe.keypoints.sigma import sigma_from_score
from posepipe.skeleton import BLAZEPOSE33, COCO17, HALPE26, Layout
from posepipe.tracking.collect import TrackBuilder
from posepipe.tracking.tracker import Tracker
from posepipe.types import Keypoints, KeypointTrack

__all__ = ["ALL_JOINTS", "FEWEST", "ORDERS", "Entry", "Found", "ImportedTracks", "Raw", "build", "joint_named"]

_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_NEEDED = tuple(f"{side}_{limb}" for side in ("left", "right") for limb in _LIMBS)
FEWEST = len(_NEEDED)
"""Points that a person has at least."""

_COCO18 = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
)
_BODY25 = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
    *("left_foot_index", "left_small_toe", "left_heel", "right_foot_index", "right_small_toe", "right_heel"),
)
_COCO23 = (
    *COCO17.joints,
    *("left_foot_index", "left_small_toe", "left_heel", "right_foot_index", "right_small_toe", "right_heel"),
)

ORDERS: dict[int, tuple[str, ...]] = {
    17: COCO17.joints,
    18: _COCO18,
    25: _BODY25,
    26: HALPE26.joints,
    33: BLAZEPOSE33.joints,
    # Whole bodies: the first points are COCO's with feet, or Halpe's.
    133: _COCO23,
    136: HALPE26.joints,
}
"""Joints in the order of a file that gives no names, by the number of its points."""

_PARTS = {
    "shoulder": "shoulder",
    "elbow": "elbow",
    "wrist": "wrist",
    "hip": "hip",
    "knee": "knee",
    "ankle": "ankle",
    "heel": "heel",
    "eye": "eye",
    "ear": "ear",
    "bigtoe": "foot_index",
    "toe": "foot_index",
    "footindex": "foot_index",
    "smalltoe": "small_toe",
}
_MIDDLE = {"nose": "nose", "neck": "neck", "midhip": "pelvis", "pelvis": "pelvis", "head": "head", "headtop": "head"}
_SIDES = {"l": "left", "left": "left", "2": "left", "r": "right", "right": "right", "1": "right"}
_KNOWN = frozenset((*BLAZEPOSE33.joints, *HALPE26.joints))

ALL_JOINTS = tuple(dict.fromkeys((*BLAZEPOSE33.joints, *HALPE26.joints)))
"""Every joint that has a name of ours."""


def joint_named(name: str) -> str | None:
    """Our name of a joint: ``LeftAnkle``, ``l_ankle``, ``ankle_L`` and DeepLabCut's ``ankle2`` are `left_ankle`.

    None for a joint that isn't used. DeepLabCut's human model numbers the right side 1.
    """
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    if plain in _KNOWN:
        return plain
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.strip())
    words = [word for word in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if word]
    if not words:
        return None
    joined = "".join(words)
    if joined in _MIDDLE:
        return _MIDDLE[joined]
    for side, rest in ((words[0], words[1:]), (words[-1], words[:-1])):
        if side in _SIDES and "".join(rest) in _PARTS:
            return f"{_SIDES[side]}_{_PARTS[''.join(rest)]}"
    # lshoulder, anklel, leftbigtoe
    for side in ("left", "right", "l", "r"):
        for part in (joined.removeprefix(side), joined.removesuffix(side)):
            if part != joined and part in _PARTS:
                return f"{_SIDES[side]}_{_PARTS[part]}"
    return None


def layout_for(names: Sequence[str | None], where: str) -> Layout:
    """The layout that holds joints of these names.

    Raises:
        InputError: shoulders, elbows, wrists, hips, knees or ankles are missing: not a human body.
    """
    missing = [joint for joint in _NEEDED if joint not in names]
    if missing:
        raise InputError(
            f"no joint {missing[0]!r} among its {len(names)}",
            where=where,
            hint="The points must be a person's: shoulders, elbows, wrists, hips, knees, ankles",
        )
    return BLAZEPOSE33 if set(BLAZEPOSE33.joints) <= set(names) else HALPE26


Array = NDArray[np.float64]
_Frames = dict[int, list[tuple["Found", Keypoints]]]

_CROP, _CELLS = 1.25, 64.0
"""Top-down networks look at the person's box and a quarter more; a heat map has 64 cells across it."""
_LARGEST_PX = 1e5
_LARGEST_ID = 2**31 - 1
_STEP_S = 0.2
_SHOWN = 5
"""So many frames are named in a warning."""
_FILL = 3
"""Up to so many times the frames that a file holds, those between them are empty frames; beyond, it is sparse."""


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
        points: (K, 3) x, y, confidence as the file has them; NaN for what it leaves out.
        names: our names of the points, None for one that isn't used; None if nobody knows them.
        id: the program's own number or name; None if it gives none.
    """

    points: Array
    names: tuple[str | None, ...] | None
    id: int | str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What a file says of one frame, or of some people in it.

    Attributes:
        label: the frame's number or a name that may hold it; None if it has only its place in the file.
        people: who is there.
        time: a time and its unit in seconds, None for a unit that the file doesn't name.
    """

    label: object
    people: Sequence[Found]
    time: tuple[float, float | None] | None = None


@dataclass(slots=True)
class Raw:
    """What a reader takes from a file.

    Attributes:
        entries: in the file's order.
        width_px, height_px, fps_hz: where the file says.
        said: sentences for the user.
        bad: frames that can't be read, each with the reason.
        three_d: there are people in space beside or instead of those in the picture.
    """

    entries: list[Entry] = field(default_factory=list)
    width_px: int | None = None
    height_px: int | None = None
    fps_hz: float | None = None
    said: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    three_d: bool = False

    def set_size(self, width: float, height: float) -> None:
        """Take in a size in pixels that the file tells somewhere.

        Raises:
            InputError: it told another one before.
        """
        if not (0.0 < width < _LARGEST_PX and 0.0 < height < _LARGEST_PX):
            return
        size = int(width), int(height)
        if None not in (self.width_px, self.height_px) and size != (self.width_px, self.height_px):
            raise InputError(
                f"holds pictures of several sizes ({self.width_px} x {self.height_px}, {size[0]} x {size[1]}): they "
                "are no video's",
                hint="Give the frames of one video",
            )
        self.width_px, self.height_px = size


def build(
    raw: Raw, where: str, *, fps_hz: float | None = None, width_px: int | None = None, height_px: int | None = None
) -> ImportedTracks:
    """Tracks from a file's points: people get ids by their movement where the program gave none.

    Pixel sigmas come from the scores and the person's size (`posepipe.keypoints.sigma.sigma_from_score`), which knows
    nothing of the network that made them. Numbers of the caller's go before the file's.

    Raises:
        InputError: the picture's size isn't known, or the points aren't a person's or no places in a picture.
        NobodyFoundError: there is nobody.
    """
    said = raw.said
    _say_bad(raw, where)
    people = [found for entry in raw.entries for found in entry.people]
    if not people:
        if raw.three_d:
            raise InputError(
                "holds people in three dimensions only", where=where, hint="Export the 2D keypoints of the picture"
            )
        raise NobodyFoundError("holds nobody", where=where)
    kind = _common_names(raw, where)
    points = np.stack([found.points for found in people if found.names == kind])
    # Where every person lists other joints, those that nobody has aren't there.
    listed = np.any(np.isfinite(points[..., :2]), axis=(0, 2)) | (kind != ALL_JOINTS)
    names = tuple(name if there else None for name, there in zip(kind, listed, strict=True))
    layout = layout_for(names, where)
    own = None if raw.width_px is None or raw.height_px is None else (raw.width_px, raw.height_px)
    width_px, height_px = width_px or (own and own[0]), height_px or (own and own[1])
    if width_px is None or height_px is None:
        raise InputError("doesn't say how large the picture was", where=where, hint="Give its size, as 1920x1080")
    score = confidences(points, said, where)
    xy = pixels(points[..., :2], score > 0.0, names, ((width_px, height_px), own), said, where)
    ready = iter(np.dstack([xy, score]))
    frames: _Frames = {}
    times: dict[int, tuple[float, float | None]] = {}
    for number, entry in zip(_numbers(raw, where), raw.entries, strict=True):
        found = [(one, _keypoints(next(ready), names, layout)) for one in entry.people if one.names == kind]
        if number is not None:
            frames.setdefault(number, []).extend(_new(found, frames.get(number, ())))
            if entry.time is not None and fps_hz is None:
                times.setdefault(number, entry.time)
    if not frames:
        raise NobodyFoundError("holds nobody in a frame whose number is known", where=where)
    numbers = _filled(sorted(frames))
    time_s, rate_hz, unknown = frame_times(numbers, times, fps_hz or raw.fps_hz, said)
    tracks = _tracks(frames, numbers, time_s)
    if not tracks:
        raise NobodyFoundError("holds nobody for long enough", where=where)
    return ImportedTracks(where, tracks, width_px, height_px, rate_hz, unknown, tuple(dict.fromkeys(said)))


def _new(
    found: Iterable[tuple[Found, Keypoints | None]], there: Sequence[tuple[Found, Keypoints]]
) -> Iterator[tuple[Found, Keypoints]]:
    """People with something seen, without those who are in the frame already, point for point."""
    known = [keypoints.xy_px for _, keypoints in there]
    for one, keypoints in found:
        if keypoints is not None and not any(np.array_equal(keypoints.xy_px, xy, equal_nan=True) for xy in known):
            known.append(keypoints.xy_px)
            yield one, keypoints


def _say_bad(raw: Raw, where: str) -> None:
    if not raw.bad:
        return
    shown = ", ".join(raw.bad[:_SHOWN]) + (" and others" if len(raw.bad) > _SHOWN else "")
    if len(raw.bad) > len(raw.entries):
        raise InputError(f"can't be read: {shown}", where=where, hint="Is it a file of 2D keypoints?")
    count = f"{len(raw.bad)} of {len(raw.bad) + len(raw.entries)}"
    raw.said.append(f"{count} frames, rows or files can't be read and are left out: {shown}.")


def _common_names(raw: Raw, where: str) -> tuple[str | None, ...]:
    """The names that nearly all people's points have.

    Raises:
        InputError: nobody knows them, or there are several kinds of people.
    """
    kinds = Counter((found.names, len(found.points)) for entry in raw.entries for found in entry.people)
    (names, count), most = kinds.most_common(1)[0]
    if names is None:
        known = ", ".join(map(str, ORDERS))
        raise InputError(f"{count} points a person", where=where, hint=f"Known without names: {known}")
    others = kinds.total() - most
    if others > max(FEW * kinds.total(), 1):
        listed = " and ".join(str(points) for _, points in sorted(kinds, key=lambda kind: kind[1])[:3])
        raise InputError(
            f"mixes people of several layouts ({listed} points)", where=where, hint="Give one program's output alone"
        )
    if others:
        odd = [entry.label for entry in raw.entries if any(found.names != names for found in entry.people)]
        frames = ", ".join(str(label) for label in odd[:_SHOWN])
        raw.said.append(f"{others} people of another layout were left out (frame {frames}).")
    return names


def _numbers(raw: Raw, where: str) -> list[int | None]:
    """The frame number of each entry; None for one that isn't of this clip."""
    labelled = [entry.label for entry in raw.entries if entry.label is not None]
    if len(labelled) < len(raw.entries) / 2:
        return list(range(len(raw.entries)))
    given = iter(frame_numbers(labelled, raw.said, where))
    numbers = [None if entry.label is None else next(given) for entry in raw.entries]
    left = [str(entry.label) for entry, number in zip(raw.entries, numbers, strict=True) if number is None]
    if left:
        raw.said.append(f"{len(left)} frames whose number isn't known were left out: {', '.join(left[:_SHOWN])}.")
    return numbers


def _filled(numbers: list[int]) -> NDArray[np.int64]:
    """Frame numbers with those between them in which nobody was, if these are few and not left out by design."""
    if np.median(np.diff(numbers, prepend=numbers[0] - 1)) == 1.0 and numbers[-1] - numbers[0] < _FILL * len(numbers):
        return np.arange(numbers[0], numbers[-1] + 1, dtype=np.int64)
    return np.array(numbers, np.int64)


def _tracks(frames: _Frames, numbers: NDArray[np.int64], time_s: Array) -> tuple[KeypointTrack, ...]:
    ids = _ids(frames)
    builder, tracker = TrackBuilder(), Tracker()
    # Where only every so many frames were looked at, people are still where they were.
    longest_s = _STEP_S if len(numbers) == len(frames) else np.inf
    short_s = np.cumsum(np.minimum(np.diff(time_s, prepend=time_s[0] - 1.0), longest_s))
    for frame, seconds, short in zip(numbers.tolist(), time_s.tolist(), short_s.tolist(), strict=True):
        there = frames.get(frame, [])
        people = [keypoints for _, keypoints in there]
        given = [ids[found.id] for found, _ in there] if ids else tracker.step(short, people)
        builder.append(frame, seconds, given, people)
    return builder.tracks(merge=not ids)


def _ids(frames: _Frames) -> dict[int | str | None, int]:
    """Our number for each of the program's; empty if these don't tell people apart.

    They do if everybody has one, none comes twice in a frame, and they come again in further frames.
    """
    seen: Counter[int | str | None] = Counter()
    for people in frames.values():
        ids = [found.id for found, _ in people]
        if None in ids or len(set(ids)) != len(ids):
            return {}
        seen.update(ids)
    if len(frames) > 1 and seen.total() > 1 and max(seen.values()) == 1:
        return {}
    if all(isinstance(key, int) and key <= _LARGEST_ID for key in seen):
        return {key: key for key in seen if isinstance(key, int)}
    return {key: place for place, key in enumerate(seen, start=1)}


def _keypoints(points: Array, names: Sequence[str | None], layout: Layout) -> Keypoints | None:
    """One person's keypoints from (K, 3) pixels and score; None if nothing of them is seen."""
    placed = np.full((len(layout), 3), np.nan)
    for row, name in enumerate(names):
        if name is not None and name in layout.joints:
            placed[layout.index(name)] = points[row]
    score = np.nan_to_num(placed[:, 2])
    seen = np.isfinite(placed).all(axis=1) & (score > 0.0)
    if not seen.any():
        return None
    xy = np.where(seen[:, None], placed[:, :2], np.nan)
    side_px = float(np.ptp(xy[seen], axis=0).max()) * _CROP
    sigma = sigma_from_score(score.astype(np.float32), max(side_px, 1.0) / _CELLS)
    return Keypoints(
        layout,
        xy.astype(np.float32),
        np.where(seen, sigma, np.nan).astype(np.float32),
        np.where(seen, score, 0.0).astype(np.float32),
    )
