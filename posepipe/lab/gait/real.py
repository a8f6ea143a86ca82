"""Real motion, rendered picture: captured walks dressed, filmed from every side, seen by BlazePose and analysed.

Hip, knee and ankle as the gait report draws them, on the strides that it finds, are compared with the exact joints'
angles, as `posepipe.body.angles` defines them, on the strides of the exact walk. The file is an npz with the keys of
``mocap/`` (``positions extra seq_start seq_name subject fps walk``, ``height_m`` where it is known); straight normal
walks are taken. Pictures are made, so cloth, faces and light are those of made people.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe._version import __version__
from posepipe.body.lift import pose_stature
from posepipe.errors import InputError, NobodyFoundError
from posepipe.gait.analyse import analyse
from posepipe.gait.curves import SAGITTAL
from posepipe.gait.picture_angles import from_picture
from posepipe.gait.types import POINTS, SIDES, Cycle, GaitResult, MeanCurve, Stride
from posepipe.gait.walk import find_walk
from posepipe.lab.gait.data import is_straight, session_split
from posepipe.lab.gait.files import file_motion
from posepipe.lab.gait.norms import leg_frames
from posepipe.lab.people.body import TOE_Z_M, BodyShape, from_mocap
from posepipe.lab.people.filmed import FEET
from posepipe.lab.people.gait import cameras_for, true_angles, write_film
from posepipe.lab.people.scene import Room
from posepipe.pipeline import Config, Pipeline
from posepipe.record.folder import load, save
from posepipe.record.recording import Recording
from posepipe.skeleton import BODY21
from posepipe.types import Angles

__all__ = ["SEEN_FROM", "RealWalk", "compare_curves", "evaluate_real", "learnt_legs", "real_walks"]

Array = NDArray[np.float64]
Row = dict[str, Any]

_log = logging.getLogger(__name__)

SEEN_FROM: Mapping[str, tuple[float, ...]] = {
    "side": (90.0, -90.0),
    "oblique": (45.0, -45.0),
    "front": (0.0,),
    "behind": (180.0,),
}
"""Where the person faces, in degrees as in `posepipe.body.motion`; walks take turns."""

_OFF_DEG = 10.0
"""A camera stands so far off that, at most."""
_KEYS = ("positions", "extra", "seq_start", "seq_name", "subject", "fps", "walk")
_LONGEST_S = 6.0
_SIZE_PX = (960, 540)
_RATE_HZ = 30.0
_ROOM_M = 30.0
_NEAR_S = 0.15
_NINETY = 1.645


@dataclass(frozen=True, slots=True, eq=False)
class RealWalk:
    """A captured walk and who is dressed for it.

    Attributes:
        name, subject: of the file.
        time_s: (F,), from 0.
        xyz_m: (F, 21, 3) Body21 joints, z up, feet on z = 0.
        shape: build and clothes; drawn by chance.
        learnt: whether error bars of angles from the side were learnt on this person: every other one of a file, and of
            CMU's walks without names all but the sessions that the classifier isn't trained on either.
        treadmill: never.
    """

    name: str
    subject: str
    time_s: Array
    xyz_m: Array
    shape: BodyShape
    learnt: bool
    treadmill: bool = False

    @property
    def angles(self) -> Angles:
        """Joint angles, exactly."""
        return true_angles(self.time_s, self.xyz_m)

    @property
    def strides(self) -> tuple[Stride, ...]:
        """As they are found in the exact joints."""
        rate_hz = 1.0 / float(np.median(np.diff(self.time_s)))
        return find_walk(file_motion(self.xyz_m.astype(np.float32), BODY21.joints, rate_hz, "m", "z up")).strides

    def at_rate(self, rate_hz: float) -> RealWalk:
        """The same walk with so many frames a second."""
        time_s = np.arange(0.0, self.time_s[-1], 1.0 / rate_hz)
        flat = self.xyz_m.reshape(len(self.time_s), -1)
        xyz = np.stack([np.interp(time_s, self.time_s, column) for column in flat.T], axis=1)
        return RealWalk(self.name, self.subject, time_s, xyz.reshape(len(time_s), -1, 3), self.shape, self.learnt)


def real_walks(path: Path, seed: int = 0) -> Iterator[RealWalk]:
    """Straight normal walks of a file; of long ones the first six seconds.

    Args:
        path: npz; the module tells its form.
        seed: of clothes and build.

    Raises:
        InputError: the file can't be read or lacks an array.
    """
    try:
        with np.load(path) as data:
            table = {key: data[key] for key in _KEYS}
            heights = data.get("height_m")
    except KeyError as error:
        raise InputError(f"lacks an array ({error})", where=str(path), hint="See docs/gait.md for its keys") from error
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read ({error})", where=str(path), hint="Give an npz of walks") from error
    straight = [number for number, walk in enumerate(table["walk"]) if is_straight(str(walk))]
    people = sorted({str(table["subject"][number]) for number in straight})
    for number in straight:
        name, subject = str(table["seq_name"][number]), str(table["subject"][number])
        rate_hz, first = float(table["fps"][number]), int(table["seq_start"][number])
        last = min(int(table["seq_start"][number + 1]), first + int(_LONGEST_S * rate_hz))
        xyz = from_mocap(table["positions"][first:last], table["extra"][first:last])
        if np.isfinite(xyz).all():
            xyz[..., 2] += TOE_Z_M - np.quantile(xyz[:, FEET, 2].min(axis=1), 0.1)
            tall_m = float(np.median(pose_stature(xyz.astype(np.float32)))) if heights is None else heights[number]
            shape = BodyShape.random(np.random.default_rng([seed, number]), float(tall_m))
            learnt = session_split(name) == "train" and (name.startswith("conv") or people.index(subject) % 2 == 0)
            yield RealWalk(name, subject, np.arange(len(xyz)) / rate_hz, xyz, shape, learnt)


def evaluate_real(path: Path, *, most: int = 0, results: Path | None = None, seed: int = 0) -> dict[str, Any]:
    """Captured walks rendered from every side: the report's curves against the exact joints'.

    Args:
        path: npz; the module tells its form.
        most: walks at most, spread over the file; 0 for all. Four films each, some five seconds a film.
        results: folder for what was seen; there already, it is used again. None keeps nothing.
        seed: of clothes and cameras.

    Returns:
        A row for each view and joint: people, films, curves (from the side of those alone that no error bar was learnt
        on); RMSE of the mean cycle as it is and centred (its mean
        taken off both), bias, each person's mean first, then over people; share of the curves' points within their
        90 % interval. Metrics: the same under names, films, and how many show a stride of each side. Versions.

    Raises:
        InputError: as `real_walks`, or it holds no straight walk.
    """
    walks = list(real_walks(path, seed))
    if not walks:
        raise InputError("holds no straight normal walk", where=str(path), hint="See docs/gait.md for its keys")
    pairs: list[Row] = []
    films = 0
    for view, walk, recording in _films(_spread_out(walks, most), path.stem, results, seed):
        films += 1
        found = GaitResult() if recording is None else analyse(recording.motion_of(recording.people[0]))
        rows = compare_curves(walk, found)
        pairs += [{"view": view, "walk": walk.name, **row} for row in rows]
        _log.info("%s %s: %s", walk.name, view, rows)
    table = list(_by_joint(pairs))
    metrics = {"films": float(films)}
    for row in table:
        for name in ("centred_deg", "absolute_deg", "coverage_90"):
            metrics[f"{row['view']}_{row['angle']}_{name}"] = row[name]
    return {"metrics": metrics, "rows": table, "versions": {"posepipe": __version__}}


def learnt_legs(paths: Iterable[Path], kept: Path, most: int = 20) -> list[dict[str, NDArray[np.generic]]]:
    """Legs of those on whom error bars are learnt, from the side, as `posepipe.lab.gait.norms.leg_frames` has them.

    Args:
        paths: npz files; those that aren't there are left out.
        kept: folder for what was seen; there already, it is used again.
        most: walks of each file, learnt or not; as of `evaluate_real`.
    """
    out = []
    for path in paths:
        walks = list(real_walks(path)) if path.is_file() else []
        for _, walk, recording in _films(_spread_out(walks, most), path.stem, kept, 0, learnt=True):
            motion = None if recording is None else recording.motion_of(recording.people[0])
            if motion is not None and (passes := find_walk(motion).passes):
                strikes: dict[str, list[float]] = {
                    side: sorted({at for s in walk.strides if s.side == side for at in (s.start_s, s.end_s)})
                    for side in SIDES
                }
                near = "left" if passes[0].yaw_deg > 0.0 else "right"
                out.append(leg_frames(from_picture(motion, habits=False), walk.time_s, walk.angles, strikes, near))
    return out


def _spread_out(walks: Sequence[RealWalk], most: int) -> Sequence[tuple[int, RealWalk]]:
    """At most so many of them, with their numbers; all for 0."""
    if not walks:
        return []
    chosen = np.unique(np.linspace(0, len(walks) - 1, most).round().astype(int)) if most else range(len(walks))
    return [(int(number), walks[number]) for number in chosen]


def _films(
    walks: Sequence[tuple[int, RealWalk]],
    name: str,
    kept: Path | None,
    seed: int,
    *,
    learnt: bool = False,
) -> Iterator[tuple[str, RealWalk, Recording | None]]:
    """View, walk, and what was seen of each film: those that error bars are learnt on, or all others."""
    for number, walk in walks:
        for view, yaws in SEEN_FROM.items():
            if learnt != (walk.learnt and view == "side"):
                continue
            yaw_deg = yaws[number % len(yaws)] + float(np.random.default_rng([seed, number]).uniform(-1, 1)) * _OFF_DEG
            folder = None if kept is None else kept / name / f"{walk.name}_{view}"
            yield view, walk, _seen(walk, yaw_deg, ("static", "pan")[number // 2 % 2], folder)


def _seen(walk: RealWalk, yaw_deg: float, camera: str, kept: Path | None) -> Recording | None:
    """What the pipeline says of a film; None if it finds nobody."""
    if kept is not None and (kept / "summary.json").is_file():
        return load(kept)
    filmed = walk.at_rate(_RATE_HZ)
    middle = filmed.xyz_m[:, 0, :2].mean(axis=0)
    room = Room((float(middle[0]), float(middle[1])), (_ROOM_M, _ROOM_M))
    config = Config(task="gait", height_m=walk.shape.height_m, workers=1, quality="standard")
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "walk.mp4"
        write_film(film, filmed, cameras_for(filmed, yaw_deg=yaw_deg, kind=camera, size_px=_SIZE_PX), room=room)
        try:
            recording = Pipeline(config).run(film)
        except NobodyFoundError:
            return None
    if kept is not None:
        save(recording, kept)
    return recording


def compare_curves(walk: RealWalk, found: GaitResult) -> list[Row]:
    """One row for each reported curve of hip, knee and ankle whose strides are strides of the exact walk."""
    angles, strides = walk.angles, walk.strides
    rows = []
    for curve in found.curves:
        if curve.angle not in SAGITTAL:
            continue
        cycles = [cycle for cycle in (*found.cycles, *found.parts) if cycle.side == curve.side]
        true = [s for s in strides if s.side == curve.side and any(_same(cycle, s) for cycle in cycles)]
        column = angles.names.index(f"{curve.side}_{curve.angle}")
        if true:
            rows.append(_row(walk, curve, _mean_cycle(walk.time_s, angles.deg[:, column], true)))
    return rows


def _same(cycle: Cycle, stride: Stride) -> bool:
    return abs(cycle.start_s - stride.start_s) < _NEAR_S and abs(cycle.end_s - stride.end_s) < _NEAR_S


def _mean_cycle(time_s: Array, deg: NDArray[np.float32], strides: Sequence[Stride]) -> Array:
    grid = np.array([np.linspace(stride.start_s, stride.end_s, POINTS) for stride in strides])
    return np.asarray(np.interp(grid, time_s, deg.astype(np.float64)).mean(axis=0))


def _row(walk: RealWalk, curve: MeanCurve, true: Array) -> Row:
    known = np.isfinite(curve.mean_deg)
    away = (curve.mean_deg - true)[known]
    return {
        "subject": walk.subject,
        "side": curve.side,
        "angle": curve.angle,
        "strides": curve.cycles,
        "absolute_deg": float(np.sqrt(np.mean(away**2))),
        "centred_deg": float(np.std(away)),
        "bias_deg": float(np.mean(away)),
        "coverage_90": float(np.mean(np.abs(away) < _NINETY * curve.sigma_deg[known])),
    }


def _by_joint(pairs: Sequence[Row]) -> Iterable[Row]:
    """Rows of the table: each person's mean, then the mean over people."""
    for view in SEEN_FROM:
        for angle in SAGITTAL:
            mine = [row for row in pairs if row["view"] == view and row["angle"] == angle]
            people = sorted({row["subject"] for row in mine})
            if not people:
                continue
            row: Row = {
                "view": view,
                "angle": angle,
                "people": len(people),
                "films": len({row["walk"] for row in mine}),
                "curves": len(mine),
            }
            for name in ("centred_deg", "absolute_deg", "bias_deg", "coverage_90"):
                each = [np.mean([r[name] for r in mine if r["subject"] == person]) for person in people]
                row[name] = float(np.mean(each))
            yield row
