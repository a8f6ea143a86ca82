"""C3D: joints as points, joint angles and every sigma as points beside them.

Format: c3d.org, user guide. Millimetres, x right, y up, z towards the camera. A point that stands for a number holds it
in its first coordinate: angles are listed in POINT:ANGLES, sigmas (``NAME_sigma``) in POINT:SCALARS. The residual would
be a sigma's natural place, but it has one byte. It is 0, or -1 where a point is missing. The rate is even; tracks whose
times aren't are interpolated (`world.clock`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe import __version__
from posepipe.errors import OutputError
from posepipe.results.formats.world import Y_UP, clock, joints_written, on_clock, positions, sigma_of
from posepipe.results.recording import Person, Recording

__all__ = ["write_c3d"]

_MOST_FRAMES = 65535
"""The header counts frames in 16 bits; readers part ways beyond."""

Array = NDArray[np.float64]


def write_c3d(recording: Recording, person: Person, path: Path) -> None:
    """One person's joints and angles.

    Raises:
        OutputError: more frames than the format can count.
    """
    import ezc3d

    pose, angles = person.pose, person.angles
    ticks = clock(pose.time_s)
    if ticks.samples > _MOST_FRAMES:
        raise OutputError(
            f"{ticks.samples} frames, C3D holds {_MOST_FRAMES}", where=str(path), hint="Use trc, or cut the video"
        )
    joints = joints_written(pose)
    xyz = 1000.0 * on_clock(positions(pose, Y_UP)[:, joints], pose.time_s, ticks)
    sigma = 1000.0 * on_clock(sigma_of(person)[:, joints], pose.time_s, ticks)
    deg = on_clock(angles.deg, pose.time_s, ticks)
    sigma_deg = on_clock(angles.sigma_deg, pose.time_s, ticks)
    points = np.concatenate([xyz, _numbers(deg), _numbers(sigma), _numbers(sigma_deg)], axis=1)

    file: Any = ezc3d.c3d()
    names = [pose.layout.joints[joint] for joint in joints]
    scalars = [f"{name}_sigma" for name in (*names, *angles.names)]
    labels = [*names, *angles.names, *scalars]
    file["parameters"]["POINT"]["RATE"]["value"] = [ticks.rate_hz]
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["parameters"]["POINT"]["LABELS"]["value"] = labels
    file["parameters"]["POINT"]["DESCRIPTIONS"]["value"] = [
        *("joint" for _ in names),
        *("x is the angle in deg" for _ in angles.names),
        *("x is the sigma of each coordinate in mm" for _ in names),
        *("x is the sigma in deg" for _ in angles.names),
    ]
    file.add_parameter("POINT", "ANGLES", list(angles.names))
    file.add_parameter("POINT", "SCALARS", scalars)
    file.add_parameter("POINT", "ANGLE_UNITS", ["deg"])
    file.add_parameter("POINT", "X_SCREEN", ["+X"])
    file.add_parameter("POINT", "Y_SCREEN", ["+Y"])
    file.add_parameter("POSEPIPE", "VERSION", [__version__])
    file.add_parameter("POSEPIPE", "START_S", [ticks.start_s])
    file["data"]["points"] = _homogeneous(points)
    file["data"]["meta_points"]["residuals"] = np.where(np.isfinite(points).all(axis=-1), 0.0, -1.0).T[None]
    file["data"]["meta_points"]["camera_masks"] = np.zeros((7, len(labels), ticks.samples), np.bool_)
    file.write(str(path))


def _homogeneous(points: Array) -> Array:
    """(F, P, 3) to C3D's (4, P, F)."""
    out = np.ones((4, points.shape[1], points.shape[0]))
    out[:3] = points.transpose(2, 1, 0)
    return out


def _numbers(values: Array) -> Array:
    """(F, N) numbers as points (F, N, 3): the number in x, missing where it is NaN."""
    points = np.zeros((*values.shape, 3))
    points[..., 0] = values
    return np.where(np.isfinite(values)[..., None], points, np.nan)
