"""TRC marker files and MOT angle files as OpenSim reads them.

TRC (OpenSim documentation, "Marker (.trc) files"): five header lines, tabs, frame number, time, then x y z of each
marker; an empty cell is a missing marker. Metres, x right, y up, z towards the camera.

MOT (OpenSim documentation, "Storage (.sto) and motion (.mot) files"): header up to ``endheader``, then a column
``time`` and one for each coordinate. Degrees and metres.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from posepipe.results.formats.world import Y_UP, clock, joints_written, positions
from posepipe.results.recording import Person, Recording

__all__ = ["MOT_NAMES", "mot_columns", "write_mot", "write_trc"]

_FRAMES = 500

MOT_NAMES = {
    "left_hip_flexion": ("hip_flexion_l", 1.0),
    "left_hip_abduction": ("hip_adduction_l", -1.0),
    "left_knee_flexion": ("knee_angle_l", 1.0),
    "left_ankle_dorsiflexion": ("ankle_angle_l", 1.0),
    "left_elbow_flexion": ("elbow_flex_l", 1.0),
    "right_hip_flexion": ("hip_flexion_r", 1.0),
    "right_hip_abduction": ("hip_adduction_r", -1.0),
    "right_knee_flexion": ("knee_angle_r", 1.0),
    "right_ankle_dorsiflexion": ("ankle_angle_r", 1.0),
    "right_elbow_flexion": ("elbow_flex_r", 1.0),
}
"""Our angles that mean the same as a coordinate of the Rajagopal 2016 model, but for the sign. Others keep our name."""


def write_trc(recording: Recording, person: Person, path: Path) -> None:
    """One person's joints as markers."""
    pose = person.pose
    joints = joints_written(pose)
    names = [pose.layout.joints[joint] for joint in joints]
    ticks = clock(pose.time_s)
    first = int(person.keypoints.frame[0]) + 1 if len(pose) else 1
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"PathFileType\t4\t(X/Y/Z)\tperson-{person.id}.trc\n")
        file.write(
            "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n"
        )
        rate = f"{ticks.rate_hz:.6f}"
        file.write(f"{rate}\t{rate}\t{len(pose)}\t{len(names)}\tm\t{rate}\t{first}\t{len(pose)}\n")
        file.write("Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t\n")
        axes = "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(names) + 1))
        file.write(f"\t\t{axes}\n\n")
        cells = "\t".join(["%.6f"] * (3 * len(joints)))
        for part in _parts(len(pose)):
            xyz = positions(pose, Y_UP, part)[:, joints].reshape(part.stop - part.start, -1)
            frames = person.keypoints.frame[part] + 1
            for frame, time_s, row in zip(frames.tolist(), pose.time_s[part].tolist(), xyz.tolist(), strict=True):
                file.write(f"{frame}\t{time_s:.6f}\t{(cells % tuple(row)).replace('nan', '')}\n")


def mot_columns(person: Person) -> list[tuple[str, str, float]]:
    """Columns of a MOT file beyond time and pelvis: (our angle, name in the file, sign)."""
    return [(name, *MOT_NAMES.get(name, (name, 1.0))) for name in person.angles.names]


def write_mot(recording: Recording, person: Person, path: Path) -> None:
    """One person's joint angles and the pelvis' place, each followed at the end by a column of its sigma."""
    columns = mot_columns(person)
    pelvis = ["pelvis_tx", "pelvis_ty", "pelvis_tz"]
    names = [*pelvis, *(name for _, name, _ in columns)]
    header = ["time", *names, *(f"{name}_sigma" for name in names)]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(
            f"person-{person.id}\nversion=1\nnRows={len(person.pose)}\nnColumns={len(header)}\ninDegrees=yes\n\n"
        )
        file.write("Units are metres for pelvis_t and degrees for angles. A sigma is one standard deviation.\n")
        file.write("endheader\n" + "\t".join(header) + "\n")
        _mot_rows(person, columns, file)


def _mot_rows(person: Person, columns: list[tuple[str, str, float]], file: TextIO) -> None:
    pose, angles = person.pose, person.angles
    order = [angles.names.index(name) for name, _, _ in columns]
    sign = np.array([sign for _, _, sign in columns])
    for part in _parts(len(pose)):
        table = np.concatenate(
            [
                pose.time_s[part, None],
                pose.root_m[part] @ Y_UP.T,
                angles.deg[part][:, order] * sign,
                pose.root_sigma_m[part],
                angles.sigma_deg[part][:, order],
            ],
            axis=1,
        )
        cells = "\t".join(["%.6f"] * table.shape[1])
        file.writelines(f"{cells % tuple(row)}\n" for row in table.tolist())


def _parts(frames: int) -> Iterator[slice]:
    for start in range(0, frames, _FRAMES):
        yield slice(start, min(start + _FRAMES, frames))
