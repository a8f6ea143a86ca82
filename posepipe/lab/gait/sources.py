"""Made sources: many walks on one skeleton, healthy and not, as a clinic's file holds them.

What all of a source share is taken off before a walk is judged (`posepipe.gait.source`). That leaves other distances
than a single walk has, so the classifier learns and is calibrated on such walks, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.gait.curves import cut_cycles
from posepipe.gait.features import FEATURES, SIGNED, gait_features, signed
from posepipe.gait.judge import choose_strides, count_of, z_scores
from posepipe.gait.norms import SOURCED, feature_norms
from posepipe.gait.source import source_of
from posepipe.gait.types import GENERAL, SIDES, Feature
from posepipe.gait.walk import find_walk
from posepipe.lab.gait.data import (
    NORMAL,
    VARIED,
    WalkTable,
    WorldWalk,
    captured_walks,
    events_of,
    more_walks,
    synthetic_walks,
)
from posepipe.lab.gait.impair import Change, at_pace, changed, draw_impairment, draw_skeleton
from posepipe.lab.gait.seen import sensed

__all__ = ["MadeSource", "make_source", "source_table"]

_KINDS = ("3d", "3d", "sensor")
_ABNORMAL = (0.3, 0.8)
"""Share of a source's walks that aren't normal, from and to."""
_MARKED = 0.25
"""Part of those that have one marked sign."""
_SEVERITY = (0.4, 1.0)
_SYNTHETIC = 0.5
"""Part of the others whose walker is synthetic."""
_FEET = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class MadeSource:
    """Walks of one source.

    Attributes:
        values: (N, F) features, those of `posepipe.gait.features.SIGNED` with their sign; NaN where missing.
        strides: (N,) on the side that has fewer.
        pattern, split: (N,) as in `posepipe.lab.gait.data.Walks`.
        severity: (N,).
        kind: "3d" or "sensor".
    """

    values: NDArray[np.float32]
    strides: NDArray[np.int64]
    pattern: NDArray[np.str_]
    split: NDArray[np.str_]
    severity: NDArray[np.float32]
    kind: NDArray[np.str_]

    def save(self, path: Path) -> None:
        """Write as npz."""
        np.savez_compressed(path, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, path: Path) -> MadeSource:
        """Read what `save` wrote."""
        with np.load(path) as data:
            return cls(**{name: data[name] for name in cls.__slots__})

    def features(self) -> list[dict[str, Feature]]:
        """Of each walk."""
        return [
            {
                spec.name: _feature(spec.name, float(value))
                for spec, value in zip(FEATURES, row, strict=True)
                if np.isfinite(value)
            }
            for row in self.values
        ]


def _feature(name: str, value: float) -> Feature:
    if name not in SIGNED:
        return Feature(value, float("nan"))
    return Feature(abs(value), float("nan"), "right" if value < 0.0 else "left")


def make_source(folder: Path, number: int, walks: int, seed: int, patterns: Sequence[str]) -> MadeSource:
    """The walks of one made source.

    Args:
        folder: of the motion capture, see `posepipe.lab.gait.data.varied_walks`.
        number: of the source; each has its own skeleton, kind of sensor, and share of abnormal walks.
        walks: how many.
        seed: of everything, with the number.
        patterns: names of all patterns.
    """
    rng = np.random.default_rng([seed, number])
    real = [*captured_walks(folder), *more_walks(folder)]
    stream = int(rng.integers(2**31))
    normal = synthetic_walks(2 * walks, stream, (), normal_share=1.0)
    marked = synthetic_walks(2 * walks, stream + 1, [name for name in patterns if name != GENERAL], normal_share=0.0)
    kind, skeleton = _KINDS[number % len(_KINDS)], draw_skeleton(rng)
    share, feet = float(rng.uniform(*_ABNORMAL)), bool(rng.random() < _FEET)
    found = []
    for _ in range(walks):
        base, change, label, severity = _drawn(real, normal, marked, share, rng)
        xyz = changed(base.time_s, base.xyz_m, events_of(base), change, skeleton, rng)
        if xyz is None:
            continue
        time_s = base.time_s[0] + float(np.median(np.diff(base.time_s))) * np.arange(len(xyz))
        motion = sensed(time_s, xyz, rng, kind=kind, feet=feet)
        strides = choose_strides(motion, find_walk(motion)).strides
        count = min(count_of(strides, side) for side in SIDES)
        if count:
            features = gait_features(cut_cycles(motion, strides), errors=False)
            found.append((_row(features), count, label, base.split, severity))
    values, counts, labels, splits, severities = zip(*found, strict=True)
    return MadeSource(
        np.stack(values), np.array(counts), np.array(labels), np.array(splits), np.array(severities, np.float32),
        np.array(kind),
    )  # fmt: skip


def _drawn(
    real: Sequence[WorldWalk],
    normal: Iterator[WorldWalk],
    marked: Iterator[WorldWalk],
    share: float,
    rng: np.random.Generator,
) -> tuple[WorldWalk, Change, str, float]:
    """A walk, what to do to it, what it then is, and how much so."""
    worse, severity = rng.random() < share, float(rng.uniform(*_SEVERITY))
    if worse and rng.random() < _MARKED:
        base = next(marked)
        return base, Change(), base.pattern, base.severity
    base = next(normal) if rng.random() < _SYNTHETIC else real[int(rng.integers(len(real)))]
    change = at_pace(rng)
    return (base, draw_impairment(rng, severity, change), GENERAL, severity) if worse else (base, change, NORMAL, 0.0)


def _row(features: dict[str, Feature]) -> NDArray[np.float32]:
    def value(name: str) -> float:
        if name not in features:
            return float("nan")
        return signed(features[name]) if name in SIGNED else features[name].value

    return np.array([value(spec.name) for spec in FEATURES], np.float32)


def source_table(made: Sequence[MadeSource], patterns: Sequence[str]) -> WalkTable:
    """Walks of made sources as distances from normal, with what each source's share taken off."""
    z, known = [], []
    for one in made:
        walks, norms = one.features(), feature_norms(str(one.kind))
        source = source_of(walks, norms)
        for walk, count in zip(walks, one.strides, strict=True):
            distance, there = z_scores(walk if source is None else source.taken_off(walk), norms, int(count))
            z.append(distance)
            known.append(there)
    rows = len(z)
    pattern, split, severity = (
        np.concatenate([getattr(one, name) for one in made]) for name in ("pattern", "split", "severity")
    )
    return WalkTable(
        np.stack(z), np.stack(known).astype(np.float32), pattern, split, np.full(rows, SOURCED), severity,
        np.full(rows, VARIED), tuple(patterns),
    )  # fmt: skip
