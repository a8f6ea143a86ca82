"""Left and right by what the lifter makes of them.

`posepipe.motion.swaps` finds where a detector's labels change; which of two labellings is right, smoothness can't say.
The lifter can, now and then: it learned from pairs some of whose sides are exchanged, and of a body whose arms or legs
are labelled the wrong way round it says that it may be far off. So frames that it is unsure of are lifted again with
arms, legs or both exchanged, and where over half a second one of these leaves clearly less doubt, it is taken.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posepipe.lifting.lifter import Lifter, body_rays
from posepipe.skeleton import BODY21, H36M17, Layout
from posepipe.types import Camera, KeypointTrack, Swap

__all__ = ["settle_sides"]

FloatArray = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

_GROUPS = ("arms", "legs")
_LABELLINGS = np.array([(False, False), (True, False), (False, True), (True, True)])
_LEGS = ("hip", "knee", "ankle", "heel", "foot", "toe")
_NEAR_S = 0.25
"""Standard deviation of the window over which doubt is averaged."""

_CLEARLY = 0.35
"""Mean fall of log sigma that a relabelling must bring: nearly a third less expected error. On rendered pairs of
subjects held out of training all changes from 0.2 to 0.5 were for the better; from 0.35 on, those on others too."""

_SURE_M = 0.055
"""Where the mean sigma is smaller other labels aren't tried; on rendered pairs that spares one change of twenty."""


def settle_sides(track: KeypointTrack, lifter: Lifter, camera: Camera) -> tuple[KeypointTrack, tuple[Swap, ...]]:
    """Exchange left and right where the lifter clearly has less doubt that way, with hindsight over the track.

    Args:
        track: keypoints in any layout that converts to BODY21.
        lifter: whose sigma decides.
        camera: that filmed them.

    Returns:
        The relabelled track (the same object if nothing changed) and the changes in order of time.
    """
    gain = _gains(track, lifter, camera)
    best = np.argmax(gain, axis=0)
    if not best.any():
        return track, ()
    state = _LABELLINGS[best]
    won = np.take_along_axis(gain, best[None], axis=0)[0] + _CLEARLY
    starts = np.concatenate([[0], np.flatnonzero(np.diff(best)) + 1])
    changes = []
    for first, last in zip(starts.tolist(), [*(starts[1:] - 1).tolist(), len(best) - 1], strict=True):
        if best[first]:
            name = "body" if state[first].all() else _GROUPS[int(np.argmax(state[first]))]
            times = float(track.time_s[first]), float(track.time_s[last])
            changes.append(Swap(name, *times, last - first + 1, float(won[first : last + 1].mean()), repaired=True))
    return _relabelled(track, state), tuple(changes)


def _gains(track: KeypointTrack, lifter: Lifter, camera: Camera) -> Float64:
    """(4, F) how much less doubt each labelling leaves, less what it must; 0 for the labels as they are."""
    rays, sigma, seen = body_rays(track, camera)
    guess = np.full(len(track), camera.focal_guessed)
    gain = np.zeros((len(_LABELLINGS), len(track)))
    _, found, usable = lifter.lift_rays(rays, sigma, seen, guess)
    doubt = _doubt(found)
    unsure = np.flatnonzero(usable & (doubt > np.log(_SURE_M)))
    for row, labels in enumerate(_LABELLINGS[1:], start=1):
        order = _order(BODY21, np.asarray(labels))
        at = np.ix_(unsure, order)
        _, found, fits = lifter.lift_rays(rays[at], sigma[at], seen[at], guess[unsure])
        gain[row, unsure] = np.where(fits, doubt[unsure] - _doubt(found), 0.0)
    out = _averaged(gain, usable, track.time_s) - _CLEARLY
    out[0] = 0.0
    return out


def _doubt(sigma_m: FloatArray) -> Float64:
    """(F,) mean log sigma of Human3.6M's joints but the pelvis."""
    return np.asarray(np.log(sigma_m[:, 1 : len(H36M17)]).mean(axis=1), np.float64)


def _averaged(x: Float64, usable: Bool, time_s: Float64) -> Float64:
    """Rows (K, F) averaged over time, frames that aren't usable left out; 0 where there are none near."""
    from scipy.ndimage import gaussian_filter1d

    if len(time_s) < 2:
        return x
    width = _NEAR_S / max(float(np.median(np.diff(time_s))), 1e-3)
    weight = gaussian_filter1d(usable.astype(np.float64), width, mode="constant")
    mean = gaussian_filter1d(x, width, axis=1, mode="constant") / np.maximum(weight, 1e-3)
    return np.asarray(np.where(usable, mean, 0.0))


def _order(layout: Layout, labels: Bool) -> NDArray[np.intp]:
    """Permutation (J,) that exchanges arms (and the head's sides), legs, both or nothing."""
    legs = np.array([any(part in joint for part in _LEGS) for joint in layout.joints])
    return np.where(labels[legs.astype(np.intp)], layout.mirror, np.arange(len(layout)))


def _relabelled(track: KeypointTrack, state: Bool) -> KeypointTrack:
    order = np.stack([_order(track.layout, labels) for labels in state])
    rows = np.arange(len(track))[:, None]
    return replace(
        track,
        xy_px=track.xy_px[rows, order],
        sigma_px=track.sigma_px[rows, order],
        score=track.score[rows, order],
        valid=track.valid[rows, order],
        interpolated=track.interpolated[rows, order],
    )
