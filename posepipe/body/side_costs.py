"""What it costs to take left for right: pairs of joints over three frames, and paths of the legs over a whole track.

Half of left minus right of each pair of joints changes its sign where the detector exchanges them, and a body can't
move like that. `innovation` and `pair_cost` judge three frames. `LegPaths` follows the legs by a Kalman filter at
constant speed (white acceleration), one for every hypothesis about the signs so far; each frame every hypothesis is
continued as labelled and exchanged. The cheapest few live on. Speed carries a hypothesis through the passing of the
legs and through frames in which the detector is in doubt and puts both legs in the middle; such frames say little,
because their sigma is large.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from posepipe.settings import setting
from posepipe.skeleton import LAYOUTS

__all__ = [
    "GROUPS", "SIDES", "LegPaths", "SideSettings", "drift", "eased", "halves", "innovation", "members", "order",
    "pair_cost", "pairs", "reliable", "switch_cost", "twist", "variance",
]  # fmt: skip

Float64 = NDArray[np.float64]
Intp = NDArray[np.intp]
Bool = NDArray[np.bool_]

GROUPS = ("arms", "legs")
"""Limb groups that swap apart; the head goes with the arms."""

_PAIRS = {
    "arms": ("shoulder", "elbow", "wrist"),
    "legs": ("hip", "knee", "ankle", "heel", "foot_index"),
}
_SIGNS = np.array([1.0, -1.0])
_RECENT = (1 << 12) - 1
"""States of the last twelve frames: what was before doesn't tell hypotheses apart."""

_MADE = "judgement, checked on made walkers by tests/body/test_sides.py"


@dataclass(frozen=True, slots=True)
class SideSettings:
    """Thresholds of telling left from right by movement. Costs are log-likelihoods; lengths are in body sizes."""

    switch: float = setting(8.0, "cost of the start or end of a swap of arms or legs", source=_MADE)
    switch_both: float = setting(11.0, "and of both at once, the usual error: front taken for back", source=_MADE)
    ease: float = setting(4.0, "so much less where it is unsure of the legs: labels change there", source=_MADE)
    unsure: float = setting(1.5, "sigma of most pairs of the legs, in usual ones, that says so", source=_MADE)
    doubt: float = setting(2.5, "sigma in usual ones from which a pair says nothing", source=_MADE)
    cap: float = setting(9.0, "cost of one pair, at most: three sigmas", source="convention")
    pair_weight: float = setting(0.5, "weight of a pair's cost: pairs of a limb err together", source=_MADE)
    frame_jitter: float = setting(0.5, "part of sigma that changes from frame to frame", source=_MADE)
    floor: float = setting(0.01, "smallest innovation that means anything", source=_MADE)
    turn_per_s2: float = setting(15.0, "how much speed can change, for each squared second", source=_MADE)
    turn_most: float = setting(0.05, "and at most", source=_MADE)
    wide: float = setting(0.035, "length of hip and shoulder line from which they tell a twist", source=_MADE)
    drive: float = setting(
        10.0,
        "spectral density of the legs' acceleration, squared sizes per s³",
        source="walking legs swing 0.2 at 5.7 rad/s: variance 20, the same direction for a quarter of a second",
    )
    start_speed: float = setting(3.0, "standard deviation of the legs' speed at first", unit="1/s", source=_MADE)
    jitter: float = setting(0.25, "part of the variance that changes from frame to frame, if sure", source=_MADE)
    hypotheses: int = setting(12, "about the legs that live on", source=_MADE)
    forget_s: float = setting(0.5, "a live guard starts anew after a longer absence", unit="s", source=_MADE)
    twisted_s: float = setting(0.1, "nobody turns hips against shoulders for so long", unit="s", source=_MADE)
    swapped_per_s: float = setting(0.3, "cost of a second swapped: the detector is mostly right", source=_MADE)
    twisted_per_s: float = setting(40.0, "cost of a second with hips turned against shoulders", source=_MADE)
    min_gain: float = setting(4.0, "what a repair must explain beyond the price of its ends", source=_MADE)
    no_gain: float = setting(2.0, "less isn't even told", source=_MADE)
    sign_gain: float = setting(10.0, "what must speak for legs exchanged most of the time", source=_MADE)
    most: float = setting(0.42, "largest share of the track that may be repaired", source=_MADE)
    more_sigma: float = setting(1.5, "factor of a repaired sample's sigma", source="judgement")
    near_s: float = setting(0.05, "so near to a swap's ends a detector mixes both sides", unit="s", source="judgement")
    mixed: float = setting(0.25, "part of the distance between the sides that sigma grows by there", source="judgement")


SIDES = SideSettings()


@cache
def pairs(layout: str) -> tuple[Intp, Intp]:
    """Pairs of joints that are watched, (P, 2) left and right, and the group (P,) of each."""
    joints = LAYOUTS[layout]
    rows = [
        (joints.indices(f"left_{name}", f"right_{name}"), group)
        for group, key in enumerate(GROUPS)
        for name in _PAIRS[key]
        if f"left_{name}" in joints.joints
    ]
    return np.array([row for row, _ in rows], dtype=np.intp), np.array([group for _, group in rows], dtype=np.intp)


@cache
def members(layout: str) -> Intp:
    """Group of every joint (J,): 0 arms and head, 1 legs."""
    legs = ("hip", "knee", "ankle", "heel", "foot", "toe")
    return np.array([int(any(part in name for part in legs)) for name in LAYOUTS[layout].joints], dtype=np.intp)


def order(layout: str, state: Bool) -> Intp:
    """Permutations (..., J) that exchange the sides of those groups (..., 2) of which the state is true."""
    exchanged = _mirror(layout)
    return np.where(state[..., members(layout)], exchanged, np.arange(len(exchanged)))


@cache
def _mirror(layout: str) -> Intp:
    return LAYOUTS[layout].mirror


def halves(layout: str, xy_px: Float64, sigma_px: Float64) -> tuple[Float64, Float64, Float64]:
    """Half differences (F, P, 2), their variances (F, P), and body size (F,), from (F, J, 2) and (F, J)."""
    index, _ = pairs(layout)
    d = 0.5 * (xy_px[:, index[:, 0]] - xy_px[:, index[:, 1]])
    var = 0.25 * (sigma_px[:, index[:, 0]] ** 2 + sigma_px[:, index[:, 1]] ** 2)
    low = np.min(xy_px, axis=1, initial=np.inf, where=np.isfinite(xy_px))
    high = np.max(xy_px, axis=1, initial=-np.inf, where=np.isfinite(xy_px))
    span = np.hypot(high[:, 0] - low[:, 0], high[:, 1] - low[:, 1])
    return d, var, np.where(np.isfinite(span), span, np.nan)


def reliable(d: Float64, var: Float64, usual_var: Float64, group: Intp, settings: SideSettings = SIDES) -> Bool:
    """(F, 2): frames where a group's pairs are seen about as well as usual, for (F, P, 2) and (F, P).

    Detectors in doubt put both sides in the middle, with a big sigma; such a frame says nothing about left and right.
    """
    good = np.isfinite(d).all(axis=-1) & (var <= settings.doubt**2 * usual_var)
    return np.stack([good[:, group == g].mean(axis=1) > 0.5 for g in (0, 1)], axis=1)


def eased(var: Float64, usual_var: Float64, settings: SideSettings = SIDES) -> Float64:
    """(F,) what a change of the legs' labels before each frame costs less, from variances (F, P) and usual ones (P,).

    Labels change where the legs cover each other, and a detector's sigmas are large there.
    """
    ratio = np.where(np.isfinite(var), var, np.inf) / np.maximum(usual_var, 1e-9)
    unsure = np.median(ratio, axis=1) > settings.unsure**2
    return np.where(np.append(False, unsure[1:] | unsure[:-1]), settings.ease, 0.0)


def innovation(d0: Float64, d1: Float64, d2: Float64, ratio: Float64) -> Float64:
    """Innovation e for every s0, s1, s2: (..., 2) vectors give (2, 2, 2, ...) squared lengths."""
    r = ratio[..., None]
    shape = (1,) * d2.ndim
    s0 = _SIGNS.reshape(2, 1, 1, *shape)
    s1, s2 = _SIGNS.reshape(1, 2, 1, *shape), _SIGNS.reshape(1, 1, 2, *shape)
    e = s2 * d2 - s1 * (1.0 + r) * d1 + s0 * r * d0
    return np.asarray(np.sum(e**2, axis=-1))


def drift(d0: Float64, d1: Float64, step_s: Float64 | float, gap_s: Float64 | float) -> Float64:
    """Squared way (..., ) a pair may go in a gap without being seen, from its speed between two frames.

    Whichever labels make the speed smaller: legs that cross behind each other must not look like a swap.
    """
    way = np.minimum(np.sum((d1 - d0) ** 2, axis=-1), np.sum((d1 + d0) ** 2, axis=-1))
    return np.asarray(way * (gap_s / step_s) ** 2)


def variance(
    var: Float64, size: Float64 | float, step_s: Float64 | float, usual: Float64, settings: SideSettings = SIDES
) -> Float64:
    """Variance of an innovation: jitter, acceleration, and how much this pair usually innovates."""
    swing = np.minimum(settings.turn_per_s2 * step_s**2, settings.turn_most) * size
    # An innovation at even steps is d2 - 2 d1 + d0: six times the variance of one.
    total = 6.0 * settings.frame_jitter**2 * var + (settings.floor * size) ** 2 + swing**2 + 4.0 * usual
    return np.asarray(total)


def pair_cost(square: Float64, var: Float64, settings: SideSettings = SIDES) -> Float64:
    """Capped cost of each pair; 0 where it can't be told."""
    z = square / (2.0 * np.maximum(var, 1e-12))
    return np.where(np.isfinite(z), settings.pair_weight * np.minimum(z, settings.cap), 0.0)


def twist(d: Float64, size: Float64, layout: str, settings: SideSettings = SIDES) -> Float64:
    """(F,) in [-1, 1]: whether hip line and shoulder line agree; near 0 where either is short."""
    _, group = pairs(layout)
    shoulders, hips = d[:, 0], d[:, int(np.argmax(group == 1))]
    across, below = np.linalg.norm(shoulders, axis=1), np.linalg.norm(hips, axis=1)
    cosine = np.sum(shoulders * hips, axis=1) / np.maximum(across * below, 1e-9)
    long = np.clip(np.minimum(across, below) / (settings.wide * size), 0.0, 1.0)
    return np.asarray(np.nan_to_num(cosine * long**2))


@cache
def switch_cost(settings: SideSettings = SIDES) -> Float64:
    """Cost (a1, a2, l1, l2) of a change of state of arms and legs."""
    cost = np.zeros((2, 2, 2, 2))
    change = np.array([[0.0, 1.0], [1.0, 0.0]])
    arms, legs = change[:, :, None, None], change[None, None]
    cost += settings.switch * (arms + legs) + (settings.switch_both - 2.0 * settings.switch) * arms * legs
    cost.flags.writeable = False
    return cost


@dataclass(frozen=True, slots=True, eq=False)
class _Filters:
    """Filters of H hypotheses and P pairs: place and speed (H, P, 2), their covariance (H, P)."""

    place: Float64
    speed: Float64
    var: Float64
    mixed: Float64
    speed_var: Float64

    def pick(self, rows: NDArray[np.intp]) -> _Filters:
        return _Filters(self.place[rows], self.speed[rows], self.var[rows], self.mixed[rows], self.speed_var[rows])

    def later(self, step_s: float, drive: float) -> _Filters:
        t = step_s
        return _Filters(
            self.place + t * self.speed,
            self.speed,
            self.var + t * (2.0 * self.mixed + t * self.speed_var) + drive * t**3 / 3.0,
            self.mixed + t * self.speed_var + drive * t**2 / 2.0,
            self.speed_var + drive * t,
        )

    def seen(self, error: Float64, square: Float64, total: Float64, cap: float) -> _Filters:
        """After a measurement `error` (H, P, 2) off; what is too far off counts as less sure, so that it can't pull."""
        # (H, P): the innovation's variance, raised until the measurement is at the cap.
        total = np.maximum(total, square / (2.0 * cap))
        gain, turn = self.var / total, self.mixed / total
        return _Filters(
            self.place + gain[..., None] * error,
            self.speed + turn[..., None] * error,
            self.var * (1.0 - gain),
            self.mixed * (1.0 - gain),
            self.speed_var - turn * self.mixed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class LegPaths:
    """The search over one track's seen frames.

    Attributes:
        time_s: (F,).
        d: (F, P, 2) half differences in pixels; NaN where not seen.
        noise: (F, P) variances.
        size: (F,) of the body in pixels.
        settings: thresholds.
    """

    time_s: Float64
    d: Float64
    noise: Float64
    size: Float64
    settings: SideSettings

    @classmethod
    def of(
        cls, time_s: Float64, d: Float64, var: Float64, usual: Float64, size: Float64, settings: SideSettings = SIDES
    ) -> LegPaths:
        """From variances (F, P) as the detector states them, and their usual values (P,)."""
        doubt = np.minimum(settings.jitter * var / np.maximum(usual, 1e-9), 1.0)
        size = np.nan_to_num(size, nan=float(np.nanmedian(size)) if np.isfinite(size).any() else 1.0)
        noise = var * np.maximum(doubt, settings.jitter) + (settings.floor * size[:, None]) ** 2
        return cls(time_s, d, np.where(np.isfinite(d).all(axis=2), noise, np.nan), size, settings)

    def best(self, here: Float64, switch: Float64) -> Bool:
        """The cheapest states (F,): true where exchanged.

        Args:
            here: (F, 2) cost of being as labelled, and exchanged.
            switch: (F,) cost of a change between the frame before and this one.
        """
        most = self.settings.hypotheses
        filters = self._start(1)
        total, keys = np.zeros(1), np.zeros(1, dtype=np.int64)
        came = np.zeros((len(self.d), 2, most), dtype=np.int8)
        for t in range(len(self.d)):
            filters, square, spread = self._look(filters, t)
            count = len(total)
            key = np.concatenate([keys << 1, keys << 1 | 1])  # The last bits are the last states.
            both = np.concatenate([total + here[t, 0], total + here[t, 1]]) + self._cost(square, spread, t)
            if t:
                both += switch[t] * ((key ^ key >> 1) & 1)
            first: dict[int, int] = {}
            for row in np.argsort(both, kind="stable").tolist():
                first.setdefault(int(key[row]) & _RECENT, row)
            kept = np.array(list(first.values())[:most])
            old, state = kept % count, (kept >= count).astype(np.intp)
            came[t, 0, : len(kept)], came[t, 1, : len(kept)] = old, state
            filters = self._take(filters, t, old, state, square, spread)
            total, keys = both[kept] - both[kept[0]], key[kept] & _RECENT
        path, at = np.empty(len(self.d), dtype=bool), int(total.argmin())
        for t in range(len(self.d) - 1, -1, -1):
            path[t] = came[t, 1, at]
            at = int(came[t, 0, at])
        return path

    def costs(self, states: Bool) -> Float64:
        """What the keypoints cost (H,) along given paths (H, F)."""
        count = len(states)
        filters, total = self._start(count), np.zeros(count)
        rows = np.arange(count)
        for t in range(len(self.d)):
            filters, square, spread = self._look(filters, t)
            state = states[:, t].astype(np.intp)
            total += self._cost(square, spread, t).reshape(2, count)[state, rows]
            filters = self._take(filters, t, rows, state, square, spread)
        return total

    def _start(self, count: int) -> _Filters:
        flat = np.zeros((count, self.d.shape[1]))
        at = np.zeros((*flat.shape, 2))
        return _Filters(at, at, flat + self.size[0] ** 2, flat, flat + (self.settings.start_speed * self.size[0]) ** 2)

    def _look(self, filters: _Filters, t: int) -> tuple[_Filters, Float64, Float64]:
        """Filters at frame t, squared innovations (2, H, P) for both states, and their variance (H, P)."""
        if t:
            filters = filters.later(self.time_s[t] - self.time_s[t - 1], self.settings.drive * self.size[t] ** 2)
        error = _SIGNS[:, None, None, None] * self.d[t] - filters.place
        return filters, np.sum(error**2, axis=-1), filters.var + self.noise[t]

    def _cost(self, square: Float64, spread: Float64, t: int) -> Float64:
        """(2 H,) what the measurement costs, as labelled and exchanged."""
        known = np.isfinite(self.noise[t])
        one = np.minimum(square[..., known] / (2.0 * spread[:, known]), self.settings.cap)
        one = one + np.log(spread[:, known] / self.size[t] ** 2)
        return np.asarray(self.settings.pair_weight * one.sum(axis=-1)).ravel()

    def _take(
        self,
        filters: _Filters,
        t: int,
        rows: NDArray[np.intp],
        state: NDArray[np.intp],
        square: Float64,
        spread: Float64,
    ) -> _Filters:
        known = np.isfinite(self.noise[t])
        chosen = filters.pick(rows)
        error = _SIGNS[state][:, None, None] * np.where(known[:, None], self.d[t], 0.0) - chosen.place
        none = np.full(spread[rows].shape, np.inf)
        return chosen.seen(
            np.where(known[:, None], error, 0.0),
            np.where(known, square[state, rows], 0.0),
            np.where(known, spread[rows], none),
            self.settings.cap,
        )
