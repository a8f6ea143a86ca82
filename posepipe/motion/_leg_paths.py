"""Which leg is which, frame by frame, by where the legs were going.

Half of left minus right of each pair of joints is followed by a Kalman filter at constant speed (white acceleration),
one for every hypothesis about the signs so far; each frame every hypothesis is continued as labelled and exchanged. The
cheapest few live on. Speed carries a hypothesis through the passing of the legs and through frames in which the
detector is in doubt and puts both legs in the middle; such frames say little, because their sigma is large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.motion import _swap_cost as cost

__all__ = ["LegPaths"]

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

_DRIVE = 10.0
"""Spectral density of the acceleration in squared body sizes per s^3.

Walking legs swing 0.2 of the body's diagonal at 5.7 rad/s, so their acceleration has a variance of 20, and keeps its
direction for a quarter of a second.
"""
_SPEED = 3.0  # Speeds at the start, body sizes per second.
_FLOOR = 0.01  # Least noise, body sizes.
_JITTER = 0.25  # Part of the variance that changes from frame to frame, where the detector is as sure as usual.
_KEPT = 12  # Hypotheses.
_RECENT = (1 << 12) - 1  # States of the last twelve frames: what was before doesn't tell hypotheses apart.
_SIGNS = np.array([1.0, -1.0])


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

    def seen(self, error: Float64, square: Float64, total: Float64) -> _Filters:
        """After a measurement `error` (H, P, 2) off; what is too far off counts as less sure, so that it can't pull."""
        # (H, P): the innovation's variance, raised until the measurement is at the cap.
        total = np.maximum(total, square / (2.0 * cost.CAP))
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
    """

    time_s: Float64
    d: Float64
    noise: Float64
    size: Float64

    @classmethod
    def of(cls, time_s: Float64, d: Float64, var: Float64, usual: Float64, size: Float64) -> LegPaths:
        """From variances (F, P) as the detector states them, and their usual values (P,)."""
        doubt = np.minimum(_JITTER * var / np.maximum(usual, 1e-9), 1.0)
        size = np.nan_to_num(size, nan=float(np.nanmedian(size)) if np.isfinite(size).any() else 1.0)
        noise = var * np.maximum(doubt, _JITTER) + (_FLOOR * size[:, None]) ** 2
        return cls(time_s, d, np.where(np.isfinite(d).all(axis=2), noise, np.nan), size)

    def best(self, here: Float64, switch: Float64) -> Bool:
        """The cheapest states (F,): true where exchanged.

        Args:
            here: (F, 2) cost of being as labelled, and exchanged.
            switch: (F,) cost of a change between the frame before and this one.
        """
        filters = self._start(1)
        total, keys = np.zeros(1), np.zeros(1, dtype=np.int64)
        came = np.zeros((len(self.d), 2, _KEPT), dtype=np.int8)
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
            kept = np.array(list(first.values())[:_KEPT])
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
        return _Filters(at, at, flat + self.size[0] ** 2, flat, flat + (_SPEED * self.size[0]) ** 2)

    def _look(self, filters: _Filters, t: int) -> tuple[_Filters, Float64, Float64]:
        """Filters at frame t, squared innovations (2, H, P) for both states, and their variance (H, P)."""
        if t:
            filters = filters.later(self.time_s[t] - self.time_s[t - 1], _DRIVE * self.size[t] ** 2)
        error = _SIGNS[:, None, None, None] * self.d[t] - filters.place
        return filters, np.sum(error**2, axis=-1), filters.var + self.noise[t]

    def _cost(self, square: Float64, spread: Float64, t: int) -> Float64:
        """(2 H,) what the measurement costs, as labelled and exchanged."""
        known = np.isfinite(self.noise[t])
        one = np.minimum(square[..., known] / (2.0 * spread[:, known]), cost.CAP)
        one = one + np.log(spread[:, known] / self.size[t] ** 2)
        return np.asarray(cost.PAIR_WEIGHT * one.sum(axis=-1)).ravel()

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
        )
