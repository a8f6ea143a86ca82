"""What a way of seeing does to everyone: offsets of a source, learnt from many of its walks and taken off.

A marker set, a sensor, or a body that all recordings were retargeted to has its joints elsewhere than ours, on both
sides or on one. In everybody's angles that looks like a bent knee or a lopsided hip. It is no sign of anything: what
most walks of a source share says nothing about one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from posepipe.gait.features import ABSOLUTE, FEATURES, SIGNED, signed
from posepipe.gait.norms import FeatureNorm
from posepipe.gait.types import Feature
from posepipe.settings import setting

__all__ = ["SOURCE", "Source", "SourceSettings", "source_of"]


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """When walks tell of their source."""

    least_walks: int = setting(
        8, "walks of a source under which nothing is taken off", source="judgement: a median's error is half a spread"
    )
    best: float = setting(
        0.8,
        "of ranges and lengths, walks this far up are taken for normal: a source holds more patients than others, but "
        "some of its people walk well",
        source="judgement: a fifth of a clinic's recordings",
    )
    foreign_sd: float = setting(
        1.5,
        "standard deviations of normal walks by which a shared offset shows that the skeleton is another",
        source="judgement: the median of eight normal walks is further off once in 10,000",
    )


SOURCE = SourceSettings()
_BEST_SD = 0.84
"""Where a normal distribution's 80th percentile is."""
_SCALED = ("_ll", "_llps", "_range_deg", "knee_swing_deg", "heel_rise_deg")
"""Endings of features that a skeleton scales."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a source's walks share.

    Attributes:
        offset: what to take off each feature, in its unit; of differences between sides, left more than right.
        away_sd: offsets in standard deviations of normal walks.
        walks: how many it was learnt from.
    """

    offset: Mapping[str, float]
    away_sd: Mapping[str, float]
    walks: int

    @property
    def foreign(self) -> tuple[str, ...]:
        """Features that are far from normal in everybody, the furthest first."""
        far = [name for name, away in self.away_sd.items() if abs(away) > SOURCE.foreign_sd]
        return tuple(sorted(far, key=lambda name: -abs(self.away_sd[name])))

    def taken_off(self, features: Mapping[str, Feature]) -> dict[str, Feature]:
        """Features as they would be on a skeleton like the norms'."""
        return {name: self._moved(name, feature) for name, feature in features.items()}

    def _moved(self, name: str, feature: Feature) -> Feature:
        offset = self.offset.get(name)
        if offset is None:
            return feature
        if name not in SIGNED:
            return replace(feature, value=feature.value - offset)
        value = signed(feature) - offset
        turned = (value < 0.0) != (signed(feature) < 0.0)
        side = {"left": "right", "right": "left"}.get(feature.side, "") if turned else feature.side
        return replace(feature, value=abs(value), side=side)


def source_of(walks: Sequence[Mapping[str, Feature]], norms: Mapping[str, FeatureNorm]) -> Source | None:
    """Offsets of a source from its walks' features; None of fewer than eight.

    Angles and differences between sides are centred on their median. Ranges and lengths are moved only
    where the best fifth of the walks is far from the best fifth of normal ones, and then to there. Times stay.

    Args:
        walks: features of each; all seen the same way.
        norms: of that way of seeing.
    """
    if len(walks) < SOURCE.least_walks:
        return None
    offset, away = {}, {}
    for spec in FEATURES:
        known = [walk[spec.name] for walk in walks if spec.name in walk]
        norm = norms.get(spec.name)
        if norm is None or len(known) < SOURCE.least_walks:
            continue
        if spec.name in ABSOLUTE or (spec.name in SIGNED and spec.name.endswith(("_deg", "_ll"))):
            middle = np.median([signed(f) if spec.name in SIGNED else f.value for f in known])
            offset[spec.name] = float(middle if spec.name in SIGNED else middle - norm.mean)
        elif spec.name.endswith(_SCALED):
            values = np.array([f.value for f in known])
            best = SOURCE.best if spec.low else 1.0 - SOURCE.best
            usual = norm.mean + (_BEST_SD * norm.sd_high if spec.low else -_BEST_SD * norm.sd_low)
            shared = float(np.quantile(values, best) - usual)
            if abs(shared) <= SOURCE.foreign_sd * norm.sd:
                continue
            offset[spec.name] = shared
        else:
            continue
        away[spec.name] = offset[spec.name] / norm.sd
    return Source(offset, away, len(walks))
