"""From a motion to the gait result: strides, parameters, curves, deviation score, abnormality; or why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from posepipe.body.motion import Motion
from posepipe.gait.corrections import Strike, without_strikes
from posepipe.gait.curves import compare, cut_cycles, cut_parts, mean_curves, without_sagittal
from posepipe.gait.events import coarse_strides
from posepipe.gait.features import gait_features
from posepipe.gait.judge import (
    JUDGE,
    SAGITTAL_VIEWS,
    Classifier,
    Seen,
    choose_strides,
    count_of,
    deviation,
    picture_gate,
    score_gate,
)
from posepipe.gait.norms import curve_bands
from posepipe.gait.parameters import parameters
from posepipe.gait.parts import PART, parts_of, strides_seen, sure_strides
from posepipe.gait.picture_angles import from_picture
from posepipe.gait.signals import Signals, signals_of
from posepipe.gait.source import Source
from posepipe.gait.types import SIDES, Abnormal, Cycle, Deviation, GaitResult, Walk
from posepipe.gait.walk import LEAST_FRAMES, find_walk
from posepipe.reasons import Reason

__all__ = ["analyse"]


def analyse(
    motion: Motion,
    *,
    scale_known: bool = False,
    model: str | Path = "gait",
    least_strides: int = JUDGE.least_strides,
    dropped: Sequence[Strike] = (),
    source: Source | None = None,
) -> GaitResult:
    """Look for walking and judge it.

    Args:
        motion: one person's.
        scale_known: metres are measured, not assumed.
        model: the classifier's name or ONNX file.
        least_strides: clean strides a side for a judgement. Fewer than two are for measuring the classifier only; 0
            takes any stride of either side, and coarse ones where there is none.
        dropped: heel strikes that somebody took out by hand.
        source: what many walks seen the same way have in common, see `posepipe.gait.source`.

    Raises:
        ModelError: the classifier is missing or damaged.
    """
    if len(motion) < LEAST_FRAMES:
        return GaitResult(withheld=Reason.TOO_FEW_FRAMES)
    signals = signals_of(motion)
    walk = without_strikes(find_walk(motion, signals), dropped)
    if least_strides < 1 and not walk.strides:
        walk = Walk(strides=coarse_strides(motion), withheld=walk.withheld)
    elif walk.withheld not in (None, Reason.TOO_FEW_STRIDES):
        return GaitResult(walk, withheld=walk.withheld)
    found = parameters(motion, walk, scale_known, signals)
    if not walk.strides:
        few = walk.withheld or Reason.TOO_FEW_STRIDES
        if found.value("cadence_spm") is None:
            return GaitResult(walk, withheld=few)
        return GaitResult(walk, parameters=found, deviation=few, abnormal=few)
    seen = choose_strides(motion, walk)
    judged = from_picture(motion, signals.heading) if seen.view == "side" else motion
    cycles, parts = _cycles(judged, walk, seen, signals, least_strides)
    every = *cycles, *parts
    features = gait_features(every, filmed=motion.keypoints is not None)
    if seen.view not in SAGITTAL_VIEWS:
        cycles, parts = without_sagittal(cycles), without_sagittal(parts)
    curves = mean_curves((*cycles, *parts))
    bands = curve_bands(seen.view)
    departures = tuple(d for d in (compare(curve, bands) for curve in curves) if d is not None)
    count = min(strides_seen(every, side) for side in SIDES)
    base = GaitResult(walk, seen.view, found, cycles, curves, departures, features, parts=parts)
    reason = Reason.TOO_FEW_STRIDES if count < least_strides else picture_gate(motion, seen.strides)
    if reason is not None:
        return replace(base, deviation=reason, abnormal=reason)
    score: Deviation | Reason = score_gate(curves, seen.view) or deviation(curves, seen.view) or Reason.JOINT_UNSEEN
    answer: Abnormal | Reason = _classifier(str(model)).judge(features, seen.view, count, source)
    if isinstance(answer, Abnormal) and (answer.sigma > JUDGE.most_sigma or (least_strides and _undecided(answer))):
        answer = Reason.TOO_UNCERTAIN
    return replace(base, deviation=score, abnormal=answer)


def _cycles(
    motion: Motion, walk: Walk, seen: Seen, signals: Signals, least: int
) -> tuple[tuple[Cycle, ...], tuple[Cycle, ...]]:
    """Whole strides, and parts of others where the whole ones are too few and parts make up for what is missing.

    Not from the front: when a single foot lands is guessed there, and that is what bounds a part.
    """
    leg_m = signals.leg_m
    if min(count_of(seen.strides, side) for side in SIDES) < least and seen.view != "front":
        sure = sure_strides(walk, seen.strides)
        beside = parts_of(motion, walk, sure, signals.forward)
        cycles, parts = cut_cycles(motion, sure, leg_m), cut_parts(motion, walk, beside, leg_m)
        if len(sure) >= PART.whole and min(strides_seen((*cycles, *parts), side) for side in SIDES) >= least:
            return cycles, parts
    return cut_cycles(motion, seen.strides, leg_m), ()


def _undecided(answer: Abnormal) -> bool:
    """Whether normal and abnormal are about as likely, so that either word would say more than is known."""
    return abs(answer.probability - JUDGE.flagged) < JUDGE.undecided * answer.sigma


@lru_cache(maxsize=2)
def _classifier(model: str) -> Classifier:
    return Classifier(model)
