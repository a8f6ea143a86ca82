"""A pixel sigma for each keypoint, from what the network shows of its own doubt.

The formula, in crop cells (one cell of a 64-cell heat map is 1/64 of the crop's side)::

    sharp  = FLOOR + SLOPE * max(spread - BLUR, 0)          how wide the heat lies
    doubt  = 1 + PEAK * (1 - peak) + HIDDEN * (1 - visibility) ** 2 + OUTSIDE * (1 - presence)
    sigma  = cell_px * min(sharp * doubt, MOST)

It falls with the peak, the visibility and the presence, and grows with the spread and the size of the person in the
picture. The constants are round numbers that follow from what their terms mean: BLUR is the width of the blobs that
BlazePose draws for a sharp joint (1.0 to 1.3 cells), FLOOR half a cell, where its landmarks and its heat maps part
ways. They are not fitted to footage, and they know nothing of gross errors such as left taken for right. A calibration
can replace them, see `SigmaConstants`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SigmaConstants", "SigmaFeatures", "pixel_sigma", "sigma_from_score"]

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
    """Constants of the formula; lengths in cells.

    Attributes:
        floor: error of a joint seen as sharply as the network can.
        slope: growth with the spread beyond `blur`.
        blur: spread of a sharp joint, the width that the network was trained to draw.
        peak: growth of a joint without a peak.
        hidden: growth of an invisible joint.
        outside: growth of a joint outside the picture.
        most: upper limit.
    """

    floor: float = 0.5
    slope: float = 0.5
    blur: float = 1.2
    peak: float = 1.0
    hidden: float = 3.0
    outside: float = 2.0
    most: float = 16.0


_DEFAULT = SigmaConstants()


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


def sigma_from_score(score: FloatArray, cell_px: float, constants: SigmaConstants = _DEFAULT) -> FloatArray:
    """The same where there is no heat map: the score stands for visibility and peak, the spread is a sharp joint's."""
    ones = np.ones_like(score)
    return pixel_sigma(SigmaFeatures(score, ones * constants.blur, score, ones, cell_px), constants)
