"""From the network's log expected error to honest standard deviations and intervals."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError, UsageError
from posepipe.skeleton import BODY21

__all__ = ["SigmaCalibration", "fit_calibration"]

FloatArray = NDArray[np.float32]

LEVELS = (0.5, 0.8, 0.9, 0.95)
_FLOOR_M = 1e-3


@dataclass(frozen=True, slots=True)
class SigmaCalibration:
    """Constants measured on subjects that the network was not trained on.

    ``sigma = gain_j * exp(power_j * s)`` is the standard deviation of each coordinate of joint j, where s is the
    network's log scale. ``radius(p) = quantile_jp * sigma`` holds the joint with probability p.

    Attributes:
        gain, power: one for each joint of BODY21.
        quantile: for each joint, radii in sigmas at `LEVELS`.
    """

    gain: tuple[float, ...]
    power: tuple[float, ...]
    quantile: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if not len(self.gain) == len(self.power) == len(self.quantile) == len(BODY21):
            raise ModelError(f"calibration: expected {len(BODY21)} joints, got {len(self.gain)}")

    @classmethod
    def from_json(cls, text: str) -> SigmaCalibration:
        """Read what `to_json` wrote."""
        table = json.loads(text)
        return cls(tuple(table["gain"]), tuple(table["power"]), tuple(tuple(row) for row in table["quantile"]))

    def to_json(self) -> str:
        """As kept in the ONNX file's metadata."""
        return json.dumps(asdict(self))

    def sigma_m(self, log_scale: FloatArray) -> FloatArray:
        """Network's log scale (F, 21) to standard deviation of each coordinate (F, 21) in metres."""
        gain, power = np.array(self.gain, dtype=np.float32), np.array(self.power, dtype=np.float32)
        return np.asarray(np.maximum(gain * np.exp(power * log_scale), _FLOOR_M), dtype=np.float32)

    def radius_m(self, sigma_m: FloatArray, level: float = 0.9) -> FloatArray:
        """Radius (F, 21) of the sphere that holds the joint with the given probability, one of `LEVELS`."""
        if level not in LEVELS:
            raise UsageError(f"interval of {level}", hint=f"Valid: {', '.join(map(str, LEVELS))}")
        return np.asarray(sigma_m * np.array(self.quantile, dtype=np.float32)[:, LEVELS.index(level)])


def fit_calibration(log_scale: FloatArray, error_m: FloatArray) -> SigmaCalibration:
    """Fit the constants.

    Power and gain by least squares of log mean squared error against s over twenty equally filled bins (a curved
    reliability diagram is straightened this way), then the gain such that predicted and true mean squares agree.

    Args:
        log_scale: (N, 21).
        error_m: (N, 21) distance of each joint from the truth; NaN where unknown.
    """
    gains, powers, quantiles = [], [], []
    for joint in range(log_scale.shape[1]):
        seen = ~np.isnan(error_m[:, joint])
        s, r = log_scale[seen, joint].astype(np.float64), error_m[seen, joint].astype(np.float64)
        if len(s) < 200 or joint == BODY21.index("pelvis"):
            gains.append(_FLOOR_M)
            powers.append(0.0)
            quantiles.append(tuple(float(q) for q in (1.538, 2.154, 2.5, 2.795)))
            continue
        bins = np.array_split(np.argsort(s), 20)
        x = np.array([s[part].mean() for part in bins])
        y = np.array([0.5 * np.log(np.mean(r[part] ** 2) / 3.0 + 1e-12) for part in bins])
        power = float(np.clip(np.polyfit(x, y, 1)[0], 0.5, 1.6))
        gain = float(np.exp(np.mean(y - power * x)))
        ratio = r / (gain * np.exp(power * s))
        gains.append(gain)
        powers.append(power)
        quantiles.append(tuple(float(q) for q in np.quantile(ratio, LEVELS)))
    return SigmaCalibration(tuple(gains), tuple(powers), tuple(quantiles))
