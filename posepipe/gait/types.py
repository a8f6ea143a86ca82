"""What is found in a walk: events, strides, the numbers and curves they give, and how it is judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posepipe.reasons import Reason
from posepipe.skeleton import BODY21

__all__ = [
    "ANGLES",
    "DISCLAIMER",
    "GENERAL",
    "HEEL_STRIKE",
    "POINTS",
    "SIDES",
    "TOE_OFF",
    "UNNAMED",
    "Abnormal",
    "Cycle",
    "Departure",
    "Deviation",
    "Event",
    "EventType",
    "Evidence",
    "Feature",
    "Finding",
    "GaitResult",
    "MeanCurve",
    "Measured",
    "Parameters",
    "Pass",
    "PassKind",
    "Side",
    "Stride",
    "Turn",
    "Value",
    "Walk",
]

Array = NDArray[np.float64]
Side = Literal["left", "right"]
EventType = Literal["heel_strike", "toe_off"]
PassKind = Literal["overground", "in_place", "unknown"]

SIDES: tuple[Side, Side] = ("left", "right")
HEEL_STRIKE: EventType = "heel_strike"
TOE_OFF: EventType = "toe_off"


POINTS = 101
"""Samples of a cycle: 0, 1 .. 100 %."""

ANGLES = (
    "hip_flexion",
    "knee_flexion",
    "ankle_dorsiflexion",
    "hip_abduction",
    "shoulder_flexion",
    "shoulder_abduction",
    "elbow_flexion",
    "trunk_flexion",
    "trunk_lateral",
    "trunk_rotation",
    "neck_flexion",
)
"""Angles of a cycle; those with a side are of the side whose heel strike begins it."""

GENERAL = "general"
"""The classifier's pattern of walks that differ by little and in everything; it's no name."""

UNNAMED = ("asymmetric", "unspecified")
"""Patterns of walks that look abnormal without one of the known patterns being clearly ahead."""

DISCLAIMER = "A screening aid, not a diagnosis."


@dataclass(frozen=True, slots=True)
class Value:
    """A measured number.

    Attributes:
        value: in the unit of its name.
        sigma: its standard deviation.
    """

    value: float
    sigma: float


@dataclass(frozen=True, slots=True)
class Event:
    """A foot meets or leaves the ground.

    Attributes:
        time_s: when, between frames.
        sigma_s: its standard deviation.
        side: the foot.
        type: "heel_strike" (whatever part of the foot strikes first) or "toe_off".
        confidence: in [0, 1], that there is such an event at all.
        turning: in a turn or next to one; no part of steady walking.
    """

    time_s: float
    sigma_s: float
    side: Side
    type: EventType
    confidence: float
    turning: bool = False


@dataclass(frozen=True, slots=True)
class Pass:
    """A run of steady walking one way, without gaps and turns.

    Attributes:
        start_s, end_s: its bounds.
        direction: +1 to the picture's right, -1 to its left; for front and back views +1 away from the camera, -1
            towards it.
        kind: "overground" (the person moves across the picture, or nearer or away), "in_place" (a treadmill, or a
            camera that pans or goes along: the person alone doesn't tell which), or "unknown" without a picture.
        view: "side", "oblique", "front" or "back".
        yaw_deg: where the person faces, as in `posepipe.body.motion`.
        backward: walked backwards; such a pass has no events.
        stride_s: stride time from when the feet pass each other, which no missed strike changes; NaN where unknown.
    """

    start_s: float
    end_s: float
    direction: int
    kind: PassKind
    view: str
    yaw_deg: float
    backward: bool = False
    stride_s: float = float("nan")


@dataclass(frozen=True, slots=True)
class Turn:
    """A change of direction.

    Attributes:
        start_s, end_s: from where the heading begins to change until it is steady again.
        angle_deg: by how much; positive to the person's left.
        steps: feet that land in it.
    """

    start_s: float
    end_s: float
    angle_deg: float
    steps: int


@dataclass(frozen=True, slots=True)
class Stride:
    """From one heel strike to the next of the same foot.

    Attributes:
        side: the foot.
        start_s, end_s: both heel strikes.
        toe_off_s: the toe off between.
        pass_index: its place in `Walk.passes`.
    """

    side: Side
    start_s: float
    toe_off_s: float
    end_s: float
    pass_index: int

    @property
    def duration_s(self) -> float:
        """Stride time."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Walk:
    """All that was found of a person's walking.

    Attributes:
        passes: in order of time.
        events: of all passes and turns, in order of time.
        strides: complete ones, in order of time; none in a turn.
        withheld: why there are no strides; None where there are.
        turns: in order of time.
    """

    passes: tuple[Pass, ...] = ()
    events: tuple[Event, ...] = ()
    strides: tuple[Stride, ...] = ()
    withheld: Reason | None = None
    turns: tuple[Turn, ...] = ()

    @property
    def steady(self) -> tuple[Event, ...]:
        """Events outside turns."""
        return tuple(event for event in self.events if not event.turning)

    def of(self, side: Side, kind: EventType) -> tuple[Event, ...]:
        """Events of one foot and kind."""
        return tuple(event for event in self.events if event.side == side and event.type == kind)

    def strides_of(self, side: Side) -> tuple[Stride, ...]:
        """One side's strides."""
        return tuple(stride for stride in self.strides if stride.side == side)


Measured = Value | Mapping[Side, Value | Reason] | Mapping[str, Value | Reason] | Reason
"""One number, one for each side (or each part of a group), or why there is none."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Spatiotemporal parameters by name; each is a `Value`, a mapping of sides to those, or a `Reason`.

    Names and units are listed in `posepipe.gait.parameters.PARAMETERS`.
    """

    strides: Mapping[Side, int]
    items: Mapping[str, Measured] = field(default_factory=dict)

    def value(self, name: str, side: Side | None = None) -> Value | None:
        """One number; None where it was withheld. A sided one without `side` gives the mean of both sides."""
        item = self.items.get(name)
        if isinstance(item, Value):
            return item
        if item is None or isinstance(item, Reason):
            return None
        known = {str(key): v for key, v in item.items() if isinstance(v, Value)}
        return known.get(side) if side is not None else _mean(known.values())


def _mean(values: Iterable[Value]) -> Value | None:
    """Mean of both sides, taken as independent."""
    known = list(values)
    if not known:
        return None
    count = len(known)
    return Value(sum(v.value for v in known) / count, sum(v.sigma**2 for v in known) ** 0.5 / count)


@dataclass(frozen=True, slots=True, eq=False)
class Cycle:
    """One stride.

    Attributes:
        side: "left" or "right".
        start_s, end_s: heel strike and the next one of the same foot.
        toe_off: its share of the cycle in [0, 1]; NaN where unknown.
        deg, sigma_deg: (101, A) angles as in `ANGLES`; NaN where not seen.
        xyz: (101, 21, 3) Body21 joints relative to the pelvis, in leg lengths: forward, to the person's left, up.
        first, last: of these samples, those that were seen; of part of a stride not all.
    """

    side: str
    start_s: float
    end_s: float
    toe_off: float
    deg: Array
    sigma_deg: Array
    xyz: Array
    first: int = 0
    last: int = POINTS - 1

    @property
    def whole(self) -> bool:
        """Whether all of the stride was seen."""
        return self.first == 0 and self.last == POINTS - 1

    def angle(self, name: str) -> Array:
        """One angle's (101,)."""
        return self.deg[:, ANGLES.index(name)]

    def joint(self, name: str) -> Array:
        """One joint's (101, 3); name it "own_knee" or "other_knee" for sides relative to the cycle's."""
        if name.startswith(("own_", "other_")):
            which, _, part = name.partition("_")
            other = "right" if self.side == "left" else "left"
            name = f"{self.side if which == 'own' else other}_{part}"
        return self.xyz[:, BODY21.index(name)]


@dataclass(frozen=True, slots=True, eq=False)
class MeanCurve:
    """One side's mean cycle of one angle.

    Attributes:
        side: "left" or "right".
        angle: name without side.
        mean_deg: (101,); NaN where fewer than half of the cycles were seen.
        sd_deg: (101,) spread from stride to stride; NaN with one cycle.
        sigma_deg: (101,) standard deviation of the mean itself.
        cycles: how many.
    """

    side: str
    angle: str
    mean_deg: Array
    sd_deg: Array
    sigma_deg: Array
    cycles: int


@dataclass(frozen=True, slots=True)
class Departure:
    """How far one mean curve is from its band.

    Attributes:
        side, angle: which curve.
        rms_deg: root mean square distance from the band's mean.
        outside_pct: share of the cycle outside two standard deviations.
        worst_z: signed distance at the worst point in standard deviations; positive is more flexion.
        worst_pct: where in the cycle that is.
        phase: its name.
    """

    side: str
    angle: str
    rms_deg: float
    outside_pct: float
    worst_z: float
    worst_pct: int
    phase: str


@dataclass(frozen=True, slots=True)
class Deviation:
    """The score and what it is made of.

    Attributes:
        score: 100 for an average normal walk, 90 for one standard deviation further away.
        sigma: standard deviation of `score` from the curves' own errors.
        rms_deg: RMS distance over all curves.
        parts: each curve's own distance, and where in the cycle it is greatest.
    """

    score: float
    sigma: float
    rms_deg: float
    parts: tuple[Departure, ...]


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature's value.

    Attributes:
        value: in the unit of the name.
        sigma: standard deviation from stride to stride differences; NaN with too few strides.
        side: the side that stands out ("left" or "right"), empty where there is none.
    """

    value: float
    sigma: float
    side: str = ""


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
        pattern: if abnormal, the likeliest pattern where it is clearly ahead of all others, else "asymmetric" or
            "unspecified"; if not, "normal".
        pattern_probability: of the likeliest pattern among all, no surer than calibration walks allow.
        evidence: the signs that weigh most, the heaviest first; for a normal walk those that stand out, if any.
    """

    probability: float
    sigma: float
    label: str
    pattern: str
    pattern_probability: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something unusual, measured.

    Attributes:
        name: what, unit at the end, as "knee_swing_deg"; see `posepipe.gait.findings`.
        side: "left" or "right"; empty where there are no sides.
        value: of that side.
        other: of the other side; None where it wasn't seen, or there is none.
        way: -1 surely less than normal, 1 more, 0 neither.
        uneven: the sides surely differ by more than healthy ones.
        low, high: what nine in ten normal walks do; None where there is no norm.
        weight: how clear it is, in standard deviations.
    """

    name: str
    side: str
    value: Value
    other: Value | None
    way: int
    uneven: bool
    low: float | None
    high: float | None
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class GaitResult:
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
        withheld: why nothing was found; None if something was.
        parts: parts of strides before the first and after the last whole one, where these alone are too few; they are
            judged with them.
    """

    walk: Walk = field(default_factory=Walk)
    view: str = ""
    parameters: Parameters = field(default_factory=lambda: Parameters({}))
    cycles: tuple[Cycle, ...] = ()
    curves: tuple[MeanCurve, ...] = ()
    departures: tuple[Departure, ...] = ()
    features: Mapping[str, Feature] = field(default_factory=dict)
    deviation: Deviation | Reason = Reason.NOT_WALKING
    abnormal: Abnormal | Reason = Reason.NOT_WALKING
    withheld: Reason | None = None
    parts: tuple[Cycle, ...] = ()
