"""Which way a walker faces, and where the feet are along that way: what everything else is read from, made once.

The way is toe minus heel, helped by hips and shoulders; never the path of the hips: a camera that pans or goes along
makes the hips stand still, or move backwards. Seen from the side, the picture itself is the better ruler for the feet:
the lifter smooths what it lifts. Otherwise 3D is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.gait.types import SIDES
from posepipe.geometry import cubic_spline, median_known
from posepipe.numeric import running_mean, running_median
from posepipe.settings import setting

__all__ = [
    "GRID_HZ", "SIGNAL", "Forward", "Heading", "SignalSettings", "Signals", "find_heading", "joint_m",
    "leg_length", "mean_heading", "on_grid", "signals_of", "view_of",
]  # fmt: skip

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]

GRID_HZ = 120.0
"""Signals are looked at so many times a second."""

_KNOWN = 4
"""Fewer known points make no curve, and give no scale."""


@dataclass(frozen=True, slots=True)
class SignalSettings:
    """Thresholds of heading, view, and the feet's places."""

    smooth_s: float = setting(
        0.7,
        "the heading is averaged over this: the pelvis turns to and fro with every step",
        unit="s",
        source="judgement: a little longer than a step",
    )
    hips_weight: float = setting(
        0.7, "weight of hips and of shoulders in the heading; each foot's is 1", source="judgement"
    )
    swing_deg: float = setting(
        40.0,
        "the line of the feet's swing refines a stride's heading where it differs less",
        unit="deg",
        source="judgement",
    )
    swing_frames: int = setting(5, "and where both ankles are seen in so many frames", source="judgement")
    front_deg: float = setting(
        25.0,
        "a body turned less from the camera, or from its back, is seen from there",
        unit="deg",
        source="judgement; norms and classifier are made for these views",
    )
    side_deg: float = setting(
        60.0,
        "a body turned at least so far is seen from the side; between is oblique",
        unit="deg",
        source="judgement; norms and classifier are made for these views",
    )
    picture_sine: float = setting(
        0.5,
        "sine of the heading from which the picture gives the feet's places: within 60 degrees of its plane",
        source="judgement",
    )
    frame_sine: float = setting(0.2, "and under which a single frame of it gives none", source="judgement")
    feet_share: float = setting(
        0.5,
        "share of the seen frames in which heel and toe must be there; else the ankle stands for them",
        source="judgement",
    )
    scale_s: float = setting(1.0, "the picture's scale is smoothed over this", unit="s", source="judgement")
    body_m2: float = setting(
        0.05,
        "sum of squared distances from the joints' middle under which a body gives no scale",
        unit="m2",
        source="judgement",
    )
    edge_m: float = setting(
        0.05,
        "a foot nearer to the picture's left or right edge is guessed: detectors put what is outside there, or nowhere",
        unit="m",
        source="judgement; strikes of made walkers' feet just outside were read 70 to 130 ms early",
    )
    guessed_m: float = setting(0.2, "sigma of such a foot", unit="m", source="judgement: a foot's length")
    max_gap_s: float = setting(
        0.15, "longer gaps aren't bridged: what happened in them isn't known", unit="s", source="judgement"
    )


SIGNAL = SignalSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Heading:
    """Where the body faces.

    Attributes:
        forward: (F, 3) level unit vectors, camera frame; NaN where unknown.
        yaw_deg: (F,) of them, continuous over time: 0 towards the camera, 90 to the picture's left (the left side
            shows), 180 away.
        rate_deg_s: (F,) how fast that changes.
    """

    forward: Array
    yaw_deg: Array
    rate_deg_s: Array


def joint_m(motion: Motion, name: str) -> Array:
    """One joint's (F, 3); NaN where not seen or not in the layout."""
    if name not in motion.layout.joints:
        return np.full((len(motion), 3), np.nan)
    return motion.joint(name).astype(np.float64)


def find_heading(motion: Motion) -> Heading:
    """Heading of every frame that shows hips or feet, smoothed over a stride."""
    up = motion.up.astype(np.float64)
    up = up / np.linalg.norm(up)

    def level(vectors: Array) -> Array:
        flat = vectors - (vectors @ up)[:, None] * up
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        return np.asarray(flat / np.maximum(length, 1e-9))

    parts = [level(joint_m(motion, f"{s}_foot_index") - joint_m(motion, f"{s}_heel")) for s in ("left", "right")]
    for a, b in (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")):
        parts.append(SIGNAL.hips_weight * level(np.cross(joint_m(motion, a) - joint_m(motion, b), up)))
    stack = np.stack(parts)
    known = np.all(np.isfinite(stack), axis=2)
    total = np.where(known[..., None], stack, 0.0).sum(axis=0)
    seen = np.any(known, axis=0)
    rate_hz = 1.0 / max(float(np.median(np.diff(motion.time_s))), 1e-3) if len(motion) > 1 else 30.0
    width = max(1, round(SIGNAL.smooth_s * rate_hz))
    even = running_mean(np.where(seen[:, None], total, 0.0), width, axis=0)
    length = np.linalg.norm(even, axis=1)
    seen &= length > 1e-3
    forward = np.where(seen[:, None], even / np.maximum(length, 1e-9)[:, None], np.nan)
    yaw, rate = np.full(len(motion), np.nan), np.full(len(motion), np.nan)
    if seen.sum() > 1:
        toward = _level_axis(up)
        aside = np.cross(toward, up)
        angle = np.arctan2(forward[seen] @ aside, forward[seen] @ toward)
        yaw[seen] = np.degrees(np.unwrap(angle))
        rate[seen] = np.gradient(yaw[seen], motion.time_s[seen])
    return Heading(forward, yaw, rate)


def _level_axis(up: Array) -> Array:
    """Level direction towards the camera."""
    toward = np.array([0.0, 0.0, -1.0])
    toward = toward - (toward @ up) * up
    length = float(np.linalg.norm(toward))
    return toward / length if length > 1e-6 else np.array([0.0, 1.0, 0.0])


def view_of(yaw_deg: float) -> str:
    """Name of a yaw: "side", "oblique", "front" or "back"."""
    turn = abs((yaw_deg + 180.0) % 360.0 - 180.0)
    if SIGNAL.side_deg <= turn <= 180.0 - SIGNAL.side_deg:
        return "side"
    if turn < SIGNAL.front_deg:
        return "front"
    return "back" if turn > 180.0 - SIGNAL.front_deg else "oblique"


def mean_heading(motion: Motion, inside: Bool) -> Array:
    """Unit vector (3,) of where the body faces over some frames, level, in the camera frame.

    From hips, shoulders and feet; the line along which the feet swing past each other refines it where it agrees,
    since it's seen better than the hip line from the side. `find_heading` tells of each frame, and doesn't.
    """
    up = motion.up.astype(np.float64)

    def level(vectors: Array) -> Array:
        return np.asarray(vectors - (vectors @ up)[..., None] * up)

    def mean(a: str, b: str) -> Array:
        vectors = level((joint_m(motion, a) - joint_m(motion, b))[inside])
        known = np.isfinite(vectors).all(axis=1)
        return np.asarray(vectors[known].mean(axis=0)) if known.any() else np.full(3, np.nan)

    def unit(vector: Array) -> Array:
        return vector / max(float(np.linalg.norm(vector)), 1e-9)

    across = np.nansum([mean("left_hip", "right_hip"), mean("left_shoulder", "right_shoulder")], axis=0)
    front = unit(np.cross(across, up))
    feet = [mean(f"{side}_foot_index", f"{side}_heel") for side in SIDES]
    front = unit(front + np.nansum([unit(foot) for foot in feet], axis=0))
    apart = level((joint_m(motion, "left_ankle") - joint_m(motion, "right_ankle"))[inside])
    apart = apart[np.isfinite(apart).all(axis=1)]
    if len(apart) < SIGNAL.swing_frames:
        return front
    swing = np.linalg.svd(apart - apart.mean(axis=0), full_matrices=False)[2][0]
    swing = swing if swing @ front > 0 else -swing
    return unit(front + swing) if swing @ front > np.cos(np.radians(SIGNAL.swing_deg)) else front


Source = Literal["picture", "lifted", "file"]

_SCALED_BY = ("hip", "knee", "ankle", "shoulder")


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """Feet ahead of the pelvis, in metres, for F frames; sides left, right.

    Attributes:
        heel, toe, ankle: (F, 2); NaN where not seen. Heel and toe are the ankle where the file has no feet.
        sigma: (F, 2) of the ankle.
        source: "picture" for 2D keypoints, "lifted" for 3D from a video, "file" for 3D from elsewhere.
        feet: whether heels and toes were there.
        slant: how much the picture foreshortens the way; 1 from the side, and for 3D.
    """

    heel: Array
    toe: Array
    ankle: Array
    sigma: Array
    source: Source
    feet: bool
    slant: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What every step of the analysis asks of a motion, made once.

    Attributes:
        heading: where the body faces.
        forward: feet ahead of the pelvis, from the picture where it's the better ruler.
        body: the same from the 3D body alone, in its own axes: also while the person turns.
        scale_px_m: (F,) pixels for a metre at the person; NaN without keypoints.
        leg_m: thigh and shank, median over frames, mean of both sides; NaN where never seen.
    """

    heading: Heading
    forward: Forward
    body: Forward
    scale_px_m: Array
    leg_m: float


def signals_of(motion: Motion) -> Signals:
    """Heading, forward signals, scale and leg length of a motion."""
    heading, scale_px_m = find_heading(motion), _picture_scale(motion)
    body = _from_3d(motion, heading)
    return Signals(heading, _forward(motion, heading, scale_px_m, body), body, scale_px_m, leg_length(motion))


def leg_length(motion: Motion) -> float:
    """Thigh and shank, median over frames, mean of both sides; NaN where never seen."""
    lengths = []
    for side in SIDES:
        hip, knee, ankle = (joint_m(motion, f"{side}_{part}") for part in ("hip", "knee", "ankle"))
        both = np.linalg.norm(hip - knee, axis=1) + np.linalg.norm(knee - ankle, axis=1)
        if np.isfinite(both).any():
            lengths.append(float(median_known(both)))
    return float(np.mean(lengths)) if lengths else float("nan")


def _forward(motion: Motion, heading: Heading, scale_px_m: Array, body: Forward) -> Forward:
    """The best forward signals that a motion holds."""
    sine = np.sin(np.radians(heading.yaw_deg))
    known = np.isfinite(sine)
    beside = known.any() and float(np.median(np.abs(sine[known]))) > SIGNAL.picture_sine
    track = motion.keypoints
    if track is not None and beside and {"left_ankle", "left_hip"} <= set(track.layout.joints):
        return _from_picture(motion, sine, scale_px_m)
    return body


def _from_picture(motion: Motion, sine: Array, scale: Array) -> Forward:
    # Ahead is to the picture's left for a positive yaw; oblique views are foreshortened.
    beside = np.where(np.abs(sine) > SIGNAL.frame_sine, sine, np.nan)
    sign = -1.0 / beside / scale
    pelvis = 0.5 * (_x(motion, "left_hip") + _x(motion, "right_hip"))

    def ahead(part: str) -> Array:
        return np.stack([(_x(motion, f"{side}_{part}") - pelvis) * sign for side in SIDES], axis=1)

    track = motion.keypoints
    assert track is not None
    index = track.layout.indices(*(f"{side}_ankle" for side in SIDES))
    sigma = track.sigma_px[:, index].astype(np.float64) * np.abs(sign)[:, None]
    sigma = np.where(_guessed(motion, scale), np.fmax(sigma, SIGNAL.guessed_m), sigma)
    ankle = ahead("ankle")
    heel, toe, feet = _feet(ahead("heel"), ahead("foot_index"), ankle)
    slant = float(median_known(np.abs(1.0 / beside)))
    return Forward(heel, toe, ankle, sigma, "picture", feet, slant)


def _guessed(motion: Motion, scale: Array) -> Bool:
    """Feet (F, 2) of which a part is at the picture's left or right edge, or beyond."""
    if motion.size_px is None:
        return np.zeros((len(motion), len(SIDES)), bool)
    margin = SIGNAL.edge_m * scale
    out = []
    for side in SIDES:
        x = np.stack([_x(motion, f"{side}_{part}") for part in ("ankle", "heel", "foot_index")])
        known = np.isfinite(x).any(axis=1, keepdims=True)  # A detector may have no feet.
        gone = known & ~((x >= margin) & (x <= motion.size_px[0] - margin))
        out.append(gone.any(axis=0))
    return np.stack(out, axis=1)


def _from_3d(motion: Motion, heading: Heading) -> Forward:
    pelvis = 0.5 * (joint_m(motion, "left_hip") + joint_m(motion, "right_hip"))

    def ahead(part: str) -> Array:
        rows = [((joint_m(motion, f"{side}_{part}") - pelvis) * heading.forward).sum(axis=1) for side in SIDES]
        return np.stack(rows, axis=1)

    ankle = ahead("ankle")
    heel, toe, feet = _feet(ahead("heel"), ahead("foot_index"), ankle)
    index = [motion.layout.index(f"{side}_ankle") for side in SIDES]
    sigma = motion.sigma_m[:, index].astype(np.float64)
    return Forward(heel, toe, ankle, sigma, "file" if motion.keypoints is None else "lifted", feet)


def _feet(heel: Array, toe: Array, ankle: Array) -> tuple[Array, Array, bool]:
    """The ankle in place of feet that are never, or hardly, seen."""
    seen = np.isfinite(ankle)
    there = np.isfinite(heel) & np.isfinite(toe)
    if seen.any() and there[seen].mean() > SIGNAL.feet_share:
        return heel, toe, True
    return ankle, ankle, False


def _x(motion: Motion, name: str) -> Array:
    track = motion.keypoints
    assert track is not None
    if name not in track.layout.joints:
        return np.full(len(motion), np.nan)
    column = track.layout.index(name)
    return np.where(track.valid[:, column], track.xy_px[:, column, 0].astype(np.float64), np.nan)


def _picture_scale(motion: Motion) -> Array:
    """Pixels for a metre at the person, (F,), from what the 3D body measures in the picture; NaN without keypoints."""
    track = motion.keypoints
    out = np.full(len(motion), np.nan)
    both = set() if track is None else set(track.layout.joints) & set(motion.layout.joints)
    names = [name for side in SIDES for part in _SCALED_BY if (name := f"{side}_{part}") in both]
    if track is None or not names:
        return out
    xy = np.where(track.valid[..., None], track.xy_px, np.nan)[:, track.layout.indices(*names)].astype(np.float64)
    xyz = np.stack([joint_m(motion, name)[:, :2] for name in names], axis=1)
    known = np.all(np.isfinite(xy), axis=2) & np.all(np.isfinite(xyz), axis=2)
    count = np.maximum(known.sum(axis=1), 1)[:, None]

    def centred(points: Array) -> Array:
        points = np.where(known[..., None], points, 0.0)
        return np.asarray(
            np.where(known[..., None], points - points.sum(axis=1, keepdims=True) / count[..., None], 0.0)
        )

    a, b = centred(xyz), centred(xy)
    square = (a * a).sum(axis=(1, 2))
    good = (known.sum(axis=1) >= _KNOWN) & (square > SIGNAL.body_m2)
    if not good.any():
        return out
    ratio = (a * b).sum(axis=(1, 2))[good] / square[good]
    step = max(float(np.median(np.diff(motion.time_s))), 1e-3) if len(motion) > 1 else 1.0
    width = max(1, 2 * round(0.5 * SIGNAL.scale_s / step) + 1)
    even = running_mean(running_median(ratio, width), width)
    out[:] = np.interp(motion.time_s, motion.time_s[good], even)
    return out


def on_grid(time_s: Array, values: Array, grid_s: Array) -> tuple[Array, Array]:
    """A signal (F,) and its speed on other times, by a cubic spline through what is known."""
    known = np.isfinite(values)
    if known.sum() < _KNOWN:
        blank = np.full(len(grid_s), np.nan)
        return blank, blank
    return cubic_spline(time_s[known], values[known], grid_s)
