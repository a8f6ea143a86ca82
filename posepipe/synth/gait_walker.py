"""From footprints and a style to a moving body: planted feet exactly, joint curves near those of real walkers.

A leg on the ground is as long as its target knee allows, which sets the pelvis' height. A foot in the air follows its
target angles, plus a correction that makes it leave and meet the ground where the footprints are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline, CubicSpline, PchipInterpolator
from scipy.ndimage import convolve1d, minimum_filter1d

from posepipe.errors import UsageError
from posepipe.skeleton import BODY21
from posepipe.synth.body import BodyShape
from posepipe.synth.footprints import Footprint
from posepipe.synth.gait_curves import leg_targets
from posepipe.synth.gait_plan import speed_share, stance_shares
from posepipe.synth.gait_styles import Style
from posepipe.synth.kinematics import HEEL_Z_M, TOE_Z_M, Controls, foot_points, hips, leg_limit_m, smooth, solve

__all__ = ["Walker"]

Array = NDArray[np.float64]

_FINE_HZ = 200.0
_HEEL_ROCKER, _HEEL_OFF = 0.12, 0.53
"""Shares of the stance at which the foot is flat, and at which the heel leaves the ground."""
_RISE, _EVEN, _EASE_S = 2.5, 0.6, 0.02
"""How late the heel rises, how much of the legs' unevenness the pelvis' place makes up for, and how far the pelvis'
height is evened out: chosen together so that the knee before swing is nearest to that of the target curves."""
_FREE = 0.4
"""Share of the swing at which a foot in the air follows its target angles exactly."""
_ARM_DEG_PER_M = 50.0
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
        swing = _ARM_DEG_PER_M * (ahead[:, ::-1] - ahead.mean(axis=1, keepdims=True))
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
        down = np.clip((time_s - print_.strike_s) / (_HEEL_ROCKER * length), 0.0, 1.0)
        up = np.clip(1.0 - (print_.off_s - time_s) / ((1.0 - _HEEL_OFF) * length), 0.0, 1.0)
        pitch = strike * (1.0 - down) ** 2 + push * up**_RISE
        heading = np.full_like(time_s, print_.heading_deg)
        place = np.array([*print_.heel_m, HEEL_Z_M])
        _, flat = foot_points(self.shape, np.array(print_.heading_deg), np.array(0.0))
        _, toe = foot_points(self.shape, heading, pitch)
        return np.where((pitch < 0.0)[:, None], place + flat - toe, place), heading, pitch

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
        values = convolve1d(values, _window(0.06), axis=0, mode="nearest")
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
        late = push * max(0.0, 1.0 - (tau - 0.5) / tau / (1.0 - _HEEL_OFF)) ** _RISE
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
        kernel = _window(_EASE_S)
        most_room = convolve1d(minimum_filter1d(room, len(kernel), mode="nearest"), kernel, mode="nearest")
        return np.asarray(np.minimum(convolve1d(height, kernel, mode="nearest"), most_room))


def _window(length_s: float) -> Array:
    kernel = np.hanning(2 * round(length_s * _FINE_HZ) + 3)[1:-1]
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)


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
