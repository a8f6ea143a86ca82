"""The catalogue of exercises: what a repetition is and what good form means, read from YAML.

A coach adds an exercise by writing a file like ``catalogue.yaml`` beside this module; see docs/adding-an-exercise.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from posepipe.body.motion import LABELS as VIEWS
from posepipe.errors import UsageError
from posepipe.exercise.signal import MEASURES

__all__ = ["Catalogue", "Exercise", "Rule", "Within", "load_catalogue"]

_EXERCISE_KEYS = (
    *("words", "signal", "others", "sides", "start", "min_range_deg"),
    *("tempo_s", "needs", "lifts", "views", "counted", "posture", "rules"),
)
_RULE_KEYS = (
    *("code", "measure", "at", "take", "below_deg", "above_deg"),
    *("side", "max_sigma_deg", "views", "say", "source"),
)
MIN_RANGE_DEG, TEMPO_S, MAX_SIGMA_DEG = 30.0, (0.4, 15.0), 20.0
"""Where a catalogue says nothing: least range of a repetition, its shortest and longest time in seconds, and the sigma
from which a rule isn't judged. Convention."""
_LIFTS = ("pelvis", "thorax", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_SIDES = ("together", "either", "most")
_STARTS = ("low", "high")
_TIMES = ("start", "turn", "end", "out", "back", "rep")
_TAKES = ("min", "max", "mean", "range", "change")
_VIEW_GROUPS: Mapping[str, tuple[str, ...]] = {
    "front": ("front", "front_left", "front_right"),
    "back": ("back", "back_left", "back_right"),
    "side": ("left", "right", "front_left", "front_right", "back_left", "back_right"),
    "any": VIEWS,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong with a repetition.

    Attributes:
        code: its name in results.
        measure: what is looked at; of `posepipe.exercise.signal.MEASURES`.
        at: when: "start", "turn", "end", or over "out", "back", "rep".
        take: "min", "max", "mean", "range" or "change" (from the repetition's start) over that time.
        below_deg, above_deg: the fault's side of one threshold; the other is None.
        side: "worst" of both sides, or "mean".
        max_sigma_deg: a more uncertain measure can't be judged.
        views: sides of the body from which it can be seen.
        say: what to tell the person.
        source: where the threshold comes from.
    """

    code: str
    measure: str
    at: str
    take: str
    below_deg: float | None
    above_deg: float | None
    side: str
    max_sigma_deg: float
    views: frozenset[str]
    say: str
    source: str

    @property
    def threshold_deg(self) -> float:
        """Where the fault begins."""
        value = self.below_deg if self.below_deg is not None else self.above_deg
        assert value is not None
        return value


@dataclass(frozen=True, slots=True)
class Within:
    """Where a measure lies while a posture is held.

    Attributes:
        measure: of `posepipe.exercise.signal.MEASURES`.
        low_deg, high_deg: it lies from one to the other; the mean of the sides that are seen.
    """

    measure: str
    low_deg: float
    high_deg: float


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise.

    Attributes:
        name: its label.
        words: its name for people.
        signal: the measure that a repetition moves; its range is the range of motion.
        others: measures that show it when `signal` is hidden.
        sides: "together" (both sides make one repetition), "either" (each side's repetitions count; at the same time
            they are one), "most" (the side that moves most at the time).
        start: whether the signal is "low" or "high" where a repetition begins and ends.
        min_range_deg: less isn't a repetition.
        tempo_s: shortest and longest repetition.
        needs: joints that must be seen.
        lifts: the joint whose speed up is told, without its side; empty for none.
        views: sides of the body from which it is best seen.
        counted: False for holds, which have no repetitions.
        posture: what a hold is held by; empty where that is told otherwise.
        rules: form.
    """

    name: str
    words: str
    signal: str
    others: tuple[str, ...] = ()
    sides: str = "together"
    start: str = "low"
    min_range_deg: float = MIN_RANGE_DEG
    tempo_s: tuple[float, float] = TEMPO_S
    needs: tuple[str, ...] = ()
    lifts: str = ""
    views: frozenset[str] = frozenset(VIEWS)
    counted: bool = True
    posture: tuple[Within, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Exercises by name.

    Attributes:
        exercises: name -> exercise.
        where: files they came from.
    """

    exercises: Mapping[str, Exercise] = field(default_factory=dict)
    where: tuple[str, ...] = ()

    def __contains__(self, name: object) -> bool:
        return name in self.exercises

    def get(self, name: str) -> Exercise | None:
        """An exercise, or None."""
        return self.exercises.get(name)

    def __getitem__(self, name: str) -> Exercise:
        if name not in self.exercises:
            near = _nearest(name, self.exercises)
            raise UsageError(f"no exercise {name!r}", where=", ".join(self.where), hint=near)
        return self.exercises[name]


@cache
def load_catalogue(*paths: Path | str) -> Catalogue:
    """The catalogue that comes with posepipe, and further files on top of it.

    Args:
        paths: YAML files of a user; an exercise of the same name replaces ours.

    Raises:
        UsageError: a file can't be read, or something in it is wrong; it names the file and the key.
    """
    ours = files("posepipe.exercise") / "catalogue.yaml"
    exercises = _read("catalogue.yaml", ours.read_text(encoding="utf-8"))
    for path in paths:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"can't read it: {error}", where=str(path), hint="Give a YAML text file") from None
        exercises |= _read(str(path), text)
    return Catalogue(exercises, ("catalogue.yaml", *map(str, paths)))


def _read(where: str, text: str) -> dict[str, Exercise]:
    import yaml

    try:
        # libyaml's loader, where PyYAML was built with it, takes a tenth of the time.
        data = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    # Its constructors let Python's own errors through: of dates, numbers and too many brackets.
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, ValueError) as error:
        raise UsageError(f"not valid YAML: {' '.join(str(error).split())}", where=where) from None
    if not isinstance(data, dict) or not data:
        raise UsageError("expected exercise names at the top", where=where, hint="See docs/adding-an-exercise.md")
    return {str(name): _Reader(where, str(name)).exercise(value) for name, value in data.items()}


class _Reader:
    """Checks one exercise of a file, so that every complaint names the file and the key."""

    def __init__(self, where: str, name: str) -> None:
        self._where = where
        self._name = name

    def exercise(self, value: Any) -> Exercise:
        data = self._mapping(value, self._name, _EXERCISE_KEYS, ("words", "signal"))
        tempo = data.get("tempo_s", list(TEMPO_S))
        if not _numbers(tempo, 2) or not 0.1 <= tempo[0] < tempo[1]:
            self._fail("tempo_s", f"expected shortest and longest in seconds, got {tempo!r}")
        rules = data.get("rules") or []
        if not isinstance(rules, list):
            self._fail("rules", "expected a list")
        return Exercise(
            name=self._name,
            words=str(data["words"]),
            signal=self._one_of("signal", data["signal"], MEASURES),
            others=tuple(self._one_of("others", item, MEASURES) for item in self._list(data, "others")),
            sides=self._one_of("sides", data.get("sides", "together"), _SIDES),
            start=self._one_of("start", data.get("start", "low"), _STARTS),
            min_range_deg=self._number(data, "min_range_deg", MIN_RANGE_DEG, low=1.0),
            tempo_s=(float(tempo[0]), float(tempo[1])),
            needs=tuple(map(str, self._list(data, "needs"))),
            lifts=self._one_of("lifts", data["lifts"], _LIFTS) if "lifts" in data else "",
            views=self._views("views", data.get("views", "any")),
            counted=bool(data.get("counted", True)),
            posture=self._posture(data),
            rules=tuple(self._rule(i, item) for i, item in enumerate(rules, 1)),
        )

    def _posture(self, data: Mapping[str, Any]) -> tuple[Within, ...]:
        value = data.get("posture")
        if value is None:
            return ()
        if not isinstance(value, dict) or not value:
            self._fail("posture", f"expected measures and their two angles, got {value!r}")
        if data.get("counted", True):
            self._fail("posture", "only a hold has one: counted: false")
        for measure, ends in value.items():
            self._one_of("posture", measure, MEASURES)
            if not _numbers(ends, 2) or not -360.0 <= ends[0] < ends[1] <= 360.0:
                self._fail(f"posture.{measure}", f"expected least and most in degrees, got {ends!r}")
        return tuple(Within(str(name), float(low), float(high)) for name, (low, high) in value.items())

    def _rule(self, number: int, value: Any) -> Rule:
        here = f"rules[{number}]"
        data = self._mapping(value, f"{self._name}.{here}", _RULE_KEYS, ("code", "measure", "at", "say", "source"))
        if ("below_deg" in data) == ("above_deg" in data):
            self._fail(here, "expected one of below_deg and above_deg")
        at = self._one_of(f"{here}.at", data["at"], _TIMES)
        return Rule(
            code=str(data["code"]),
            measure=self._one_of(f"{here}.measure", data["measure"], MEASURES),
            at=at,
            take=self._one_of(f"{here}.take", data.get("take", "mean"), _TAKES),
            below_deg=self._number(data, "below_deg", None, here),
            above_deg=self._number(data, "above_deg", None, here),
            side=self._one_of(f"{here}.side", data.get("side", "mean"), ("worst", "mean")),
            max_sigma_deg=self._number(data, "max_sigma_deg", MAX_SIGMA_DEG, here, low=0.1),
            views=self._views(f"{here}.views", data.get("views", "any")),
            say=str(data["say"]),
            source=str(data["source"]),
        )

    def _mapping(self, value: Any, place: str, known: Iterable[str], needed: Iterable[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise UsageError(f"{place}: expected keys and values, got {value!r}", where=self._where)
        for key in value:
            if key not in known:
                raise UsageError(f"{place}: unknown key {key!r}", where=self._where, hint=_nearest(str(key), known))
        for key in needed:
            if value.get(key) in (None, ""):
                raise UsageError(f"{place}: key {key!r} is missing", where=self._where, hint=f"Add {key}")
        return value

    def _list(self, data: Mapping[str, Any], key: str) -> list[Any]:
        value = data.get(key) or []
        return value if isinstance(value, list) else self._fail(key, f"expected a list, got {value!r}")

    def _number(self, data: Mapping[str, Any], key: str, default: Any, here: str = "", low: float = -360.0) -> Any:
        value = data.get(key)
        if value is None:
            return default
        if not _numbers([value], 1) or not low <= value <= 360.0:
            self._fail(f"{here}.{key}" if here else key, f"expected a number from {low:g} to 360, got {value!r}")
        return float(value)

    def _one_of(self, key: str, value: Any, valid: Iterable[str]) -> str:
        if not isinstance(value, str) or value not in valid:
            place = f"{self._name}.{key}"
            raise UsageError(f"{place}: unknown value {value!r}", where=self._where, hint=_nearest(str(value), valid))
        return str(value)

    def _views(self, key: str, value: Any) -> frozenset[str]:
        names = value if isinstance(value, list) else [value]
        valid = (*_VIEW_GROUPS, *VIEWS)
        checked = [self._one_of(key, name, valid) for name in names]
        return frozenset(view for name in checked for view in _VIEW_GROUPS.get(name, (name,)))

    def _fail(self, key: str, what: str) -> Any:
        raise UsageError(f"{self._name}.{key}: {what}", where=self._where, hint="See docs/adding-an-exercise.md")


def _numbers(value: Any, count: int) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == count
        and all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value)
    )


def _nearest(word: str, valid: Iterable[str]) -> str:
    names = list(valid)
    near = difflib.get_close_matches(word, names, 1, 0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Valid: {', '.join(names)}"
