"""Walks filmed once and kept: lifting is the slow part, measuring them again is quick."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.motion.angles import joint_angles
from posepipe.motion.clip import Motion
from posepipe.skeleton import BODY21
from posepipe.types import KeypointTrack, PoseTrack

__all__ = ["Film", "load_films", "save_films"]

_META = ("seen", "pattern", "severity", "split", "source", "side")
_FRAMES = ("time_s", "xyz_m", "sigma_m", "root_m", "xy_px", "sigma_px")


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A walk as it was seen, and what is true of it.

    Attributes:
        motion: what the pipeline would hand over.
        seen: "side", "oblique", "front" or "3d".
        pattern, severity, side: what was put in.
        split: "train", "calibrate" or "test".
        source: "cmu" or "synthetic".
    """

    motion: Motion
    seen: str
    pattern: str
    severity: float
    side: str
    split: str
    source: str


def save_films(path: Path, films: Sequence[Film]) -> None:
    """Write an npz."""
    arrays: dict[str, NDArray[np.generic]] = {name: np.array([getattr(film, name) for film in films]) for name in _META}
    arrays["start"] = np.cumsum([0, *(len(film.motion) for film in films)])
    arrays["size_px"] = np.array([film.motion.size_px or (0, 0) for film in films])
    for name in _FRAMES:
        arrays[name] = np.concatenate([_frames(film.motion, name) for film in films])
    np.savez_compressed(path, **arrays)


def load_films(paths: Sequence[Path]) -> Iterator[Film]:
    """Read what `save_films` wrote.

    Raises:
        InputError: a file can't be read.
    """
    for path in paths:
        try:
            with np.load(path) as data:
                table = {name: data[name] for name in (*_META, *_FRAMES, "start", "size_px")}
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"can't be read ({error})", where=str(path), hint="Film the walks again") from error
        for number, (first, last) in enumerate(zip(table["start"], table["start"][1:], strict=False)):
            part = {name: table[name][first:last] for name in _FRAMES}
            size = int(table["size_px"][number][0]), int(table["size_px"][number][1])
            meta = {name: table[name][number] for name in _META}
            yield Film(
                _motion(part, size if size[0] else None),
                str(meta["seen"]),
                str(meta["pattern"]),
                float(meta["severity"]),
                str(meta["side"]),
                str(meta["split"]),
                str(meta["source"]),
            )


def _frames(motion: Motion, name: str) -> NDArray[np.generic]:
    if name in ("xy_px", "sigma_px"):
        shape = (len(motion), len(BODY21), 2) if name == "xy_px" else (len(motion), len(BODY21))
        track = motion.keypoints
        return np.full(shape, np.nan, np.float32) if track is None else np.asarray(getattr(track, name), np.float32)
    return np.asarray(getattr(motion, name), np.float64 if name == "time_s" else np.float32)


def _motion(part: dict[str, NDArray[np.generic]], size: tuple[int, int] | None) -> Motion:
    xyz = np.asarray(part["xyz_m"], np.float32)
    valid = np.isfinite(xyz).all(axis=-1)
    none = np.zeros(valid.shape, dtype=bool)
    time_s = np.asarray(part["time_s"], np.float64)
    root = np.asarray(part["root_m"], np.float32)
    pose = PoseTrack(
        BODY21, time_s, xyz, np.asarray(part["sigma_m"], np.float32), root, np.zeros_like(root), valid, none
    )
    track = None
    if size is not None:
        xy = np.asarray(part["xy_px"], np.float32)
        track = KeypointTrack(
            person=1,
            layout=BODY21,
            frame=np.arange(len(time_s), dtype=np.int32),
            time_s=time_s,
            xy_px=xy,
            sigma_px=np.asarray(part["sigma_px"], np.float32),
            score=np.full(none.shape, 0.95, np.float32),
            valid=np.isfinite(xy).all(axis=-1),
            interpolated=none,
        )
    return Motion.from_pose(pose, joint_angles(pose), track, size)
