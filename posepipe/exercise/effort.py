"""What lifters ask of a set: how fast the lifting phase was, how much slower it got, how long the muscles worked.

Speed is that of one joint up the picture of a camera that stands still and level, at the joint's middle distance in the
repetition: a joint's place in the picture is known far better than its depth. It is told of the way up, whichever of a
repetition's two ways that is, between a twentieth of the height above its lowest and below its highest point: pauses at
the ends don't count (the concentric phase of velocity-based training). A camera tilted by 15 degrees makes it 3 % less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.exercise.count import Cycle
from posepipe.exercise.signal import resampled
from posepipe.exercise.types import Repetition
from posepipe.settings import setting

__all__ = ["EFFORT", "UNKNOWN", "Effort", "EffortSettings", "effort", "lift_speed", "lifted_joint"]

Array = NDArray[np.float64]
UNKNOWN = (float("nan"), float("nan"))
"""A speed that isn't known."""
_FROM_CAMERA = 0.7
"""Where up lies so much along the second axis the axes are a camera's."""


@dataclass(frozen=True, slots=True)
class EffortSettings:
    """How the speed of lifting is read."""

    rate_hz: float = setting(
        60.0, "height is read so often", unit="Hz", source="judgement: a peak lasts a tenth second"
    )
    cutoff_hz: float = setting(
        5.0, "height is smoothed below this", unit="Hz",
        source="of 3, 4 and 5 the least error on 60 synthetic sets seen by cameras and lifted",
    )  # fmt: skip
    edge: float = setting(0.05, "share of the height at both ends that isn't timed", source="as in bar trackers")
    least_m: float = setting(0.05, "a lower lift has no speed", unit="m", source="twice a joint's error")
    trend_reps: int = setting(3, "repetitions from which a trend is told", source="two always lie on a line")


EFFORT = EffortSettings()


@dataclass(frozen=True, slots=True)
class Effort:
    """A set as a whole, in the digits that are given; NaN where it isn't known.

    Attributes:
        under_tension_s: time within repetitions, or of a hold.
        speed_loss: how much slower the last lift is than the fastest, as a share of it (Sánchez-Medina and
            González-Badillo 2011, Med Sci Sports Exerc 43:1725). Needs no body height.
        rom_trend_deg: change of the range from one repetition to the next (Theil's median of slopes).
    """

    under_tension_s: float = float("nan")
    speed_loss: float = float("nan")
    rom_trend_deg: float = float("nan")


def effort(reps: Sequence[Repetition], held_s: float | None = None, settings: EffortSettings = EFFORT) -> Effort:
    """What a set's repetitions come to.

    Args:
        reps: in order.
        held_s: how long a hold lasted; None where repetitions are counted.
        settings: thresholds.
    """
    tension_s = sum(rep.end_s - rep.start_s for rep in reps) if held_s is None else held_s
    speed = np.array([rep.speed_m_s[0] for rep in reps])
    loss = 1.0 - float(speed[-1]) / float(np.nanmax(speed)) if len(reps) > 1 and np.isfinite(speed).any() else np.nan
    rom = np.array([rep.rom_deg for rep in reps])
    a, b = np.triu_indices(len(rom), 1)
    slope = (rom[b] - rom[a]) / (b - a)
    slope = slope[np.isfinite(slope)]
    known = int(np.isfinite(rom).sum()) >= settings.trend_reps
    trend_deg = float(np.median(slope)) if known else float("nan")
    return Effort(round(float(tension_s), 2), round(float(loss), 3), round(trend_deg, 2))


def lifted_joint(motion: Motion, name: str) -> Array:
    """(F, 2, 3) metres: where the left and the right joint is, in the motion's own axes; NaN where that isn't known.

    Args:
        motion: one person's movement.
        name: of the joint, without its side.
    """
    names = [name] if name in motion.layout.joints else [f"left_{name}", f"right_{name}"]
    seen = np.stack([motion.joint(one) + motion.root_m for one in names], axis=1).astype(np.float64)
    return np.repeat(seen, 2, axis=1) if len(names) == 1 else seen


def lift_speed(
    time_s: Array, joint_m: Array, up: Array, cycle: Cycle, settings: EffortSettings = EFFORT
) -> tuple[float, float]:
    """Mean and peak speed of a repetition's way up in m/s, on the motion's own scale; NaN where it isn't seen.

    Args:
        time_s: (F,).
        joint_m: (F, 2, 3) from `lifted_joint`.
        up: (3,) against gravity; along the second axis in a camera's frame.
        cycle: the repetition.
        settings: thresholds.
    """
    rows = (time_s >= cycle.start_s - settings.rate_hz**-1) & (time_s <= cycle.end_s + settings.rate_hz**-1)
    sides = {"left": [0], "right": [1]}.get(cycle.side, [0, 1])
    seen = _height(joint_m[rows][:, sides], up)
    known = np.isfinite(seen).any(axis=1)
    at = np.arange(cycle.start_s, cycle.end_s, 1.0 / settings.rate_hz)
    if known.sum() < 4 or len(at) < 4:
        return UNKNOWN
    mean = np.nanmean(seen[known], axis=1)
    height = resampled(time_s[rows][known], mean[:, None], at, settings.cutoff_hz)[:, 0]
    turn = int(np.clip(np.searchsorted(at, cycle.turn_s), 2, len(at) - 2))
    out = height[turn] - height[0] > height[-1] - height[turn]
    way = height[: turn + 1] if out else height[turn:]
    top = int(way.argmax())
    low = int(way[: top + 1].argmin())
    rise = way[low : top + 1]
    size = rise[-1] - rise[0]
    if len(rise) < 3 or not size >= settings.least_m:
        return UNKNOWN
    begun = int(np.flatnonzero(rise <= rise[0] + settings.edge * size)[-1])
    done = begun + int(np.flatnonzero(rise[begun:] >= rise[-1] - settings.edge * size)[0])
    speed = np.gradient(rise) * settings.rate_hz
    return float((rise[done] - rise[begun]) / (done - begun) * settings.rate_hz), float(speed.max())


def _height(xyz: Array, up: Array) -> Array:
    """(F, sides) metres; in a camera's frame at the middle depth: depth jumps far more than a place in the picture."""
    if abs(float(up[1])) < _FROM_CAMERA or not (xyz[..., 2] > 0.0).any():
        return np.asarray(xyz @ up)
    depth = np.where(xyz[..., 2] > 0.0, xyz[..., 2], np.nan)
    return np.asarray(float(up[1]) * xyz[..., 1] / depth * np.nanmedian(depth))
