"""Short holes filled, and smoothing: One-Euro while frames arrive, zero-phase when the whole clip is known.

All work on real times, so a variable frame rate needs nothing special, and all give a new sigma.

How much can smoothing shrink a sigma? Less than ``1 / sqrt(n)``: a detector that is wrong about a knee is wrong in
the same way for many frames. Only the part of the error that is fresh in each frame averages out. `white_share` is the
share of the variance taken to be fresh, so a sigma never falls below ``sqrt(1 - white_share)`` of what came in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.settings import setting
from posepipe.types import KeypointTrack, PoseTrack

__all__ = ["ONE_EURO", "SMOOTH", "OneEuro", "OneEuroSettings", "SmoothSettings", "fill_gaps", "smooth", "zero_phase"]

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]
Track = TypeVar("Track", KeypointTrack, PoseTrack)

_MIN_STEP_S = 1e-3
"""Nearly equal times would make the differences blow up."""


@dataclass(frozen=True, slots=True)
class SmoothSettings:
    """Thresholds of filling holes and of smoothing a whole clip."""

    max_gap_s: float = setting(0.25, "a longer hole isn't filled", unit="s", source="judgement")
    cutoff_hz: float = setting(
        6.0,
        "half of a movement's size is left here",
        unit="Hz",
        source="convention: Winter, Biomechanics and Motor Control of Human Movement",
    )
    white_share: float = setting(0.25, "share of the variance that is fresh in each frame", source="judgement, careful")
    split_s: float = setting(0.25, "the two sides of a longer hole are smoothed apart", unit="s", source="judgement")
    outlier: float = setting(3.5, "residuals of more scales lose weight (Huber)", source="judgement")
    weight_range: tuple[float, float] = setting(
        (0.04, 4.0), "how much a sample counts at least and at most, next to the typical one", source="judgement"
    )


SMOOTH = SmoothSettings()


@dataclass(frozen=True, slots=True)
class OneEuroSettings:
    """Of the live filter."""

    min_cutoff_hz: float = setting(1.5, "cutoff (-3 dB) at rest", unit="Hz", source="judgement")
    beta: float = setting(0.2, "rise of the cutoff with speed", unit="Hz per sigma/s", source="judgement")
    speed_cutoff_hz: float = setting(2.0, "cutoff of the speed estimate", unit="Hz", source="judgement")
    reset_s: float = setting(0.5, "a joint that was away for longer starts anew", unit="s", source="judgement")


ONE_EURO = OneEuroSettings()


def fill_gaps(track: Track, max_gap_s: float = SMOOTH.max_gap_s) -> Track:
    """Fill each joint's short holes with straight lines in time.

    A hole lasts from the last sample seen before it to the first one after it, in seconds. A longer one stays NaN, and
    nothing is made before the first or after the last sample. Filled samples have `interpolated` True. Their variance
    is that of the two ends plus a Brownian bridge, ``q (t - t0)(t1 - t) / (t1 - t0)``, where q is the joint's median
    squared step per second in this track.

    Args:
        track: keypoints or a pose; a pose's root is filled by the same rule.
        max_gap_s: longest hole to fill.

    Raises:
        UsageError: a negative length.
    """
    if max_gap_s < 0.0:
        raise UsageError(f"longest gap of {max_gap_s} s", hint="Give 0 or more")
    if isinstance(track, KeypointTrack):
        xy, sigma, filled = _fill(track.time_s, track.xy_px, track.sigma_px, track.valid, max_gap_s)
        return replace(
            track,
            xy_px=xy,
            sigma_px=sigma,
            score=_lower_score(track.score, track.valid, filled),
            valid=track.valid | filled,
            interpolated=track.interpolated | filled,
        )
    xyz, sigma, filled = _fill(track.time_s, track.xyz_m, track.sigma_m, track.valid, max_gap_s)
    seen = np.isfinite(track.root_m) & np.isfinite(track.root_sigma_m)
    root, root_sigma, _ = _fill(track.time_s, track.root_m[:, :, None], track.root_sigma_m, seen, max_gap_s)
    return replace(
        track,
        xyz_m=xyz,
        sigma_m=sigma,
        root_m=root[:, :, 0],
        root_sigma_m=root_sigma,
        valid=track.valid | filled,
        interpolated=track.interpolated | filled,
    )


def _fill(
    time_s: Float64, values: Float32, sigma: Float32, valid: Bool, max_gap_s: float
) -> tuple[Float32, Float32, Bool]:
    out, out_sigma, filled = values.copy(), sigma.copy(), np.zeros_like(valid)
    frames = np.arange(len(time_s))
    for joint in range(valid.shape[1]):
        seen = np.flatnonzero(valid[:, joint])
        if len(seen) < 2 or seen[-1] - seen[0] + 1 == len(seen):
            continue
        hole = frames[seen[0] : seen[-1] + 1]
        hole = hole[~valid[hole, joint]]
        after = np.searchsorted(seen, hole)
        a, b = seen[after - 1], seen[after]
        short = time_s[b] - time_s[a] <= max_gap_s + 1e-6
        hole, a, b = hole[short], a[short], b[short]
        if len(hole) == 0:
            continue
        gap_s = time_s[b] - time_s[a]
        part = (time_s[hole] - time_s[a]) / gap_s
        y, s = values[:, joint].astype(np.float64), sigma[:, joint].astype(np.float64)
        out[hole, joint] = y[a] + part[:, None] * (y[b] - y[a])
        ends = (1.0 - part) * s[a] ** 2 + part * s[b] ** 2
        # Even a body at rest is known less well where it wasn't seen.
        steps = np.mean(np.diff(y[seen], axis=0) ** 2, axis=1)
        spread = np.maximum(float(np.median(steps / np.diff(time_s[seen]))), ends / max_gap_s)
        out_sigma[hole, joint] = np.sqrt(ends + spread * gap_s * part * (1.0 - part))
        filled[hole, joint] = True
    return out, out_sigma, filled


def _lower_score(score: Float32, valid: Bool, filled: Bool) -> Float32:
    """Score of a filled sample: the lower of the two ends."""
    out = score.copy()
    for joint in np.flatnonzero(filled.any(axis=0)):
        seen = np.flatnonzero(valid[:, joint])
        hole = np.flatnonzero(filled[:, joint])
        after = np.searchsorted(seen, hole)
        out[hole, joint] = np.minimum(score[seen[after - 1], joint], score[seen[after], joint])
    return out


class OneEuro:
    """One-Euro filter (Casiez, Roussel, Vogel, CHI 2012) for live use, weighing by sigma.

    An exponential average whose cutoff rises with speed: ``min_cutoff_hz + beta * speed``. Here speed is counted in
    sigmas per second, so `beta` has no unit of length: the same settings serve pixels and metres, and an uncertain
    joint is smoothed more.

    Args:
        settings: how much it smooths.
    """

    def __init__(self, settings: OneEuroSettings = ONE_EURO) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._time_s: Float64 = np.empty(0)
        self._value: Float64 = np.empty((0, 0))
        self._raw: Float64 = np.empty((0, 0))
        self._speed: Float64 = np.empty((0, 0))
        self._variance: Float64 = np.empty(0)

    def step(self, time_s: float, values: Float32, sigma: Float32) -> tuple[Float32, Float32]:
        """Filter one frame.

        Args:
            time_s: time, later than the last one.
            values: (J, D) in pixels or metres; NaN where missing.
            sigma: (J,) in the same unit.

        Returns:
            Filtered values (J, D) and their sigma (J,), with the lag of the filter in it. Missing stays NaN.

        Raises:
            UsageError: the time doesn't rise.
        """
        x, var = np.asarray(values, dtype=np.float64), np.asarray(sigma, dtype=np.float64) ** 2
        if self._value.shape != x.shape:
            self._time_s, self._variance = np.full(len(x), -np.inf), np.full(len(x), np.nan)
            self._value, self._raw, self._speed = np.full(x.shape, np.nan), np.full(x.shape, np.nan), np.zeros(x.shape)
        dt = time_s - self._time_s
        if np.any(dt <= 0.0):
            raise UsageError(f"time {time_s} s isn't after the frame before")
        seen = np.isfinite(x).all(axis=1) & np.isfinite(var)
        fresh = seen & ~(dt <= self.settings.reset_s)  # -inf start gives dt = inf
        go = seen & ~fresh
        self._value[fresh] = self._raw[fresh] = x[fresh]
        self._speed[fresh], self._variance[fresh] = 0.0, var[fresh]
        lag_var = np.zeros(len(x))
        if go.any():
            step = dt[go, None]
            speed = (x[go] - self._raw[go]) / step
            smooth_speed = self._speed[go] + _alpha(self.settings.speed_cutoff_hz, step) * (speed - self._speed[go])
            size = np.linalg.norm(smooth_speed, axis=1)
            rate = size / np.sqrt(np.maximum(var[go], 1e-12))
            cutoff_hz = self.settings.min_cutoff_hz + self.settings.beta * rate
            alpha = _alpha(cutoff_hz, dt[go])
            self._speed[go] = smooth_speed
            self._value[go] += alpha[:, None] * (x[go] - self._value[go])
            self._variance[go] += alpha * (var[go] - self._variance[go])
            self._raw[go] = x[go]
            # An exponential average trails a steady movement by its time constant.
            lag_var[go] = (size / (2.0 * np.pi * cutoff_hz)) ** 2 / x.shape[1]
        self._time_s[seen] = time_s
        value = np.where(seen[:, None], self._value, np.nan)
        out_sigma = np.where(seen, np.sqrt(self._variance + lag_var), np.nan)
        return value.astype(np.float32), out_sigma.astype(np.float32)


def _alpha(cutoff_hz: float | Float64, dt: Float64) -> Float64:
    """Weight of the new sample of an exponential average."""
    turns = 2.0 * np.pi * np.asarray(cutoff_hz) * dt
    return np.asarray(turns / (turns + 1.0), dtype=np.float64)


def smooth(track: Track, cutoff_hz: float = SMOOTH.cutoff_hz) -> Track:
    """Zero-phase smoothing of a whole track; see `zero_phase`. Filled samples keep their sigma.

    A pose's root is smoothed with the same cutoff. Its sigma doesn't shrink: what a lifter gets wrong, it gets wrong in
    the same way from frame to frame (coverage of the 90 % interval fell from 0.73 to 0.68 when it did).
    """
    if isinstance(track, KeypointTrack):
        xy, sigma = zero_phase(track.time_s, track.xy_px, track.sigma_px, cutoff_hz)
        return replace(track, xy_px=xy, sigma_px=np.where(track.interpolated, track.sigma_px, sigma))
    xyz, sigma = zero_phase(track.time_s, track.xyz_m, track.sigma_m, cutoff_hz, white_share=0.0)
    root, root_sigma = zero_phase(
        track.time_s, track.root_m[:, :, None], track.root_sigma_m, cutoff_hz, white_share=0.0
    )
    return replace(
        track,
        xyz_m=xyz,
        sigma_m=np.where(track.interpolated, track.sigma_m, sigma),
        root_m=root[:, :, 0],
        root_sigma_m=root_sigma,
    )


def zero_phase(
    time_s: Float64,
    values: Float32,
    sigma: Float32,
    cutoff_hz: float = SMOOTH.cutoff_hz,
    white_share: float = SMOOTH.white_share,
    settings: SmoothSettings = SMOOTH,
) -> tuple[Float32, Float32]:
    """Smooth without delay: the curve that is near the samples and has little jerk.

    Minimises ``sum w (x - y)^2 dt + integral x'''^2 / (2 pi cutoff)^6`` for each joint, with weights from sigma (one
    banded solve). For even weights that is a filter with gain ``1 / (1 + (f / cutoff)^6)`` and no phase: at 6 Hz a
    2 Hz movement keeps 99.9 % of its size. Samples far off lose weight (one Huber step), and their sigma grows.

    Args:
        time_s: (F,) strictly increasing, at any spacing.
        values: (F, J, D); NaN where missing stays NaN.
        sigma: (F, J) standard deviation of each coordinate.
        cutoff_hz: frequency at which half of the size is left.
        white_share: see `SmoothSettings`.
        settings: the other thresholds.

    Returns:
        Smoothed values (F, J, D) and sigma (F, J).

    Raises:
        UsageError: the cutoff isn't positive, or times don't rise.
    """
    if not cutoff_hz > 0.0:
        raise UsageError(f"cutoff of {cutoff_hz} Hz", hint="Give one above 0")
    if np.any(np.diff(time_s) <= 0.0):
        raise UsageError("times don't rise from frame to frame")
    out, out_sigma = values.copy(), sigma.copy()
    for joint in range(values.shape[1]):
        seen = np.flatnonzero(np.isfinite(values[:, joint]).all(axis=1) & np.isfinite(sigma[:, joint]))
        for part in _parts(time_s, seen, settings.split_s):
            x, s = _smooth_part(
                time_s[part],
                values[part, joint].astype(np.float64),
                sigma[part, joint].astype(np.float64),
                cutoff_hz,
                white_share,
                settings,
            )
            out[part, joint], out_sigma[part, joint] = x, s
    return out, out_sigma


def _parts(time_s: Float64, seen: NDArray[np.intp], split_s: float) -> Iterator[NDArray[np.intp]]:
    """Runs of seen samples without a longer hole, long enough to smooth."""
    if len(seen) == 0:
        return
    step = np.diff(time_s[seen])
    # At low frame rates every step is long; only a hole in the samples splits.
    limit = max(split_s, 2.5 * float(np.median(np.diff(time_s)))) if len(time_s) > 1 else split_s
    for part in np.split(seen, np.flatnonzero(step > limit) + 1):
        if len(part) >= 4:
            yield part


def _smooth_part(
    time_s: Float64, x: Float64, sigma: Float64, cutoff_hz: float, white_share: float, settings: SmoothSettings
) -> tuple[Float64, Float64]:
    step = np.maximum(np.diff(time_s), _MIN_STEP_S)
    dt = np.empty(len(x))
    dt[1:-1] = (step[1:] + step[:-1]) / 2.0
    dt[0], dt[-1] = step[0], step[-1]
    sigma = np.maximum(sigma, 1e-9)
    var = sigma**2
    weight = np.clip(np.median(var) / var, *settings.weight_range)
    strength = (2.0 * np.pi * cutoff_hz) ** -6
    bands = strength * _jerk_bands(step)
    y = _solve(bands, weight * dt, x)
    residual = np.linalg.norm(x - y, axis=1) / np.sqrt(x.shape[1])
    scale = np.maximum(1.4826 * np.median(residual), sigma)
    trust = np.minimum(1.0, settings.outlier * scale / np.maximum(residual, 1e-12))
    if np.any(trust < 1.0):
        trust **= 2
        y = _solve(bands, weight * trust * dt, x)
    # Variance around each sample: a harmonic mean under the positive kernel exp(-2 pi cutoff |t|).
    local = _local_mean(step, dt, trust / var, cutoff_hz)
    gain = np.minimum(1.0, 2.0 * cutoff_hz * dt)
    out_var = (1.0 - white_share + white_share * gain) / local
    return y, np.sqrt(out_var)


def _jerk_bands(step: Float64) -> Float64:
    """Upper bands (4, F) of the matrix of the integral of the squared third derivative."""
    n = len(step) + 1
    t = np.concatenate([[0.0], np.cumsum(step)])
    nodes = np.stack([t[i : n - 3 + i] for i in range(4)])
    span = (nodes[3] - nodes[0]) / 3.0
    rows = np.empty((4, n - 3))
    for i in range(4):
        others = [j for j in range(4) if j != i]
        rows[i] = 6.0 / np.prod([nodes[i] - nodes[j] for j in others], axis=0)
    rows *= np.sqrt(span)
    bands = np.zeros((4, n))
    for i in range(4):
        for j in range(i, 4):
            bands[3 - (j - i), j : j + n - 3] += rows[i] * rows[j]
    return bands


def _solve(bands: Float64, weight: Float64, x: Float64) -> Float64:
    from scipy.linalg import solveh_banded

    matrix = bands.copy()
    matrix[-1] += weight
    return np.asarray(solveh_banded(matrix, weight[:, None] * x, check_finite=False), dtype=np.float64)


def _local_mean(step: Float64, dt: Float64, x: Float64, cutoff_hz: float) -> Float64:
    """Average of positive numbers over about ``1 / (2 pi cutoff)`` seconds to each side."""
    from scipy.linalg import solveh_banded

    stiffness = (2.0 * np.pi * cutoff_hz) ** -2 / step
    bands = np.zeros((2, len(x)))
    bands[0, 1:] = -stiffness
    bands[1] = dt
    bands[1, 1:] += stiffness
    bands[1, :-1] += stiffness
    return np.asarray(solveh_banded(bands, dt * x, check_finite=False), dtype=np.float64)
