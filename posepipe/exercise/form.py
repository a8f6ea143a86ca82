"""How well each repetition was done: range of motion with its sigma, tempo, sides, faults, and a score.

A fault of the catalogue's rules is named only where the measure passes its threshold by more than its error bar, from a
view that shows it. A rule whose measure lies on the wrong side, but within the error bar, can't be judged. "Good" is
said only where every rule is kept by more than the error bar.

The score says how close a repetition is to those of healthy people told to do it well. A repetition is a row of
numbers: fourteen measures at ten moments of it, the side that moves more first, and how long it took. Its deviation is
the mean squared distance from correct repetitions, in their standard deviations, as a share of what one correct
repetition in twenty exceeds. It only grows with noise; nothing in it can reward a wobble. The people it knows were
measured with motion capture: a repetition on film gets none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion, facing, view_label
from posepipe.errors import ModelError
from posepipe.exercise.catalogue import Exercise, Rule
from posepipe.exercise.count import Counted, Cycle
from posepipe.exercise.effort import lift_speed, lifted_joint
from posepipe.exercise.signal import Measure, difference_sigma, measure
from posepipe.exercise.types import Consistency, Form, Rejected, Repetition
from posepipe.inference import open_session
from posepipe.reasons import Reason
from posepipe.settings import setting
from posepipe.types import PoseTrack
from posepipe.weights import find_model

__all__ = [
    "FEATURE_COUNT", "MIDDLE", "MOVEMENTS", "SIDED", "QualityModel", "RuleSeen", "advice", "beyond_doubt",
    "consistency", "describe", "features_of", "rep_features", "rules_seen", "view_of",
]  # fmt: skip

Array = NDArray[np.float64]

MOVEMENTS = (
    "squat", "hurdle_step", "lunge", "side_lunge", "sit_to_stand", "leg_raise", "shoulder_abduction",
    "shoulder_extension", "shoulder_rotation", "scaption",
)  # fmt: skip
"""What the form model knows, in the order of its output."""
MOMENTS = 10
"""Of a repetition, at which the form model sees it; as in training."""
SIDED = (
    *("knee_flexion", "hip_bend", "arm_raise", "elbow_flexion", "body_line", "knee_inward"),
    *("hip_abduction", "shoulder_flexion", "shoulder_abduction"),
)
MIDDLE = ("trunk_lean", "legs_apart", "trunk_lateral", "trunk_rotation", "trunk_flexion")
FEATURE_COUNT = MOMENTS * (2 * len(SIDED) + len(MIDDLE)) + 1
_SECOND_DEG = 30.0
"""In the form model's row one second weighs as much as this many degrees; as in training."""
_LOW, _HIGH = 5, 95
"""Percentiles that stand for the least and the most: a single frame's error doesn't decide."""
_LEAST_FRAMES = 4
"""A measure seen in fewer isn't read for the form model."""
_LEAST_BAR_DEG = 1e-3
"""Keeps a quotient finite where a measure has no error."""
_ACTIVE = ("knee_flexion", "hip_bend", "arm_raise", "elbow_flexion")
_UNSIGNED = ("trunk_lateral", "trunk_rotation")


@dataclass(frozen=True, slots=True)
class FormSettings:
    """Thresholds of judging form. Those of the rules stand in the catalogue, each with its source."""

    sure: float = setting(
        1.645, "sigmas by which a measure passes a rule's threshold where a fault is named",
        source="normal distribution: right in nineteen of twenty",
    )  # fmt: skip
    real: float = setting(
        1.0, "sigmas that a set's ranges must have together to be counted", source="larger than their own doubt"
    )
    spread_s: float = setting(
        0.1, "half of the time that a single moment is averaged over", unit="s", source="judgement"
    )
    least_sigma_deg: float = setting(
        0.1, "no side is taken for surer where both sides' ranges are weighed", unit="deg", source="judgement"
    )
    max_sigma_deg: float = setting(
        12.0, "with measures less certain than this no score is given", unit="deg",
        source="about twice the spread between correct repetitions of UI-PRMD",
    )  # fmt: skip


FORM = FormSettings()


def describe(motion: Motion, exercise: Exercise, counted: Counted) -> tuple[Repetition, ...]:
    """Each counted repetition with its range, tempo and faults.

    Args:
        motion: one person's movement.
        exercise: from the catalogue.
        counted: by `posepipe.exercise.count.count_exercise`.
    """
    yaw_deg, _ = facing(_pose(motion))
    judge = Judge(motion, exercise, yaw_deg)
    reps = tuple(_one(motion, judge, exercise, cycle) for cycle in counted.reps)
    if not exercise.lifts:
        return reps
    joint_m, up = lifted_joint(motion, exercise.lifts), motion.up.astype(np.float64)
    speeds = (lift_speed(motion.time_s, joint_m, up, cycle) for cycle in counted.reps)
    return tuple(replace(rep, speed_m_s=speed) for rep, speed in zip(reps, speeds, strict=True))


def _one(motion: Motion, judge: Judge, exercise: Exercise, cycle: Cycle) -> Repetition:
    seen = judge.measure(exercise.signal)
    turn, turn_sigma = _about(motion, seen, cycle, cycle.turn_s)
    start, start_sigma = _about(motion, seen, cycle, cycle.start_s)
    end, end_sigma = _about(motion, seen, cycle, cycle.end_s)
    rest, rest_sigma = _better(start, start_sigma, end, end_sigma)
    rom, sigma = np.abs(turn - rest), difference_sigma(turn - rest, turn_sigma, rest_sigma)
    faults, withheld, form = judge.judged(cycle)
    best = _weighted(rom, sigma, cycle.side)
    return Repetition(
        start_s=cycle.start_s,
        turn_s=cycle.turn_s,
        end_s=cycle.end_s,
        rom_deg=best[0],
        rom_sigma_deg=best[1],
        tempo_s=(cycle.turn_s - cycle.start_s, cycle.end_s - cycle.turn_s),
        side=cycle.side,
        left_right_deg=float(rom[0] - rom[1]) if cycle.side == "both" and len(rom) == 2 else float("nan"),
        faults=faults,
        withheld=withheld,
        form=form,
    )


def beyond_doubt(reps: Sequence[Repetition]) -> tuple[tuple[Repetition, ...], tuple[Rejected, ...]]:
    """Repetitions of a set that are real beyond doubt, and the rest of the set, turned down.

    A range smaller than its own sigma is no repetition. But five alike in a row are less doubtful than one: up to
    each repetition the set's evidence is the sum of ranges over their sigmas, by the square root of their number
    (Stouffer's method); where that passes, all so far count. Nothing later can take a count away again.

    Args:
        reps: one set's, in order; a range that isn't known doesn't speak against it.
    """
    ratio = np.array([rep.rom_deg / max(rep.rom_sigma_deg, _LEAST_BAR_DEG) for rep in reps], np.float64)
    ratio = np.where(np.isfinite(ratio), ratio, FORM.real + 1.0)
    evidence = np.cumsum(ratio) / np.sqrt(np.arange(1, len(ratio) + 1))
    sure = np.flatnonzero(evidence > FORM.real)
    count = int(sure[-1]) + 1 if sure.size else 0
    return tuple(reps[:count]), tuple(Rejected(rep.start_s, rep.end_s, Reason.TOO_UNCERTAIN) for rep in reps[count:])


_ASK: Mapping[Reason, str] = {
    Reason.JOINT_UNSEEN: "Keep the whole body in the picture, nothing in front of it.",
    Reason.TOO_UNCERTAIN: "Come closer, into better light, and move across the picture rather than towards it.",
}


def advice(exercise: Exercise, code: str, reason: Reason) -> str:
    """What to do so that a rule can be judged, as a sentence; empty if nobody knows.

    Args:
        exercise: from the catalogue.
        code: of one of its rules, or "score".
        reason: why it wasn't judged.
    """
    views = next((rule.views for rule in exercise.rules if rule.code == code), exercise.views)
    if reason is not Reason.WRONG_VIEW:
        return _ASK.get(reason, "")
    if {"left", "right"} & views:
        return "Film from the side."
    return "Film from the front." if "front" in views else "Film from behind."


def _better(start: Array, start_sigma: Array, end: Array, end_sigma: Array) -> tuple[Array, Array]:
    """Mean of both ends, or the one that was seen."""
    one, two = np.isfinite(start), np.isfinite(end)
    mean = np.where(one & two, (start + end) / 2.0, np.where(one, start, end))
    # The same joint errs in the same way at both ends, so the mean is no surer than one.
    sigma = np.where(one & two, np.maximum(start_sigma, end_sigma), np.where(one, start_sigma, end_sigma))
    return mean, sigma


def _weighted(rom: Array, sigma: Array, side: str) -> tuple[float, float]:
    """Range over both sides, weighed by certainty; of the side that moved, if only one did."""
    if len(rom) == 2 and side != "both":
        k = 0 if side == "left" else 1
        return float(rom[k]), float(sigma[k])
    known = np.isfinite(rom) & np.isfinite(sigma)
    if not known.any():
        return float("nan"), float("nan")
    weight = 1.0 / np.maximum(sigma[known], FORM.least_sigma_deg) ** 2
    weight = weight / weight.sum()
    # Both sides come from the same picture: their errors are taken to go together.
    return float((weight * rom[known]).sum()), float((weight * sigma[known]).sum())


def rules_seen(motion: Motion, exercise: Exercise, cycle: Cycle) -> tuple[RuleSeen, ...]:
    """What each rule of an exercise saw in one repetition.

    Args:
        motion: one person's movement.
        exercise: whose rules.
        cycle: the repetition.
    """
    yaw_deg, _ = facing(_pose(motion))
    return Judge(motion, exercise, yaw_deg).seen(cycle)


def consistency(reps: tuple[Repetition, ...]) -> Consistency | None:
    """Spread over a bout; None with fewer than two repetitions of a known range."""
    rom = np.array([rep.rom_deg for rep in reps])
    rom = rom[np.isfinite(rom)]
    if rom.size < 2:
        return None
    lengths = np.array([rep.end_s - rep.start_s for rep in reps])
    return Consistency(float(rom.mean()), float(rom.std(ddof=1)), float(lengths.std(ddof=1)))


def _pose(motion: Motion) -> PoseTrack:
    return PoseTrack(
        layout=motion.layout,
        time_s=motion.time_s,
        xyz_m=motion.xyz_m,
        sigma_m=motion.sigma_m,
        root_m=motion.root_m,
        root_sigma_m=np.full_like(motion.root_m, np.nan),
        valid=motion.valid,
        interpolated=np.zeros_like(motion.valid),
    )


@dataclass(frozen=True, slots=True)
class RuleSeen:
    """What one rule saw in one repetition.

    Attributes:
        code: of the rule.
        threshold_deg: where its fault begins.
        value_deg, sigma_deg: of its measure; NaN where unseen.
        over: how far the measure is on the fault's side of the threshold, in error bars.
        reason: why it isn't judged; None if it is.
    """

    code: str
    threshold_deg: float
    value_deg: float = float("nan")
    sigma_deg: float = float("nan")
    over: float = float("nan")
    reason: Reason | None = None

    @property
    def broken(self) -> bool:
        """Whether it is broken beyond doubt."""
        return self.reason is None and self.over > 1.0


class Judge:
    """Judges the repetitions of one exercise in one motion.

    Args:
        motion: one person's movement.
        exercise: whose rules.
        yaw_deg: (F,) heading of the body in each frame, as `posepipe.body.motion.facing` gives it.
    """

    def __init__(self, motion: Motion, exercise: Exercise, yaw_deg: NDArray[np.float32]) -> None:
        self._motion = motion
        self._exercise = exercise
        self._yaw_deg = yaw_deg
        self._seen: dict[str, Measure] = {}

    def measure(self, name: str) -> Measure:
        """A measure of the motion, worked out once."""
        if name not in self._seen:
            self._seen[name] = measure(self._motion, name)
        return self._seen[name]

    def judged(self, cycle: Cycle) -> tuple[tuple[str, ...], Mapping[str, Reason], Form]:
        """Codes of the rules broken, the reason for each rule that can't be judged, and what that comes to."""
        seen = self.seen(cycle)
        unknown = {item.code: item.reason for item in seen if item.reason is not None}
        known = {item.code: item.over for item in seen if item.reason is None}
        broken = tuple(code for code, over in known.items() if over > 1.0)
        if broken:
            return broken, unknown, Form.FAULT
        if len(unknown) == len(seen):
            return broken, unknown, Form.NOT_JUDGED
        clear = not unknown and all(over < -1.0 for over in known.values())
        return broken, unknown, Form.GOOD if clear else Form.NO_FAULT

    def seen(self, cycle: Cycle) -> tuple[RuleSeen, ...]:
        """What each rule saw in a repetition."""
        frames = (self._motion.time_s >= cycle.start_s) & (self._motion.time_s <= cycle.end_s)
        view = view_of(self._yaw_deg[frames])
        return tuple(self._seen_by(rule, cycle, view) for rule in self._exercise.rules)

    def _seen_by(self, rule: Rule, cycle: Cycle, view: str) -> RuleSeen:
        if view != "unknown" and view not in rule.views:
            return RuleSeen(rule.code, rule.threshold_deg, reason=Reason.WRONG_VIEW)
        value, sigma = self._value(rule, cycle)
        known = np.isfinite(value)
        if not known.any():
            return RuleSeen(rule.code, rule.threshold_deg, reason=Reason.JOINT_UNSEEN)
        fine = known & (sigma <= rule.max_sigma_deg)
        if not fine.any():
            typical = float(value[known].mean()), float(sigma[known].mean())
            return RuleSeen(rule.code, rule.threshold_deg, *typical, reason=Reason.TOO_UNCERTAIN)
        value, sigma = value[fine], sigma[fine]
        over = value - rule.threshold_deg if rule.above_deg is not None else rule.threshold_deg - value
        bar = FORM.sure * np.maximum(sigma, _LEAST_BAR_DEG)
        worst = int((over / bar).argmax())
        if rule.side == "worst":
            told = float(value[worst]), float(sigma[worst]), float((over / bar)[worst])
        else:
            # Sides that differ by more than their error bars: one of them, mostly the hidden one, is wrong.
            rms = max(float(np.sqrt((bar**2).mean())), FORM.sure * float(np.ptp(value)) / 2.0)
            told = float(value.mean()), rms / FORM.sure, float(over.mean()) / rms
            if told[1] > rule.max_sigma_deg:
                return RuleSeen(rule.code, rule.threshold_deg, *told, reason=Reason.TOO_UNCERTAIN)
        # On the wrong side of the threshold, but not beyond doubt.
        doubt = Reason.TOO_UNCERTAIN if 0.0 < told[2] <= 1.0 else None
        return RuleSeen(rule.code, rule.threshold_deg, *told, reason=doubt)

    def _value(self, rule: Rule, cycle: Cycle) -> tuple[Array, Array]:
        """What the rule looks at, by side, with its sigma."""
        seen = self.measure(rule.measure)
        low, high = {
            "start": (cycle.start_s - FORM.spread_s, cycle.start_s + FORM.spread_s),
            "turn": (cycle.turn_s - FORM.spread_s, cycle.turn_s + FORM.spread_s),
            "end": (cycle.end_s - FORM.spread_s, cycle.end_s + FORM.spread_s),
            "out": (cycle.start_s, cycle.turn_s),
            "back": (cycle.turn_s, cycle.end_s),
            "rep": (cycle.start_s, cycle.end_s),
        }[rule.at]
        deg, sigma = _window(self._motion, seen, low, high)
        if cycle.side != "both" and seen.sided:
            keep = [0 if cycle.side == "left" else 1]
            deg, sigma = deg[:, keep], sigma[:, keep]
        if not len(deg):
            return np.full(1, np.nan), np.full(1, np.nan)
        spread = _typical(sigma)
        if rule.take == "change":
            first, other = _window(self._motion, seen, cycle.start_s - FORM.spread_s, cycle.start_s + FORM.spread_s)
            first, other = (first, other) if first.shape[1] == deg.shape[1] else (first[:, keep], other[:, keep])
            change = _typical(deg) - _typical(first)
            return change, difference_sigma(change, spread, _typical(other))
        if rule.take == "range":
            size = _extreme(deg, _HIGH) - _extreme(deg, _LOW)
            return size, difference_sigma(size, spread, spread)
        take = {"min": _LOW, "max": _HIGH}.get(rule.take)
        if seen.alone_deg is not None:
            spread = _typical(_window(self._motion, replace(seen, sigma_deg=seen.alone_deg), low, high)[1])
        return (_mean(deg) if take is None else _extreme(deg, take)), spread


def _about(motion: Motion, seen: Measure, cycle: Cycle, moment_s: float) -> tuple[Array, Array]:
    """A measure about one moment: (sides,) value and sigma; NaN where unseen."""
    deg, sigma = _window(motion, seen, moment_s - FORM.spread_s, moment_s + FORM.spread_s)
    if not len(deg):
        return np.full(seen.deg.shape[1], np.nan), np.full(seen.deg.shape[1], np.nan)
    return _typical(deg), _typical(sigma)


def view_of(yaw_deg: NDArray[np.float32]) -> str:
    """The side of the body that the camera saw in these frames, "unknown" if none has a heading."""
    known = np.radians(yaw_deg[np.isfinite(yaw_deg)].astype(np.float64))
    if not known.size:
        return "unknown"
    return view_label(float(np.degrees(np.angle(np.exp(1j * known).mean()))))


def _window(motion: Motion, seen: Measure, low: float, high: float) -> tuple[Array, Array]:
    """Frames of a stretch of time; the nearest one if it holds none."""
    frames = np.flatnonzero((motion.time_s >= low) & (motion.time_s <= high))
    if not frames.size:
        frames = np.array([int(np.abs(motion.time_s - 0.5 * (low + high)).argmin())])
    return seen.deg[frames], seen.sigma_deg[frames]


def _typical(x: Array) -> Array:
    return _over(x, lambda column: float(np.median(column)))


def _mean(x: Array) -> Array:
    return _over(x, lambda column: float(np.mean(column)))


def _extreme(x: Array, percent: int) -> Array:
    return _over(x, lambda column: float(np.percentile(column, percent)))


def _over(x: Array, take: Callable[[Array], float]) -> Array:
    out = np.full(x.shape[1], np.nan)
    for k in range(x.shape[1]):
        known = x[np.isfinite(x[:, k]), k]
        if known.size:
            out[k] = take(known)
    return out


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
    return np.concatenate([*rows, [(end_s - start_s) * _SECOND_DEG]]), spread


def _read(time_s: Array, deg: Array, at: Array) -> Array:
    out = np.full((len(at), deg.shape[1]), np.nan)
    for k in range(deg.shape[1]):
        seen = np.isfinite(deg[:, k])
        if seen.sum() >= _LEAST_FRAMES:
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
        path = find_model(name)
        self._session = open_session(path, threads=1)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if inputs[0].shape[1:] != [FEATURE_COUNT] or outputs[0].shape[1:] != [len(MOVEMENTS)]:
            raise ModelError(
                f"not a form model: needs (B, {FEATURE_COUNT}) in, (B, {len(MOVEMENTS)}) out",
                where=str(path),
                hint="Make it again: posepipe train form",
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
            if np.isfinite(features).all() and sigma_deg <= FORM.max_sigma_deg:
                out[i] = 1.0 / (1.0 + self.deviation(movement, features)[0] ** 2)
        return out
