"""How well jumps, speed, steps and turning are measured: rendered people, whole pipeline, exact truth.

Two kinds of clip are filmed by cameras that move: one turns after a walker, one goes along beside them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe._version import __version__
from posepipe.body.camera_motion import CameraMotion
from posepipe.body.lift import measure_stature
from posepipe.body.outcomes import Estimate, Scales
from posepipe.lab.people.body import BodyShape
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.filmed import RoomClip, draw_camera, write_clip
from posepipe.lab.people.gait import SynthWalk, cameras_for, make_walk
from posepipe.lab.people.jump import make_jump
from posepipe.media.atomic import atomic_path
from posepipe.pipeline import Config, Detection, Pipeline, outcomes_of
from posepipe.record.recording import VideoFacts
from posepipe.skeleton import BLAZEPOSE33
from posepipe.types import KeypointTrack

__all__ = ["KINDS", "draw", "evaluate_outcomes"]

Row = dict[str, Any]
Rng = np.random.Generator

KINDS = ("walk side", "walk oblique", "walk towards", "walk turn", "walk panned", "walk along", "jump")
"""What is filmed; the two before the last by a camera that moves."""

_NINETY = 1.645
_POSTERS = 24
"""On the walls before a camera that moves."""
_PARTS = ("frame", "time_s", "xy_px", "sigma_px", "score", "valid", "interpolated")
_RELATIVE = ("walking_speed_mps", "step_length_m")


def draw(kind: str, seed: int) -> tuple[RoomClip, dict[str, float]]:
    """A clip and its truth.

    Args:
        kind: one of `KINDS`.
        seed: of everything that chance decides.

    Returns:
        The clip, and outcomes by name; those of a walk are means over its steady strides.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    if kind == "jump":
        jump = make_jump(rng)
        best = int(np.argmax(jump.heights_m))
        truth = {"jump_height_m": jump.heights_m[best], "flight_time_s": float(np.diff(jump.flights_s[best])[0])}
        shape = replace(BodyShape.random(rng), height_m=jump.body_height_m)
        return _still(kind, jump.time_s, jump.xyz_m, shape, rng, seed), truth
    walk = make_walk(rng, duration_s=5.0 if kind == "walk turn" else 3.5, turn_m=2.2 if kind == "walk turn" else None)
    if kind in ("walk panned", "walk along"):
        moves = {"walk panned": "pan", "walk along": "follow"}[kind]
        cameras = cameras_for(walk, yaw_deg=float(rng.uniform(60.0, 120.0)), kind=moves, height_m=rng.uniform(0.8, 1.8))
        clip = RoomClip(kind, walk.time_s, walk.xyz_m, walk.shape, cameras, seed)
        return clip, _truth(walk)
    return _still(kind, walk.time_s, walk.xyz_m, walk.shape, rng, seed), _truth(walk)


def _still(
    kind: str, time_s: NDArray[np.float64], xyz_m: NDArray[np.float64], shape: BodyShape, rng: Rng, seed: int
) -> RoomClip:
    camera: SynthCamera | None = None
    while camera is None:
        camera = draw_camera(kind, xyz_m, rng, None)
    return RoomClip(kind, time_s, xyz_m, shape, (camera,), seed)


def _truth(walk: SynthWalk) -> dict[str, float]:
    found = walk.truth
    ahead = np.diff(walk.xyz_m[:, 0, :2], axis=0)
    part = max(len(ahead) // 5, 1)
    ends = [np.arctan2(*piece.sum(axis=0)[::-1]) for piece in (ahead[:part], ahead[-part:])]
    turn = float(np.degrees(ends[1] - ends[0]))
    return {
        "walking_speed_mps": found.walking_speed_mps,
        "step_length_m": float(np.mean(list(found.step_length_m.values()))),
        "step_width_m": found.step_width_m,
        "turn_deg": (turn + 180.0) % 360.0 - 180.0,
    }


def evaluate_outcomes(
    count: int = 2, *, seed: int = 700, keep: Path | None = None, progress: Callable[[Row], object] | None = None
) -> dict[str, Any]:
    """Errors of each outcome; the person's height and the focal length are known.

    Args:
        count: clips of each of `KINDS`; half a minute each.
        seed: of the first.
        keep: folder in which keypoints are kept, to measure again without rendering.
        progress: called with every row.

    Returns:
        ``{"metrics", "rows", "versions"}``. Errors are relative where the name ends in ``_pct``; ``gait_`` are those of
        the gait section, which stand in a result instead where it has them.
    """
    rows = []
    for number in range(count):
        for kind in KINDS:
            clip, truth = draw(kind, seed + number)
            rows.append(_row(clip, truth, keep))
            if progress is not None:
                progress(rows[-1])
    return {"metrics": _summary(rows), "rows": rows, "versions": {"posepipe": __version__}}


def _row(clip: RoomClip, truth: Mapping[str, float], keep: Path | None) -> Row:
    detection = _detected(clip, keep)
    height_m = measure_stature(clip.xyz_m.astype(np.float32), np.ones(clip.xyz_m.shape[:2], bool))
    recording = Pipeline(Config(task="gait", height_m=height_m)).describe(detection)
    person = recording.people[0]
    assert person.world is not None
    row: Row = {"kind": clip.move, "seed": clip.seed, "camera": detection.motion.kind}
    row["withheld"] = " ".join(f"{part}:{reason}" for part, reason in person.world.withheld.items())
    found = outcomes_of(person.pose, person.world, person.gait, Scales(), detection.motion)
    for name, true in truth.items():
        known = {"": found.items[name], "gait_": person.gait.parameters.value(name)}
        for source, item in known.items():
            if not hasattr(item, "sigma") or not np.isfinite(true):
                continue
            assert item is not None and not isinstance(item, str)
            miss = abs(item.value) - abs(true) if name == "turn_deg" else item.value - true
            short = name.removesuffix("_mps").removesuffix("_m")
            row |= {f"{source}{short}_pct": 100.0 * miss / true} if name in _RELATIVE else {f"{source}{name}": miss}
            row[f"{source}{short}_covered"] = float(abs(miss) < _NINETY * item.sigma)
        if isinstance(found.items[name], Estimate):
            row[f"{name}_true"] = true
    return row


def _detected(clip: RoomClip, keep: Path | None) -> Detection:
    """What is seen of a clip; the lens is known."""
    path = None if keep is None else keep / f"{clip.move.replace(' ', '_')}_{clip.seed}.npz"
    lens = clip.camera.intrinsics
    if path is not None and path.is_file():
        with np.load(path) as kept:
            track = KeypointTrack(person=0, layout=BLAZEPOSE33, **{part: kept[part] for part in _PARTS})
            swing_deg = float(kept["swing_deg"])
            motion = CameraMotion(str(kept["kind"]), kept["turn_s"], kept["turn_rad"], swing_deg, kept["lines"])
    else:
        with tempfile.TemporaryDirectory() as folder:
            film = Path(folder) / "clip.mp4"
            write_clip(film, clip, posters=_POSTERS if len(clip.cameras) > 1 else 0)
            degrees = float(np.degrees(2.0 * np.arctan(max(lens.width_px, lens.height_px) / (2.0 * lens.focal_px))))
            seen = Pipeline(Config(workers=1, max_people=1, fov_deg=degrees)).detect(film)
        track, motion = max(seen.tracks, key=len), seen.motion
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            turn = {"kind": motion.kind, "turn_s": motion.time_s, "turn_rad": motion.turn_rad, "lines": motion.lines}
            parts = {part: getattr(track, part) for part in _PARTS}
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **parts, **turn, swing_deg=motion.swing_deg)  # type: ignore[arg-type]
    frames = len(clip.time_s)
    rate_hz = 1.0 / float(np.median(np.diff(clip.time_s)))
    facts = VideoFacts("made.mp4", lens.width_px, lens.height_px, rate_hz, frames, frames / rate_hz)
    return Detection(facts, lens, (track,), (), motion=motion)


def _summary(rows: list[Row]) -> dict[str, float]:
    """Medians of the size of errors and shares covered, by kind of clip and over all."""
    out: dict[str, float] = {"clips": float(len(rows))}
    about = ("kind", "seed", "camera", "withheld")
    names = sorted({name for row in rows for name in row if name not in about and not name.endswith("_true")})
    for name in names:
        values = np.array([row[name] for row in rows if name in row], np.float64)
        out[f"{name}_n"] = float(len(values))
        out[name] = float(values.mean() if name.endswith("_covered") else np.median(np.abs(values)))
        for kind in KINDS:
            some = [abs(row[name]) for row in rows if name in row and row["kind"] == kind]
            if some and name.endswith("_pct"):
                out[f"{name} {kind}"] = float(np.median(some))
    for kind in ("walk panned", "walk along"):
        seen = [row for row in rows if row["kind"] == kind]
        want = "turning" if kind == "walk panned" else "walking"
        out[f"camera_found {kind}"] = float(np.mean([row["camera"] == want for row in seen]))
    still = [row for row in rows if row["kind"] not in ("walk panned", "walk along")]
    out["camera_found still"] = float(np.mean([row["camera"] in ("still", "unknown") for row in still]))
    return out
