"""BVH: a skeleton with joint rotations, for animation programs. Centimetres, y up.

Biovision's format has bones of fixed length and reads a joint's place as OFFSET plus its position channels; many
programs take the position channels instead of OFFSET. Measured bones change their length a little. So that every
reader gets every joint where it was measured, a bone that changes ends in two nodes: ``NAME_base`` with the median
bone as OFFSET and no movement, and in it ``NAME`` with OFFSET 0 and six channels, where both readings agree. A reader
that drops position channels other than the root's gets a figure with the median bones.

At rest the figure stands in a T, its left along x, its front along z. A bone points from a joint to its child; twist
about a limb isn't measured, so each joint turns the shortest way from its parent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import OutputError
from posepipe.results.formats.world import Y_UP, clock, on_clock, positions
from posepipe.results.recording import Person, Recording

__all__ = ["write_bvh"]

Array = NDArray[np.float64]

_CM = 100.0
_STEADY_M = 1e-6
_ROOT = "pelvis"
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
_AIM = {_PARENT[joint]: joint for joint in _REST}
# Joints with a frame of their own: up to this joint, left from one to the other.
_FRAMES = {
    "pelvis": ("pelvis", "spine", "right_hip", "left_hip"),
    "thorax": ("spine", "thorax", "right_shoulder", "left_shoulder"),
}
_END_CM = {"head": (0, 10, 0), "left_wrist": (8, 0, 0), "right_wrist": (-8, 0, 0)}


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """One joint of the file.

    Attributes:
        offset_m: (3,) bone at rest, in the parent's frame.
        shift_m: (F, 3) how the measured joint lies from there, in the parent's frame.
        euler_deg: (F, 3) about z, x, y.
        children: joints.
    """

    offset_m: Array
    shift_m: Array
    euler_deg: Array
    children: tuple[str, ...]

    @property
    def steady(self) -> bool:
        return bool((np.abs(self.shift_m) < _STEADY_M).all())


def write_bvh(recording: Recording, person: Person, path: Path) -> None:
    """One person's motion. Missing joints hold between their neighbours in time, for BVH can't leave them out.

    Raises:
        OutputError: the pelvis is known in no frame.
    """
    joints = _joints(person)
    if _ROOT not in joints:
        raise OutputError("no 3D pose to write", where=str(path))
    ticks = clock(person.pose.time_s)
    nodes = _nodes(joints)
    frames = len(joints[_ROOT])
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("HIERARCHY\n")
        _hierarchy(nodes, _ROOT, 0, file)
        file.write(f"MOTION\nFrames: {frames}\nFrame Time: {1.0 / ticks.rate_hz:.9f}\n")
        table = np.concatenate(list(_channels(nodes, _ROOT)), axis=1)
        cells = " ".join(["%.6f"] * table.shape[1])
        file.writelines(f"{cells % tuple(row)}\n" for row in table.tolist())


def _joints(person: Person) -> dict[str, Array]:
    """(samples, 3) of every joint that is known somewhere, on an even clock, without gaps."""
    pose = person.pose
    ticks = clock(pose.time_s)
    xyz = on_clock(positions(pose, Y_UP), pose.time_s, ticks)
    root = xyz[:, pose.layout.index(_ROOT)]
    known = {}
    for name in (_ROOT, *_PARENT):
        if name not in pose.layout.joints:
            continue
        # Gaps are filled relative to the pelvis: a body moves less within itself than through the room.
        track = xyz[:, pose.layout.index(name)] - (0.0 if name == _ROOT else root)
        if np.isfinite(track).all(axis=1).any():
            known[name] = _filled(track)
    return {name: track + (0.0 if name == _ROOT else known[_ROOT]) for name, track in known.items()}


def _filled(track: Array) -> Array:
    rows = np.arange(len(track))
    known = np.isfinite(track).all(axis=1)
    return np.stack([np.interp(rows, rows[known], track[known, axis]) for axis in range(3)], axis=1)


def _nodes(joints: Mapping[str, Array]) -> dict[str, _Node]:
    parents = {name: _ancestor(name, joints) for name in joints if name != _ROOT}
    turns: dict[str, Array] = {}
    offsets: dict[str, Array] = {_ROOT: np.zeros(3)}
    local: dict[str, Array] = {_ROOT: joints[_ROOT]}
    for name in joints:
        above = turns[parents[name]] if name != _ROOT else np.broadcast_to(np.eye(3), (len(joints[_ROOT]), 3, 3))
        turns[name] = _turn(name, above, joints)
        if name != _ROOT:
            local[name] = np.einsum("fji,fj->fi", above, joints[name] - joints[parents[name]])
            offsets[name] = _offset(name, parents[name], local[name])
    nodes = {}
    for name in joints:
        inner = turns[name] if name == _ROOT else np.einsum("fji,fjk->fik", turns[parents[name]], turns[name])
        children = tuple(child for child, parent in parents.items() if parent == name)
        nodes[name] = _Node(offsets[name], local[name] - offsets[name], euler_zxy(inner), children)
    return nodes


def _ancestor(name: str, joints: Mapping[str, Array]) -> str:
    parent = _PARENT[name]
    while parent not in joints:
        parent = _PARENT[parent]
    return parent


def _offset(name: str, parent: str, local: Array) -> Array:
    if name in _REST and _PARENT[name] == parent:
        return np.array(_REST[name]) * float(np.median(np.linalg.norm(local, axis=1)))
    median: Array = np.median(local, axis=0)
    return median


def _turn(name: str, above: Array, joints: Mapping[str, Array]) -> Array:
    """(F, 3, 3) of a joint's axes in the room."""
    if name in _FRAMES and all(joint in joints for joint in _FRAMES[name]):
        low, high, right, left = (joints[joint] for joint in _FRAMES[name])
        return _axes(left - right, high - low, above)
    aim = _AIM.get(name)
    if aim is None or aim not in joints:
        return above
    bone = joints[aim] - joints[name]
    return _shortest(above @ np.array(_REST[aim]), bone) @ above


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


def _hierarchy(nodes: Mapping[str, _Node], name: str, depth: int, file: TextIO) -> None:
    node = nodes[name]
    rotations = "Zrotation Xrotation Yrotation"
    moving = f"CHANNELS 6 Xposition Yposition Zposition {rotations}"
    split = name != _ROOT and not node.steady
    if split:
        _open(f"JOINT {name}_base", node.offset_m, f"CHANNELS 3 {rotations}", depth, file)
        depth += 1
    word = "ROOT" if name == _ROOT else "JOINT"
    offset = np.zeros(3) if split else node.offset_m
    _open(f"{word} {name}", offset, moving if split or name == _ROOT else f"CHANNELS 3 {rotations}", depth, file)
    for child in node.children:
        _hierarchy(nodes, child, depth + 1, file)
    if not node.children:
        _open("End Site", np.array(_END_CM.get(name, (0, 0, 3))) / _CM, "", depth + 1, file)
        file.write("\t" * (depth + 1) + "}\n")
    for level in range(depth, depth - 1 - split, -1):
        file.write("\t" * level + "}\n")


def _open(title: str, offset_m: Array, channels: str, depth: int, file: TextIO) -> None:
    tabs = "\t" * depth
    numbers = " ".join(f"{_CM * value:.6f}" for value in offset_m)
    file.write(f"{tabs}{title}\n{tabs}{{\n{tabs}\tOFFSET {numbers}\n")
    if channels:
        file.write(f"{tabs}\t{channels}\n")


def _channels(nodes: Mapping[str, _Node], name: str) -> Iterator[Array]:
    """Columns of a joint and what hangs on it, in the order of the hierarchy."""
    node = nodes[name]
    if name == _ROOT or not node.steady:
        if name != _ROOT:
            yield np.zeros_like(node.shift_m)
        # The offset is rounded in the file, so the shift is taken from the rounded one.
        yield _CM * (node.shift_m + node.offset_m) - np.round(_CM * node.offset_m, 6)
    yield node.euler_deg
    for child in node.children:
        yield from _channels(nodes, child)
