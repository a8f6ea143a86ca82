"""Is the walk abnormal, how, and by which signs: a small network over features that a person can check.

Each feature is first compared with normal walks seen the same way, in standard deviations. Every pattern sums up what
each feature's distance adds, and distance can only add; abnormal is any pattern: a feature further from normal never
lowers the probability. Trained by ``posepipe train gait``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError
from posepipe.gait.features import FEATURES, Feature
from posepipe.gait.norms import SEEN, FeatureNorm, feature_norms
from posepipe.inference import open_session
from posepipe.weights import find_model

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["Abnormal", "Classifier", "Evidence", "evidence", "z_scores"]

FloatArray = NDArray[np.float32]

_DRAWS = 64
_MOST_EVIDENCE = 5
_CLEAR_SD = 2.0
_LIMIT_SD = 12.0
_SPECS = {spec.name: spec for spec in FEATURES}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sign that a walk departs from normal.

    Attributes:
        feature: name in `posepipe.gait.features.FEATURES`.
        words: what it means.
        side: "left", "right" or empty.
        value: as measured, in the unit of the name.
        norm, norm_sd: mean and spread of normal walks seen the same way.
        sd_from_norm: signed distance in those standard deviations.
    """

    feature: str
    words: str
    side: str
    value: float
    norm: float
    norm_sd: float
    sd_from_norm: float


@dataclass(frozen=True, slots=True)
class Abnormal:
    """The classifier's answer.

    Attributes:
        probability: that the walk is abnormal, calibrated on held-out simulated walks.
        sigma: its standard deviation from the differences between strides.
        label: "normal" or "abnormal".
        pattern: the likeliest pattern if abnormal, else "normal".
        pattern_probability: of that pattern among all.
        evidence: the signs that weigh most, the heaviest first; for a normal walk those that stand out, if any.
    """

    probability: float
    sigma: float
    label: str
    pattern: str
    pattern_probability: float
    evidence: tuple[Evidence, ...]


class Classifier:
    """The trained network.

    Args:
        model: name on a model card, or an ONNX file.

    Raises:
        ModelError: the model is missing, damaged, or knows other features.
    """

    def __init__(self, model: str | Path = "gait") -> None:
        path = Path(model) if str(model).endswith(".onnx") else find_model(str(model))
        self._session = _session(str(path))
        metadata = self._session.get_modelmeta().custom_metadata_map
        if json.loads(metadata.get("features", "[]")) != [spec.name for spec in FEATURES]:
            raise ModelError("the gait network knows other features", where=str(path), hint="Train it again")
        self.patterns: tuple[str, ...] = tuple(json.loads(metadata["patterns"]))

    def judge(self, features: Mapping[str, Feature], seen: str, strides: int) -> Abnormal:
        """Judge one walk.

        Args:
            features: of `posepipe.gait.features.gait_features`; missing ones count as unknown.
            seen: which normal walks to compare with, see `posepipe.gait.norms.curve_bands`.
            strides: on the side that has fewer.
        """
        norms = feature_norms(seen)
        z, known = z_scores(features, norms, strides)
        spread = np.array(
            [
                features[spec.name].sigma / norms[spec.name].spread(strides, above=bool(away > 0.0)) if ok else 0.0
                for spec, ok, away in zip(FEATURES, known, z, strict=True)
            ]
        )
        # A fixed seed: the same walk always gets the same answer.
        draws = np.random.default_rng(0).standard_normal((_DRAWS, len(z))) * np.nan_to_num(spread, nan=0.0)
        batch = np.concatenate([z[None], z[None] + draws.astype(np.float32)]).astype(np.float32)
        mask = np.broadcast_to(known.astype(np.float32), batch.shape)
        probability, share, pattern = self.run(np.clip(batch, -_LIMIT_SD, _LIMIT_SD), mask, seen)
        flagged = bool(probability[0] >= 0.5)
        best = int(pattern[0].argmax())
        weight = share[0] if flagged else np.where(np.abs(z) > _CLEAR_SD, np.abs(z), np.float32(0.0))
        return Abnormal(
            float(probability[0]),
            float(np.std(probability[1:])),
            "abnormal" if flagged else "normal",
            self.patterns[best] if flagged else "normal",
            float(pattern[0, best]),
            evidence(features, norms, z, weight),
        )

    def run(self, z: FloatArray, known: FloatArray, seen: str) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The network alone.

        Args:
            z: (B, F) distances in standard deviations; anything where not known.
            known: (B, F) 1 or 0.
            seen: one of `posepipe.gait.norms.SEEN`.

        Returns:
            Probability (B,), what each feature adds to its logit (B, F), and pattern probabilities (B, P).
        """
        names = ["probability", "contribution", "pattern"]
        ways = np.repeat(np.array([[way == seen for way in SEEN]], np.float32), len(z), axis=0)
        found = self._session.run(names, {"z": z, "known": np.ascontiguousarray(known), "seen": ways})
        return found[0], found[1], found[2]


def z_scores(
    features: Mapping[str, Feature], norms: Mapping[str, FeatureNorm], strides: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Distances from normal (F,) in standard deviations, 0 where unknown, and which are known (F,).

    With few `strides` (on the side that has fewer) the same distance says less.
    """
    z = np.zeros(len(FEATURES), np.float32)
    known = np.zeros(len(FEATURES), bool)
    for index, spec in enumerate(FEATURES):
        if spec.name in features and spec.name in norms:
            z[index] = norms[spec.name].distance(features[spec.name].value, strides)
            known[index] = True
    return np.clip(z, -_LIMIT_SD, _LIMIT_SD), known


def evidence(
    features: Mapping[str, Feature], norms: Mapping[str, FeatureNorm], z: FloatArray, weight: FloatArray
) -> tuple[Evidence, ...]:
    """The heaviest signs, at most five. Only what has a meaning in words counts."""
    found: list[Evidence] = []
    for index in np.argsort(-weight):
        spec = FEATURES[index]
        words = spec.high if z[index] > 0 else spec.low
        if weight[index] <= 0.0 or not words or len(found) == _MOST_EVIDENCE:
            continue
        feature, norm = features[spec.name], norms[spec.name]
        found.append(Evidence(spec.name, words, feature.side, feature.value, norm.mean, norm.sd, float(z[index])))
    return tuple(found)


@lru_cache(maxsize=4)
def _session(path: str) -> InferenceSession:
    return open_session(path, threads=1)
