"""From a motion to the gait section: strides, parameters, curves, deviation score, abnormality; or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from posepipe.gait.abnormal import Abnormal, Classifier
from posepipe.gait.curves import Departure, MeanCurve, compare, mean_curves
from posepipe.gait.cycles import Cycle, coarse_strides, cut_cycles
from posepipe.gait.deviation import Deviation, deviation
from posepipe.gait.events import find_walk
from posepipe.gait.features import Feature, gait_features
from posepipe.gait.gates import LEAST_STRIDES, choose_strides, count_of, picture_gate, score_gate, stride_gate
from posepipe.gait.norms import curve_bands
from posepipe.gait.parameters import parameters
from posepipe.gait.picture_angles import from_picture
from posepipe.gait.types import SIDES, Parameters, Walk
from posepipe.motion.clip import Motion
from posepipe.reasons import Reason, withheld

__all__ = ["DISCLAIMER", "GaitAnalysis", "analyse", "analyse_gait"]

DISCLAIMER = "A screening aid, not a diagnosis."

_MOST_SIGMA = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class GaitAnalysis:
    """Everything found in one person's walking.

    Attributes:
        walk: passes, events and strides.
        view: how the judged strides were seen: "side", "oblique", "front" or "3d"; empty without any.
        parameters: spatiotemporal parameters.
        cycles: the judged strides on 0 to 100 %.
        curves: their means, of both sides.
        departures: where each mean curve leaves the band of normal walks.
        features: what the classifier looks at.
        deviation: the sagittal deviation score, or why it's withheld.
        abnormal: the classifier's answer, or why it's withheld.
        withheld: why there is no gait section at all; None if there is one.
    """

    walk: Walk
    view: str = ""
    parameters: Parameters | None = None
    cycles: tuple[Cycle, ...] = ()
    curves: tuple[MeanCurve, ...] = ()
    departures: tuple[Departure, ...] = ()
    features: Mapping[str, Feature] = field(default_factory=dict)
    deviation: Deviation | Reason = Reason.NOT_WALKING
    abnormal: Abnormal | Reason = Reason.NOT_WALKING
    withheld: Reason | None = None

    def section(self) -> dict[str, object]:
        """The ``gait`` object of ``summary.json``."""
        if self.withheld is not None or self.parameters is None:
            return dict(withheld(self.withheld or Reason.NOT_WALKING))
        events = [{"time_s": round(e.time_s, 4), "side": e.side, "type": e.type} for e in self.walk.events]
        return {
            "events": events,
            **self.parameters.as_dict(),
            "view": self.view,
            "deviation_score": _score(self.deviation),
            "abnormal": withheld(self.abnormal) if isinstance(self.abnormal, Reason) else _abnormal(self.abnormal),
            "note": DISCLAIMER,
        }


def analyse_gait(motion: Motion, *, scale_known: bool = False) -> dict[str, object]:
    """The gait section of a motion, in the form of ``summary.json``; see `analyse`."""
    return analyse(motion, scale_known=scale_known).section()


def analyse(
    motion: Motion,
    *,
    scale_known: bool = False,
    model: str | Path = "gait",
    least_strides: int = LEAST_STRIDES,
) -> GaitAnalysis:
    """Look for walking and judge it.

    Args:
        motion: one person's.
        scale_known: metres are measured, not assumed.
        model: the classifier's name or ONNX file.
        least_strides: clean strides a side for a judgement. Fewer than three are for measuring the classifier only; 0
            takes any stride of either side, and coarse ones where there is none.

    Raises:
        ModelError: the classifier is missing or damaged.
    """
    walk = find_walk(motion)
    if least_strides < 1 and not walk.strides:
        walk = Walk(strides=coarse_strides(motion), withheld=walk.withheld)
    elif walk.withheld is not None:
        return GaitAnalysis(walk, withheld=walk.withheld)
    if not walk.strides:
        return GaitAnalysis(walk, withheld=walk.withheld or Reason.TOO_FEW_STRIDES)
    found = parameters(motion, walk, scale_known)
    seen = choose_strides(motion, walk)
    cycles = cut_cycles(from_picture(motion) if seen.view == "side" else motion, seen.strides)
    curves = mean_curves(cycles)
    bands = curve_bands(seen.view)
    departures = tuple(d for d in (compare(curve, bands) for curve in curves) if d is not None)
    features = gait_features(cycles, filmed=motion.keypoints is not None)
    count = min(count_of(seen.strides, side) for side in SIDES)
    base = GaitAnalysis(walk, seen.view, found, cycles, curves, departures, features)
    reason = stride_gate(seen.strides, least_strides) or picture_gate(motion, seen.strides)
    if reason is not None:
        return replace(base, deviation=reason, abnormal=reason)
    score: Deviation | Reason = score_gate(curves, seen.view) or deviation(curves, seen.view) or Reason.JOINT_UNSEEN
    answer: Abnormal | Reason = _classifier(str(model)).judge(features, seen.view, count)
    if isinstance(answer, Abnormal) and answer.sigma > _MOST_SIGMA:
        answer = Reason.TOO_UNCERTAIN
    return replace(base, deviation=score, abnormal=answer)


@lru_cache(maxsize=2)
def _classifier(model: str) -> Classifier:
    return Classifier(model)


def _score(item: Deviation | Reason) -> dict[str, object]:
    if isinstance(item, Reason):
        return dict(withheld(item))
    return {
        "value": item.score,
        "sigma": item.sigma,
        "rms_deg": item.rms_deg,
        "parts": [
            {
                "side": part.side,
                "angle": part.angle,
                "rms_deg": round(part.rms_deg, 2),
                "outside_pct": round(part.outside_pct, 1),
                "worst_z": round(part.worst_z, 2),
                "worst_pct": part.worst_pct,
                "phase": part.phase,
            }
            for part in item.parts
        ],
    }


def _abnormal(item: Abnormal) -> dict[str, object]:
    return {
        "probability": round(item.probability, 3),
        "probability_sigma": round(item.sigma, 3),
        "label": item.label,
        "pattern": item.pattern,
        "pattern_probability": round(item.pattern_probability, 3),
        "evidence": [asdict(sign) for sign in item.evidence],
    }
