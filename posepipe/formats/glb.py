"""GLB: the moving skeleton as glTF 2.0 in one file, for any 3D viewer.

A node for every joint, with the bones of `posepipe.formats.mocap`'s BVH, y up, in metres; the pelvis moves, the others
turn. Every bone is drawn as an eight-faced spindle, the person's left and right in different colours.
Source of the form: Khronos Group, glTF 2.0 Specification (2021).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe._version import __version__
from posepipe.errors import OutputError
from posepipe.formats.mocap import ROOT, Node, clock, joints_on_clock, nodes_of
from posepipe.record.recording import Person, Recording

__all__ = ["write_glb"]

Array = NDArray[np.float64]

_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_FLOAT = 5126
_WIDTH = 0.09
"""Of a bone, as a share of its length; looks like one."""
_COLORS = {"left": (0.85, 0.37, 0.01), "right": (0.12, 0.47, 0.71), "middle": (0.45, 0.45, 0.45)}
"""Linear RGB of the sides, as the report's orange and blue."""
_SIDES = tuple(_COLORS)


def write_glb(recording: Recording, person: Person, path: Path) -> None:
    """One person's moving skeleton. Missing joints hold between their neighbours in time.

    Raises:
        OutputError: the pelvis is known in no frame.
    """
    joints = joints_on_clock(person)
    if ROOT not in joints:
        raise OutputError("no 3D pose to write", where=str(path))
    ticks = clock(person.pose.time_s)
    nodes = nodes_of(joints)
    data = _Buffer()
    document = _document(nodes, joints[ROOT], np.arange(len(joints[ROOT])) / ticks.rate_hz, data, person.id)
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    body = data.bytes()
    with path.open("wb") as file:
        file.write(struct.pack("<III", _MAGIC, _VERSION, 12 + 8 + len(text) + 8 + len(body)))
        file.write(struct.pack("<II", len(text), _JSON) + text)
        file.write(struct.pack("<II", len(body), _BIN) + body)


class _Buffer:
    """Binary data, and the views and accessors into it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, values: Array, *, limits: bool = False) -> int:
        """Store (N,), (N, 3) or (N, 4) numbers; the accessor's number."""
        table = np.ascontiguousarray(values, "<f4")
        raw = table.tobytes()
        self.views.append({"buffer": 0, "byteOffset": self._length, "byteLength": len(raw)})
        kind = "SCALAR" if table.ndim == 1 else f"VEC{table.shape[1]}"
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1, "componentType": _FLOAT, "count": len(table), "type": kind,
        }  # fmt: skip
        if limits:
            columns = table.reshape(len(table), -1)
            accessor |= {"min": columns.min(axis=0).tolist(), "max": columns.max(axis=0).tolist()}
        self.accessors.append(accessor)
        self._parts.append(raw)
        self._length += len(raw)
        return len(self.accessors) - 1

    def bytes(self) -> bytes:
        """All of it; whole numbers of four bytes."""
        return b"".join(self._parts)


def _document(nodes: Mapping[str, Node], root: Array, time_s: Array, data: _Buffer, person: int) -> dict[str, Any]:
    names = list(nodes)
    number = {name: index for index, name in enumerate(names)}
    corner, normal = _spindle()
    attributes = {"POSITION": data.add(corner, limits=True), "NORMAL": data.add(normal)}
    times = data.add(time_s, limits=True)
    items: list[dict[str, Any]] = []
    bones: list[dict[str, Any]] = []
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []

    def move(name: str, what: str, values: Array) -> None:
        samplers.append({"input": times, "interpolation": "LINEAR", "output": data.add(values)})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": number[name], "path": what}})

    for name, node in nodes.items():
        children = [number[child] for child in node.children]
        for child in node.children:
            children.append(len(names) + len(bones))
            bones.append(_bone(child, nodes[child].offset_m))
        start = root[0] if name == ROOT else node.offset_m
        items.append({"name": name, "translation": start.tolist()} | ({"children": children} if children else {}))
        if node.children:
            move(name, "rotation", _quaternions(node.euler_deg))
    move(ROOT, "translation", root)
    return {
        "asset": {"version": "2.0", "generator": f"posepipe {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [number[ROOT]]}],
        "nodes": items + bones,
        "meshes": [
            {"name": f"{side} bone", "primitives": [{"attributes": attributes, "material": material}]}
            for material, side in enumerate(_SIDES)
        ],
        "materials": [
            {
                "name": side,
                "pbrMetallicRoughness": {
                    "baseColorFactor": [*_COLORS[side], 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.8,
                },
            }
            for side in _SIDES
        ],
        "animations": [{"name": f"person {person}", "samplers": samplers, "channels": channels}],
        "accessors": data.accessors,
        "bufferViews": data.views,
        "buffers": [{"byteLength": len(data.bytes())}],
    }  # fmt: skip


def _bone(joint: str, offset_m: Array) -> dict[str, Any]:
    """The node that draws a bone up to a joint: the spindle turned, and as long as the bone."""
    length = max(float(np.linalg.norm(offset_m)), 1e-3)
    side = next((index for index, side in enumerate(_SIDES) if side in joint), len(_SIDES) - 1)
    x, y, z = offset_m / length
    # The shortest turn of the y axis into the bone; half a turn about x where it points straight down.
    turn = np.array([z, 0.0, -x, 1.0 + y]) if y > -1.0 + 1e-9 else np.array([1.0, 0.0, 0.0, 0.0])
    width = length * (_WIDTH if length > 0.12 else 2.0 * _WIDTH)
    return {
        "name": f"bone to {joint}",
        "mesh": side,
        "rotation": (turn / np.linalg.norm(turn)).tolist(),
        "scale": [width, length, width],
    }


def _spindle() -> tuple[Array, Array]:
    """Corners (24, 3) and normals of eight faces: from the origin to (0, 1, 0), widest near the origin."""
    ring = np.array([[1.0, 0.2, 0.0], [0.0, 0.2, 1.0], [-1.0, 0.2, 0.0], [0.0, 0.2, -1.0]])
    low, high = np.zeros(3), np.array([0.0, 1.0, 0.0])
    faces = []
    for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        faces += [[low, a, b], [high, b, a]]
    corner = np.array(faces)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return corner.reshape(-1, 3), np.repeat(normal, 3, axis=0)


def _quaternions(euler_deg: Array) -> Array:
    """(F, 4) x, y, z, w of rotations ``Rz Rx Ry``, each the nearer of its two signs to the one before."""
    z, x, y = np.moveaxis(np.radians(euler_deg) / 2.0, 1, 0)
    cz, sz, cx, sx, cy, sy = np.cos(z), np.sin(z), np.cos(x), np.sin(x), np.cos(y), np.sin(y)
    turn = np.stack(
        [
            cz * sx * cy - sz * cx * sy,
            cz * cx * sy + sz * sx * cy,
            sz * cx * cy + cz * sx * sy,
            cz * cx * cy - sz * sx * sy,
        ],
        axis=1,
    )
    flips = np.sign((turn[1:] * turn[:-1]).sum(axis=1))
    turn[1:] *= np.cumprod(np.where(flips == 0.0, 1.0, flips))[:, None]
    return np.asarray(turn / np.linalg.norm(turn, axis=1, keepdims=True))
