"""Where and when the feet of a walk are on the ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from posepipe.errors import UsageError
from posepipe.synth.body import BodyShape

__all__ = ["Footprint", "plan_path", "plan_straight"]

Array = NDArray[np.float64]

STANCE_SHARE = 0.62
"""Stance over stride in normal walking (Perry, Gait Analysis)."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """One foot on the ground.

    Attributes:
        side: "left" or "right".
        heel_m: heel on the ground plane (x, y).
        heading_deg: of the foot.
        strike_s: heel strike; minus infinity for a foot that has always stood there.
        off_s: toe off; infinity for a foot that stays.
    """

    side: str
    heel_m: tuple[float, float]
    heading_deg: float
    strike_s: float
    off_s: float


def plan_straight(
    shape: BodyShape,
    duration_s: float,
    *,
    speed_mps: float = 1.25,
    cadence_spm: float = 112.0,
    width_m: float = 0.11,
    heading_deg: float = 0.0,
    start_m: tuple[float, float] = (0.0, 0.0),
) -> tuple[Footprint, ...]:
    """Footprints of a steady walk that goes on before and after the clip."""
    if not (speed_mps > 0 and cadence_spm > 0):
        raise UsageError("speed and cadence must be positive", where="walk")
    step_s = 60.0 / cadence_spm
    steps = int(np.ceil(duration_s / step_s)) + 4
    path = np.arange(-3, steps) * speed_mps * step_s
    angle = np.radians(heading_deg)
    line = np.asarray(start_m) + path[:, None] * np.array([np.cos(angle), np.sin(angle)])
    strikes = np.arange(-3, steps) * step_s
    return _prints(shape, line, np.full(len(path), heading_deg), strikes, width_m, step_s)


def _prints(
    shape: BodyShape, line: Array, heading_deg: Array, strikes: Array, width_m: float, step_s: float
) -> tuple[Footprint, ...]:
    """Footprints left and right of a line (N, 2)."""
    prints = []
    for i, (point, heading, strike) in enumerate(zip(line, heading_deg, strikes, strict=True)):
        sign = 1.0 if i % 2 == 0 else -1.0
        angle = np.radians(heading)
        left, forward = np.array([-np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
        heel = point + sign * 0.5 * width_m * left - 0.031 * shape.height_m * forward
        prints.append(
            Footprint(
                "left" if sign > 0 else "right",
                (float(heel[0]), float(heel[1])),
                float(heading + sign * 5.0),
                float(strike),
                float(strike + STANCE_SHARE * 2.0 * step_s),
            )
        )
    return tuple(prints)


def plan_path(
    shape: BodyShape,
    points_m: Sequence[tuple[float, float]],
    final_heading_deg: float,
    *,
    step_m: float = 0.62,
    step_s: float = 0.56,
    width_m: float = 0.11,
    final_width_m: float = 0.33,
    final_toe_out_deg: float = 18.0,
    first_step: float = 0.5,
) -> tuple[Footprint, ...]:
    """Footprints along a smooth curve that end in a stance.

    Args:
        shape: build.
        points_m: points of the curve, at least two; the walk is under way when the clip starts at the first.
        final_heading_deg: where the person faces at the end.
        step_m: length of a step.
        step_s: time of a step.
        width_m: distance between the feet's lines.
        final_width_m: distance of the ankles in the last stance.
        final_toe_out_deg: turn of the feet outwards in the last stance.
        first_step: share of a step walked when the clip starts.
    """
    points = np.asarray(points_m, dtype=np.float64)
    if points.shape[0] < 2:
        raise UsageError("a path needs two points", where="plan_path")
    chord = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    fine = np.linspace(0.0, chord[-1], 400)
    xy = PchipInterpolator(chord, points)(fine)
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(xy, axis=0), axis=1))])
    tangent = np.unwrap(np.arctan2(*np.gradient(xy, axis=0).T[::-1]))
    count = max(2, round((arc[-1] - first_step * step_m) / step_m))
    where = first_step * step_m + np.arange(-3, count) * step_m
    line = np.stack([np.interp(where, arc, xy[:, k]) for k in (0, 1)], axis=1)
    before = np.minimum(where, 0.0)[:, None] * np.array([np.cos(tangent[0]), np.sin(tangent[0])])
    headings = np.degrees(np.interp(where, arc, tangent))
    strikes = (first_step + np.arange(-3, count)) * step_s
    prints = list(_prints(shape, line + before, headings, strikes, width_m, step_s))
    final = final_heading_deg + 360.0 * round((headings[-1] - final_heading_deg) / 360.0)
    angle = np.radians(final)
    left = np.array([-np.sin(angle), np.cos(angle)])
    center = line[-1] + 0.45 * step_m * np.array([np.cos(np.radians(headings[-1])), np.sin(np.radians(headings[-1]))])
    for i in range(2):
        side = "left" if prints[-1].side == "right" else "right"
        sign = 1.0 if side == "left" else -1.0
        turn = np.radians(final + sign * final_toe_out_deg)
        ankle = center + sign * 0.5 * final_width_m * left
        heel = ankle - 0.031 * shape.height_m * np.array([np.cos(turn), np.sin(turn)])
        strike = prints[-1].strike_s + step_s * (1.0 + 0.1 * i)
        prints.append(Footprint(side, (float(heel[0]), float(heel[1])), float(np.degrees(turn)), float(strike), np.inf))
    return tuple(prints)
