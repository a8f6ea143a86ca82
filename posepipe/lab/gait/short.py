"""Short walks: made walkers who cross the picture of a camera that stands still, as one pass before a phone shows.

They come in at one edge and leave at the other, some turn and come back, seen from the side or a little obliquely, at
15 to 30 pictures a second. The pace that is told is compared with the strikes that lie within the picture, counted as a
person would: the first and the last of a pass, and the steps between.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posepipe._version import __version__
from posepipe.gait.analyse import analyse
from posepipe.gait.events import EVENT
from posepipe.gait.judge import JUDGE
from posepipe.gait.parts import strides_seen
from posepipe.gait.types import SIDES, Abnormal, GaitResult
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.gait import PATTERNS, SynthWalk, cameras_for, make_walk, write_film
from posepipe.pipeline import Config, Pipeline
from posepipe.record.folder import load, save
from posepipe.record.recording import Recording

__all__ = ["Crossing", "crossings", "evaluate_short", "passes_seen"]

Row = dict[str, Any]

_NINETY = 1.645
_SAME_PCT = 3.0
_RATES_HZ = (30.0, 24.0, 15.0)
_DISTANCE_M = (3.0, 5.5)
_OFF_SIDE_DEG = 20.0
_SIZE_PX = (480, 360)
_SECONDS, _THERE_AND_BACK_S = 4.5, 9.0
_STRAIGHT_DEG = 1.0
_ABNORMAL = tuple(name for name in PATTERNS if name != "normal")


@dataclass(frozen=True, slots=True)
class Crossing:
    """One film.

    Attributes:
        seed: of everything drawn.
        pattern, severity: of the walker.
        yaw_deg: where the walker faces.
        distance_m: of the camera from the way; it decides how many steps are seen.
        fps_hz: frame rate.
        back: the walker turns within the picture and comes back.
    """

    seed: int
    pattern: str
    severity: float
    yaw_deg: float
    distance_m: float
    fps_hz: float
    back: bool

    def walk(self) -> SynthWalk:
        """The walker."""
        return make_walk(
            np.random.default_rng(self.seed),
            pattern=self.pattern,
            severity=self.severity,
            side="left" if self.seed % 2 else "right",
            duration_s=_THERE_AND_BACK_S if self.back else _SECONDS,
            fps_hz=self.fps_hz,
            turn_m=0.8 * self.distance_m if self.back else None,
        )


def crossings(count: int, seed: int = 7000) -> Iterator[Crossing]:
    """Films by number: every third walker abnormal, every fourth comes back."""
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        abnormal = i % 3 == 2
        yield Crossing(
            seed + i,
            _ABNORMAL[(i // 3) % len(_ABNORMAL)] if abnormal else "normal",
            float(rng.uniform(0.4, 0.8)) if abnormal else 0.0,
            float(rng.choice([-90.0, 90.0]) + rng.uniform(-_OFF_SIDE_DEG, _OFF_SIDE_DEG)),
            float(rng.uniform(*_DISTANCE_M)),
            _RATES_HZ[i % len(_RATES_HZ)] if i % 2 else 30.0,
            i % 4 == 3,
        )


def evaluate_short(count: int, *, results: Path | None = None, seed: int = 7000) -> dict[str, Any]:
    """Films rendered, seen by BlazePose and analysed; the pace against the strikes in the picture.

    Args:
        count: films; each takes some ten seconds.
        results: folder for what was seen; there already, it is used again. None keeps nothing.
        seed: of the first.
    """
    rows = []
    for i, crossing in enumerate(crossings(count, seed)):
        walk = crossing.walk()
        recording = _seen(crossing, walk, None if results is None else results / f"short_{seed}_{i:03d}")
        found = GaitResult() if recording is None else analyse(recording.motion_of(recording.people[0]))
        rows.append(_row(crossing, passes_seen(crossing, walk), found))
    return {"metrics": _metrics(rows), "rows": rows, "versions": {"posepipe": __version__}}


def _cameras(crossing: Crossing, walk: SynthWalk) -> tuple[SynthCamera, ...]:
    return cameras_for(walk, yaw_deg=crossing.yaw_deg, size_px=_SIZE_PX, distance_m=crossing.distance_m)


def _seen(crossing: Crossing, walk: SynthWalk, kept: Path | None) -> Recording | None:
    if kept is not None and (kept / "summary.json").is_file():
        return load(kept)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.mp4"
        write_film(path, walk, _cameras(crossing, walk))
        recording = Pipeline(Config(workers=1, quality="standard")).run(path)
    if kept is not None:
        save(recording, kept)
    return recording


def passes_seen(crossing: Crossing, walk: SynthWalk) -> list[list[float]]:
    """Times of heel strikes that follow each other straight on within the picture, by pass; in seconds."""
    cameras, prints = _cameras(crossing, walk), walk.prints
    out: list[list[float]] = [[]]
    for i, print_ in enumerate(prints):
        time_s = print_.strike_s + EVENT.plate_strike_s
        at = int(np.argmin(np.abs(walk.time_s - time_s)))
        x, y = cameras[at].project(np.array([[*print_.heel_m, 0.0]]))[0][0]
        inside = walk.time_s[0] <= time_s <= walk.time_s[-1] and 0.0 <= x < _SIZE_PX[0] and 0.0 <= y < _SIZE_PX[1]
        same = [prints[j] for j in (i - 2, i + 2) if 0 <= j < len(prints)]
        straight = any(abs(print_.heading_deg - other.heading_deg) < _STRAIGHT_DEG for other in same)
        if inside and straight:
            out[-1].append(time_s)
        elif out[-1]:
            out.append([])
    return [times for times in out if times]


def _row(crossing: Crossing, passes: Sequence[Sequence[float]], found: GaitResult) -> Row:
    long = [times for times in passes if len(times) > 1]
    steps = sum(len(times) - 1 for times in long)
    true = 60.0 * steps / sum(times[-1] - times[0] for times in long) if steps else float("nan")
    told = found.parameters.value("cadence_spm")
    answer = found.abnormal
    return {
        "pattern": crossing.pattern,
        "back": crossing.back,
        "fps_hz": crossing.fps_hz,
        "steps": steps,
        "strides": sum(max(len(times) // 2 - 1, 0) for times in passes),
        "found": min(len(found.walk.strides_of(side)) for side in SIDES),
        "judged": min(strides_seen((*found.cycles, *found.parts), side) for side in SIDES),
        "true_spm": true,
        "cadence_spm": None if told is None else told.value,
        "half_width_spm": None if told is None else _NINETY * told.sigma,
        "error_pct": None if told is None else 100.0 * (told.value / true - 1.0),
        "verdict": answer.label if isinstance(answer, Abnormal) else str(found.withheld or answer),
    }


def _metrics(rows: Sequence[Row]) -> dict[str, float]:
    told = [row for row in rows if row["error_pct"] is not None and np.isfinite(row["error_pct"])]
    inside = [abs(r["cadence_spm"] - r["true_spm"]) <= r["half_width_spm"] for r in told]
    errors = np.array([abs(row["error_pct"]) for row in told])
    long = [row for row in rows if row["strides"] >= JUDGE.least_strides]
    judged = [row for row in long if row["verdict"] in ("normal", "abnormal")]
    normal = [row for row in judged if row["pattern"] == "normal"]
    withheld = Counter(str(row["verdict"]) for row in long if row not in judged)
    return {
        "films": float(len(rows)),
        "told": float(len(told)),
        "within_3_pct": float(np.sum(errors <= _SAME_PCT)),
        "within_90_pct_interval": float(np.sum(inside)),
        "cadence_error_pct": float(np.median(errors)),
        "cadence_error_90_pct": float(np.quantile(errors, 0.9)),
        "half_width_spm": float(np.median([row["half_width_spm"] for row in told])),
        "films_two_strides": float(len(long)),
        "judged": float(len(judged)),
        "normal_judged": float(len(normal)),
        "normal_flagged": float(sum(row["verdict"] == "abnormal" for row in normal)),
        "abnormal_judged": float(len(judged) - len(normal)),
        "abnormal_flagged": float(sum(r["verdict"] == "abnormal" for r in judged if r["pattern"] != "normal")),
        "normal_flagged_of_all": float(sum(r["pattern"] == "normal" and r["verdict"] == "abnormal" for r in rows)),
        **{f"films_two_strides_{reason}": float(count) for reason, count in sorted(withheld.items())},
    }
