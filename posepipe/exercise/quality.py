"""How close a repetition is to those of healthy people told to do it well.

A repetition is a row of numbers: fourteen measures at ten moments of it, the side that moves more first, and how long
it took. Its deviation is the mean squared distance from correct repetitions, in their standard deviations, as a share
of what one correct repetition in twenty exceeds. It only grows with noise; nothing in it can reward a wobble.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError
from posepipe.exercise.signal import Measure, measure
from posepipe.inference import open_session
from posepipe.motion.clip import Motion
from posepipe.weights import find_model

__all__ = ["FEATURE_COUNT", "MOVEMENTS", "QualityModel", "rep_features"]

Array = NDArray[np.float64]

MOVEMENTS = (
    "squat",
    "hurdle_step",
    "lunge",
    "side_lunge",
    "sit_to_stand",
    "leg_raise",
    "shoulder_abduction",
    "shoulder_extension",
    "shoulder_rotation",
    "scaption",
)
"""What the model knows, in the order of its output."""

MOMENTS = 10
SIDED = (
    *("knee_flexion", "hip_bend", "arm_raise", "elbow_flexion", "body_line", "knee_inward"),
    *("hip_abduction", "shoulder_flexion", "shoulder_abduction"),
)
MIDDLE = ("trunk_lean", "legs_apart", "trunk_lateral", "trunk_rotation", "trunk_flexion")
FEATURE_COUNT = MOMENTS * (2 * len(SIDED) + len(MIDDLE)) + 1
MAX_SIGMA_DEG = 12.0
"""With measures less certain than this no score is given: about twice the spread between correct repetitions."""
_SECOND = 30.0
"""One second weighs as much as this many degrees."""
_ACTIVE = ("knee_flexion", "hip_bend", "arm_raise", "elbow_flexion")
_UNSIGNED = ("trunk_lateral", "trunk_rotation")


def rep_features(motion: Motion, start_s: float, end_s: float) -> tuple[Array, float]:
    """A repetition as (FEATURE_COUNT,) numbers, in degrees, and the typical sigma of them.

    A mirrored person gives the same. NaN where a measure is never seen.
    """
    seen = {name: measure(motion, name) for name in (*SIDED, *MIDDLE)}
    return features_of(motion.time_s, seen, start_s, end_s)


def features_of(time_s: Array, seen: dict[str, Measure], start_s: float, end_s: float) -> tuple[Array, float]:
    """`rep_features` from measures that are known already."""
    at = np.linspace(start_s, end_s, MOMENTS)
    curves = {name: _read(time_s, item.deg, at) for name, item in seen.items()}
    moved = [sum(float(np.ptp(curves[name][:, side])) for name in _ACTIVE) for side in (0, 1)]
    order = (1, 0) if moved[1] > moved[0] else (0, 1)
    rows = [curves[name][:, side] for name in SIDED for side in order]
    rows += [np.abs(curves[name][:, 0]) if name in _UNSIGNED else curves[name][:, 0] for name in MIDDLE]
    inside = (time_s >= start_s) & (time_s <= end_s)
    sigma = [item.sigma_deg[inside] for name, item in seen.items() if name in _ACTIVE]
    known = np.concatenate([part[np.isfinite(part)] for part in sigma])
    spread = float(np.median(known)) if known.size else float("nan")
    return np.concatenate([*rows, [(end_s - start_s) * _SECOND]]), spread


def _read(time_s: Array, deg: Array, at: Array) -> Array:
    out = np.full((len(at), deg.shape[1]), np.nan)
    for k in range(deg.shape[1]):
        seen = np.isfinite(deg[:, k])
        if seen.sum() > 3:
            out[:, k] = np.interp(at, time_s[seen], deg[seen, k])
    return out


class QualityModel:
    """Scores repetitions.

    Args:
        name: on a model card, or an ONNX file.

    Raises:
        ModelError: the model is missing, damaged or another one.
    """

    def __init__(self, name: str | Path = "form") -> None:
        path = Path(name) if str(name).endswith(".onnx") else find_model(str(name))
        self._session = open_session(path, threads=1)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if inputs[0].shape[1:] != [FEATURE_COUNT] or outputs[0].shape[1:] != [len(MOVEMENTS)]:
            raise ModelError(
                f"not a form model: needs (B, {FEATURE_COUNT}) in, (B, {len(MOVEMENTS)}) out",
                where=str(path),
                hint="Make it again: python -m posepipe.training.form",
            )

    def deviation(self, movement: str, features: Array) -> Array:
        """(B,) deviation of repetitions (B, FEATURE_COUNT): under 1 for nineteen correct ones in twenty."""
        rows = np.atleast_2d(features).astype(np.float32)
        out = self._session.run(["deviation"], {"repetition": rows})[0]
        return np.asarray(out[:, MOVEMENTS.index(movement)], np.float64)

    def score(self, movement: str, motion: Motion, spans: Sequence[tuple[float, float]]) -> Array:
        """(B,) score in [0, 1] of repetitions from start to end: 0.5 at the edge of what is correct.

        NaN where a measure wasn't seen or is too uncertain.
        """
        out = np.full(len(spans), np.nan)
        if movement not in MOVEMENTS:
            return out
        seen = {name: measure(motion, name) for name in (*SIDED, *MIDDLE)}
        for i, (start_s, end_s) in enumerate(spans):
            features, sigma_deg = features_of(motion.time_s, seen, start_s, end_s)
            if np.isfinite(features).all() and sigma_deg <= MAX_SIGMA_DEG:
                out[i] = 1.0 / (1.0 + self.deviation(movement, features)[0] ** 2)
        return out
