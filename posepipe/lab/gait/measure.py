"""Gait events, parameters and angles of rendered walkers against their truth."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe._version import __version__
from posepipe.body.motion import Motion
from posepipe.gait.curves import SAGITTAL, cut_cycles, mean_curves
from posepipe.gait.parameters import parameters
from posepipe.gait.picture_angles import from_picture
from posepipe.gait.types import HEEL_STRIKE, SIDES, TOE_OFF, Event, Walk
from posepipe.gait.walk import find_walk
from posepipe.lab.people.gait import PATTERNS, SynthWalk, cameras_for, make_walk, write_film
from posepipe.pipeline import Config, Pipeline

__all__ = [
    "Film",
    "evaluate_rendered",
    "match_events",
    "summarise",
    "walk_row",
]

Array = NDArray[np.float64]
Row = dict[str, Any]

_NEAR_S = 0.15
_EDGE_S = 0.1
"""Events this near to either end of the clip aren't asked for: half of what shows them is missing."""
_NINETY = 1.645
_PARTS = ("rmse", "bias", "shape")
_ABNORMAL = tuple(name for name in PATTERNS if name != "normal")


@dataclass(frozen=True, slots=True)
class Film:
    """How one rendered walk is made.

    Attributes:
        seed: of everything drawn.
        pattern, severity: of the walker.
        yaw_deg, camera: how they are filmed.
        fps_hz: frame rate.
        treadmill: whether they stay in place.
        size_px: of the picture.
    """

    seed: int
    pattern: str = "normal"
    severity: float = 0.0
    yaw_deg: float = 90.0
    camera: str = "pan"
    fps_hz: float = 30.0
    treadmill: bool = False
    size_px: tuple[int, int] = (480, 480)

    def walk(self) -> SynthWalk:
        """The walker."""
        rng = np.random.default_rng(self.seed)
        return make_walk(
            rng,
            pattern=self.pattern,
            severity=self.severity,
            side="left" if self.seed % 2 else "right",
            duration_s=4.0 if self.camera == "static" and not self.treadmill else 6.0,
            fps_hz=self.fps_hz,
            treadmill=self.treadmill,
        )


def _films(count: int, seed: int) -> Iterator[Film]:
    """Films from the side: both directions, 30 and 60 frames a second, every camera, every third walk abnormal."""
    for i in range(count):
        camera = ("pan", "follow", "static")[i % 3]
        abnormal = i % 3 == 2
        yield Film(
            seed=seed + i,
            pattern=_ABNORMAL[(i // 3) % len(_ABNORMAL)] if abnormal else "normal",
            severity=0.6 if abnormal else 0.0,
            yaw_deg=90.0 if (i // 2) % 2 else -90.0,
            camera=camera if not abnormal else "pan",
            fps_hz=60.0 if i % 4 == 3 else 30.0,
            treadmill=i % 5 == 4,
        )


def evaluate_rendered(count: int = 12, *, seed: int = 5000, progress: Any = None) -> dict[str, Any]:
    """Walkers rendered, filmed from the side, detected by BlazePose, lifted and measured.

    Args:
        count: walks; each takes about half a minute.
        seed: of the first.
        progress: called with every row.
    """
    rows = []
    for film in _films(count, seed):
        rows.append(_render(film))
        if progress is not None:
            progress(rows[-1])
    return summarise(rows)


def _render(film: Film) -> Row:
    walk = film.walk()
    cameras = cameras_for(walk, yaw_deg=film.yaw_deg, kind=film.camera, size_px=film.size_px)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.mp4"
        write_film(path, walk, cameras)
        recording = Pipeline(Config(height_m=walk.shape.height_m, workers=1, quality="standard")).run(path)
    motion = recording.motion_of(recording.people[0])
    return {
        "walk": film.pattern,
        "camera": "treadmill" if film.treadmill else film.camera,
        "yaw_deg": film.yaw_deg,
        "fps_hz": film.fps_hz,
        **walk_row(walk, motion),
    }


def match_events(walk: SynthWalk, found: Walk, start_s: float, end_s: float) -> tuple[list[tuple[Event, float]], Row]:
    """Found events with their errors in seconds, and how many there were to be found, missed, and found falsely."""
    low, high = start_s + _EDGE_S, end_s - _EDGE_S
    pairs: list[tuple[Event, float]] = []
    used: set[int] = set()
    wanted = [e for e in walk.events if low <= e.time_s <= high]
    for true in wanted:
        near = [
            (abs(e.time_s - true.time_s), k)
            for k, e in enumerate(found.events)
            if e.side == true.side and e.type == true.kind and k not in used
        ]
        if near and min(near)[0] <= _NEAR_S:
            k = min(near)[1]
            used.add(k)
            pairs.append((found.events[k], found.events[k].time_s - true.time_s))
    false = sum(low <= e.time_s <= high for k, e in enumerate(found.events) if k not in used)
    return pairs, {"events": len(wanted), "missed": len(wanted) - len(pairs), "false": int(false)}


def walk_row(walk: SynthWalk, motion: Motion) -> Row:
    """One walk's errors; the body height is taken as known."""
    found = find_walk(motion)
    pairs, counts = match_events(walk, found, float(motion.time_s[0]), float(motion.time_s[-1]))
    row: Row = dict(counts)
    for name, kind in (("strike", HEEL_STRIKE), ("off", TOE_OFF)):
        row[f"{name}_ms"] = [round(1000.0 * error, 1) for event, error in pairs if event.type == kind]
    row["z"] = [error / event.sigma_s for event, error in pairs]
    truth, measured = walk.truth, parameters(motion, found, True)
    lengths = float(np.nanmean(list(truth.step_length_m.values())))
    for name, true in (
        ("cadence_spm", truth.cadence_spm),
        ("double_support_pct", truth.double_support_pct),
        ("step_length_m", lengths),
        ("walking_speed_mps", truth.walking_speed_mps),
    ):
        value = measured.value(name)
        row[name] = None if value is None else value.value - true
        row[f"{name}_true"] = true
        row[f"{name}_z"] = None if value is None else (value.value - true) / value.sigma
    row["stance_pct"] = [
        value.value - truth.stance_pct[side]
        for side in SIDES
        if (value := measured.value("stance_pct", side)) is not None
    ]
    row.update(_angle_errors(walk, from_picture(motion), ""))
    row.update(_angle_errors(walk, motion, "lifted_"))
    row.update(_curves_covered(walk, motion, found))
    return row


def _curves_covered(walk: SynthWalk, motion: Motion, found: Walk) -> Row:
    """Share of the mean curves' points whose 90 % interval holds the true mean cycle; found events, as reported."""
    pictured, true = from_picture(motion), walk.angles()
    inside: dict[str, list[NDArray[np.bool_]]] = {angle: [] for angle in SAGITTAL}
    for curve in mean_curves(cut_cycles(pictured, found.strides), SAGITTAL):
        strikes = [e.time_s for e in walk.events if e.side == curve.side and e.kind == HEEL_STRIKE]
        column = true.names.index(f"{curve.side}_{curve.angle}")
        away = np.abs(curve.mean_deg - _mean_cycle(walk.time_s, true.deg[:, column], strikes))
        known = np.isfinite(away)
        inside[curve.angle].append(away[known] < _NINETY * curve.sigma_deg[known])
    return {
        f"{angle}_coverage_90": float(np.mean(np.concatenate(parts))) if parts and len(np.concatenate(parts)) else None
        for angle, parts in inside.items()
    }


def _angle_errors(walk: SynthWalk, motion: Motion, prefix: str) -> Row:
    """RMSE over the mean cycle (true events), its mean (bias) and what is left without it (shape); mean of sides."""
    true = walk.angles()
    out: Row = {}
    for angle in SAGITTAL:
        errors, shapes, biases = [], [], []
        for side in SIDES:
            name = f"{side}_{angle}"
            strikes = [e.time_s for e in walk.events if e.side == side and e.kind == HEEL_STRIKE]
            pair = [
                _mean_cycle(walk.time_s, true.deg[:, true.names.index(name)], strikes),
                _mean_cycle(motion.time_s, motion.angles.deg[:, motion.angles.names.index(name)], strikes),
            ]
            away = pair[1] - pair[0]
            if np.isfinite(away).all():
                errors.append(float(np.sqrt(np.mean(away**2))))
                biases.append(float(away.mean()))
                shapes.append(float(away.std()))
        known = bool(errors)
        out[f"{prefix}{angle}_rmse_deg"] = float(np.mean(errors)) if known else None
        out[f"{prefix}{angle}_bias_deg"] = float(np.mean(biases)) if known else None
        out[f"{prefix}{angle}_shape_deg"] = float(np.mean(shapes)) if known else None
    return out


def _mean_cycle(time_s: Array, deg: NDArray[np.float32], strikes: Sequence[float]) -> Array:
    known = np.isfinite(deg)
    if known.sum() < 4 or len(strikes) < 2:
        return np.full(101, np.nan)
    inside = [(a, b) for a, b in pairwise(strikes) if a >= time_s[known][0] and b <= time_s[known][-1]]
    if not inside:
        return np.full(101, np.nan)
    grid = np.array([np.linspace(a, b, 101) for a, b in inside])
    return np.asarray(np.interp(grid, time_s[known], deg[known].astype(np.float64)).mean(axis=0))


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Metrics over walks, and rows fit to print."""
    total = max(sum(row["events"] for row in rows), 1)
    metrics: dict[str, Any] = {
        "walks": len(rows),
        "events": total,
        "found_pct": 100.0 * (1.0 - sum(row["missed"] for row in rows) / total),
        "false_pct": 100.0 * sum(row["false"] for row in rows) / total,
    }
    for name in ("strike", "off"):
        errors = np.array([e for row in rows for e in row[f"{name}_ms"]])
        if len(errors):
            metrics[f"{name}_bias_ms"] = float(np.median(errors))
            metrics[f"{name}_median_ms"] = float(np.median(np.abs(errors)))
            metrics[f"{name}_95_ms"] = float(np.percentile(np.abs(errors), 95.0))
    scores = np.array([z for row in rows for z in row["z"]])
    if len(scores):
        metrics["event_coverage_90"] = float(np.mean(np.abs(scores) < _NINETY))
    for name in ("cadence_spm", "double_support_pct"):
        metrics.update(_limits(name, [row[name] for row in rows if row[name] is not None]))
    metrics.update(_limits("stance_pct", [e for row in rows for e in row["stance_pct"]]))
    for name in ("step_length_m", "walking_speed_mps"):
        shares = [100.0 * row[name] / row[f"{name}_true"] for row in rows if row[name] is not None]
        if shares:
            metrics[f"{name}_bias_pct"] = float(np.mean(shares))
            metrics[f"{name}_error_pct"] = float(np.median(np.abs(shares)))
    names = [f"{prefix}{angle}_{part}_deg" for prefix in ("", "lifted_") for angle in SAGITTAL for part in _PARTS]
    for name in [*names, *(f"{angle}_coverage_90" for angle in SAGITTAL)]:
        known = [row[name] for row in rows if row[name] is not None]
        if known:
            metrics[name] = float(np.mean(known))
    shown = [{key: _shown(value) for key, value in row.items() if key != "z"} for row in rows]
    return {"metrics": metrics, "rows": shown, "versions": {"posepipe": __version__}}


def _limits(name: str, errors: Sequence[float]) -> dict[str, float]:
    """Bias and 95 % limits of agreement (Bland and Altman)."""
    if not errors:
        return {}
    spread = float(np.std(errors, ddof=1)) if len(errors) > 1 else 0.0
    return {f"{name}_bias": float(np.mean(errors)), f"{name}_limits": 1.96 * spread}


def _shown(value: object) -> object:
    if isinstance(value, list):
        return float(np.median(np.abs(value))) if value else None
    return value
