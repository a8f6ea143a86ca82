"""The walks that norms and classifier are made from: as features, each walk seen by simulated cameras and sensors.

Normal walks are motion-captured (CMU, subjects' own or scaled skeletons) and synthetic; abnormal ones are synthetic.
Motion-captured walks are split by recording session, synthetic ones by body.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.body.motion import Motion
from posepipe.errors import InputError, UsageError
from posepipe.gait.curves import SAGITTAL, cut_cycles, mean_curves
from posepipe.gait.features import FEATURES, gait_features
from posepipe.gait.judge import choose_strides, count_of, z_scores
from posepipe.gait.norms import SEEN, WAYS, feature_norms
from posepipe.gait.picture_angles import from_picture
from posepipe.gait.types import GENERAL, POINTS, SIDES, Event, Feature
from posepipe.gait.walk import find_walk
from posepipe.lab.gait.files import file_motion
from posepipe.lab.gait.impair import Change, at_pace, changed, draw_impairment, draw_skeleton
from posepipe.lab.gait.seen import VIEWS, Film, Studio, filmed, sensed
from posepipe.lab.lifter.data import body21_from_h36m
from posepipe.lab.people.gait import make_walk
from posepipe.skeleton import BODY21

__all__ = [
    "CURVES",
    "NORMAL",
    "VARIED",
    "WalkTable",
    "Walks",
    "WorldWalk",
    "captured_walks",
    "events_of",
    "film_walks",
    "is_straight",
    "make_table",
    "measure_films",
    "more_walks",
    "see",
    "session_split",
    "straighten_captured",
    "synthetic_walks",
    "varied_walks",
]

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

NORMAL = "normal"
VARIED = "varied"
"""Source of walks changed by `posepipe.lab.gait.impair`; they take no part in the norms."""
CURVES = tuple((side, angle) for angle in ("trunk_flexion", *SAGITTAL) for side in SIDES)
"""Order of the curves in `Walks.curves`."""

_TIERS = ("A", "B")
_SPLITS = ("train", "train", "train", "calibrate", "test")
_SEVERITY = (0.4, 1.0)
_VIEW_SHARES = (0.45, 0.3, 0.25)
_WORSE = 0.5
_LONGEST_FRAMES = 400
"""Longer takes aren't plain walks."""


@dataclass(frozen=True, slots=True, eq=False)
class Walks:
    """Walks as they were seen, one row for each walk and way of seeing it.

    Attributes:
        values: (N, F) features in the order of `posepipe.gait.features.FEATURES`; NaN where missing.
        curves: (N, 8, 101) mean curves in degrees, in the order of `CURVES`.
        seen: (N,) one of "side", "oblique", "front", "3d", "sensor".
        pattern: (N,) "normal" or the pattern that was put in.
        severity: (N,) 0 to 1.
        split: (N,) "train", "calibrate" or "test".
        source: (N,) "cmu", "synthetic" or `VARIED`.
        strides: (N,) on the side that has fewer.
        stride_sd: (N, F) spread of each feature from stride to stride; NaN where not worked out.
    """

    values: FloatArray
    curves: FloatArray
    seen: NDArray[np.str_]
    pattern: NDArray[np.str_]
    severity: FloatArray
    split: NDArray[np.str_]
    source: NDArray[np.str_]
    strides: NDArray[np.int64]
    stride_sd: FloatArray

    def save(self, path: Path) -> None:
        """Write as npz."""
        np.savez_compressed(path, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, path: Path) -> Walks:
        """Read what `save` wrote."""
        with np.load(path) as data:
            return cls(**{name: data[name] for name in cls.__slots__})

    @classmethod
    def join(cls, parts: Sequence[Walks]) -> Walks:
        """Rows of several."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__})


@dataclass(frozen=True, slots=True, eq=False)
class WalkTable:
    """Walks as the classifier takes them.

    Attributes:
        z: (N, F) distances from normal walks seen the same way, in standard deviations; 0 where missing.
        known: (N, F) 1 or 0.
        pattern, split, seen, severity, source: (N,) as in `Walks`.
        patterns: names of the abnormal patterns.
    """

    z: FloatArray
    known: FloatArray
    pattern: NDArray[np.str_]
    split: NDArray[np.str_]
    seen: NDArray[np.str_]
    severity: FloatArray
    source: NDArray[np.str_]
    patterns: tuple[str, ...]

    @property
    def seen_flags(self) -> FloatArray:
        """(N, S) one where a walk was seen so, in the order of `posepipe.gait.norms.WAYS`."""
        return np.asarray(self.seen[:, None] == np.array(WAYS), dtype=np.float32)

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of what has a row for each walk."""
        return tuple(name for name in self.__slots__ if name != "patterns")

    def part(self, split: str) -> WalkTable:
        """The rows of one split."""
        return self.of(self.split == split)

    def with_rows(self, other: WalkTable) -> WalkTable:
        """The rows of both."""
        every: dict[str, Any] = {
            name: np.concatenate([getattr(t, name) for t in (self, other)]) for name in self.arrays
        }
        return replace(self, **every)

    def of(self, rows: NDArray[np.bool_]) -> WalkTable:
        """Some of the rows."""
        return replace(self, **{name: getattr(self, name)[rows] for name in self.arrays})


@dataclass(frozen=True, slots=True, eq=False)
class WorldWalk:
    """A walk before it's seen: Body21 joints (F, 21, 3) in a world with z up, and what is true of it."""

    time_s: Array
    xyz_m: Array
    pattern: str
    severity: float
    side: str
    split: str
    source: str


def captured_walks(folder: Path) -> Iterator[WorldWalk]:
    """Normal walks of the motion capture.

    Args:
        folder: with ``walks.csv``, ``train.npz`` and ``val.npz``.

    Raises:
        InputError: a file is missing.
    """
    listing = folder / "walks.csv"
    if not listing.is_file():
        raise InputError("no such file", where=str(listing), hint="Give the folder of motion capture")
    with listing.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["walk"].startswith("normal") and r["tier"] in _TIERS]
    for part in ("train", "val"):
        wanted = {row["name"] for row in rows if row["split"] == part}
        with np.load(folder / f"{part}.npz") as data:
            xyz = body21_from_h36m(data["positions"], data["extra"])
            bounds, names, fps = data["seq_start"], data["seq_name"], data["fps"]
        for number, name in enumerate(names):
            if str(name) in wanted:
                frames = xyz[bounds[number] : bounds[number + 1]].astype(np.float64)
                time_s = np.arange(len(frames)) / float(fps[number])
                yield WorldWalk(time_s, frames, NORMAL, 0.0, "left", session_split(str(name)), "cmu")


def session_split(name: str) -> str:
    """Takes that follow each other are one person's: those numbered 36 to 47 are held out."""
    number = name.rsplit("_", 1)[-1]
    late = name.startswith("conv") and number.isdigit() and 36 <= int(number) <= 47
    if not late:
        return "train"
    return "calibrate" if int(number) < 42 else "test"


def synthetic_walks(count: int, seed: int, patterns: Sequence[str], normal_share: float = 0.35) -> Iterator[WorldWalk]:
    """Synthetic walks: normal ones and every pattern, severities from slight to full.

    Args:
        count: how many.
        seed: of everything.
        patterns: abnormal ones, names of `posepipe.lab.people.gait.PATTERNS`.
        normal_share: part of them that is normal.
    """
    rng = np.random.default_rng(seed)
    for number in range(count):
        pattern = NORMAL if rng.random() < normal_share else str(rng.choice(list(patterns)))
        severity = 0.0 if pattern == NORMAL else float(rng.uniform(*_SEVERITY))
        side, seconds = str(rng.choice(["left", "right"])), float(rng.uniform(4.0, 8.0))
        fps_hz = float(rng.choice([24.0, 25.0, 30.0, 30.0, 30.0, 50.0]))
        try:
            walk = make_walk(
                rng, pattern=pattern, severity=severity, side=side, duration_s=seconds, fps_hz=fps_hz,
                heading_deg=float(rng.uniform(0.0, 360.0)),
            )  # fmt: skip
        except UsageError:  # Steps too long for these legs: another draw.
            continue
        yield WorldWalk(walk.time_s, walk.xyz_m, pattern, severity, side, _SPLITS[number % len(_SPLITS)], "synthetic")


def varied_walks(folder: Path, count: int, seed: int) -> Iterator[WorldWalk]:
    """Healthy walks at another pace, and every other one with a little of everything; each on another skeleton.

    Motion-captured adults and children, and synthetic walkers, in turn.

    Args:
        folder: of the motion capture; of ``more.npz`` too, and of ``../gait/force_plate_walks.npz`` where it is there.
        count: how many.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    real = [*captured_walks(folder), *more_walks(folder)]
    made = synthetic_walks(count, seed, (), normal_share=1.0)
    for number in range(count):
        base = next(made, None) if number % 2 else real[int(rng.integers(len(real)))]
        if base is None:
            return
        worse = rng.random() < _WORSE
        severity = float(rng.uniform(*_SEVERITY)) if worse else 0.0
        change: Change = at_pace(rng)
        change = draw_impairment(rng, severity, change) if worse else change
        skeleton = draw_skeleton(rng, float(rng.uniform()))
        xyz = changed(base.time_s, base.xyz_m, events_of(base), change, skeleton, rng)
        if xyz is not None:
            time_s = base.time_s[0] + float(np.median(np.diff(base.time_s))) * np.arange(len(xyz))
            pattern = GENERAL if worse else NORMAL
            yield WorldWalk(time_s, xyz, pattern, severity, "left", base.split, VARIED)


def events_of(walk: WorldWalk) -> tuple[Event, ...]:
    """Heel strikes and toe offs as they are found in the exact joints."""
    fps_hz = 1.0 / float(np.median(np.diff(walk.time_s)))
    return find_walk(file_motion(walk.xyz_m.astype(np.float32), BODY21.joints, fps_hz, "m", "z up")).events


def more_walks(folder: Path) -> list[WorldWalk]:
    """Normal walks of ``more.npz`` and of ``../gait/force_plate_walks.npz``, as far as they are there."""
    paths = folder / "more.npz", folder.parent / "gait" / "force_plate_walks.npz"
    return [walk for path in paths for walk in _more_walks(path)]


def _more_walks(path: Path) -> list[WorldWalk]:
    """Straight normal walks of a file in the form of ``mocap/``, split by person; none where it isn't there."""
    if not path.is_file():
        return []
    with np.load(path) as data:
        xyz = body21_from_h36m(data["positions"], data["extra"])
        bounds, fps = data["seq_start"], data["fps"]
        people = sorted({str(name) for name in data["subject"]})
        known = data["also_in_train"] if "also_in_train" in data else np.full(len(fps), "")
        walks = list(zip(data["walk"], data["subject"], known, strict=True))
    found = []
    for number, (walk, subject, copy) in enumerate(walks):
        frames = xyz[bounds[number] : bounds[number + 1]].astype(np.float64)
        if is_straight(str(walk)) and not copy and len(frames) < _LONGEST_FRAMES:
            split = _SPLITS[people.index(str(subject)) % len(_SPLITS)]
            found.append(
                WorldWalk(np.arange(len(frames)) / float(fps[number]), frames, NORMAL, 0.0, "left", split, "more")
            )
    return found


def is_straight(walk: str) -> bool:
    """Whether a file's word for a sequence means a normal walk straight on."""
    return walk == "straight" or (walk.startswith("normal") and "turning" not in walk)


def film_walks(
    walks: Iterator[WorldWalk], seed: int, studio: Studio, *, views: Sequence[str] | None = None
) -> Iterator[Film]:
    """Every walk filmed and taken by a sensor.

    Args:
        walks: to be seen.
        seed: of cameras and noise.
        studio: the opened lifter.
        views: all of them for every walk; one by chance if None.
    """
    rng = np.random.default_rng(seed)
    for walk in walks:
        chosen = views if views is not None else [str(rng.choice(VIEWS, p=_VIEW_SHARES))]
        for view in (*chosen, "3d", "sensor"):
            if view in ("3d", "sensor"):
                motion = sensed(walk.time_s, walk.xyz_m, rng, kind=view)
            else:
                motion = filmed(walk.time_s, walk.xyz_m, view, rng, studio)
            yield Film(motion, view, walk.pattern, walk.severity, walk.side, walk.split, walk.source)


def measure_films(films: Iterator[Film], least: int = 1) -> Walks:
    """Features and curves of every film whose strides were found."""
    found, kept = [], []
    for film in films:
        one = see(film.motion, least, errors=film.pattern == NORMAL)
        if one is not None:
            found.append(one)
            kept.append((one.view, film.pattern, film.severity, film.split, film.source))
    seen, pattern, severity, split, source = (np.array(column) for column in zip(*kept, strict=True))
    return Walks(
        np.stack([one.values for one in found]),
        np.stack([one.curves for one in found]),
        seen,
        pattern,
        severity.astype(np.float32),
        split,
        source,
        np.array([one.strides for one in found]),
        np.stack([one.stride_sd for one in found]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A walk's features (F,), their spread from stride to stride (F,), curves (8, 101), strides a side, and view."""

    values: FloatArray
    stride_sd: FloatArray
    curves: FloatArray
    strides: int
    view: str


def see(motion: Motion, least: int = 1, *, errors: bool = False) -> Measured | None:
    """Measure a motion; None where its strides weren't found.

    Args:
        motion: as filmed or sensed.
        least: strides needed on each side.
        errors: also work out the spread from stride to stride.
    """
    chosen = choose_strides(motion, find_walk(motion))
    strides = chosen.strides
    count = min(count_of(strides, side) for side in SIDES)
    if count < least:
        return None
    # No detector was at work here, so there are no habits to take off.
    cycles = cut_cycles(from_picture(motion, habits=False) if chosen.view == "side" else motion, strides)
    found = gait_features(cycles, errors=errors, filmed=motion.keypoints is not None)
    values = [found[spec.name].value if spec.name in found else np.nan for spec in FEATURES]
    sigmas = [found[spec.name].sigma if spec.name in found else np.nan for spec in FEATURES]
    curves = {(curve.side, curve.angle): curve.mean_deg for curve in mean_curves(cycles)}
    blank = np.full(POINTS, np.nan)
    return Measured(
        np.array(values, dtype=np.float32),
        np.array(sigmas, dtype=np.float32) * np.float32(np.sqrt(count)),
        np.stack([curves.get(key, blank) for key in CURVES]).astype(np.float32),
        count,
        chosen.view,
    )


def straighten_captured(walks: Walks) -> Walks:
    """Take off what captured knees read too much.

    CMU's standing knees read 11 to 15 degrees of flexion in several subjects: markers, not people. For each way of
    seeing, captured knee curves and the knee in stance are lowered by as much as their minimum is above the synthetic
    walkers', whose knees are right by construction.
    """
    values, curves = walks.values.copy(), walks.curves.copy()
    knees = [index for index, (_, angle) in enumerate(CURVES) if angle == "knee_flexion"]
    column = [spec.name for spec in FEATURES].index("knee_stance_deg")
    for seen in SEEN:
        normal = (walks.seen == seen) & (walks.pattern == NORMAL)
        captured, made = normal & (walks.source == "cmu"), normal & (walks.source == "synthetic")
        if captured.any() and made.any():
            lowest = [float(np.nanmedian(np.nanmin(curves[rows][:, knees], axis=2))) for rows in (captured, made)]
            offset = max(lowest[0] - lowest[1], 0.0)
            rows = np.flatnonzero(captured)
            curves[np.ix_(rows, np.array(knees))] -= np.float32(offset)
            values[rows, column] -= np.float32(offset)
    return replace(walks, values=values, curves=curves)


def make_table(walks: Walks, patterns: Sequence[str]) -> WalkTable:
    """Features as distances from the norms that ship; write those first."""
    feature_norms.cache_clear()
    z, known = np.zeros(walks.values.shape, np.float32), np.zeros(walks.values.shape, np.float32)
    for row, (values, seen) in enumerate(zip(walks.values, walks.seen, strict=True)):
        found = {
            spec.name: Feature(float(v), np.nan) for spec, v in zip(FEATURES, values, strict=True) if np.isfinite(v)
        }
        z[row], known[row] = z_scores(found, feature_norms(str(seen)), int(walks.strides[row]))
    return WalkTable(z, known, walks.pattern, walks.split, walks.seen, walks.severity, walks.source, tuple(patterns))
