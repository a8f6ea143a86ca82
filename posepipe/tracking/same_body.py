"""Two tracks on one body: a detector that looks at half a body, or at the same one twice, makes a second person of it.

Every joint of such a second answer lies on the first one's body, all the time. Two people differ: even where one stands
before the other, a limb shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from posepipe.settings import setting
from posepipe.skeleton import LAYOUTS
from posepipe.types import KeypointTrack

__all__ = ["SAME_BODY", "SameBodySettings", "covered", "join_overlapping"]

Float64 = NDArray[np.float64]
Intp = NDArray[np.intp]

_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_BONES = (("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle"))
_ACROSS = (
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    ("left_shoulder", "right_hip"),
    ("right_shoulder", "left_hip"),
    ("nose", "left_shoulder"),
    ("nose", "right_shoulder"),
)
_MADE = (
    "on made people: 1.0 for second answers; two people put on each other at random, hips a tenth of a body apart or "
    "more: at most 0.83"
)


@dataclass(frozen=True, slots=True)
class SameBodySettings:
    """When two tracks are one body. Lengths are in body sizes, the diagonal of the body's box."""

    near: float = setting(0.06, "a joint so near to a bone lies on it", source="judgement: half a trunk's width")
    share: float = setting(0.9, "mean share of limb joints on the other's body, over common frames", source=_MADE)
    least_share: float = setting(0.7, "and the share in nine of ten of those frames", source="judgement")
    least_frames: int = setting(3, "common frames that tell", source="judgement")


SAME_BODY = SameBodySettings()


@cache
def _parts(layout: str) -> tuple[Intp, Intp]:
    """Limb joints (12,), and bones (B, 2) with the trunk's outline and diagonals."""
    joints = LAYOUTS[layout]
    bones = [[f"{side}_{end}" for end in bone] for bone in _BONES for side in ("left", "right")]
    names = [f"{side}_{part}" for part in _LIMBS for side in ("left", "right")]
    pairs = [joints.indices(*pair) for pair in (*bones, *_ACROSS)]
    return np.array(joints.indices(*names), np.intp), np.array(pairs, np.intp)


def covered(body_px: Float64, other_px: Float64, layout: str, settings: SameBodySettings = SAME_BODY) -> Float64:
    """Share (F,) of the other's limb joints that lie on a body; NaN where too little is known.

    Args:
        body_px: (F, J, 2) whose bones count.
        other_px: (F, J, 2) whose joints are asked about.
        layout: name of the joint layout of both.
        settings: thresholds.
    """
    limbs, bones = _parts(layout)
    finite = np.isfinite(body_px)
    low = np.min(body_px, axis=1, initial=np.inf, where=finite)
    high = np.max(body_px, axis=1, initial=-np.inf, where=finite)
    size = np.hypot(*(high - low).T)
    start = body_px[:, None, bones[:, 0]]
    way = body_px[:, None, bones[:, 1]] - start
    point = other_px[:, limbs, None]
    length = np.maximum(np.sum(way**2, axis=-1), 1e-9)
    along = np.clip(np.sum((point - start) * way, axis=-1) / length, 0.0, 1.0)
    gap = np.linalg.norm(point - start - along[..., None] * way, axis=-1)
    gap = np.min(gap, axis=2, initial=np.inf, where=np.isfinite(gap))
    known = np.isfinite(other_px[:, limbs]).all(axis=2)
    count = known.sum(axis=1)
    on = ((gap <= settings.near * size[:, None]) & known).sum(axis=1)
    enough = (count >= len(limbs) // 2) & (size > 0.0) & np.isfinite(size)
    return np.where(enough, on / np.maximum(count, 1), np.nan)


def join_overlapping(
    tracks: Sequence[KeypointTrack], settings: SameBodySettings = SAME_BODY
) -> tuple[KeypointTrack, ...]:
    """Tracks that stand on one body become one; the better of both counts where both are.

    Better is who holds the other's body without lying on it: the other is an answer for half a body, however sure. Else
    who was seen longer and more surely. The lower id stays.

    Args:
        tracks: people on one time line, whose frame numbers rise without a hole.
        settings: thresholds.
    """
    left = sorted(tracks, key=_weight, reverse=True)
    out: list[KeypointTrack] = []
    while left:
        main = left.pop(0)
        for twin in left:
            holds, lies = _bodies(main, twin, settings)
            if holds or lies:
                left = [track for track in left if track is not twin]
                left.insert(0, _together(twin, main) if lies and not holds else _together(main, twin))
                break
        else:
            out.append(main)
    return tuple(sorted(out, key=lambda track: track.person))


def _weight(track: KeypointTrack) -> float:
    return float(np.where(track.valid, track.score, 0.0).mean(axis=1).sum())


def _bodies(main: KeypointTrack, other: KeypointTrack, settings: SameBodySettings) -> tuple[bool, bool]:
    """Whether the other's joints lie on the main one's body, and the other way round, in their common frames."""
    nobody = False, False
    if main.layout is not other.layout:
        return nobody
    first, last = max(main.frame[0], other.frame[0]), min(main.frame[-1], other.frame[-1])
    if first > last:
        return nobody
    parts = []
    for track in (main, other):
        rows = slice(int(np.searchsorted(track.frame, first)), int(np.searchsorted(track.frame, last)) + 1)
        parts.append(np.where(track.valid[rows, :, None], track.xy_px[rows], np.nan).astype(np.float64))
    if len(parts[0]) != len(parts[1]):
        return nobody
    both = np.isfinite(parts[0]).any(axis=(1, 2)) & np.isfinite(parts[1]).any(axis=(1, 2))
    here, there = parts[0][both], parts[1][both]
    name = main.layout.name
    shares = covered(here, there, name, settings), covered(there, here, name, settings)
    return _on_body(shares[0], settings), _on_body(shares[1], settings)


def _on_body(share: Float64, settings: SameBodySettings) -> bool:
    """Whether shares (F,) of joints on a body say that it is theirs."""
    share = share[np.isfinite(share)]
    if len(share) < settings.least_frames:
        return False
    return bool(share.mean() >= settings.share and np.percentile(share, 10) >= settings.least_share)


def _together(main: KeypointTrack, other: KeypointTrack) -> KeypointTrack:
    """One track over both; the main one's samples where it has any."""
    early, late = sorted((main, other), key=lambda track: int(track.frame[0]))
    more = int(np.searchsorted(late.frame, early.frame[-1], side="right"))
    frame = np.concatenate([early.frame, late.frame[more:]])
    time_s = np.concatenate([early.time_s, late.time_s[more:]])
    shape = (len(frame), len(main.layout))
    xy = np.full((*shape, 2), np.nan, np.float32)
    sigma, score = np.full(shape, np.nan, np.float32), np.zeros(shape, np.float32)
    valid, interpolated = np.zeros(shape, bool), np.zeros(shape, bool)
    for track in (other, main):
        seen = np.flatnonzero(track.valid.any(axis=1))
        rows = np.searchsorted(frame, track.frame[seen])
        xy[rows], sigma[rows], score[rows] = track.xy_px[seen], track.sigma_px[seen], track.score[seen]
        valid[rows], interpolated[rows] = track.valid[seen], track.interpolated[seen]
    person = min(main.person, other.person)
    return KeypointTrack(person, main.layout, frame, time_s, xy, sigma, score, valid, interpolated)
