"""How a walk is judged: when to abstain and why, the sagittal deviation score, and whether it is abnormal.

The deviation score is the RMS distance in degrees of six mean curves (hip, knee, ankle; both sides) from the mean of
normal walks seen the same way, in the form of the Gait Profile Score (Baker 2009); its logarithm is scaled so that
normal walks have mean 100 and standard deviation 10, less being further away, in the form that Schwartz and Rozumalski
(2008) gave their index. It is neither of the two: pelvis, rotations and foot progression can't be seen by one camera,
and controls are our own. Nothing is taken off for noise: an uncertain curve is at least as far from the norm.

Abnormal or not, how and by which signs, is told by a small network over features that a person can check. Each feature
is first compared with normal walks seen the same way, in standard deviations. Every pattern sums up what each feature's
distance adds, and distance can only add; abnormal is any pattern: a feature further from normal never lowers the
probability. Trained by ``posepipe train gait``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.errors import ModelError
from posepipe.gait.curves import SAGITTAL, compare
from posepipe.gait.features import ASYMMETRY, FEATURES
from posepipe.gait.norms import SOURCED, WAYS, Band, FeatureNorm, curve_bands, deviation_scale, feature_norms
from posepipe.gait.source import Source
from posepipe.gait.types import GENERAL, SIDES, Abnormal, Deviation, Evidence, Feature, MeanCurve, Stride, Walk
from posepipe.geometry import mean_known, median_known
from posepipe.inference import open_session
from posepipe.reasons import Reason
from posepipe.settings import setting
from posepipe.weights import find_model

__all__ = [
    "JUDGE", "Classifier", "JudgeSettings", "Seen", "choose_strides", "deviation", "evidence", "limited",
    "picture_gate", "rms_deviation", "score", "score_gate", "z_scores",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """When a walk is judged, and how sure of it."""

    least_strides: int = setting(
        2,
        "clean strides a side under which nothing is judged",
        source="judgement: one pass before a phone shows two; error bars grow with fewer",
    )
    least_fps_hz: float = setting(
        9.0,
        "least frame rate: below, a swing of 0.4 s has fewer than four pictures",
        unit="Hz",
        source="32 exact walkers from the side, 16 of them abnormal: at 10 Hz all are told as at 30",
    )
    most_outside: float = setting(0.3, "share of the legs' keypoints that may lie outside", source="judgement")
    most_unseen: float = setting(0.4, "share of the legs' joints that may be unseen", source="judgement")
    most_knee_sigma_deg: float = setting(30.0, "knee curves less sure get no score", unit="deg", source="judgement")
    most_sigma: float = setting(
        0.35,
        "a probability that is less sure isn't told",
        source="judgement: one drawn by chance has 0.29; few strides are told with their error bar",
    )
    undecided: float = setting(
        1.0,
        "standard deviations around an even chance within which an answer isn't told",
        source="316 made walks of two to four strides: under 1 the answer is wrong in 26 of 66, from 0.5 to 1 in 12 "
        "of 28, from 1 to 1.3 in 3 of 14, beyond 3 in 16 of 181",
    )
    sensor_m: float = setting(
        0.012, "3D joints less certain come from a depth sensor, with norms of its own", unit="m", source="judgement"
    )
    least_calibrated: int = setting(
        20, "calibration walks in each tenth of the probability where a model doesn't tell", source="judgement"
    )
    flagged: float = setting(0.5, "least probability of a walk that is called abnormal", source="likelier than not")
    named: float = setting(
        0.9,
        "least probability among all patterns of one that is named",
        source="judgement: nine times as likely as all others together; below, names of filmed walks were mostly wrong",
    )
    clear_sd: float = setting(2.0, "a sign of a normal walk is told beyond this", unit="SD", source="one in twenty")
    sign_sd: float = setting(
        1.0, "nothing nearer to normal is told as a sign", unit="SD", source="one in three normal walks is further"
    )
    most_evidence: int = setting(5, "signs that are told at most", source="judgement")


JUDGE = JudgeSettings()
_LEGS = tuple(f"{side}_{part}" for side in SIDES for part in ("hip", "knee", "ankle"))
SAGITTAL_VIEWS = ("side", "oblique", "3d", "sensor")
"""Where hips, knees and ankles are told. From the front and behind knees of captured walks, rendered, were 14 and 15
degrees off, and 80 and 64 % of their 90 % intervals true (`posepipe evaluate gait-motion`)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The strides that are judged together.

    Attributes:
        view: "side", "oblique", "front" (from behind too); "3d" or "sensor" for motion that never was a picture, the
            second where its joints are uncertain by more than 12 mm.
        strides: of that view.
    """

    view: str
    strides: tuple[Stride, ...]


def choose_strides(motion: Motion, walk: Walk) -> Seen:
    """The view with the most strides on both sides, and its strides, of all passes.

    Seen from the left or from the right is one view, and so is from the front or behind: the same plane. One mean cycle
    mustn't mix two of these.
    """
    if motion.keypoints is None:
        legs = [motion.layout.index(joint) for joint in _LEGS if joint in motion.layout.joints]
        sigma = motion.sigma_m[:, legs][np.isfinite(motion.sigma_m[:, legs])]
        return Seen("sensor" if len(sigma) and float(np.median(sigma)) > JUDGE.sensor_m else "3d", walk.strides)
    views = [
        "front" if walk.passes[s.pass_index].view == "back" else walk.passes[s.pass_index].view for s in walk.strides
    ]
    if not views:
        return Seen("side", ())
    of = {name: tuple(s for s, view in zip(walk.strides, views, strict=True) if view == name) for name in views}
    # Both sides are needed: many strides of one side don't make up for few of the other.
    best = max(of, key=lambda name: (min(count_of(of[name], side) for side in SIDES), len(of[name])))
    return Seen(best, of[best])


def count_of(strides: Sequence[Stride], side: str) -> int:
    """Strides of one side."""
    return sum(stride.side == side for stride in strides)


def picture_gate(motion: Motion, strides: Sequence[Stride]) -> Reason | None:
    """Why the picture can't carry a judgement; None if it can."""
    inside = np.zeros(len(motion), dtype=bool)
    for stride in strides:
        inside |= (motion.time_s >= stride.start_s) & (motion.time_s <= stride.end_s)
    if inside.sum() < 2:
        return Reason.TOO_FEW_STRIDES
    steps = np.diff(motion.time_s)[inside[:-1] & inside[1:]]
    if len(steps) and 1.0 / float(np.median(steps)) < JUDGE.least_fps_hz:
        return Reason.FRAME_RATE_TOO_LOW
    if _outside_share(motion, inside) > JUDGE.most_outside:
        return Reason.OUT_OF_FRAME
    legs = [motion.layout.index(joint) for joint in _LEGS if joint in motion.layout.joints]
    if len(legs) < len(_LEGS) or 1.0 - float(motion.valid[inside][:, legs].mean()) > JUDGE.most_unseen:
        return Reason.JOINT_UNSEEN
    return None


def _outside_share(motion: Motion, inside: NDArray[np.bool_]) -> float:
    """Share of leg keypoints that are outside the picture, or were never seen beside its edge."""
    track, size = motion.keypoints, motion.size_px
    if track is None or size is None:
        return 0.0
    legs = [track.layout.index(joint) for joint in _LEGS if joint in track.layout.joints]
    xy = track.xy_px[inside][:, legs]
    known = np.isfinite(xy).all(axis=-1)
    outside = known & ((xy < 0.0) | (xy > np.array(size))).any(axis=-1)
    return float(outside.sum() / max(known.sum(), 1))


def score_gate(curves: Sequence[MeanCurve], view: str) -> Reason | None:
    """Why the sagittal deviation score can't be given; None if it can."""
    if view not in SAGITTAL_VIEWS:
        return Reason.WRONG_VIEW
    needed = [c for c in curves if c.angle in ("hip_flexion", "knee_flexion")]
    if len(needed) < 4:
        return Reason.JOINT_UNSEEN
    knees = [float(median_known(c.sigma_deg)) for c in needed if c.angle == "knee_flexion"]
    return Reason.TOO_UNCERTAIN if max(knees) > JUDGE.most_knee_sigma_deg else None


_LEAST_CURVES = 4
"""Hips and knees of both sides make a score; ankles may be missing."""


def deviation(curves: Sequence[MeanCurve], seen: str) -> Deviation | None:
    """The score of a walk; None where a hip or knee wasn't seen (ankles may be missing).

    Args:
        curves: mean curves; others than hip, knee and ankle are left out.
        seen: which controls to compare with, see `posepipe.gait.norms.curve_bands`.
    """
    bands = curve_bands(seen)
    used = [curve for curve in curves if curve.angle in SAGITTAL and curve.angle in bands]
    if len([curve for curve in used if curve.angle != "ankle_dorsiflexion"]) < _LEAST_CURVES:
        return None
    parts = tuple(part for part in (compare(curve, bands) for curve in used) if part is not None)
    rms, rms_sigma = rms_deviation(used, bands)
    value, slope = score(rms, seen)
    return Deviation(value, abs(slope) * rms_sigma, rms, parts)


def rms_deviation(curves: Sequence[MeanCurve], bands: Mapping[str, Band]) -> tuple[float, float]:
    """RMS distance of curves from their bands in degrees, and its standard deviation.

    A curve's errors go together over the cycle, those of different curves don't.
    """
    squares, pulls = [], []
    for curve in curves:
        away = curve.mean_deg - bands[curve.angle].mean_deg
        squares.append(float(mean_known(away**2)))
        pulls.append(float(mean_known(np.abs(away) * curve.sigma_deg)))
    rms = float(np.sqrt(np.mean(squares)))
    sigma = float(np.sqrt(np.sum(np.square(pulls))) / (len(curves) * max(rms, 1e-6)))
    return rms, sigma


def score(rms_deg: float, seen: str) -> tuple[float, float]:
    """The scaled score of an RMS distance, and its slope in points per degree."""
    mean, sd = deviation_scale(seen)
    rms_deg = max(rms_deg, 0.1)
    return 100.0 - 10.0 * (float(np.log(rms_deg)) - mean) / sd, -10.0 / (sd * rms_deg)


if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FloatArray = NDArray[np.float32]

_DRAWS = 64
"""Walks drawn within the strides' spread, for the probability's standard deviation."""

_TENTHS = 10
"""Parts of the probability in which calibration walks are counted."""

_LIMIT_SD = 12.0
"""No feature is taken for further from normal; as in training."""

_SPECS = {spec.name: spec for spec in FEATURES}


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
        self._ways: tuple[str, ...] = tuple(json.loads(metadata.get("seen", "[]"))) or WAYS
        self._calibrated: Mapping[str, Sequence[int]] = json.loads(metadata.get("calibrated", "{}"))

    def judge(self, features: Mapping[str, Feature], seen: str, strides: int, source: Source | None = None) -> Abnormal:
        """Judge one walk.

        Args:
            features: of `posepipe.gait.features.gait_features`; missing ones count as unknown.
            seen: which normal walks to compare with, see `posepipe.gait.norms.curve_bands`.
            strides: on the side that has fewer.
            source: what all walks of the same source share, to be taken off.
        """
        norms = feature_norms(seen)
        if source is not None:
            features = source.taken_off(features)
        z, known = z_scores(features, norms, strides)
        spread = np.array(
            [
                _unsure(features[spec.name], norms[spec.name], strides, above=bool(away > 0.0)) if ok else 0.0
                for spec, ok, away in zip(FEATURES, known, z, strict=True)
            ]
        )
        # A fixed seed: the same walk always gets the same answer.
        draws = np.random.default_rng(0).standard_normal((_DRAWS, len(z))) * np.nan_to_num(spread, nan=0.0)
        batch = np.concatenate([z[None], z[None] + draws.astype(np.float32)]).astype(np.float32)
        mask = np.broadcast_to(known.astype(np.float32), batch.shape)
        way = SOURCED if source is not None and SOURCED in self._ways else seen
        probability, share, pattern = self.run(np.clip(batch, -_LIMIT_SD, _LIMIT_SD), mask, way)
        sure, calibration_sigma = limited(float(probability[0]), self._calibrated.get(way, ()))
        flagged = sure >= JUDGE.flagged
        best = int(pattern[0].argmax())
        weight = share[0] if flagged else np.where(np.abs(z) > JUDGE.clear_sd, np.abs(z), np.float32(0.0))
        signs = evidence(features, norms, z, weight)
        return Abnormal(
            sure,
            float(np.hypot(np.std(probability[1:]), calibration_sigma)),
            "abnormal" if flagged else "normal",
            self._name(pattern[0], signs) if flagged else "normal",
            limited(float(pattern[0, best]), self._calibrated.get(way, ()))[0],
            signs,
        )

    def _name(self, pattern: FloatArray, signs: Sequence[Evidence]) -> str:
        """The pattern that is clearly ahead; else only whether the sides differ."""
        best = int(pattern.argmax())
        if pattern[best] >= JUDGE.named and self.patterns[best] != GENERAL:
            return self.patterns[best]
        uneven = any(ASYMMETRY in sign.feature and sign.sd_from_norm > JUDGE.clear_sd for sign in signs)
        return "asymmetric" if uneven else "unspecified"

    def run(self, z: FloatArray, known: FloatArray, seen: str) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The network alone.

        Args:
            z: (B, F) distances in standard deviations; anything where not known.
            known: (B, F) 1 or 0.
            seen: one of `posepipe.gait.norms.WAYS`.

        Returns:
            Probability (B,), what each feature adds to its logit (B, F), and pattern probabilities (B, P).
        """
        names = ["probability", "contribution", "pattern"]
        ways = np.repeat(np.array([[way == seen for way in self._ways]], np.float32), len(z), axis=0)
        found = self._session.run(names, {"z": z, "known": np.ascontiguousarray(known), "seen": ways})
        return found[0], found[1], found[2]


def _unsure(feature: Feature, norm: FeatureNorm, strides: int, *, above: bool) -> float:
    """A feature's own standard deviation in the norm's; no less than strides usually leave open."""
    usual = norm.stride_sd / max(strides, 1) ** 0.5
    sigma = max(feature.sigma, usual) if np.isfinite(feature.sigma) else usual
    return float(sigma / norm.spread(strides, above=above))


def limited(probability: float, calibrated: Sequence[int]) -> tuple[float, float]:
    """A probability no surer than the walks it was calibrated on allow, and what they leave open of it.

    Of n walks in the same tenth, none may have been otherwise, and the next one still is with a probability of
    1 / (n + 2), by Laplace's rule of succession.

    Args:
        probability: as the network has it.
        calibrated: how many calibration walks had a probability in each tenth; where that isn't known, few are assumed.

    Returns:
        The probability, and the standard deviation of a share of so many walks.
    """
    counts = list(calibrated) or [JUDGE.least_calibrated] * _TENTHS
    count = counts[min(int(probability * len(counts)), len(counts) - 1)]
    least = 1.0 / (count + 2.0)
    sure = min(max(probability, least), 1.0 - least)
    return sure, float(np.sqrt(sure * (1.0 - sure) / (count + 3.0)))


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
    """The heaviest signs. Only what has a meaning in words and isn't near to normal counts."""
    found: list[Evidence] = []
    for index in np.argsort(-weight):
        spec = FEATURES[index]
        words = spec.high if z[index] > 0 else spec.low
        if weight[index] <= 0.0 or abs(z[index]) < JUDGE.sign_sd or not words or len(found) == JUDGE.most_evidence:
            continue
        feature, norm = features[spec.name], norms[spec.name]
        found.append(Evidence(spec.name, words, feature.side, feature.value, norm.mean, norm.sd, float(z[index])))
    return tuple(found)


@lru_cache(maxsize=4)
def _session(path: str) -> InferenceSession:
    return open_session(path, threads=1)
