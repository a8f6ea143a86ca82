"""Short holes between seen samples."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.types import KeypointTrack, PoseTrack

__all__ = ["fill_gaps"]

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]
Track = TypeVar("Track", KeypointTrack, PoseTrack)


def fill_gaps(track: Track, max_gap_s: float = 0.25) -> Track:
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
            score=_fill_score(track.score, track.valid, filled),
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
        spread = np.maximum(_diffusion(time_s[seen], y[seen]), ends / max_gap_s)
        out_sigma[hole, joint] = np.sqrt(ends + spread * gap_s * part * (1.0 - part))
        filled[hole, joint] = True
    return out, out_sigma, filled


def _diffusion(time_s: Float64, values: Float64) -> float:
    """Median squared step per second and coordinate."""
    steps = np.mean(np.diff(values, axis=0) ** 2, axis=1)
    return float(np.median(steps / np.diff(time_s)))


def _fill_score(score: Float32, valid: Bool, filled: Bool) -> Float32:
    """Score of a filled sample: the lower of the two ends."""
    out = score.copy()
    for joint in np.flatnonzero(filled.any(axis=0)):
        seen = np.flatnonzero(valid[:, joint])
        hole = np.flatnonzero(filled[:, joint])
        after = np.searchsorted(seen, hole)
        out[hole, joint] = np.minimum(score[seen[after - 1], joint], score[seen[after], joint])
    return out
