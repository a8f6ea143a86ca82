"""Left/right swaps: find them, repair them, say so.

Detectors take left for right, mostly of the whole body when they mistake front for back, sometimes of the legs alone.
The repair asks which labels let the body move smoothly in real time, for arms (with head and shoulders) and legs (with
hips); hip line and shoulder line should agree. Which of the two labellings is right can't be seen from smoothness: the
one that the detector gives for most of the time is taken. A run is repaired only if that explains the movement far
better; where nearly half of the track would change, nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.motion import _swap_cost as cost
from posepipe.skeleton import LAYOUTS
from posepipe.types import Keypoints, KeypointTrack

__all__ = ["Swap", "SwapGuard", "repair_swaps"]

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]

_PER_S = 0.3  # Cost of a second in the swapped state: the detector is right more often than not.
_TWIST_PER_S = 6.0  # Cost of a second with hips and shoulders turned against each other.
_MIN_GAIN = 4.0  # What a repair must explain beyond the price of its ends.
_MOST = 0.42  # Largest share of the track that may be repaired.
_MORE_SIGMA = 1.5  # A repaired sample is less sure than others.
_NEAR_S = 0.05  # Around the ends of a swap a detector mixes both sides.


@dataclass(frozen=True, slots=True)
class Swap:
    """One run of swapped frames.

    Attributes:
        group: "body", "arms" or "legs".
        start_s, end_s: time of its first and last frame.
        frames: number of frames.
        gain: log-likelihood that the repair explains, after the price of its ends.
        repaired: False where it was too uncertain to touch; sigma is raised all the same.
    """

    group: str
    start_s: float
    end_s: float
    frames: int
    gain: float
    repaired: bool


def repair_swaps(track: KeypointTrack) -> tuple[KeypointTrack, tuple[Swap, ...]]:
    """Exchange left and right where the detector had them swapped, with hindsight over the whole track.

    A Viterbi search over the states of arms and legs. Repaired samples get 1.5 times their sigma; within 0.05 s of the
    ends of a swap, a quarter of the distance between left and right is added.

    Returns:
        The repaired track (the same object if nothing was found) and the swaps in order of time.
    """
    rows = np.flatnonzero(track.valid.any(axis=1))
    if len(rows) < 3:
        return track, ()
    model = _Model(track, rows)
    state = model.best()
    swaps: list[tuple[Swap, NDArray[np.intp], Bool]] = []
    kept = np.zeros_like(state)
    share = np.array([_duration(model.step_s, state[:, g]) for g in (0, 1)]) / max(float(model.step_s.sum()), 1e-9)
    for first, last, groups in _runs(state):
        without = state.copy()
        without[first : last + 1, groups] = False
        gain = model.total(without) - model.total(state)
        at_edge = first == 0 or last == len(state) - 1
        sure = gain >= _MIN_GAIN * (2.0 if at_edge else 1.0) and bool(np.all(share[groups] <= _MOST))
        if sure:
            kept[first : last + 1, groups] = True
        run = rows[first : last + 1]
        name = "body" if groups.all() else cost.GROUPS[int(np.argmax(groups))]
        times = float(track.time_s[run[0]]), float(track.time_s[run[-1]])
        swaps.append((Swap(name, *times, len(run), float(gain), sure), run, groups))
    if not swaps:
        return track, ()
    return _apply(track, rows, kept, swaps), tuple(swap for swap, _, _ in swaps)


class _Model:
    """Costs of one track's seen frames."""

    def __init__(self, track: KeypointTrack, rows: NDArray[np.intp]) -> None:
        layout = track.layout.name
        xy = np.where(track.valid[rows, :, None], track.xy_px[rows], np.nan).astype(np.float64)
        d, var, size = cost.halves(layout, xy, track.sigma_px[rows].astype(np.float64))
        time_s = track.time_s[rows]
        step = np.diff(time_s)
        self.step_s = np.minimum(np.append(step, np.median(step)), 2.0 * np.median(step))
        _, owner = cost.pairs(layout)
        ratio = np.minimum(step[1:] / step[:-1], 2.0)
        square = cost.innovation(d[:-2], d[1:-1], d[2:], np.repeat(ratio[:, None], d.shape[1], axis=1))
        usual = np.array([_median(square[0, 0, 0, :, pair]) for pair in range(d.shape[1])]) / 2.0
        wide = np.maximum(np.maximum(var[:-2], var[1:-1]), var[2:])
        spread = cost.variance(wide, size[2:, None], np.maximum(step[1:], step[:-1])[:, None], usual)
        each = cost.pair_cost(square, spread)
        # (F - 2, s0, s1, s2) for each group.
        self.group = [np.moveaxis(each[..., owner == g].sum(axis=-1), -1, 0) for g in (0, 1)]
        agree = cost.twist(d, size, layout)
        apart = np.array([[1.0, -1.0], [-1.0, 1.0]])
        self.here = (
            _TWIST_PER_S
            * self.step_s[:, None, None]
            * 0.5
            * (np.abs(agree)[:, None, None] - agree[:, None, None] * apart)
        )
        swapped = np.array([[0.0, 0.5], [0.5, 1.0]])
        self.here += _PER_S * self.step_s[:, None, None] * swapped

    def best(self) -> Bool:
        """States (F, 2) of arms and legs of the cheapest path."""
        count = len(self.here)
        switch = cost.switch_cost()
        # value[a0, a1, l0, l1]
        value = switch + self.here[0][:, None, :, None] + self.here[1][None, :, None, :]
        came = np.empty((max(count - 2, 0), 2, 2, 2, 2), dtype=np.uint8)
        for t in range(count - 2):
            arms, legs = self.group[0][t], self.group[1][t]
            # (a0, a1, a2, l0, l1, l2)
            total = value[:, :, None, :, :, None] + arms[:, :, :, None, None, None] + legs[None, None, None]
            total = total.transpose(0, 3, 1, 2, 4, 5).reshape(4, 2, 2, 2, 2)
            pick = total.argmin(axis=0)
            came[t] = pick
            value = np.take_along_axis(total, pick[None], axis=0)[0]
            value = value + switch + self.here[t + 2][None, :, None, :]
        a0, a1, l0, l1 = (int(i) for i in np.unravel_index(int(value.argmin()), value.shape))
        path = [(a1, l1), (a0, l0)]
        for t in range(count - 3, -1, -1):
            before = int(came[t, a0, a1, l0, l1])
            a0, a1, l0, l1 = before // 2, a0, before % 2, l0
            path.append((a0, l0))
        return np.array(path[::-1], dtype=bool)

    def total(self, state: Bool) -> float:
        """Cost of a path."""
        s = state.astype(np.intp)
        frames = np.arange(len(s))
        cost_here = self.here[frames, s[:, 0], s[:, 1]].sum()
        inner = frames[:-2]
        moves = sum(float(self.group[g][inner, s[:-2, g], s[1:-1, g], s[2:, g]].sum()) for g in (0, 1))
        switches = cost.switch_cost()[s[:-1, 0], s[1:, 0], s[:-1, 1], s[1:, 1]].sum()
        return float(cost_here + moves + switches)


def _median(x: Float64) -> float:
    finite = x[np.isfinite(x)]
    return float(np.median(finite)) if len(finite) else 0.0


def _duration(step_s: Float64, which: Bool) -> float:
    return float(step_s[which].sum())


def _runs(state: Bool) -> list[tuple[int, int, Bool]]:
    """Runs (first, last, groups (2,)) of the same non-zero state."""
    change = np.flatnonzero(np.any(state[1:] != state[:-1], axis=1)) + 1
    starts = np.concatenate([[0], change])
    ends = np.concatenate([change, [len(state)]]) - 1
    return [(int(a), int(b), state[a].copy()) for a, b in zip(starts, ends, strict=True) if state[a].any()]


def _apply(
    track: KeypointTrack,
    rows: NDArray[np.intp],
    kept: Bool,
    swaps: list[tuple[Swap, NDArray[np.intp], Bool]],
) -> KeypointTrack:
    member = cost.members(track.layout.name)
    mirror = track.layout.mirror
    xy, sigma, score = track.xy_px.copy(), track.sigma_px.copy(), track.score.copy()
    valid, interpolated = track.valid.copy(), track.interpolated.copy()
    for group in (0, 1):
        joints = np.flatnonzero(member == group)
        here = rows[kept[:, group]]
        cell, other = np.ix_(here, joints), np.ix_(here, mirror[joints])
        for array, source in (
            (xy, track.xy_px),
            (sigma, track.sigma_px),
            (score, track.score),
            (valid, track.valid),
            (interpolated, track.interpolated),
        ):
            array[cell] = source[other]
    for swap, run, groups in swaps:
        for group in np.flatnonzero(groups):
            joints = np.flatnonzero((member == group) & (mirror != np.arange(len(mirror))))
            cell = np.ix_(run, joints)
            sigma[cell] *= _MORE_SIGMA
            near = _near(track.time_s, swap, run) if swap.repaired else run
            cell, other = np.ix_(near, joints), np.ix_(near, mirror[joints])
            apart = np.linalg.norm(track.xy_px[cell] - track.xy_px[other], axis=2)
            sigma[cell] = np.hypot(sigma[cell], 0.25 * apart)
    return replace(track, xy_px=xy, sigma_px=sigma, score=score, valid=valid, interpolated=interpolated)


def _near(time_s: Float64, swap: Swap, run: NDArray[np.intp]) -> NDArray[np.intp]:
    """Frames close to an end of a swap, and at least the two on each side of it."""
    near = np.minimum(np.abs(time_s - swap.start_s), np.abs(time_s - swap.end_s)) <= _NEAR_S
    near[max(run[0] - 1, 0) : run[0] + 1] = True
    near[run[-1] : run[-1] + 2] = True
    return np.flatnonzero(near)


class SwapGuard:
    """The same repair while frames arrive: causal, so it sees the start of a swap but not its end.

    Each frame takes the labels that fit the two frames before best, and pays for a change. If labels have been
    exchanged for more than half of the time, the detector must have been right: they are given back.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._time_s: list[float] = []
        self._d: list[Float64] = []  # half differences of the last two frames, as given out
        self._var: list[Float64] = []
        self._usual: Float64 = np.empty(0)
        self._state = (0, 0)
        self._seconds = np.zeros((2, 2))  # (group, state)

    def step(self, time_s: float, person: Keypoints) -> Keypoints:
        """The person with left and right in order; repaired samples have 1.5 times their sigma."""
        layout = person.layout.name
        d, var, size = cost.halves(
            layout, person.xy_px[None].astype(np.float64), person.sigma_px[None].astype(np.float64)
        )
        if len(self._d) == 2 and time_s - self._time_s[-1] <= 0.5:
            self._decide(time_s, d[0], var[0], float(size[0]), layout)
        elif self._time_s and time_s - self._time_s[-1] > 0.5:
            self._d, self._var, self._time_s, self._state = [], [], [], (0, 0)
        if self._time_s:
            for group in (0, 1):
                self._seconds[group, self._state[group]] += min(time_s - self._time_s[-1], 0.5)
                if self._state[group] and self._seconds[group, 1] > self._seconds[group, 0]:
                    self._give_back(group, layout)
        sign = np.where(np.array(self._state)[cost.pairs(layout)[1]] == 1, -1.0, 1.0)
        self._d = [*self._d[-1:], d[0] * sign[:, None]]
        self._var = [*self._var[-1:], var[0]]
        self._time_s = [*self._time_s[-1:], time_s]
        return self._relabel(person)

    def _decide(self, time_s: float, d: Float64, var: Float64, size: float, layout: str) -> None:
        _, owner = cost.pairs(layout)
        before, now = self._time_s[1] - self._time_s[0], time_s - self._time_s[1]
        ratio = np.full(len(d), min(now / before, 2.0))
        square = cost.innovation(self._d[0], self._d[1], d, ratio)[0, 0]  # (s2, P)
        if len(self._usual) == 0:
            self._usual = np.zeros(len(d))
        wide = np.maximum(np.maximum(self._var[0], self._var[1]), var)
        spread = cost.variance(wide, size, max(now, before), self._usual)
        each = cost.pair_cost(square, spread)
        total = np.array([[each[a, owner == 0].sum() + each[b, owner == 1].sum() for b in (0, 1)] for a in (0, 1)])
        total += cost.switch_cost()[self._state[0], :, self._state[1], :]
        a, b = np.unravel_index(int(total.argmin()), total.shape)
        self._state = (int(a), int(b))
        got = square[np.array(self._state)[owner], np.arange(len(d))] / 2.0
        # A tenth of a second's memory would follow the swap itself; one second doesn't.
        gain = min(now, 1.0)
        known = np.isfinite(got)
        self._usual[known] += gain * (np.minimum(got[known], 9.0 * spread[known]) - self._usual[known])

    def _give_back(self, group: int, layout: str) -> None:
        _, owner = cost.pairs(layout)
        self._seconds[group] = self._seconds[group, ::-1]
        self._state = (0, self._state[1]) if group == 0 else (self._state[0], 0)
        for d in self._d:
            d[owner == group] *= -1.0

    def _relabel(self, person: Keypoints) -> Keypoints:
        if not any(self._state):
            return person
        layout = LAYOUTS[person.layout.name]
        order = np.arange(len(layout))
        moved = np.array(self._state)[cost.members(layout.name)] == 1
        order[moved] = layout.mirror[moved]
        sigma = person.sigma_px[order] * np.where(
            order != np.arange(len(layout)), np.float32(_MORE_SIGMA), np.float32(1.0)
        )
        return replace(person, xy_px=person.xy_px[order], sigma_px=sigma.astype(np.float32), score=person.score[order])
