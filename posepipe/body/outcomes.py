"""What comes of a world: jumps, walking speed, steps and turning, each with its sigma or a reason.

A jump is told twice: from how long both feet are off the floor (h = g T² / 8), and from how far the pelvis rises
between take-off and top. Steps are told from where the feet stood, between heel strikes that are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posepipe.body.world import FEET, World
from posepipe.reasons import Reason
from posepipe.settings import setting
from posepipe.skeleton import BODY21
from posepipe.types import FloatArray, PoseTrack

__all__ = [
    "OUTCOME", "OUTCOMES", "Estimate", "Footfall", "Jump", "OutcomeSettings", "Outcomes", "Scales", "find_outcomes",
]  # fmt: skip

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

OUTCOMES: Mapping[str, str] = MappingProxyType({
    "jump_height_m": "rise of the pelvis from take-off to the top, of the highest jump",
    "flight_time_s": "how long both feet are off the floor, in the same jump",
    "walking_speed_mps": "way of the pelvis over whole strides, through the time they take",
    "step_length_m": "distance between where the feet stood, along the way, mean of both sides",
    "step_width_m": "the same across the way",
    "turn_deg": "change of direction from the first stride to the last; positive to the person's left",
})  # fmt: skip
"""Every outcome and what it is."""

GRAVITY_MPS2 = 9.81
"""Standard gravity, rounded."""

_WALKING = ("walking_speed_mps", "step_length_m", "step_width_m", "turn_deg")
_JUMPING = ("jump_height_m", "flight_time_s")
_FOOT = BODY21.indices(*FEET)
_PELVIS = BODY21.index("pelvis")
_MADE = "chosen on made jumps and walks, `posepipe evaluate outcomes`"


@dataclass(frozen=True, slots=True)
class OutcomeSettings:
    """When an outcome is told, and what all of its kind get wrong alike (one standard deviation)."""

    off_m: float = setting(0.05, "feet higher over where they stand are off the floor", unit="m", source=_MADE)
    flight_s: float = setting(0.15, "a shorter flight is none", unit="s", source="judgement: a rise of 3 cm")
    flight_most_s: float = setting(1.0, "nor is a longer one", unit="s", source="judgement: a rise of 1.2 m")
    rise_m: float = setting(0.08, "a smaller rise of the pelvis is no jump", unit="m", source="judgement")
    instant: float = setting(0.5, "error of take-off and landing, in frames", source=_MADE)
    leaving_s: float = setting(0.1, "around take-off, in which the body is stretched", unit="s", source="judgement")
    flight_bias_s: float = setting(0.02, "what smoothing and the feet's own roll add to it", unit="s", source=_MADE)
    rise_bias_m: float = setting(0.03, "what the rise gets wrong", unit="m", source=_MADE)
    apart: float = setting(3.0, "standard deviations by which both heights may differ", source="judgement")
    stance_from: float = setting(0.12, "share of a stride after its strike from which the foot stands flat",
                                 source="Perry, Gait Analysis: loading response ends at 12 %")  # fmt: skip
    stance_to: float = setting(0.45, "and until which it does", source="judgement: before the heel rises, 50 % there")
    longest_s: float = setting(1.6, "strikes of one foot further apart are no stride", unit="s", source="judgement")
    speed_bias: float = setting(0.02, "share of the speed", source=_MADE)
    length_bias: float = setting(0.03, "share of a step's length", source=_MADE)
    depth_bias: float = setting(0.03, "and as much more of what lies in depth", source=_MADE)
    width_bias_m: float = setting(0.035, "of a step's width", unit="m", source=_MADE)
    heading_bias_deg: float = setting(3.0, "of a change of direction", unit="deg", source=_MADE)
    sharpest_deg: float = setting(120.0, "after a sharper turn from stride to stride, which way it went isn't known",
                                  unit="deg", source="judgement: half a turn goes either way")  # fmt: skip
    usual_cv: float = setting(0.06, "variation from step to step, before any is seen", source="judgement")


OUTCOME = OutcomeSettings()


class Footfall(NamedTuple):
    """A foot meets the ground.

    Attributes:
        side: "left" or "right".
        time_s: when.
        steady: outside turns; only those tell speed and steps.
    """

    side: str
    time_s: float
    steady: bool = True


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its standard deviation, in the unit of its name."""

    value: float
    sigma: float


@dataclass(frozen=True, slots=True)
class Jump:
    """One jump.

    Attributes:
        start_s, end_s: take-off and landing.
        height_m: rise of the pelvis from take-off to the top.
        flight_s: how long both feet are off the floor.
    """

    start_s: float
    end_s: float
    height_m: Estimate
    flight_s: Estimate


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What came of one person's world.

    Attributes:
        items: each of `OUTCOMES`, or why there is none.
        jumps: in order of time.
        steps: that step length and width were told from.
    """

    items: Mapping[str, Estimate | Reason] = field(default_factory=dict)
    jumps: tuple[Jump, ...] = ()
    steps: int = 0

    @property
    def known(self) -> bool:
        """Whether anything is."""
        return any(isinstance(item, Estimate) for item in self.items.values())


class Scales(NamedTuple):
    """What all lengths of a world share: relative standard deviations of the metre and of the focal length."""

    metre: float = 0.0
    focal: float = 0.0


def find_outcomes(
    world: World,
    pose: PoseTrack,
    strikes: Sequence[Footfall],
    *,
    not_walking: Reason = Reason.NOT_WALKING,
    scales: Scales | None = None,
    settings: OutcomeSettings = OUTCOME,
) -> Outcomes:
    """Everything of `OUTCOMES`.

    Args:
        world: of a still or a turning camera.
        pose: F frames; of a turning camera the steadied one (`posepipe.body.camera_motion.steadied`).
        strikes: heel strikes in order of time.
        not_walking: why there are none.
        scales: what an assumed body and lens leave open.
        settings: thresholds.
    """
    scales = scales or Scales()
    if scales.focal > 0.0 and world.lens_sigma > 0.0:
        scales = scales._replace(focal=min(scales.focal, world.lens_sigma))
    if not world.knows("path"):
        return Outcomes(dict.fromkeys(OUTCOMES, world.withheld["path"]))
    jumps = _jumps(world, pose, scales, settings)
    items: dict[str, Estimate | Reason] = dict.fromkeys(_JUMPING, Reason.NOT_JUMPING)
    if jumps:
        best = max(jumps, key=lambda jump: jump.height_m.value)
        items = dict(zip(_JUMPING, (best.height_m, best.flight_s), strict=True))
    walked, steps = _walked(world, pose.time_s, strikes, not_walking, scales, settings)
    return Outcomes({**items, **walked}, jumps, steps)


def _sight(world: World, pose: PoseTrack) -> Array:
    """(F, 3) the pelvis where it is seen, as far away as the path has it: a path is smooth, and a jump isn't."""
    axes = world.rotation
    path = world.root_m.astype(np.float64) - np.array([0.0, 0.0, world.camera_m])
    line = pose.root_m.astype(np.float64) * [1.0, 1.0, np.exp(world.lens)]
    line = line / np.maximum(np.linalg.norm(line, axis=1, keepdims=True), 1e-9)
    place = np.linalg.norm(path, axis=1, keepdims=True) * (line @ axes.T)
    return np.asarray(place + np.array([0.0, 0.0, world.camera_m]))


def _jumps(world: World, pose: PoseTrack, scales: Scales, settings: OutcomeSettings) -> tuple[Jump, ...]:
    time_s = pose.time_s
    pelvis = _sight(world, pose)[:, 2]
    over = pelvis + (world.xyz_m[:, _FOOT, 2] - world.root_m[:, None, 2]).min(axis=1)
    known = np.isfinite(over) & np.isfinite(pelvis)
    if known.sum() < 3 or not world.contact[known].any():
        return ()
    time_s, pelvis, over = time_s[known], pelvis[known], over[known]
    stands = world.contact[known].any(axis=1)
    over = over - float(np.median(over[stands]))
    found: list[Jump] = []
    for first, last in _runs(over > settings.off_m):
        if first == 0 or last == len(over) - 1:
            continue
        # Half way up, where the feet are fast: what smoothing does to their leaving the floor doesn't matter there.
        level = max(0.5 * float(over[first : last + 1].max()), settings.off_m)
        high = first + np.flatnonzero(over[first : last + 1] > level)
        up_s = _crossing(time_s, over, int(high[0]) - 1, level)
        down_s = _crossing(time_s, over, int(high[-1]), level)
        flight_s = float(np.sqrt((down_s - up_s) ** 2 + 8.0 * level / GRAVITY_MPS2))
        if not settings.flight_s < flight_s < settings.flight_most_s:
            continue
        jump = _jump(time_s, pelvis, over, 0.5 * (up_s + down_s), flight_s, scales, settings)
        if jump is None:
            continue
        # What seems to be in the air before it has landed is one jump.
        if found and jump.start_s < found[-1].end_s:
            jump = max(found.pop(), jump, key=lambda one: one.height_m.value)
        found.append(jump)
    return tuple(found)


def _jump(
    time_s: Array,
    pelvis: Array,
    over: Array,
    middle_s: float,
    flight_s: float,
    scales: Scales,
    settings: OutcomeSettings,
) -> Jump | None:
    """A flight as a jump; None if time and rise contradict each other."""
    start_s, end_s = middle_s - 0.5 * flight_s, middle_s + 0.5 * flight_s
    inside = (time_s > start_s) & (time_s < end_s)
    leaving = np.abs(time_s - start_s) < settings.leaving_s
    if inside.sum() < 3 or not leaving.any():
        return None
    # At take-off the pelvis is as far over the toes as it ever gets; the moment itself is too short to be met.
    stretched = float((pelvis - over)[leaving].max())
    rise = _top(time_s[inside], pelvis[inside]) - stretched
    frame_s = float(np.median(np.diff(time_s)))
    sigma_s = float(np.hypot(settings.instant * frame_s, settings.flight_bias_s))
    by_time = Estimate(GRAVITY_MPS2 * flight_s**2 / 8.0, GRAVITY_MPS2 * flight_s / 4.0 * sigma_s)
    by_rise = Estimate(rise, float(np.hypot(settings.rise_bias_m, scales.metre * rise)))
    apart = abs(by_time.value - by_rise.value) / np.hypot(by_time.sigma, by_rise.sigma)
    if rise < settings.rise_m or apart > settings.apart:
        return None
    weight = np.array([by_time.sigma, by_rise.sigma]) ** -2.0
    height = float((weight * [by_time.value, by_rise.value]).sum() / weight.sum())
    # Both rest on the same joints: what is wrong with those doesn't average out.
    doubt = float(max(apart, 1.0) / np.sqrt(weight.mean()))
    return Jump(start_s, end_s, Estimate(height, doubt), Estimate(flight_s, sigma_s))


def _top(time_s: Array, values: Array) -> float:
    """Highest value between samples: of the parabola through the highest and its neighbours."""
    best = int(np.clip(np.argmax(values), 1, len(values) - 2))
    part = slice(best - 1, best + 2)
    a, b, c = np.polyfit(time_s[part] - time_s[best], values[part], 2)
    return float(c - b**2 / (4.0 * a)) if a < -1e-9 else float(values.max())


def _runs(flags: BoolArray) -> list[tuple[int, int]]:
    """First and last of each run of true."""
    edge = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edge > 0).tolist(), (np.flatnonzero(edge < 0) - 1).tolist(), strict=True))


def _crossing(time_s: Array, values: Array, before: int, level: float) -> float:
    """When values cross a level between a sample and the next."""
    a, b = values[before], values[before + 1]
    share = float(np.clip((level - a) / (b - a), 0.0, 1.0)) if a != b else 0.5
    return float(time_s[before] + share * (time_s[before + 1] - time_s[before]))


def _walked(
    world: World,
    time_s: Array,
    strikes: Sequence[Footfall],
    not_walking: Reason,
    scales: Scales,
    settings: OutcomeSettings,
) -> tuple[dict[str, Estimate | Reason], int]:
    """Speed, steps and turning, and how many steps."""
    steady = [fall for fall in strikes if fall.steady]
    way, lasts = _strides(world, time_s, steady, settings)
    if not len(way):
        return dict.fromkeys(_WALKING, Reason.TOO_FEW_STRIDES if strikes else not_walking), 0
    depth = np.abs(way[:, 1]) / np.maximum(np.linalg.norm(way, axis=1), 1e-9)
    share = float(np.sqrt(np.mean(depth**2)))
    lens = scales.focal * share
    deep = settings.depth_bias * share
    speed = float(np.linalg.norm(way, axis=1).sum() / lasts.sum())
    each = np.linalg.norm(way, axis=1) / lasts
    wrong = float(np.sqrt(settings.speed_bias**2 + deep**2 + scales.metre**2 + lens**2))
    items: dict[str, Estimate | Reason] = {
        "walking_speed_mps": Estimate(speed, float(np.hypot(_spread(each, settings), wrong * speed))),
        "turn_deg": _turned(_strides(world, time_s, strikes, settings)[0], scales, settings),
    }
    steps = _steps(world, time_s, steady, settings)
    wrong = float(np.sqrt(settings.length_bias**2 + deep**2 + scales.metre**2 + lens**2))
    if len(steps) < 2:
        return {**items, **dict.fromkeys(("step_length_m", "step_width_m"), Reason.TOO_FEW_STRIDES)}, len(steps)
    length, width = np.array(steps).T
    mean = float(np.median(length))
    wide = float(np.median(width))
    # Across the way lies in depth from the side.
    across = float(np.hypot(settings.width_bias_m, scales.focal * np.sqrt(max(1.0 - share**2, 0.0)) * abs(wide)))
    items["step_length_m"] = Estimate(mean, float(np.hypot(_spread(length, settings), wrong * mean)))
    items["step_width_m"] = Estimate(wide, float(np.hypot(across, np.std(width) / np.sqrt(len(width)))))
    return items, len(steps)


def _strides(
    world: World, time_s: Array, strikes: Sequence[Footfall], settings: OutcomeSettings
) -> tuple[Array, Array]:
    """Way of the pelvis (N, 2) over each stride, in order of their beginnings, and how long they take (N,)."""
    found: list[tuple[float, ...]] = []
    for side in ("left", "right"):
        for start_s, end_s in pairwise([fall.time_s for fall in strikes if fall.side == side]):
            move = _moved(world.root_m, time_s, start_s, end_s)
            if end_s - start_s < settings.longest_s and np.isfinite(move).all():
                found.append((start_s, end_s - start_s, *move))
    every = np.array(sorted(found)).reshape(-1, 4)
    return every[:, 2:], every[:, 1]


def _moved(root_m: FloatArray, time_s: Array, start_s: float, end_s: float) -> Array:
    """(2,) way of the pelvis between two times; NaN where it wasn't seen."""
    known = np.isfinite(root_m[:, 0])
    if known.sum() < 2 or start_s < time_s[known][0] - 1e-6 or end_s > time_s[known][-1] + 1e-6:
        return np.full(2, np.nan)
    at = np.array([np.interp([start_s, end_s], time_s[known], root_m[known, axis]) for axis in range(2)])
    return np.asarray(at[:, 1] - at[:, 0])


def _spread(values: Array, settings: OutcomeSettings) -> float:
    """Standard deviation of the mean of few values; what is usual counts as three of them."""
    mean = float(np.mean(values))
    square = float(np.sum((values - mean) ** 2)) + 3.0 * (settings.usual_cv * mean) ** 2
    return float(np.sqrt(square / (len(values) + 2) / len(values)))


def _turned(way: Array, scales: Scales, settings: OutcomeSettings) -> Estimate | Reason:
    """Change of direction from the first stride to the last of those that follow each other."""
    if len(way) < 2:
        return Reason.TOO_FEW_STRIDES
    heading = np.arctan2(way[:, 1], way[:, 0])
    step = np.diff(heading)
    step = np.arctan2(np.sin(step), np.cos(step))
    if np.abs(step).max() > np.radians(settings.sharpest_deg):
        return Reason.TOO_UNCERTAIN
    # A lens assumed too long stretches depth, most of all what lies obliquely.
    lens = np.degrees(0.5 * scales.focal * abs(np.sin(2.0 * heading[-1]) - np.sin(2.0 * heading[0])))
    sigma = float(np.hypot(settings.heading_bias_deg * np.sqrt(2.0), lens))
    return Estimate(float(np.degrees(step.sum())), sigma)


def _steps(
    world: World, time_s: Array, strikes: Sequence[Footfall], settings: OutcomeSettings
) -> list[tuple[float, float]]:
    """Length and width of each step: where a foot stands against where the other one did, along the stride there."""
    feet = world.xyz_m[:, _FOOT, :2].astype(np.float64)
    middle = {"left": feet[:, :2].mean(axis=1), "right": feet[:, 2:].mean(axis=1)}
    stood = []
    for i, (side, at, _) in enumerate(strikes):
        later = [fall.time_s for fall in strikes[i + 1 :] if fall.side == side]
        before = [fall.time_s for fall in strikes[:i] if fall.side == side]
        lasts = later[0] - at if later else at - before[-1] if before else np.inf
        if lasts > settings.longest_s:
            continue
        flat = (time_s > at + settings.stance_from * lasts) & (time_s < at + settings.stance_to * lasts)
        flat &= np.isfinite(middle[side]).all(axis=1)
        if flat.sum() >= 2:
            stood.append((side, at, lasts, np.median(middle[side][flat], axis=0)))
    out = []
    for before_, here, after in zip(stood, stood[1:], stood[2:], strict=False):
        if before_[0] == here[0] or before_[0] != after[0] or after[1] - before_[1] > settings.longest_s:
            continue
        along = after[3] - before_[3]
        along = along / max(float(np.linalg.norm(along)), 1e-9)
        left = np.array([-along[1], along[0]]) * (1.0 if here[0] == "left" else -1.0)
        # Both steps of the stride: each alone is off by how the pelvis turns.
        out.append((0.5 * float(np.linalg.norm(after[3] - before_[3])), float((here[3] - before_[3]) @ left)))
    return out
