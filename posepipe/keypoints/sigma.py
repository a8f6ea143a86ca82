"""A pixel sigma for each keypoint, from what the network shows of its own doubt.

The formula, in crop cells (one cell of a 64-cell heat map is 1/64 of the crop's side)::

    sharp  = FLOOR + SLOPE * max(spread - BLUR, 0)          how wide the heat lies
    doubt  = 1 + PEAK * (1 - peak) + HIDDEN * (1 - visibility) ** 2 + OUTSIDE * (1 - presence)
    sigma  = cell_px * min(sharp * doubt, MOST)

It falls with the peak, the visibility and the presence, and grows with the spread and the size of the person in the
picture. The constants are round numbers that follow from what their terms mean, see `SigmaConstants`. They are not
fitted to footage.

On top of it, for BlazePose's 33 points, a cap in the manner of BayesCap: per kind of joint, the scale and shape of the
errors that the frozen detector really makes, fitted on rendered motion capture (`posepipe.lab.detector`)::

    scale  = gain * first ** power * exp(hidden * (1 - visibility))         generalised Gaussian, shape between 1 and 2
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.settings import setting
from posepipe.skeleton import BLAZEPOSE33

__all__ = [
    "CAP_JOINTS", "CapRow", "SigmaConstants", "SigmaFeatures", "capped_sigma", "pixel_sigma", "sigma_from_score",
]  # fmt: skip

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SigmaFeatures:
    """What a sigma is made of, for J joints.

    Attributes:
        peak: (J,) highest value of the heat map near the joint, in [0, 1].
        spread: (J,) root mean square width of the heat along one axis, in cells; NaN if unknown.
        visibility: (J,) in [0, 1]; low for a hidden joint.
        presence: (J,) in [0, 1]; low for a joint outside the picture.
        cell_px: picture pixels in one cell.
    """

    peak: FloatArray
    spread: FloatArray
    visibility: FloatArray
    presence: FloatArray
    cell_px: float


@dataclass(frozen=True, slots=True)
class SigmaConstants:
    """Constants of the formula; lengths in cells."""

    floor: float = setting(
        0.5, "error of a joint seen sharply", unit="cells", source="where landmarks and heat maps part ways"
    )
    slope: float = setting(0.5, "growth with the spread beyond `blur`", source="judgement")
    blur: float = setting(1.2, "spread of a sharp joint", unit="cells", source="BlazePose's blobs: 1.0 to 1.3 cells")
    peak: float = setting(1.0, "growth of a joint without a peak", source="judgement")
    hidden: float = setting(3.0, "growth of an invisible joint", source="judgement")
    outside: float = setting(2.0, "growth of a joint outside the picture", source="judgement")
    most: float = setting(16.0, "upper limit", unit="cells", source="judgement")


@dataclass(frozen=True, slots=True)
class CapRow:
    """Errors of one kind of joint, given its first sigma in cells.

    Attributes:
        gain, power, hidden: scale of the generalised Gaussian, see the module.
        shape: its exponent; 1 is Laplace, 2 is Gauss.
    """

    gain: float
    power: float
    hidden: float
    shape: float

    def sigma(self, first: NDArray[np.floating[Any]], visibility: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Standard deviation in cells, from first sigma in cells and visibility of the same shape."""
        return _capped(np.array([self.gain, self.power, self.hidden, self.spread]), first, visibility)

    @property
    def spread(self) -> float:
        """Standard deviation of the generalised Gaussian of scale 1."""
        return math.exp(0.5 * (math.lgamma(3.0 / self.shape) - math.lgamma(1.0 / self.shape)))


def _capped(
    row: NDArray[np.float64], first: NDArray[np.floating[Any]], visibility: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Gain, power, hidden, spread (4,) or (4, J) applied to first sigma and visibility (..., J)."""
    gain, power, hidden, spread = row
    veil = 1.0 - np.clip(visibility, 0.0, 1.0)
    return np.asarray(gain * spread * np.maximum(first, 1e-3) ** power * np.exp(hidden * veil), dtype=np.float64)


_CAP: Mapping[str, CapRow] = {
    "nose": CapRow(2.03, 1.39, 0.0, 1.572),
    "shoulder": CapRow(1.019, 0.9, 1.99, 1.0),
    "elbow": CapRow(0.943, 0.681, 0.0, 1.0),
    "wrist": CapRow(0.953, 0.75, 0.0, 1.0),
    "hip": CapRow(1.01, 1.149, 0.099, 1.074),
    "knee": CapRow(0.738, 0.945, 0.0, 1.0),
    "ankle": CapRow(1.124, 0.737, 0.0, 1.0),
    "heel": CapRow(0.915, 0.904, 0.0, 1.0),
    "foot_index": CapRow(0.911, 0.761, 0.0, 1.0),
}
"""Printed by ``posepipe train sigma-cap`` on 32,000 rendered frames of training subjects."""

CAP_JOINTS = ("nose", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "foot_index")
"""Kinds of joint that have a row; eyes, ears and mouth take the nose's, fingers the wrist's."""

_DEFAULT = SigmaConstants()


def _kind(joint: str) -> str:
    bare = joint.removeprefix("left_").removeprefix("right_")
    if bare in CAP_JOINTS:
        return bare
    return "wrist" if bare in ("pinky", "index", "thumb") else "nose"


_CAP33 = np.array(
    [[row.gain, row.power, row.hidden, row.spread] for row in (_CAP[_kind(joint)] for joint in BLAZEPOSE33.joints)]
).T


def pixel_sigma(features: SigmaFeatures, constants: SigmaConstants = _DEFAULT) -> FloatArray:
    """Standard deviation (J,) of each coordinate, in pixels of the picture."""
    c = constants
    wide = np.where(np.isfinite(features.spread), features.spread, c.most)
    sharp = c.floor + c.slope * np.maximum(wide - c.blur, 0.0)
    doubt = (
        1.0
        + c.peak * (1.0 - np.clip(features.peak, 0.0, 1.0))
        + c.hidden * (1.0 - np.clip(features.visibility, 0.0, 1.0)) ** 2
        + c.outside * (1.0 - np.clip(features.presence, 0.0, 1.0))
    )
    result: FloatArray = (features.cell_px * np.minimum(sharp * doubt, c.most)).astype(np.float32)
    return result


def capped_sigma(features: SigmaFeatures, constants: SigmaConstants = _DEFAULT) -> FloatArray:
    """Standard deviation (..., 33) of each coordinate of BlazePose's points, in pixels of the picture.

    Args:
        features: (..., 33) in BlazePose's order.
        constants: of the first sigma.
    """
    first = pixel_sigma(features, constants) / np.float32(features.cell_px)
    capped = np.minimum(_capped(_CAP33, first, features.visibility), constants.most)
    return np.asarray(features.cell_px * capped, dtype=np.float32)


def sigma_from_score(score: FloatArray, cell_px: float, constants: SigmaConstants = _DEFAULT) -> FloatArray:
    """The same where there is no heat map: the score stands for visibility and peak, the spread is a sharp joint's."""
    ones = np.ones_like(score)
    return pixel_sigma(SigmaFeatures(score, ones * constants.blur, score, ones, cell_px), constants)
