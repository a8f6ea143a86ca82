"""Formats in the room, and GLB read back by a reader that only knows the specification."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posepipe.body.world import unknown_world
from posepipe.errors import OutputError
from posepipe.formats.mocap import Y_UP, Z_UP, placed
from posepipe.formats.registry import write_formats
from posepipe.reasons import Reason
from posepipe.record.recording import Recording
from tests.record.factory import make_person, make_recording, make_world

from .readers import read_bvh, read_trc

_SIZES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


def _recording(frames: int = 12) -> Recording:
    person = make_person(frames)
    return make_recording(frames, people=(replace(person, world=make_world(person.pose)),))


def test_trc_stands_in_the_room(tmp_path: Path) -> None:
    recording = _recording()
    world = recording.people[0].world
    assert world is not None
    trc = read_trc(write_formats(recording, tmp_path, "trc")[0])
    height = trc.xyz["pelvis"][:, 1]
    np.testing.assert_allclose(height[1:], world.root_m[1:, 2], atol=1e-5)
    assert np.isnan(height[0])


def test_without_a_path_positions_are_level() -> None:
    person = _recording().people[0]
    assert person.world is not None
    level = replace(person, world=replace(person.world, withheld={"path": Reason.NO_GROUND}))
    found = placed(level, Z_UP)
    np.testing.assert_allclose(found[1:, 0, 2] + 1.2, person.world.root_m[1:, 2], atol=1e-5)


def test_without_a_world_nothing_changes() -> None:
    person = make_person(5)
    blank = replace(person, world=unknown_world(5, Reason.TOO_SHORT))
    np.testing.assert_array_equal(placed(person, Y_UP), placed(blank, Y_UP))


class _Glb:
    """A glTF 2.0 binary taken apart, strictly."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        magic, version, length = struct.unpack_from("<III", raw)
        assert (magic, version, length) == (0x46546C67, 2, len(raw))
        size, kind = struct.unpack_from("<II", raw, 12)
        assert kind == 0x4E4F534A and size % 4 == 0
        self.json: dict[str, Any] = json.loads(raw[20 : 20 + size])
        body, kind = struct.unpack_from("<II", raw, 20 + size)
        assert kind == 0x004E4942 and body % 4 == 0 and 28 + size + body == len(raw)
        self._body = raw[28 + size :]
        assert self.json["asset"]["version"] == "2.0"
        assert self.json["buffers"] == [{"byteLength": body}]

    def read(self, number: int) -> np.ndarray:
        accessor = self.json["accessors"][number]
        view = self.json["bufferViews"][accessor["bufferView"]]
        width = _SIZES[accessor["type"]]
        assert accessor["componentType"] == 5126 and view["byteOffset"] % 4 == 0
        assert view["byteLength"] == 4 * width * accessor["count"]
        assert view["byteOffset"] + view["byteLength"] <= len(self._body)
        values = np.frombuffer(self._body, "<f4", accessor["count"] * width, view["byteOffset"])
        table = values.reshape(-1, width) if width > 1 else values
        assert np.isfinite(table).all()
        for name, measure in (("min", np.min), ("max", np.max)):
            if name in accessor:
                np.testing.assert_allclose(accessor[name], np.atleast_1d(measure(table, axis=0)), rtol=1e-6)
        return table

    def place(self, frame: int) -> dict[str, np.ndarray]:
        """Where every node is in one frame."""
        nodes = [dict(node) for node in self.json["nodes"]]
        for channel in self.json["animations"][0]["channels"]:
            sampler = self.json["animations"][0]["samplers"][channel["sampler"]]
            target = channel["target"]
            nodes[target["node"]][target["path"]] = self.read(sampler["output"])[frame]
        found: dict[str, np.ndarray] = {}

        def walk(number: int, above: np.ndarray) -> None:
            node = nodes[number]
            mine = above @ _matrix(node)
            found[node["name"]] = mine[:3, 3]
            for child in node.get("children", []):
                walk(child, mine)

        (root,) = self.json["scenes"][self.json["scene"]]["nodes"]
        walk(root, np.eye(4))
        return found


def _matrix(node: dict[str, Any]) -> np.ndarray:
    x, y, z, w = node.get("rotation", (0.0, 0.0, 0.0, 1.0))
    assert x * x + y * y + z * z + w * w == pytest.approx(1.0, abs=1e-5)
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    out = np.eye(4)
    out[:3, :3] = turn @ np.diag(node.get("scale", (1.0, 1.0, 1.0)))
    out[:3, 3] = node.get("translation", (0.0, 0.0, 0.0))
    return out


def test_glb_holds_the_moving_skeleton(tmp_path: Path) -> None:
    recording = _recording()
    person = recording.people[0]
    glb = _Glb(write_formats(recording, tmp_path, "glb")[0])
    truth = read_bvh(write_formats(recording, tmp_path, "bvh")[0]).positions()
    for frame in (0, 5, 11):
        found = glb.place(frame)
        for name in person.pose.layout.joints:
            np.testing.assert_allclose(found[name], truth[name][frame] / 100.0, atol=1e-5)
    drawn = [node for node in glb.json["nodes"] if "mesh" in node]
    assert len(drawn) == len(person.pose.layout) - 1
    primitive = glb.json["meshes"][0]["primitives"][0]
    corner, normal = (glb.read(primitive["attributes"][name]) for name in ("POSITION", "NORMAL"))
    assert len(corner) == len(normal) == 24
    outward = ((corner - np.array([0.0, 0.2, 0.0])) * normal).sum(axis=1)
    assert (outward > -1e-6).all()


def test_glb_turns_without_jumps(tmp_path: Path) -> None:
    glb = _Glb(write_formats(_recording(), tmp_path, "glb")[0])
    animation = glb.json["animations"][0]
    times = {sampler["input"] for sampler in animation["samplers"]}
    assert len(times) == 1 and (np.diff(glb.read(times.pop())) > 0.0).all()
    for channel in animation["channels"]:
        if channel["target"]["path"] == "rotation":
            turn = glb.read(animation["samplers"][channel["sampler"]]["output"])
            assert ((turn[1:] * turn[:-1]).sum(axis=1) > 0.0).all()


def test_glb_of_nobody_is_refused(tmp_path: Path) -> None:
    from posepipe.formats.glb import write_glb

    recording = _recording()
    person = recording.people[0]
    lost = replace(person.pose, valid=np.zeros_like(person.pose.valid))
    with pytest.raises(OutputError, match="no 3D pose"):
        write_glb(recording, replace(person, pose=lost, world=None), tmp_path / "x.glb")
