"""Two people who cross before one camera, rendered: whose track is whose, and whose limbs are whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.doctor import installed
from posepipe.errors import NobodyFoundError, UsageError
from posepipe.lab.people.body import BodyShape
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.exercises.takes import make_exercise
from posepipe.lab.people.gait import make_walk
from posepipe.lab.people.render import Person, render_frame
from posepipe.lab.people.scene import Light, Room
from posepipe.media.writer import VideoWriter
from posepipe.pipeline import Config, Pipeline
from posepipe.skeleton import BODY21
from posepipe.types import KeypointTrack

__all__ = ["WAYS", "Crossing", "draw_crossing", "evaluate_crossing", "judge_tracks", "write_crossing"]

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]
Rng = np.random.Generator

WAYS = ("meet", "meet oblique", "overtake", "pass a squatter")
"""How two people cross."""

_SIZE = (640, 360)
_DURATION_S = 3.2
_PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_LIMBS = tuple(f"{side}_{part}" for part in _PARTS for side in ("left", "right"))
_OFF, _ON = 0.12, 0.06
"""A joint farther from its own body's than the one and nearer to the other's than the other hangs on the other body;
shares of the person's height in the picture."""
_HELD_S = 0.2
"""A track that is nearer to the other person for a shorter time wasn't exchanged."""


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """Two people and a camera that stands still.

    Attributes:
        way: one of `WAYS`.
        time_s: (F,).
        xyz_m: (2, F, 21, 3) Body21 joints, z up.
        shapes: build and clothes of both.
        camera: sees both all the time, but for what one hides of the other.
        seed: of everything drawn.
    """

    way: str
    time_s: Array
    xyz_m: Array
    shapes: tuple[BodyShape, BodyShape]
    camera: SynthCamera
    seed: int

    @property
    def xy_px(self) -> Array:
        """(2, F, 21, 2) where the joints are in the picture."""
        return self.camera.project(self.xyz_m)[0]


def draw_crossing(way: str, seed: int, *, fps_hz: float = 30.0) -> Crossing:
    """Two people who cross, one a step or less behind the other.

    Args:
        way: one of `WAYS`.
        seed: of everything that chance decides.
        fps_hz: frame rate.

    Raises:
        UsageError: no such way.
    """
    if way not in WAYS:
        raise UsageError(f"no way {way!r}", where="crossing", hint=f"Valid: {', '.join(WAYS)}")
    rng = np.random.default_rng([seed, WAYS.index(way)])
    behind_m = float(rng.uniform(0.55, 1.1)) * float(rng.choice([-1.0, 1.0]))

    def walk(start_m: float, heading_deg: float, speed_mps: float) -> tuple[Array, BodyShape]:
        made = make_walk(
            rng, duration_s=_DURATION_S, fps_hz=fps_hz, speed_mps=speed_mps, heading_deg=heading_deg,
            start_m=(start_m, behind_m),
        )  # fmt: skip
        return made.xyz_m, made.shape

    first = walk(-1.9, 0.0, float(rng.uniform(1.05, 1.3)))
    behind_m = 0.0
    if way == "overtake":
        second = walk(-0.9, 0.0, float(rng.uniform(0.45, 0.6)))
    elif way == "pass a squatter":
        take = make_exercise("squat", rng, fps_hz=fps_hz, reps=2, context=0.0, cut=0.0, partial=0.0, noise_deg=0.0)
        xyz = take.positions - np.append(take.positions[:, 0, :2].mean(axis=0), 0.0)
        second = xyz, BodyShape.random(rng)
    else:
        second = walk(1.9, 180.0, float(rng.uniform(1.05, 1.3)))
    frames = min(len(first[0]), len(second[0]))
    xyz = np.stack([first[0][:frames], second[0][:frames]])
    bearing = np.radians(-90.0 + float(rng.uniform(30.0, 45.0) if way == "meet oblique" else rng.uniform(-12.0, 12.0)))
    away_m = float(rng.uniform(5.0, 6.0))
    camera = SynthCamera(
        (away_m * float(np.cos(bearing)), away_m * float(np.sin(bearing)), float(rng.uniform(0.9, 1.6))),
        (0.0, 0.0, 0.9),
        0.95 * max(_SIZE),
        *_SIZE,
    )
    return Crossing(way, np.arange(frames) / fps_hz, xyz, (first[1], second[1]), camera, seed)


def write_crossing(path: Path, made: Crossing) -> None:
    """Render it into a video file.

    Raises:
        OutputError: it can't be written.
    """
    rng = np.random.default_rng([made.seed, 99])
    room = replace(Room.random(rng, (0.0, 0.0)), half_m=(9.0, 9.0))
    light, backdrop = Light.random(rng), room.picture(made.camera)
    rate_hz = 1.0 / float(np.median(np.diff(made.time_s)))
    with VideoWriter(path, *_SIZE, rate_hz, crf=20) as writer:
        for time_s, pair in zip(made.time_s, made.xyz_m.swapaxes(0, 1), strict=True):
            people = [Person(xyz, shape) for xyz, shape in zip(pair, made.shapes, strict=True)]
            image = render_frame(people, made.camera, scene=backdrop, light=light, supersample=1)
            writer.write(image, float(time_s))


def judge_tracks(tracks: Sequence[KeypointTrack], xy_px: Array, fps_hz: float) -> dict[str, float]:
    """How well tracks keep to people.

    Args:
        tracks: everybody found; frame numbers are those of `xy_px`.
        xy_px: (P, F, 21, 2) true joints.
        fps_hz: frame rate.

    Returns:
        ``found``: share of people and frames that some track is nearest to; ``tracks``; ``exchanged``: how often a
        track goes over to another person for good; ``foreign``: share of limb joints that hang on another's body.
    """
    names = BODY21.indices(*_LIMBS)
    truth = xy_px[:, :, names]
    height = np.ptp(xy_px[..., 1], axis=2)
    found = np.zeros(height.shape, bool)
    exchanged = foreign = joints = 0
    for track in tracks:
        index = track.layout.indices(*_LIMBS)
        rows = np.flatnonzero(track.valid[:, index].any(axis=1) & (track.frame < xy_px.shape[1]))
        frames = track.frame[rows]
        mine = np.where(track.valid[rows][:, index, None], track.xy_px[rows][:, index], np.nan).astype(np.float64)
        # (P, n, 12) distance from the same joint of each person, on whichever side, in heights.
        gap = _nearest(mine, truth[:, frames]) / height[:, frames, None]
        near = np.nanmean(gap, axis=2).argmin(axis=0)
        whose = _held(near, round(_HELD_S * fps_hz))
        exchanged += int(np.count_nonzero(np.diff(whose)))
        found[whose, frames] = True
        own = gap[whose, np.arange(len(frames))]
        others = np.where(np.arange(len(gap))[:, None] == whose, np.inf, 1.0)[..., None] * gap
        foreign += int(((own > _OFF) & (np.nanmin(others, axis=0) < _ON)).sum())
        joints += int(np.isfinite(own).sum())
    return {
        "found": float(found.mean()),
        "tracks": float(len(tracks)),
        "exchanged": float(exchanged),
        "foreign": foreign / max(joints, 1),
    }


def _nearest(mine: Array, truth: Array) -> Array:
    """(P, n, 12) from (n, 12, 2) and (P, n, 12, 2); left and right in turn, whichever of both is nearer."""
    other = truth.reshape(*truth.shape[:2], -1, 2, 2)[:, :, :, ::-1].reshape(truth.shape)
    gaps = np.linalg.norm(mine - truth, axis=-1), np.linalg.norm(mine - other, axis=-1)
    return np.asarray(np.minimum(*gaps))


def _held(whose: NDArray[np.intp], least: int) -> NDArray[np.intp]:
    """The same (n,) without runs shorter than so many frames: they go on as before."""
    out = whose.copy()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(whose)) + 1])
    for first, end in zip(starts.tolist(), [*starts[1:].tolist(), len(whose)], strict=True):
        if end - first < least:
            out[first:end] = out[first - 1] if first else whose[min(end, len(whose) - 1)]
    return out


def evaluate_crossing(seeds: int = 3, *, first_seed: int = 0, quality: str = "standard") -> dict[str, Any]:
    """Film two people who cross in each way, follow them, and compare with the truth.

    Args:
        seeds: films of each way.
        first_seed: of the first.
        quality: see `posepipe.pipeline.Config`.

    Returns:
        ``{"metrics", "rows", "versions"}``; see `judge_tracks`.

    Raises:
        UsageError: fewer than one film.
    """
    if seeds < 1:
        raise UsageError(f"{seeds} films", where="evaluate crossing", hint="Give 1 or more")
    pipeline = Pipeline(Config(subject="all", quality=quality))
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        for way in WAYS:
            for seed in range(first_seed, first_seed + seeds):
                made = draw_crossing(way, seed)
                path = Path(folder) / "crossing.mp4"
                write_crossing(path, made)
                try:
                    tracks = pipeline.detect(path).tracks
                except NobodyFoundError:
                    tracks = ()
                rate_hz = 1.0 / float(np.median(np.diff(made.time_s)))
                rows.append({"way": way, "seed": seed} | judge_tracks(tracks, made.xy_px, rate_hz))
    metrics = {key: float(np.mean([row[key] for row in rows])) for key in ("found", "tracks", "foreign")}
    metrics |= {"films": float(len(rows)), "exchanged": float(sum(row["exchanged"] for row in rows))}
    return {"metrics": metrics, "rows": rows, "versions": installed(("posepipe", "onnxruntime", "numpy"))}
