"""From footprints and a style to a moving body: planted feet exactly, joint curves near those of real walkers.

A leg on the ground is as long as its target knee allows, which sets the pelvis' height. A foot in the air follows its
target angles, plus a correction that makes it leave and meet the ground where the footprints are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicHermiteSpline, CubicSpline, PchipInterpolator
from scipy.ndimage import convolve1d, minimum_filter1d

from posepipe.errors import UsageError
from posepipe.lab.people.body import (
    HEEL_Z_M,
    TOE_Z_M,
    BodyShape,
    Controls,
    foot_points,
    hips,
    leg_limit_m,
    smooth,
    solve,
)
from posepipe.lab.people.gait_styles import Style
from posepipe.lab.people.motion import ARM_DEG_PER_M, HEEL_OFF, HEEL_ROCKER, Footprint, bell, planted
from posepipe.skeleton import BODY21

__all__ = ["Course", "Walker", "plan_walk"]

Array = NDArray[np.float64]

_SPEEDS = (0.18, 0.295, 0.43, 0.57, 0.70)
"""Speed over sqrt(gravity times leg length): the middles of the source's five groups."""
_TOE_OFF = (0.68, 0.62, 0.59, 0.58, 0.56)
# Tenths of a degree: mean, then cosine and sine of harmonics 1 to 6. Rows: the five speeds.
_SERIES = {
    "thigh": (
        (48, 142, -11, -1, -31, -5, 5, 0, -1, -1, 0, 0, 0),
        (66, 174, -33, -22, -24, -1, 15, 1, -2, -2, 2, 1, 1),
        (69, 209, -32, -31, -15, -1, 16, -1, -1, -3, 3, 0, 1),
        (68, 240, -33, -39, -9, -1, 17, -1, 0, -2, 2, -1, 0),
        (58, 257, -50, -43, -12, -3, 15, -2, 0, -2, 1, 0, 0),
    ),
    "knee": (
        (161, -4, -154, -94, -4, -17, 37, 2, 7, -2, 3, 0, 2),
        (200, -29, -183, -122, 45, 0, 46, -2, 3, -5, 6, 1, 3),
        (229, -19, -187, -136, 70, -7, 43, -9, 6, -5, 7, 1, 2),
        (240, -4, -190, -140, 91, -7, 42, -11, 5, -5, 7, 0, 1),
        (234, 11, -215, -138, 92, -8, 37, -13, 4, -3, 5, 0, -1),
    ),
    "ankle": (
        (31, -61, 12, 18, -33, -27, -17, -1, 9, 5, -3, 0, -1),
        (20, -50, 41, 18, -59, -43, -2, 16, 13, 4, -14, -2, 3),
        (8, -20, 71, 8, -72, -46, 9, 22, 2, -5, -14, 3, 5),
        (-6, 2, 75, -11, -75, -41, 17, 21, -8, -9, -9, 6, 3),
        (-13, 25, 68, -33, -76, -30, 20, 14, -13, -7, -3, 6, 0),
    ),
}


def toe_off_share(speed: float) -> float:
    """Stance over stride at a dimensionless speed."""
    return float(np.interp(speed, _SPEEDS, _TOE_OFF))


def leg_targets(speed: float, phase: ArrayLike, toe_off: float) -> dict[str, Array]:
    """Angles over the cycle in degrees.

    Args:
        speed: over sqrt(gravity times leg length); outside the table the nearest group is taken.
        phase: (...) share of the stride since heel strike; any real number.
        toe_off: this leg's stance over stride; the curves are stretched to it.

    Returns:
        "thigh" forward from vertical, "knee" flexion and "ankle" dorsiflexion, each (...).
    """
    share = np.asarray(phase, dtype=np.float64) % 1.0
    own = toe_off_share(speed)
    warped = np.where(share < toe_off, share / toe_off * own, own + (share - toe_off) / (1.0 - toe_off) * (1.0 - own))
    order = np.arange(1, 7)
    turn = 2.0 * np.pi * warped[..., None] * order
    basis = np.concatenate(
        [np.ones((*share.shape, 1)), np.stack([np.cos(turn), np.sin(turn)], -1).reshape(*share.shape, 12)], -1
    )
    out = {}
    for name, rows in _SERIES.items():
        weights = [np.interp(speed, _SPEEDS, column) for column in np.array(rows, dtype=np.float64).T]
        out[name] = basis @ (0.1 * np.array(weights))
    return out


# Where and when the feet of a synthetic walker are on the ground.


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


# From footprints and a style to a moving body: planted feet exactly, joint curves near those of real walkers.


_FINE_HZ = 200.0
_RISE, _EVEN, _EASE_S = 2.5, 0.6, 0.02
"""How late the heel rises, how much of the legs' unevenness the pelvis' place makes up for, and how far the pelvis'
height is evened out: chosen together so that the knee before swing is nearest to that of the target curves."""
_FREE = 0.4
"""Share of the swing at which a foot in the air follows its target angles exactly."""
_SIDES = ("left", "right")
_UPPER = (
    "thorax",
    "nose",
    "head",
    *(f"{side}_{part}" for side in _SIDES for part in ("shoulder", "elbow", "wrist")),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Track:
    """Where the pelvis goes: splines of time."""

    xy_m: CubicSpline
    height_m: CubicSpline
    yaw_deg: CubicSpline
    roll_deg: CubicSpline
    sway_deg: CubicSpline


@dataclass(frozen=True, slots=True, eq=False)
class Walker:
    """One walk.

    Attributes:
        shape: build.
        style: how the person walks.
        prints: footprints, alternating feet, in order of time.
        wobble: (3, 3) size, frequency in Hz and phase of the trunk's slow wandering.
    """

    shape: BodyShape
    style: Style
    prints: Sequence[Footprint]
    wobble: Array

    def positions(self, time_s: Array) -> Array:
        """Joints (F, 21, 3), world frame, z up.

        Raises:
            UsageError: a step is out of the legs' reach.
        """
        track = self._track(time_s)
        feet = [self._foot(side, track, time_s) for side in (0, 1)]
        xy, yaw = track.xy_m(time_s), track.yaw_deg(time_s)
        pelvis = np.column_stack([xy, track.height_m(time_s)])
        forward = np.stack([np.cos(np.radians(yaw)), np.sin(np.radians(yaw))], axis=1)
        ahead = np.stack([((foot[0][:, :2] - xy) * forward).sum(axis=1) for foot in feet], axis=1)
        swing = ARM_DEG_PER_M * (ahead[:, ::-1] - ahead.mean(axis=1, keepdims=True))
        arm = swing * np.asarray(self.style.arm_swing)
        wander = self._wander(time_s)
        ones = np.ones((len(time_s), 1))
        controls = Controls(
            pelvis,
            yaw,
            track.roll_deg(time_s),
            self.style.lean_deg + 0.5 * wander,
            -0.25 * (arm[:, 0] - arm[:, 1]) / 2.0,
            np.full(len(time_s), self.style.head_deg),
            arm + ones * np.asarray(self.style.arm_forward_deg),
            ones * np.asarray(self.style.arm_out_deg),
            np.maximum(ones * np.asarray(self.style.elbow_deg) + 0.5 * np.maximum(arm, -10.0), 2.0),
            np.stack([foot[0] for foot in feet], axis=1),
            np.stack([foot[1] for foot in feet], axis=1),
            np.stack([foot[2] for foot in feet], axis=1),
        )
        xyz = solve(self.shape, controls)
        return _swayed(xyz, yaw, track.sway_deg(time_s) + wander)

    def _wander(self, time_s: Array) -> Array:
        size, rate, phase = self.wobble
        return np.asarray((size * np.sin(2.0 * np.pi * rate * time_s[:, None] + phase)).sum(axis=1))

    def _targets(self, side: int, phase: Array) -> dict[str, Array]:
        """Thigh from vertical, knee and ankle of one leg at phases of its stride."""
        style, tau = self.style, stance_shares(self.style, self.shape)[side]
        out = leg_targets(speed_share(style, self.shape), phase, tau)
        share = phase % 1.0
        swing = np.sin(np.pi * np.clip((share - tau + 0.1) / (1.1 - tau), 0.0, 1.0)) ** 2
        late = smooth((share - tau + 0.05) / 0.15)
        bend = style.bend_deg[side]
        return {
            "thigh": out["thigh"] + style.swing_thigh_deg[side] * swing + 0.5 * bend,
            "knee": np.maximum(
                out["knee"] * (1.0 + (style.swing_knee[side] - 1.0) * swing) + bend * (1.0 - 0.5 * swing), 3.0
            ),
            "ankle": out["ankle"] + style.swing_ankle_deg[side] * late + 0.5 * bend,
        }

    def _reach(self, angles: dict[str, Array]) -> tuple[Array, Array]:
        """Ankle ahead of the hip and below it, in metres."""
        h = self.shape.height_m
        thigh, shank = np.radians(angles["thigh"]), np.radians(angles["thigh"] - angles["knee"])
        ahead = self.shape.thigh * h * np.sin(thigh) + self.shape.shank * h * np.sin(shank)
        return ahead, self.shape.thigh * h * np.cos(thigh) + self.shape.shank * h * np.cos(shank)

    def _pitches(self, side: int) -> tuple[float, float]:
        """Foot pitch at the strike, and at toe off."""
        tau = stance_shares(self.style, self.shape)[side]
        at = self._targets(side, np.array([0.0, tau - 1e-6]))
        pitch = at["thigh"] - at["knee"] + at["ankle"]
        strike = float(pitch[0]) - 0.5 * self.style.bend_deg[side] + self.style.strike_deg[side]
        return float(np.clip(strike, -25.0, 32.0)), float(min(-5.0, pitch[1] * self.style.push[side]))

    def _mine(self, side: int) -> list[Footprint]:
        return [print_ for print_ in self.prints if print_.side == _SIDES[side]]

    def _stance(self, side: int, print_: Footprint, time_s: Array) -> tuple[Array, Array, Array]:
        """Heel (F, 3), heading and pitch of a foot on the ground: over the heel, flat, over the ball."""
        strike, push = self._pitches(side)
        length = print_.off_s - print_.strike_s
        down = np.clip((time_s - print_.strike_s) / (HEEL_ROCKER * length), 0.0, 1.0)
        up = np.clip(1.0 - (print_.off_s - time_s) / ((1.0 - HEEL_OFF) * length), 0.0, 1.0)
        pitch = strike * (1.0 - down) ** 2 + push * up**_RISE
        return *planted(self.shape, print_, pitch), pitch

    def _ankle(self, foot: tuple[Array, Array, Array]) -> Array:
        return np.asarray(foot[0] + foot_points(self.shape, foot[1], foot[2])[0])

    def _foot(self, side: int, track: _Track, time_s: Array) -> tuple[Array, Array, Array]:
        heel, heading, pitch = np.empty((len(time_s), 3)), np.empty(len(time_s)), np.empty(len(time_s))
        mine = self._mine(side)
        for old, new in pairwise(mine):
            parts = (time_s >= old.strike_s) & (time_s <= old.off_s), (time_s > old.off_s) & (time_s < new.strike_s)
            for part, make in zip(parts, (self._stance, None), strict=True):
                if part.any():
                    at = time_s[part]
                    found = make(side, old, at) if make else self._swing(side, track, old, new, at)
                    heel[part], heading[part], pitch[part] = found
        return heel, heading, pitch

    def _swing(
        self, side: int, track: _Track, old: Footprint, new: Footprint, time_s: Array
    ) -> tuple[Array, Array, Array]:
        h, a, b = 1e-3, old.off_s, new.strike_s
        tau = stance_shares(self.style, self.shape)[side]
        start, end = self._stance(side, old, np.array([a - h, a])), self._stance(side, new, np.array([b, b + h]))

        def aim(at: Array) -> tuple[Array, Array]:
            s = (at - a) / (b - a)
            angles = self._targets(side, tau + (1.0 - 1e-6 - tau) * s)
            ahead, below = self._reach(angles)
            yaw = track.yaw_deg(at)
            hip = hips(self.shape, yaw, track.roll_deg(at))[:, side]
            way = np.stack([np.cos(np.radians(yaw)), np.sin(np.radians(yaw))], axis=1)
            flat = track.xy_m(at) + hip[:, :2] + ahead[:, None] * way
            out = self.style.swing_out_m[side] * np.sin(np.pi * np.clip(s, 0.0, 1.0)) ** 2
            flat = flat + (1.0 if side == 0 else -1.0) * out[:, None] * np.stack([-way[:, 1], way[:, 0]], axis=1)
            place = np.column_stack([flat, track.height_m(at) + hip[:, 2] - below])
            return place, angles["thigh"] - angles["knee"] + angles["ankle"]

        ends = np.array([a, a + h, b])
        path, pitch = aim(ends)
        ankle = self._ankle(start)
        leave = (ankle[1] - ankle[0]) / h - (path[1] - path[0]) / h
        gap = np.stack([ankle[1] - path[0], self._ankle(end)[0] - path[2]])
        turn = (start[2][1] - start[2][0]) / h - (pitch[1] - pitch[0]) / h
        aimed, aimed_pitch = aim(time_s)
        # Gone by the middle of the swing: there the knee bends as it should.
        knots, none = [a, a + _FREE * (b - a), b], np.zeros(3)
        fix = CubicHermiteSpline(knots, np.stack([gap[0], none, gap[1]]), np.stack([0.6 * leave, none, none]))(time_s)
        fix_pitch = CubicHermiteSpline(
            knots, [start[2][1] - pitch[0], 0.0, end[2][0] - pitch[2]], [0.6 * turn, 0.0, 0.0]
        )
        return self._carried(side, track, (old, new), aimed + fix, aimed_pitch + fix_pitch(time_s), time_s)

    def _carried(
        self,
        side: int,
        track: _Track,
        prints: tuple[Footprint, Footprint],
        ankle: Array,
        pitch: Array,
        time_s: Array,
    ) -> tuple[Array, Array, Array]:
        """The foot in the air, over the ground and within the leg's reach."""
        old, new = prints
        s = (time_s - old.off_s) / (new.strike_s - old.off_s)
        heading = old.heading_deg + smooth(s) * (new.heading_deg - old.heading_deg)
        offset, toe = foot_points(self.shape, heading, pitch)
        heel = ankle - offset
        low = np.minimum(heel[:, 2] - HEEL_Z_M, heel[:, 2] + toe[:, 2] - TOE_Z_M)
        arc = np.sin(np.pi * s)
        heel[:, 2] += np.maximum(0.012 * arc - low, 0.0) + self.style.lift_m[side] * arc**2
        hip = np.column_stack([track.xy_m(time_s), track.height_m(time_s)])
        hip = hip + hips(self.shape, track.yaw_deg(time_s), track.roll_deg(time_s))[:, side]
        line = heel + offset - hip
        length = np.linalg.norm(line, axis=1, keepdims=True)
        heel -= line / length * np.maximum(length - leg_limit_m(self.shape), 0.0)
        return heel, heading, pitch

    def _track(self, time_s: Array) -> _Track:
        """The pelvis on a grid of its own, so that the motion doesn't depend on the frame rate."""
        start, stop = float(time_s[0]) - 0.3, float(time_s[-1]) + 0.3
        grid = start + np.arange(max(8, int(np.ceil((stop - start) * _FINE_HZ)))) / _FINE_HZ
        rows = self._course(grid)
        xy, yaw, roll, sway = rows[:, :2], rows[:, 2], rows[:, 3], rows[:, 4]
        height = self._height(grid, xy, yaw, roll)
        return _Track(*(CubicSpline(grid, v) for v in (xy, height, yaw, roll, sway)))

    def _course(self, grid: Array) -> Array:
        """Ground point under the pelvis, heading, roll and sway (G, 5): between the feet, then over the one foot."""
        style = self.style
        knots: list[float] = []
        rows: list[Array] = []
        for before, now in pairwise(self.prints):
            middle = 0.5 * (np.asarray(before.heel_m) + np.asarray(now.heel_m))
            heading = 0.5 * (before.heading_deg + now.heading_deg)
            angle = np.radians(heading)
            forward, left = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
            if knots:
                foot = 0 if before.side == "left" else 1
                sign = 1.0 - 2.0 * foot
                stand = 0.5 * (rows[-1][:2] + middle)
                stand = stand + 0.4 * float((np.asarray(before.heel_m) - stand) @ left) * left
                straight = 0.5 * (rows[-1][5] + heading)
                sides = sign * style.drop_deg[foot], sign * style.sway_deg[foot]
                knots.append(0.5 * (knots[-1] + now.strike_s))
                rows.append(np.array([*stand, straight, *sides, straight]))
            lead = float(np.subtract(now.heel_m, before.heel_m) @ forward)
            turn = float(np.clip(lead / 0.65, -1.0, 1.2)) * (style.turn_deg if now.side == "right" else -style.turn_deg)
            knots.append(now.strike_s)
            rows.append(np.array([*middle, heading + turn, 0.0, 0.0, heading]))
        values = PchipInterpolator(knots, np.array(rows)[:, :5])(np.clip(grid, knots[0], knots[-1]))
        values = convolve1d(values, bell(0.06, _FINE_HZ), axis=0, mode="nearest")
        offset = 0.031 * self.shape.height_m + float(np.mean([self._lead(side) for side in (0, 1)]))
        angle = np.radians(values[:, 2])
        values[:, :2] += offset * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.asarray(values)

    def _lead(self, side: int) -> float:
        """How far the pelvis is ahead of the ankles' middle at a strike, for both legs to have their target angles.

        The targets' own horizontal reach gives one answer; that both legs hold the pelvis up at one height, another.
        """
        tau = stance_shares(self.style, self.shape)[side]
        ahead, below = self._reach(self._targets(side, np.array([1e-3, 0.5])))
        strike, push = self._pitches(side)
        late = push * max(0.0, 1.0 - (tau - 0.5) / tau / (1.0 - HEEL_OFF)) ** _RISE
        rise = [self._ankle_height(pitch) for pitch in (strike, late)]
        uneven = below[1] + rise[1] - below[0] - rise[0]
        slope = abs(ahead[0]) / below[0] + abs(ahead[1]) / below[1]
        return float(-0.5 * ahead.sum() + _EVEN * uneven / slope)

    def _ankle_height(self, pitch_deg: float) -> float:
        """Of a foot on the ground."""
        ankle, toe = foot_points(self.shape, np.array(0.0), np.array(pitch_deg))
        return float(ankle[2] + (HEEL_Z_M if pitch_deg >= 0.0 else TOE_Z_M - toe[2]))

    def _height(self, grid: Array, xy: Array, yaw: Array, roll: Array) -> Array:
        hip = hips(self.shape, yaw, roll)
        most = leg_limit_m(self.shape)
        total, weights = np.zeros(len(grid)), np.zeros(len(grid))
        room = np.full(len(grid), np.inf)
        ordered = list(self.prints)
        for i, print_ in enumerate(ordered):
            part = (grid >= print_.strike_s) & (grid <= print_.off_s)
            if not part.any() or i + 2 >= len(ordered) or i == 0:
                continue
            at, side = grid[part], _SIDES.index(print_.side)
            ankle = self._ankle(self._stance(side, print_, at))
            flat = np.linalg.norm(xy[part] + hip[part, side, :2] - ankle[:, :2], axis=1)
            if float(flat.max()) > 0.8 * most:
                raise UsageError(f"a foot is {flat.max():.2f} m away", where="walk", hint="Shorten the steps")
            tau = stance_shares(self.style, self.shape)[side]
            ahead, below = self._reach(
                self._targets(side, tau * (at - print_.strike_s) / (print_.off_s - print_.strike_s))
            )
            base = ankle[:, 2] - hip[part, side, 2]
            length = np.hypot(ahead, below)
            wanted = base + np.sqrt(np.maximum(length**2 - flat**2, (0.3 * most) ** 2))
            arrive = smooth((at - print_.strike_s) / max(ordered[i - 1].off_s - print_.strike_s, 1e-3))
            leave = smooth((at - ordered[i + 1].strike_s) / max(print_.off_s - ordered[i + 1].strike_s, 1e-3))
            weight = arrive * (1.0 - leave) + 1e-6
            total[part] += weight * wanted
            weights[part] += weight
            room[part] = np.minimum(room[part], base + np.sqrt(most**2 - flat**2))
        known = weights > 0.0
        height = np.interp(grid, grid[known], total[known] / weights[known])
        room = np.interp(grid, grid[known], room[known])
        # A mean over minima of the same window never exceeds the value in its middle.
        kernel = bell(_EASE_S, _FINE_HZ)
        most_room = convolve1d(minimum_filter1d(room, len(kernel), mode="nearest"), kernel, mode="nearest")
        return np.asarray(np.minimum(convolve1d(height, kernel, mode="nearest"), most_room))


def _swayed(xyz: Array, yaw_deg: Array, sway_deg: Array) -> Array:
    """The upper body leant to the person's left about the pelvis."""
    yaw, sway = np.radians(yaw_deg), np.radians(sway_deg)
    forward = np.stack([np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)], axis=1)[:, None]
    index = BODY21.indices(*_UPPER)
    pelvis = xyz[:, BODY21.indices("pelvis")]
    arm = xyz[:, index] - pelvis
    # Rodrigues' formula about the backward axis: up goes to the left.
    c, s = np.cos(sway)[:, None, None], np.sin(sway)[:, None, None]
    back = -forward
    turned = c * arm + s * np.cross(back, arm) + (1.0 - c) * (arm * back).sum(axis=-1, keepdims=True) * back
    xyz[:, index] = pelvis + turned
    xyz[:, BODY21.index("spine")] = 0.5 * (xyz[:, BODY21.index("pelvis")] + xyz[:, BODY21.index("thorax")])
    return xyz
