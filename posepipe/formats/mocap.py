"""Motion capture formats: TRC and MOT for OpenSim, C3D, BVH."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from posepipe._version import __version__
from posepipe.errors import OutputError
from posepipe.record.recording import Person, Recording
from posepipe.types import FloatArray, PoseTrack

__all__ = [
    "ROOT", "Y_UP", "Z_UP", "Node", "clock", "joints_on_clock", "nodes_of", "on_clock", "placed", "positions",
    "sigma_of",
]  # fmt: skip

Array = NDArray[np.float64]

Y_UP = np.diag([1.0, -1.0, -1.0])
"""Camera frame (x right, y down, z away) to x right, y up, z towards the camera: half a turn about x."""

Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Camera frame to x right, y away, z up."""

_UNEVEN = 0.25
"""Share of a frame by which times may miss an even clock before samples are placed anew."""


def positions(pose: PoseTrack, axes: Array, part: slice = slice(None)) -> Array:
    """Joints in the room: root and pose added, then turned; NaN where either is unknown.

    Where the root is known in no frame of the track, positions are relative to the pelvis.

    Args:
        pose: F frames.
        axes: (3, 3), `Y_UP` or `Z_UP`.
        part: frames wanted.

    Returns:
        (frames wanted, J, 3) in metres.
    """
    xyz = np.where(pose.valid[part, :, None], pose.xyz_m[part], np.nan).astype(np.float64)
    if np.isfinite(pose.root_m).all(axis=1).any():
        xyz += pose.root_m[part, None]
    turned: Array = xyz @ axes.T
    return turned


def placed(person: Person, axes: Array, part: slice = slice(None)) -> Array:
    """As `positions`, on the floor of the room where the world is known; level where only gravity is.

    Args:
        person: F frames.
        axes: (3, 3), `Y_UP` or `Z_UP`.
        part: frames wanted.
    """
    world = person.world
    if world is None or not world.knows("gravity"):
        return positions(person.pose, axes, part)
    turned = axes @ Z_UP.T
    if not world.knows("path"):
        return positions(person.pose, turned @ world.rotation, part)
    xyz: Array = world.xyz_m[part].astype(np.float64) @ turned.T
    return xyz


def joints_written(pose: PoseTrack) -> list[int]:
    """Positions in the layout of the joints that are known in at least one frame."""
    return [int(joint) for joint in np.flatnonzero(pose.valid.any(axis=0))]


@dataclass(frozen=True, slots=True)
class Clock:
    """An even clock, for formats that know a rate but no times.

    Attributes:
        start_s: time of the first sample.
        rate_hz: samples a second.
        samples: how many.
        even: the track's own frames already lie on it; else samples are interpolated between them.
    """

    start_s: float
    rate_hz: float
    samples: int
    even: bool

    @property
    def time_s(self) -> Array:
        """(samples,) times."""
        return self.start_s + np.arange(self.samples) / self.rate_hz


def clock(time_s: Array) -> Clock:
    """The even clock that suits a track's times best.

    Frames whose times miss it by less than a quarter of a frame, as the rounding in files makes them, count as even.
    """
    frames = len(time_s)
    if frames < 2:
        return Clock(float(time_s[0]) if frames else 0.0, 30.0, frames, True)
    # The median step is right even where a few frames are missing; the mean is more exact where none is.
    mean_s = float(time_s[-1] - time_s[0]) / (frames - 1)
    off = np.abs(time_s - time_s[0] - np.arange(frames) * mean_s).max() / mean_s
    if off < _UNEVEN:
        return Clock(float(time_s[0]), 1.0 / mean_s, frames, True)
    step_s = float(np.median(np.diff(time_s)))
    samples = int(np.floor((time_s[-1] - time_s[0]) / step_s + 1e-6)) + 1
    return Clock(float(time_s[0]), 1.0 / step_s, samples, False)


def on_clock(values: NDArray[Any], time_s: Array, to: Clock) -> Array:
    """Samples (F, ...) of a track placed on a clock: (samples, ...).

    Linear between neighbours; missing where one of them is missing.
    """
    if to.even:
        return values.astype(np.float64)
    wanted = np.clip(to.time_s, time_s[0], time_s[-1])
    after = np.clip(np.searchsorted(time_s, wanted), 1, len(time_s) - 1)
    share = (wanted - time_s[after - 1]) / (time_s[after] - time_s[after - 1])
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    low, high = values[after - 1].astype(np.float64), values[after].astype(np.float64)
    # A sample that falls on a frame is that frame, whatever its neighbour.
    mixed: Array = np.where(share == 0.0, low, np.where(share == 1.0, high, low + share * (high - low)))
    return mixed


def sigma_of(person: Person, part: slice = slice(None)) -> FloatArray:
    """(frames, J) sigma of each 3D coordinate in metres; NaN where the joint isn't valid."""
    pose = person.pose
    return np.where(pose.valid[part], pose.sigma_m[part], np.float32(np.nan))


# TRC marker files and MOT angle files as OpenSim reads them.

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
        cells, last = "%.6f\t" * (3 * len(joints) - 3), "%.6f\t%.6f\t%.6f"
        for part in _parts(len(pose)):
            xyz = placed(person, Y_UP, part)[:, joints].reshape(part.stop - part.start, -1)
            frames = person.keypoints.frame[part] + 1
            for frame, time_s, row in zip(frames.tolist(), pose.time_s[part].tolist(), xyz.tolist(), strict=True):
                others = (cells % tuple(row[:-3])).replace("nan", "")
                file.write(f"{frame}\t{time_s:.6f}\t{others}{last % tuple(row[-3:])}\n")


def write_mot(recording: Recording, person: Person, path: Path) -> None:
    """One person's joint angles and the pelvis' place, each followed at the end by a column of its sigma.

    A number in every cell: a column that is known in half of the frames or less is left out, then the frames at either
    end that lack another. Gaps between are filled linearly; there sigma is -1. The header says what is left out.

    Raises:
        OutputError: neither an angle nor the pelvis' place is known anywhere.
    """
    named = [MOT_NAMES.get(name, (name, 1.0)) for name in person.angles.names]
    names = np.array(["pelvis_tx", "pelvis_ty", "pelvis_tz", *(name for name, _ in named)])
    pelvis, doubt = _pelvis(person)
    values = np.concatenate([pelvis, person.angles.deg * [sign for _, sign in named]], axis=1)
    sigma = np.concatenate([doubt, person.angles.sigma_deg], axis=1)
    known = np.isfinite(values)
    if not known.any():
        raise OutputError("no angle to write", where=str(path))
    share = known.mean(axis=0)
    # Columns known in more than half of the frames have frames in common; where there is none, the best alone.
    kept = share > 0.5 if share.max() > 0.5 else np.arange(len(share)) == share.argmax()
    values, sigma, known = values[:, kept], sigma[:, kept], known[:, kept]
    first, after = int(known.argmax(axis=0).max()), len(known) - int(known[::-1].argmax(axis=0).max())
    frames = np.arange(len(known))
    for column, there in enumerate(known.T):
        values[:, column] = np.interp(frames, frames[there], values[there, column])
    marked = np.where(known & np.isfinite(sigma), sigma, -1.0)
    table = np.concatenate([person.pose.time_s[:, None], values, marked], axis=1)[first:after]
    header = ["time", *names[kept], *(f"{name}_sigma" for name in names[kept])]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"person-{person.id}\nversion=1\nnRows={len(table)}\nnColumns={len(header)}\ninDegrees=yes\n\n")
        file.write("Units are metres for pelvis_t and degrees for angles. A sigma is one standard deviation;\n")
        file.write("where it is -1, the value is filled in between its neighbours in time.\n")
        file.write(f"Frames left out, for not every value is known: {first} first, {len(known) - after} last.\n")
        file.write(f"Columns left out, known in half of the frames or less: {' '.join(names[~kept]) or 'none'}.\n")
        file.write("endheader\n" + "\t".join(header) + "\n")
        cells = "\t".join(["%.6f"] * len(header))
        file.writelines(f"{cells % tuple(row)}\n" for row in table.tolist())


def _pelvis(person: Person) -> tuple[Array, Array]:
    """Place of the pelvis and its sigma, both (F, 3), y up; on the floor of the room where the world is known."""
    world = person.world
    if world is None or not world.knows("gravity"):
        return np.asarray(person.pose.root_m @ Y_UP.T), np.asarray(person.pose.root_sigma_m, np.float64)
    if not world.knows("path"):
        turn = Y_UP @ Z_UP.T @ world.rotation
        return np.asarray(person.pose.root_m @ turn.T), np.sqrt(
            person.pose.root_sigma_m.astype(np.float64) ** 2 @ (turn**2).T
        )
    turn = Y_UP @ Z_UP.T
    return np.asarray(world.root_m @ turn.T), np.asarray(world.root_sigma_m @ np.abs(turn).T)


def _parts(frames: int) -> Iterator[slice]:
    for start in range(0, frames, _FRAMES):
        yield slice(start, min(start + _FRAMES, frames))


# C3D: joints as points, joint angles and every sigma as points beside them.

_MOST_FRAMES = 65535
"""The header counts frames in 16 bits; readers part ways beyond."""


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
    xyz = 1000.0 * on_clock(placed(person, Y_UP)[:, joints], pose.time_s, ticks)
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


# BVH: a skeleton with joint rotations, for animation programs. Centimetres, y up.

_CM = 100.0
ROOT = "pelvis"
_PARENT = {
    "spine": "pelvis",
    "thorax": "spine",
    "nose": "thorax",
    "head": "nose",
    **{f"{side}_hip": "pelvis" for side in ("left", "right")},
    **{f"{side}_knee": f"{side}_hip" for side in ("left", "right")},
    **{f"{side}_ankle": f"{side}_knee" for side in ("left", "right")},
    **{f"{side}_heel": f"{side}_ankle" for side in ("left", "right")},
    **{f"{side}_foot_index": f"{side}_ankle" for side in ("left", "right")},
    **{f"{side}_shoulder": "thorax" for side in ("left", "right")},
    **{f"{side}_elbow": f"{side}_shoulder" for side in ("left", "right")},
    **{f"{side}_wrist": f"{side}_elbow" for side in ("left", "right")},
}
"""Parent of every joint of Body21, parents first."""

# Direction of a bone at rest, by the joint at its end; other bones keep their median direction in the parent's frame.
_REST = {
    "thorax": (0.0, 1.0, 0.0),
    "left_knee": (0.0, -1.0, 0.0),
    "right_knee": (0.0, -1.0, 0.0),
    "left_ankle": (0.0, -1.0, 0.0),
    "right_ankle": (0.0, -1.0, 0.0),
    "left_elbow": (1.0, 0.0, 0.0),
    "right_elbow": (-1.0, 0.0, 0.0),
    "left_wrist": (1.0, 0.0, 0.0),
    "right_wrist": (-1.0, 0.0, 0.0),
}
# The child that a joint's rotation follows.
_AIM = {_PARENT[joint]: joint for joint in (*_REST, "left_foot_index", "right_foot_index")}
# Joints with a frame of their own: up to this joint, left from one to the other.
_TPOSE = {
    "pelvis": ("pelvis", "spine", "right_hip", "left_hip"),
    "thorax": ("spine", "thorax", "right_shoulder", "left_shoulder"),
}
_END_CM = {"head": (0, 10, 0), "left_wrist": (8, 0, 0), "right_wrist": (-8, 0, 0)}


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One joint of the file.

    Attributes:
        offset_m: (3,) bone at rest, in the parent's frame.
        euler_deg: (F, 3) about z, x, y.
        children: joints.
    """

    offset_m: Array
    euler_deg: Array
    children: tuple[str, ...]


def write_bvh(recording: Recording, person: Person, path: Path) -> None:
    """One person's motion. Missing joints hold between their neighbours in time, for BVH can't leave them out.

    Raises:
        OutputError: the pelvis is known in no frame.
    """
    joints = joints_on_clock(person)
    if ROOT not in joints:
        raise OutputError("no 3D pose to write", where=str(path))
    ticks = clock(person.pose.time_s)
    nodes = nodes_of(joints)
    frames = len(joints[ROOT])
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("HIERARCHY\n")
        _hierarchy(nodes, ROOT, 0, file)
        file.write(f"MOTION\nFrames: {frames}\nFrame Time: {1.0 / ticks.rate_hz:.9f}\n")
        table = np.concatenate([_CM * joints[ROOT], *_rotations(nodes, ROOT)], axis=1)
        cells = " ".join(["%.6f"] * table.shape[1])
        file.writelines(f"{cells % tuple(row)}\n" for row in table.tolist())


def joints_on_clock(person: Person) -> dict[str, Array]:
    """(samples, 3) of every joint that is known somewhere, on an even clock, without gaps."""
    pose = person.pose
    ticks = clock(pose.time_s)
    xyz = on_clock(placed(person, Y_UP), pose.time_s, ticks)
    root = xyz[:, pose.layout.index(ROOT)]
    known = {}
    for name in (ROOT, *_PARENT):
        if name not in pose.layout.joints:
            continue
        # Gaps are filled relative to the pelvis: a body moves less within itself than through the room.
        track = xyz[:, pose.layout.index(name)] - (0.0 if name == ROOT else root)
        if np.isfinite(track).all(axis=1).any():
            known[name] = _filled(track)
    return {name: track + (0.0 if name == ROOT else known[ROOT]) for name, track in known.items()}


def _filled(track: Array) -> Array:
    rows = np.arange(len(track))
    known = np.isfinite(track).all(axis=1)
    return np.stack([np.interp(rows, rows[known], track[known, axis]) for axis in range(3)], axis=1)


def nodes_of(joints: Mapping[str, Array]) -> dict[str, Node]:
    """The skeleton's nodes, parents first, from joints (samples, 3); bones keep their median length."""
    parents = {name: _ancestor(name, joints) for name in joints if name != ROOT}
    turns: dict[str, Array] = {}
    nodes = {}
    for name in joints:
        offset = np.zeros(3)
        above = np.broadcast_to(np.eye(3), (len(joints[ROOT]), 3, 3))
        if name != ROOT:
            above = turns[parents[name]]
            offset = _offset(name, parents[name], np.einsum("fji,fj->fi", above, joints[name] - joints[parents[name]]))
        turns[name] = _turn(name, above, joints)
        children = tuple(child for child, parent in parents.items() if parent == name)
        nodes[name] = Node(offset, euler_zxy(np.einsum("fji,fjk->fik", above, turns[name])), children)
    return nodes


def _ancestor(name: str, joints: Mapping[str, Array]) -> str:
    parent = _PARENT[name]
    while parent not in joints:
        parent = _PARENT[parent]
    return parent


def _offset(name: str, parent: str, local: Array) -> Array:
    """A bone at rest, of median length, from (F, 3) in its parent's frame."""
    length_m = float(np.median(np.linalg.norm(local, axis=1)))
    return length_m * (np.array(_REST[name]) if name in _REST and _PARENT[name] == parent else _direction(local))


def _direction(local: Array) -> Array:
    median: Array = np.median(local, axis=0)
    return median / max(float(np.linalg.norm(median)), 1e-12)


def _turn(name: str, above: Array, joints: Mapping[str, Array]) -> Array:
    """(F, 3, 3) of a joint's axes in the room."""
    if name in _TPOSE and all(joint in joints for joint in _TPOSE[name]):
        low, high, right, left = (joints[joint] for joint in _TPOSE[name])
        return _axes(left - right, high - low, above)
    aim = _AIM.get(name)
    if aim is None or aim not in joints:
        return above
    bone = joints[aim] - joints[name]
    rest = np.array(_REST[aim]) if aim in _REST else _direction(np.einsum("fji,fj->fi", above, bone))
    return _shortest(above @ rest, bone) @ above


def _axes(left: Array, up: Array, fallback: Array) -> Array:
    """Frames whose x axis is `left` and whose y axis is as near to `up` as can be."""
    x = left / np.maximum(np.linalg.norm(left, axis=1, keepdims=True), 1e-12)
    z = np.cross(x, up)
    length = np.linalg.norm(z, axis=1, keepdims=True)
    z = z / np.maximum(length, 1e-12)
    turned = np.stack([x, np.cross(z, x), z], axis=2)
    return np.where((length > 1e-9)[..., None], turned, fallback)


def _shortest(start: Array, end: Array) -> Array:
    """(F, 3, 3) least rotations that turn one direction (F, 3) into another."""
    end = end / np.maximum(np.linalg.norm(end, axis=1, keepdims=True), 1e-12)
    cosine = (start * end).sum(axis=1)
    # Opposite directions: half a turn about any axis across them.
    spare = np.eye(3)[np.abs(start).argmin(axis=1)]
    across = np.cross(start, spare)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    half_turn = 2.0 * across[:, :, None] * across[:, None, :] - np.eye(3)
    axis = np.cross(start, end)
    skew = np.zeros((len(start), 3, 3))
    skew[:, [2, 0, 1], [1, 2, 0]] = axis
    skew[:, [1, 2, 0], [2, 0, 1]] = -axis
    factor = 1.0 / np.maximum(1.0 + cosine, 1e-9)
    turned = np.eye(3) + skew + skew @ skew * factor[:, None, None]
    return np.where((cosine > -1.0 + 1e-7)[:, None, None], turned, half_turn)


def euler_zxy(matrix: Array) -> Array:
    """(F, 3) degrees about z, x, y of rotations ``Rz @ Rx @ Ry`` (F, 3, 3), without jumps of a full turn."""
    sine = np.clip(matrix[:, 2, 1], -1.0, 1.0)
    free = np.abs(sine) < 1.0 - 1e-12
    # Straight up or down, z and y turn about the same axis: all of it goes to z.
    z = np.where(free, np.arctan2(-matrix[:, 0, 1], matrix[:, 1, 1]), np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    y = np.where(free, np.arctan2(-matrix[:, 2, 0], matrix[:, 2, 2]), 0.0)
    euler: Array = np.degrees(np.unwrap(np.stack([z, np.arcsin(sine), y], axis=1), axis=0))
    return euler


def _hierarchy(nodes: Mapping[str, Node], name: str, depth: int, file: TextIO) -> None:
    node = nodes[name]
    rotations = "Zrotation Xrotation Yrotation"
    if name == ROOT:
        _open(f"ROOT {name}", node.offset_m, f"CHANNELS 6 Xposition Yposition Zposition {rotations}", depth, file)
    else:
        _open(f"JOINT {name}", node.offset_m, f"CHANNELS 3 {rotations}", depth, file)
    for child in node.children:
        _hierarchy(nodes, child, depth + 1, file)
    if not node.children:
        _open("End Site", np.array(_END_CM.get(name, (0, 0, 3))) / _CM, "", depth + 1, file)
        file.write("\t" * (depth + 1) + "}\n")
    file.write("\t" * depth + "}\n")


def _open(title: str, offset_m: Array, channels: str, depth: int, file: TextIO) -> None:
    tabs = "\t" * depth
    numbers = " ".join(f"{_CM * value:.6f}" for value in offset_m)
    file.write(f"{tabs}{title}\n{tabs}{{\n{tabs}\tOFFSET {numbers}\n")
    if channels:
        file.write(f"{tabs}\t{channels}\n")


def _rotations(nodes: Mapping[str, Node], name: str) -> Iterator[Array]:
    """Columns of a joint and what hangs on it, in the order of the hierarchy."""
    yield nodes[name].euler_deg
    for child in nodes[name].children:
        yield from _rotations(nodes, child)
