"""What is found in a walk: when the feet strike and leave the ground, the strides, and the numbers they give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from posepipe.reasons import Reason, withheld

__all__ = [
    "HEEL_STRIKE",
    "SIDES",
    "TOE_OFF",
    "Event",
    "EventType",
    "Parameters",
    "Pass",
    "PassKind",
    "Side",
    "Stride",
    "Value",
    "Walk",
]

Side = Literal["left", "right"]
EventType = Literal["heel_strike", "toe_off"]
PassKind = Literal["overground", "in_place", "unknown"]

SIDES: tuple[Side, Side] = ("left", "right")
HEEL_STRIKE: EventType = "heel_strike"
TOE_OFF: EventType = "toe_off"


@dataclass(frozen=True, slots=True)
class Value:
    """A measured number.

    Attributes:
        value: in the unit of its name.
        sigma: its standard deviation.
    """

    value: float
    sigma: float

    def as_dict(self) -> dict[str, float]:
        """As written in the summary."""
        return {"value": self.value, "sigma": self.sigma}


@dataclass(frozen=True, slots=True)
class Event:
    """A foot meets or leaves the ground.

    Attributes:
        time_s: when, between frames.
        sigma_s: its standard deviation.
        side: the foot.
        type: "heel_strike" (whatever part of the foot strikes first) or "toe_off".
        confidence: in [0, 1], that there is such an event at all.
    """

    time_s: float
    sigma_s: float
    side: Side
    type: EventType
    confidence: float


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
        yaw_deg: where the person faces, as in `posepipe.motion.facing`.
    """

    start_s: float
    end_s: float
    direction: int
    kind: PassKind
    view: str
    yaw_deg: float


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
        events: of all passes, in order of time.
        strides: complete ones, in order of time.
        withheld: why there are no strides; None where there are.
    """

    passes: tuple[Pass, ...] = ()
    events: tuple[Event, ...] = ()
    strides: tuple[Stride, ...] = ()
    withheld: Reason | None = None

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

    def as_dict(self) -> dict[str, object]:
        """As written in the summary."""
        out: dict[str, object] = {"strides": dict(self.strides)}
        for name, item in self.items.items():
            if isinstance(item, Mapping):
                out[name] = {side: _plain(value) for side, value in item.items()}
            else:
                out[name] = _plain(item)
        return out


def _plain(item: Value | Reason) -> dict[str, float] | dict[str, str]:
    return item.as_dict() if isinstance(item, Value) else withheld(item)


def _mean(values: Iterable[Value]) -> Value | None:
    """Mean of both sides, taken as independent."""
    known = list(values)
    if not known:
        return None
    count = len(known)
    return Value(sum(v.value for v in known) / count, sum(v.sigma**2 for v in known) ** 0.5 / count)
