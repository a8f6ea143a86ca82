"""Where and when the feet of a synthetic walker are on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.synth.body import BodyShape
from posepipe.synth.footprints import Footprint
from posepipe.synth.gait_curves import toe_off_share
from posepipe.synth.gait_styles import Style

__all__ = ["Course", "plan_walk", "speed_share", "stance_shares"]

Array = NDArray[np.float64]

_ADULTS_STAND_LONGER = 0.015  # Stance of adults (61 to 62 %, Perry) over that of the children of the curves.
_LEAD_STEPS = 4
_TURN_RADIUS_M, _TURN_STEP = 0.42, 0.55
_SHORTEST_DOUBLE_S = 0.03


@dataclass(frozen=True, slots=True)
class Course:
    """The line walked along: straight, or there and back.

    Attributes:
        start_m: ground point at time 0.
        heading_deg: counter-clockwise from x.
        turn_m: distance after which the person turns round to the left; None for straight on.
    """

    start_m: tuple[float, float] = (0.0, 0.0)
    heading_deg: float = 0.0
    turn_m: float | None = None

    def at(self, arc_m: Array) -> tuple[Array, Array]:
        """Points (N, 2) and headings (N,) in degrees, going on, at distances along the line."""
        start = np.inf if self.turn_m is None else self.turn_m
        bend = np.pi * _TURN_RADIUS_M
        before = np.minimum(arc_m, start)
        inside = np.clip(arc_m - start, 0.0, bend)
        after = np.maximum(arc_m - start - bend, 0.0)
        angle = inside / _TURN_RADIUS_M
        x = before + _TURN_RADIUS_M * np.sin(angle) - after
        y = _TURN_RADIUS_M * (1.0 - np.cos(angle))
        c, s = np.cos(np.radians(self.heading_deg)), np.sin(np.radians(self.heading_deg))
        points = np.stack([c * x - s * y, s * x + c * y], axis=-1) + np.asarray(self.start_m)
        return points, self.heading_deg + np.degrees(angle)

    def turning(self, arc_m: float) -> bool:
        """Whether a distance lies in the turn, or just before it."""
        return self.turn_m is not None and -0.3 < arc_m - self.turn_m < np.pi * _TURN_RADIUS_M


def speed_share(style: Style, shape: BodyShape) -> float:
    """Speed over sqrt(gravity times leg length)."""
    leg_m = (shape.thigh + shape.shank) * shape.height_m
    return style.speed_mps / float(np.sqrt(9.81 * leg_m))


def stance_shares(style: Style, shape: BodyShape) -> tuple[float, float]:
    """Stance over stride, left and right."""
    usual = toe_off_share(speed_share(style, shape)) + _ADULTS_STAND_LONGER
    left, right = (float(np.clip(usual + more, 0.5, 0.85)) for more in style.stance_more)
    return left, right


def plan_walk(
    rng: np.random.Generator, style: Style, shape: BodyShape, course: Course, duration_s: float
) -> tuple[Footprint, ...]:
    """Footprints from before the clip to after it, alternating, in order of time."""
    step_s = 60.0 / style.cadence_spm
    step_m = style.speed_mps * step_s
    time_s, arc_m = -(_LEAD_STEPS + rng.uniform(0.0, 1.0)) * step_s, -_LEAD_STEPS * step_m
    sides, times, arcs = [], [], []
    side = int(rng.integers(2))
    while time_s < duration_s + 4.0 * step_s:
        sides.append(side)
        times.append(time_s)
        arcs.append(arc_m)
        side = 1 - side
        jitter = np.clip(rng.standard_normal(2), -2.0, 2.0)
        time_s += step_s * style.time_share[side] * (1.0 + style.time_cv * jitter[0])
        stride = _TURN_STEP if course.turning(arc_m) else 1.0
        arc_m += step_m * stride * style.step_share[side] * max(0.15, 1.0 + style.length_cv * jitter[1])
    points, headings = course.at(np.array(arcs))
    shares = stance_shares(style, shape)
    prints = []
    for i in range(len(times) - 2):
        sign = 1.0 if sides[i] == 0 else -1.0
        angle = np.radians(headings[i])
        forward, left = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        apart = 0.5 * style.width_m + 0.5 * style.width_sd_m * float(np.clip(rng.standard_normal(), -2.0, 2.0))
        heel = points[i] + sign * apart * left - 0.031 * shape.height_m * forward
        off = times[i] + shares[sides[i]] * (times[i + 2] - times[i])
        off = float(np.clip(off, times[i + 1] + _SHORTEST_DOUBLE_S, times[i + 2] - 0.15 * step_s))
        prints.append(
            Footprint(
                "left" if sides[i] == 0 else "right",
                (float(heel[0]), float(heel[1])),
                float(headings[i] + sign * style.toe_out_deg),
                float(times[i]),
                off,
            )
        )
    return tuple(prints)
