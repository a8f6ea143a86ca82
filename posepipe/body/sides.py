"""Left and right put in order: short exchanges between frames, and whole spans by the lifter's doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from posepipe.body import side_costs as cost
from posepipe.body.lift import Lifter, body_rays, chunks, encode
from posepipe.body.side_costs import SIDES, LegPaths, SideSettings
from posepipe.body.turning import untorn
from posepipe.numeric import gaussian_mean
from posepipe.settings import setting
from posepipe.skeleton import BODY21, H36M17
from posepipe.types import Camera, Keypoints, KeypointTrack, Swap

__all__ = ["SETTLE", "SettleSettings", "SwapGuard", "repair_swaps", "settle_sides"]

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]
Intp = NDArray[np.intp]
_Past = tuple[float, Float64, Float64]  # time, half differences as given out, variances

_PATHS = 100_000
"""Frames of all paths that are summed at a time."""
_CHUNK = 1024
"""Frames at a time, to bound memory."""
_TRIED = 2.5
"""Frames tried in one standard deviation of the window of mean doubt: more tell nothing more."""
_FORBIDDEN = 1e3
"""Cost of what may not be."""
_LABELLINGS = np.array([(False, False), (True, False), (False, True), (True, True)])
"""Ways to exchange arms and legs."""


@dataclass(frozen=True, slots=True)
class SettleSettings:
    """Thresholds of settling sides by a lifter's doubt."""

    near_s: float = setting(0.25, "standard deviation of the window of mean doubt", unit="s", source="judgement")
    clearly: float = setting(
        0.35,
        "mean fall of log sigma that a relabelling must bring: nearly a third less expected error",
        source="on rendered pairs of subjects held out of training all changes from 0.2 to 0.5 were for the better; "
        "from 0.35 on, those on others too",
    )
    sure_m: float = setting(
        0.055,
        "where the mean sigma is smaller other labels aren't tried",
        unit="m",
        source="on rendered pairs; it spares one change of twenty",
    )


SETTLE = SettleSettings()


def repair_swaps(track: KeypointTrack, settings: SideSettings = SIDES) -> tuple[KeypointTrack, tuple[Swap, ...]]:
    """Exchange left and right where the detector had them swapped, with hindsight over the whole track.

    A Viterbi search over the states of arms and legs, then one over those of the legs alone. Repaired samples are
    less sure, and more so at the ends of a swap, where a detector mixes both sides.

    Returns:
        The repaired track (the same object if nothing was found) and the swaps in order of time.
    """
    rows = np.flatnonzero(track.valid.any(axis=1))
    if len(rows) < 3:
        return track, ()
    model = _Model(track, rows, settings)
    state = model.best()
    swaps: list[tuple[Swap, Intp, Bool]] = []
    kept = np.zeros_like(state)
    share = np.array([model.step_s[state[:, g]].sum() for g in (0, 1)]) / max(float(model.step_s.sum()), 1e-9)
    runs = _runs(state)
    if not runs:
        return track, ()
    gains = model.gains(state, runs)
    for (first, last, groups), gain in zip(runs, gains, strict=True):
        if gain < settings.no_gain:
            continue
        at_edge = first == 0 or last == len(state) - 1
        sure = gain >= settings.min_gain * (2.0 if at_edge else 1.0) and bool(np.all(share[groups] <= settings.most))
        if sure:
            kept[first : last + 1, groups] = True
        run = rows[first : last + 1]
        times = float(track.time_s[run[0]]), float(track.time_s[run[-1]])
        swaps.append((Swap(_name(groups), *times, len(run), float(gain), sure), run, groups))
    if not swaps:
        return track, ()
    good = untorn(track, [(run, groups & swap.repaired) for swap, run, groups in swaps], near_s=0.0)
    for number, ((swap, run, groups), whole) in enumerate(zip(swaps, good, strict=True)):
        if not whole:
            kept[np.ix_(np.isin(rows, run), groups)] = False
            swaps[number] = replace(swap, repaired=False), run, groups
    return _apply(track, rows, kept, swaps, settings), tuple(swap for swap, _, _ in swaps)


class _Model:
    """Costs of one track's seen frames: `here` (F, a, l), and `group[g]` (F, s0, s1, s2) of each step."""

    def __init__(self, track: KeypointTrack, rows: Intp, settings: SideSettings) -> None:
        self._settings = settings
        layout = track.layout.name
        d, var, size = _halves(track, rows)
        time_s = track.time_s[rows]
        usual_var = _median(var)
        step = np.diff(time_s)
        self.step_s = np.minimum(np.append(step, np.median(step)), 2.0 * np.median(step))
        _, owner = cost.pairs(layout)
        sure = cost.reliable(d, var, usual_var, owner, settings)
        self.group = [_steps(time_s, d[:, owner == g], var[:, owner == g], size, sure[:, g], settings) for g in (0, 1)]
        agree = cost.twist(d, size, layout, settings) * sure.all(axis=1)
        apart = np.array([[1.0, -1.0], [-1.0, 1.0]])
        against = 0.5 * (np.abs(agree)[:, None, None] - agree[:, None, None] * apart)
        swapped = np.array([[0.0, 0.5], [0.5, 1.0]])
        self.here = self.step_s[:, None, None] * (settings.twisted_per_s * against + settings.swapped_per_s * swapped)
        legs = owner == 1
        self.legs = LegPaths.of(time_s, d[:, legs], var[:, legs], usual_var[legs], size, settings)
        self.eased = cost.eased(var[:, legs], usual_var[legs], settings)

    def best(self) -> Bool:
        """States (F, 2) of arms and legs: the cheapest path of both, then of the legs beside those arms."""
        state = self._together()
        arms = state[:, 0].astype(np.intp)
        turned = np.append(0, np.abs(np.diff(arms)))
        once, both = self._settings.switch, self._settings.switch_both
        change = once + turned * (both - 2.0 * once) - self.eased
        state[:, 1] = self.legs.best(self.here[np.arange(len(arms)), arms], change)
        if self.step_s[state[:, 1]].sum() > 0.5 * float(self.step_s.sum()):
            # Smoothness says where labels change, not which are right: from the side hips and shoulders hardly do.
            other = state.copy()
            other[:, 1] = ~state[:, 1]
            found, turned_round = self._totals(np.stack([state, other]))
            if turned_round - found < self._settings.sign_gain:
                return other
        return state

    def _together(self) -> Bool:
        """States (F, 2) of the cheapest path by innovations alone."""
        count = len(self.here)
        switch = cost.switch_cost(self._settings)
        # value[a0, a1, l0, l1]
        value = switch + self.here[0][:, None, :, None] + self.here[1][None, :, None, :]
        value = value + self.group[0][1][0][:, :, None, None] + self.group[1][1][0][None, None]
        came = np.empty((max(count - 2, 0), 2, 2, 2, 2), dtype=np.uint8)
        for t in range(count - 2):
            arms, legs = self.group[0][t + 2], self.group[1][t + 2]
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

    def gains(self, state: Bool, runs: list[tuple[int, int, Bool]]) -> Float64:
        """What each run explains (R,): how much a path without it costs more."""
        whole = self._totals(state[None])
        found = np.zeros(len(runs))
        # Some at a time: all paths of a long film would take a lot of memory.
        for some in chunks(len(runs), max(1, _PATHS // len(state))):
            paths = np.repeat(state[None], some.stop - some.start, axis=0)
            for path, (first, last, groups) in zip(paths, runs[some], strict=True):
                path[first : last + 1, groups] = False
            found[some] = self._totals(paths) - whole
        return found

    def _totals(self, paths: Bool) -> Float64:
        """Costs (H,) of paths (H, F, 2)."""
        arms, legs = paths[..., 0].astype(np.intp), paths[..., 1].astype(np.intp)
        frames = np.arange(paths.shape[1])
        before = np.maximum(frames[1:] - 2, 0)
        moves = self.group[0][frames[1:], arms[:, before], arms[:, :-1], arms[:, 1:]].sum(axis=1)
        switches = cost.switch_cost(self._settings)[arms[:, :-1], arms[:, 1:], legs[:, :-1], legs[:, 1:]].sum(axis=1)
        switches -= np.abs(np.diff(legs, axis=1)) @ self.eased[1:]
        here = self.here[frames, arms, legs].sum(axis=1)
        return np.asarray(here + moves + switches + self.legs.costs(paths[..., 1]))


def _steps(time_s: Float64, d: Float64, var: Float64, size: Float64, sure: Bool, settings: SideSettings) -> Float64:
    """Cost (F, s0, s1, s2) of each frame of one group after the two before it.

    Where both of those are reliable, by the innovation; after doubtful frames, by the way from the last reliable one.
    No change of state begins in a doubtful frame.
    """
    count = len(d)
    out = np.zeros((count, 2, 2, 2))
    out[~sure] = _FORBIDDEN * np.array([[0.0, 1.0], [1.0, 0.0]])
    known = np.flatnonzero(sure)
    if len(known) < 3:
        return out
    place = np.arange(len(known))
    ordinary = np.zeros(len(known), dtype=bool)
    ordinary[2:] = known[2:] - known[:-2] == 2
    usual = np.zeros(d.shape[1])
    if ordinary.any():
        t = known[ordinary]
        _, ratio = _rhythm(time_s, t)
        constant = d[t] - (1.0 + ratio) * d[t - 1] + ratio * d[t - 2]
        usual = _median(np.sum(constant**2, axis=2)) / 2.0
    for part in chunks(len(known), _CHUNK):
        t = known[part][ordinary[part]]
        longest, ratio = _rhythm(time_s, t)
        square = cost.innovation(d[t - 2], d[t - 1], d[t], np.broadcast_to(ratio[..., 0], (len(t), d.shape[1])))
        wide = np.maximum(np.maximum(var[t - 2], var[t - 1]), var[t])
        spread = cost.variance(wide, size[t, None], longest[:, None], usual, settings)
        out[t] = np.moveaxis(cost.pair_cost(square, spread, settings).sum(axis=-1), -1, 0)
    bridge = place[~ordinary & (place > 0)]
    t, last = known[bridge], known[bridge - 1]
    gap = time_s[t] - time_s[last]
    speed = np.zeros((len(t), d.shape[1]))
    for a, b, there in (
        (known[np.maximum(bridge - 2, 0)], last, bridge >= 2),
        (t, known[np.minimum(bridge + 1, len(known) - 1)], bridge + 1 < len(known)),
    ):
        step = np.where(there, time_s[b] - time_s[a], 1.0)
        way = cost.drift(d[a], d[b], step[:, None], gap[:, None])
        speed = np.fmax(speed, np.where(there[:, None], way, 0.0))
    square = cost.innovation(d[last], d[last], d[t], np.zeros(speed.shape))
    spread = cost.variance(np.maximum(var[last], var[t]), size[t, None], gap[:, None], usual, settings) + speed
    out[t] = np.moveaxis(cost.pair_cost(square, spread, settings).sum(axis=-1), -1, 0)
    return out


def _rhythm(time_s: Float64, t: Intp) -> tuple[Float64, Float64]:
    """Longer of the two steps before each frame (N,), and their ratio (N, 1, 1)."""
    before, now = time_s[t - 1] - time_s[t - 2], time_s[t] - time_s[t - 1]
    return np.maximum(now, before), np.minimum(now / before, 2.0)[:, None, None]


def _halves(track: KeypointTrack, rows: Intp) -> tuple[Float64, Float64, Float64]:
    """`cost.halves` of the seen frames, some at a time."""
    parts = []
    for some in chunks(len(rows), _CHUNK):
        part = rows[some]
        xy = np.where(track.valid[part, :, None], track.xy_px[part], np.nan).astype(np.float64)
        parts.append(cost.halves(track.layout.name, xy, track.sigma_px[part].astype(np.float64)))
    d, var, size = zip(*parts, strict=True)
    return np.concatenate(d), np.concatenate(var), np.concatenate(size)


def _median(x: Float64) -> Float64:
    """Median (P,) over frames of what is finite; 0 without any."""
    columns = [column[np.isfinite(column)] for column in x.T]
    return np.array([np.median(column) if len(column) else 0.0 for column in columns])


def _runs(state: Bool) -> list[tuple[int, int, Bool]]:
    """Runs (first, last, groups (2,)) of the same non-zero state."""
    change = np.flatnonzero(np.any(state[1:] != state[:-1], axis=1)) + 1
    starts = np.concatenate([[0], change])
    ends = np.concatenate([change, [len(state)]]) - 1
    return [(int(a), int(b), state[a].copy()) for a, b in zip(starts, ends, strict=True) if state[a].any()]


def _apply(
    track: KeypointTrack,
    rows: Intp,
    kept: Bool,
    swaps: list[tuple[Swap, Intp, Bool]],
    settings: SideSettings,
) -> KeypointTrack:
    member, mirror = cost.members(track.layout.name), track.layout.mirror
    state = np.zeros((len(track), 2), dtype=bool)
    state[rows] = kept
    fixed = _relabelled(track, state)
    sigma = fixed.sigma_px.copy()
    for swap, run, groups in swaps:
        for group in np.flatnonzero(groups).tolist():
            joints = np.flatnonzero((member == group) & (mirror != np.arange(len(mirror))))
            cell = np.ix_(run, joints)
            sigma[cell] *= settings.more_sigma
            near = _near(track.time_s, swap, run, settings.near_s) if swap.repaired else run
            cell, other = np.ix_(near, joints), np.ix_(near, mirror[joints])
            apart = np.linalg.norm(track.xy_px[cell] - track.xy_px[other], axis=2)
            sigma[cell] = np.hypot(sigma[cell], settings.mixed * apart)
    return replace(fixed, sigma_px=sigma)


def _near(time_s: Float64, swap: Swap, run: Intp, near_s: float) -> Intp:
    """Frames close to an end of a swap, and at least the two on each side of it."""
    near = np.minimum(np.abs(time_s - swap.start_s), np.abs(time_s - swap.end_s)) <= near_s
    near[max(run[0] - 1, 0) : run[0] + 1] = True
    near[run[-1] : run[-1] + 2] = True
    return np.flatnonzero(near)


class SwapGuard:
    """The same repair while frames arrive: causal, so it sees the start of a swap but not its end.

    Each frame takes the labels that fit the last reliable frames best, and pays for a change. If labels have been
    exchanged for more than half of the time, the detector must have been right: they are given back. One guard follows
    one person.

    Args:
        settings: thresholds.
    """

    def __init__(self, settings: SideSettings = SIDES) -> None:
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._time_s = -np.inf
        self._past: tuple[list[_Past], list[_Past]] = ([], [])  # the last two reliable frames of each group
        self._state = np.zeros(2, dtype=bool)
        self._usual: Float64 = np.empty(0)
        self._usual_var: Float64 = np.empty(0)
        self._seconds = np.zeros((2, 2))  # (group, state)
        self._against_s = 0.0

    def step(self, time_s: float, person: Keypoints) -> Keypoints:
        """The person with left and right in order; repaired samples are less sure."""
        layout = person.layout.name
        _, owner = cost.pairs(layout)
        xy, sigma = person.xy_px[None].astype(np.float64), person.sigma_px[None].astype(np.float64)
        d, var, size = cost.halves(layout, xy, sigma)
        away_s = time_s - self._time_s
        if away_s > self._settings.forget_s:
            self.reset()
        if len(self._usual_var) == 0:
            self._usual, self._usual_var = np.zeros(len(owner)), np.nan_to_num(var[0])
            away_s = 0.0
        sure = cost.reliable(d, var, self._usual_var, owner, self._settings)[0]
        gain = min(away_s, 1.0)
        self._usual_var += gain * (np.where(np.isfinite(var[0]), var[0], self._usual_var) - self._usual_var)
        for group in (0, 1):
            pairs = owner == group
            if sure[group]:
                self._decide(group, pairs, time_s, d[0, pairs], var[0, pairs], float(size[0]), gain)
            self._seconds[group, int(self._state[group])] += min(away_s, self._settings.forget_s)
            if self._state[group] and self._seconds[group, 1] > self._seconds[group, 0]:
                self._give_back(group)
        if sure.all():
            self._untwist(float(cost.twist(d, size, layout, self._settings)[0]), away_s)
        self._time_s = time_s
        return self._relabel(person)

    def _decide(
        self, group: int, pairs: Bool, time_s: float, d: Float64, var: Float64, size: float, gain: float
    ) -> None:
        past, settings = self._past[group], self._settings
        if len(past) == 2:
            (t0, d0, var0), (t1, d1, var1) = past
            before, now = t1 - t0, time_s - t1
            near = now <= 2.0 * before
            ratio = np.full(len(d), min(now / before, 2.0) if near else 0.0)
            square = cost.innovation(d0, d1, d, ratio)[0, 0]  # (s2, P)
            wide = np.maximum(np.maximum(var0, var1), var)
            spread = cost.variance(wide, size, max(now, before), self._usual[pairs], settings)
            if not near:
                spread = spread + cost.drift(d0, d1, before, now)
            total = cost.pair_cost(square, spread, settings).sum(axis=1)
            total[int(not self._state[group])] += settings.switch
            self._state[group] = bool(total[1] < total[0])
            got = square[int(self._state[group])] / 2.0
            known = np.flatnonzero(pairs)[np.isfinite(got)]
            got, most = got[np.isfinite(got)], 9.0 * spread[np.isfinite(got)]
            self._usual[known] += gain * (np.minimum(got, most) - self._usual[known])
        sign = -1.0 if self._state[group] else 1.0
        past[:] = [*past[-1:], (time_s, sign * d, var)]

    def _untwist(self, agree: float, away_s: float) -> None:
        """Hips that stay turned against the shoulders: the exchanged half was wrongly exchanged."""
        apart = self._state[0] != self._state[1]
        self._against_s = self._against_s + away_s if apart and agree > 0.5 else 0.0
        if self._against_s > self._settings.twisted_s:
            self._give_back(int(np.argmax(self._state)))
            self._against_s = 0.0

    def _give_back(self, group: int) -> None:
        self._seconds[group] = self._seconds[group, ::-1].copy()
        self._state[group] = False
        self._past[group][:] = [(t, -d, var) for t, d, var in self._past[group]]

    def _relabel(self, person: Keypoints) -> Keypoints:
        if not self._state.any():
            return person
        order = cost.order(person.layout.name, self._state)
        more = np.where(order != np.arange(len(order)), np.float32(self._settings.more_sigma), np.float32(1.0))
        return replace(
            person, xy_px=person.xy_px[order], sigma_px=person.sigma_px[order] * more, score=person.score[order]
        )


def settle_sides(
    track: KeypointTrack,
    lifter: Lifter,
    camera: Camera,
    settings: SettleSettings = SETTLE,
    *,
    told: Sequence[Swap] = (),
) -> tuple[KeypointTrack, tuple[Swap, ...]]:
    """Exchange left and right where the lifter clearly has less doubt that way, with hindsight over the track.

    Args:
        track: keypoints in any layout that converts to BODY21.
        lifter: whose sigma decides.
        camera: that filmed them.
        settings: thresholds.
        told: spans whose labels something surer has told, as the toes (`posepipe.body.toes`); they stay.

    Returns:
        The relabelled track (the same object if nothing changed) and the changes in order of time.
    """
    gain = _gains(track, lifter, camera, settings)
    for span in told:
        gain[1:, (track.time_s >= span.start_s) & (track.time_s <= span.end_s)] = -np.inf
    best = _untorn(track, np.argmax(gain, axis=0), settings)
    if not best.any():
        return track, ()
    state = _LABELLINGS[best]
    won = np.take_along_axis(gain, best[None], axis=0)[0] + settings.clearly
    starts = np.concatenate([[0], np.flatnonzero(np.diff(best)) + 1])
    changes = []
    for first, last in zip(starts.tolist(), [*(starts[1:] - 1).tolist(), len(best) - 1], strict=True):
        if best[first]:
            times = float(track.time_s[first]), float(track.time_s[last])
            gained = float(won[first : last + 1].mean())
            changes.append(Swap(_name(state[first]), *times, last - first + 1, gained, repaired=True))
    return _relabelled(track, state), tuple(changes)


def _untorn(track: KeypointTrack, best: Intp, settings: SettleSettings) -> Intp:
    """Labellings (F,) without those that would turn a body round."""
    edges = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist(), len(best)]
    spans = [slice(a, b) for a, b in pairwise(edges) if best[a]]
    good = untorn(track, [(span, _LABELLINGS[best[span.start]]) for span in spans], near_s=settings.near_s)
    out = best.copy()
    for span, whole in zip(spans, good, strict=True):
        if not whole:
            out[span] = 0
    return out


def _gains(track: KeypointTrack, lifter: Lifter, camera: Camera, settings: SettleSettings) -> Float64:
    """(4, F) how much less doubt each labelling leaves, less what it must; 0 for the labels as they are."""
    rays = body_rays(track, camera)
    gain = np.zeros((len(_LABELLINGS), len(track)))
    usable = np.concatenate([encode(*rays.part(part)).usable for part in chunks(len(track), _CHUNK)])
    frames = np.flatnonzero(usable)
    tried = _some(frames, track.time_s, settings.near_s / _TRIED)

    def doubt(at: Intp, labels: Bool) -> Float64:
        part = np.ix_(at, cost.order(BODY21.name, labels))
        _, found, fits = lifter.lift_rays(rays.xy[part], rays.sigma[part], rays.valid[part], rays.focal_assumed[at])
        return np.where(fits, _doubt(found), np.nan)

    if len(tried):
        usual = doubt(tried, _LABELLINGS[0])
        unsure = usual > np.log(settings.sure_m)
        for row, labels in enumerate(_LABELLINGS[1:] if unsure.any() else (), start=1):
            fall = np.zeros(len(tried))
            fall[unsure] = np.nan_to_num(usual[unsure] - doubt(tried[unsure], labels))
            gain[row, usable] = np.interp(frames, tried, fall)
    out = _averaged(gain, usable, track.time_s, settings.near_s) - settings.clearly
    out[0] = 0.0
    return out


def _some(frames: Intp, time_s: Float64, apart_s: float) -> Intp:
    """Of frames, about one in each `apart_s`, and both ends of every run."""
    if len(frames) < 2:
        return frames
    every = max(1, round(apart_s / max(float(np.median(np.diff(time_s))), 1e-3)))
    hole = np.diff(frames) > 1
    return np.asarray(frames[(frames % every == 0) | np.append(True, hole) | np.append(hole, True)], np.intp)


def _doubt(sigma_m: Float32) -> Float64:
    """(F,) mean log sigma of Human3.6M's joints but the pelvis."""
    return np.asarray(np.log(sigma_m[:, 1 : len(H36M17)]).mean(axis=1), np.float64)


def _averaged(x: Float64, usable: Bool, time_s: Float64, near_s: float) -> Float64:
    """Rows (K, F) averaged over time, frames that aren't usable left out; 0 where there are none near."""
    if len(time_s) < 2:
        return x
    width = near_s / max(float(np.median(np.diff(time_s))), 1e-3)
    weight = gaussian_mean(usable.astype(np.float64), width)
    mean = gaussian_mean(x, width) / np.maximum(weight, 1e-3)
    return np.asarray(np.where(usable, mean, 0.0))


def _relabelled(track: KeypointTrack, state: Bool) -> KeypointTrack:
    order = cost.order(track.layout.name, state)
    rows = np.arange(len(track))[:, None]
    return replace(
        track,
        xy_px=track.xy_px[rows, order],
        sigma_px=track.sigma_px[rows, order],
        score=track.score[rows, order],
        valid=track.valid[rows, order],
        interpolated=track.interpolated[rows, order],
    )


def _name(groups: Bool) -> str:
    """Of the groups (2,) that are exchanged."""
    return "body" if groups.all() else cost.GROUPS[int(np.argmax(groups))]
