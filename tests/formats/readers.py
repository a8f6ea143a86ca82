"""Readers that share no code with the writers: written from the formats' specifications, and other programs'."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest


@dataclass
class Trc:
    header: dict[str, str]
    names: list[str]
    frame: np.ndarray
    time_s: np.ndarray
    xyz: dict[str, np.ndarray]


def read_trc(path: Path) -> Trc:
    """OpenSim documentation, "Marker (.trc) files"."""
    lines = path.read_text().split("\n")
    first = lines[0].split("\t")
    assert first[0] == "PathFileType" and first[1] == "4" and first[2] == "(X/Y/Z)"
    keys, values = lines[1].split("\t"), lines[2].split("\t")
    assert len(keys) == len(values) == 8
    header = dict(zip(keys, values, strict=True))
    labels = lines[3].split("\t")
    assert labels[:2] == ["Frame#", "Time"]
    names = [label for label in labels[2:] if label]
    assert len(names) == int(header["NumMarkers"])
    # Names stand over their X column, two empty cells follow.
    assert labels[2::3][: len(names)] == names
    axes = lines[4].split("\t")
    assert axes[2:] == [f"{axis}{i}" for i in range(1, len(names) + 1) for axis in "XYZ"]
    assert lines[5] == ""
    rows = [line.split("\t") for line in lines[6:] if line]
    assert len(rows) == int(header["NumFrames"])
    assert all(len(row) == 2 + 3 * len(names) for row in rows)
    table = np.array([[float(cell) if cell else math.nan for cell in row] for row in rows])
    xyz = {name: table[:, 2 + 3 * i : 5 + 3 * i] for i, name in enumerate(names)}
    return Trc(header, names, table[:, 0].astype(int), table[:, 1], xyz)


def read_mot(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """OpenSim documentation, "Storage (.sto) and motion (.mot) files"."""
    lines = iter(path.read_text().split("\n"))
    header: dict[str, str] = {}
    for line in lines:
        if line.strip() == "endheader":
            break
        if "=" in line:
            key, value = line.split("=", 1)
            header[key.strip()] = value.strip()
    names = next(lines).split("\t")
    rows = [[float(cell) for cell in line.split("\t")] for line in lines if line]
    assert len(rows) == int(header["nRows"])
    assert len(names) == int(header["nColumns"]) == len(set(names))
    table = np.array(rows).reshape(len(rows), len(names))
    assert names[0] == "time"
    return header, {name: table[:, i] for i, name in enumerate(names)}


@dataclass
class Joint:
    name: str
    offset: np.ndarray
    channels: list[str] = field(default_factory=list)
    children: list[Joint] = field(default_factory=list)


@dataclass
class Bvh:
    root: Joint
    frame_time_s: float
    motion: np.ndarray

    def positions(self) -> dict[str, np.ndarray]:
        """Forward kinematics."""
        out: dict[str, np.ndarray] = {}
        column = 0

        def walk(joint: Joint, turn: np.ndarray, place: np.ndarray) -> None:
            nonlocal column
            local = np.broadcast_to(np.eye(3), turn.shape)
            shift = np.zeros_like(place)
            for channel in joint.channels:
                values = self.motion[:, column]
                column += 1
                axis = "XYZ".index(channel[0])
                if channel.endswith("position"):
                    shift[:, axis] = values
                else:
                    local = local @ elementary(axis, values)
            here = place + np.einsum("fij,fj->fi", turn, joint.offset + shift)
            out[joint.name] = here
            for child in joint.children:
                walk(child, turn @ local, here)

        frames = len(self.motion)
        walk(self.root, np.broadcast_to(np.eye(3), (frames, 3, 3)), np.zeros((frames, 3)))
        assert column == self.motion.shape[1]
        return out


def elementary(axis: int, deg: np.ndarray) -> np.ndarray:
    out = np.zeros((len(deg), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    c, s = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    out[:, axis, axis] = 1.0
    out[:, i, i], out[:, j, j], out[:, i, j], out[:, j, i] = c, c, -s, s
    return out


def read_bvh(path: Path) -> Bvh:
    """Biovision hierarchical data: M. Meredith and S. Maddock, "Motion Capture File Formats Explained" (2001)."""
    text = path.read_text()
    hierarchy, motion = text.split("MOTION", 1)
    words = iter(hierarchy.split())
    assert next(words) == "HIERARCHY" and next(words) == "ROOT"

    def joint(name: str) -> Joint:
        assert next(words) == "{" and next(words) == "OFFSET"
        made = Joint(name, np.array([float(next(words)) for _ in range(3)]))
        while (word := next(words)) != "}":
            if word == "CHANNELS":
                made.channels = [next(words) for _ in range(int(next(words)))]
            elif word == "JOINT":
                made.children.append(joint(next(words)))
            else:
                assert (word, next(words)) == ("End", "Site")
                joint("end")
        return made

    root = joint(next(words))
    assert next(words, None) is None
    lines = [line for line in motion.split("\n") if line.strip()]
    frames = int(lines[0].removeprefix("Frames:"))
    frame_time_s = float(lines[1].removeprefix("Frame Time:"))
    table = np.array([[float(cell) for cell in line.split()] for line in lines[2:]])
    assert len(table) == frames
    return Bvh(root, frame_time_s, table)


def read_by(module: str, script: str, path: Path) -> dict[str, np.ndarray]:
    """Arrays that another program read from a file; skips the test where its Python package is missing.

    Some packages want NumPy 2, posepipe NumPy 1: POSEPIPE_READERS_PYTHON may name the Python of another environment.

    Args:
        module: the package, imported by the script.
        script: gets the file's path as `path`, leaves a mapping of arrays `out`.
    """
    other = os.environ.get("POSEPIPE_READERS_PYTHON", "")
    python = sys.executable if find_spec(module) else other
    if not python or (python == other and subprocess.run([python, "-c", f"import {module}"], check=False).returncode):
        pytest.skip(f"{module} isn't installed")
    target = path.parent / "read.npz"
    script = f"import sys\nimport numpy as np\npath = sys.argv[1]\n{script}\nnp.savez(sys.argv[2], **out)"
    # OpenSim writes a log where it runs, others their settings at home.
    env = os.environ | {"HOME": str(path.parent), "PYTHONPATH": ""}
    subprocess.run([python, "-c", script, str(path), str(target)], check=True, env=env, cwd=path.parent)
    with np.load(target) as data:
        return dict(data)


OPENSIM_TRC = """
import opensim
table, data = opensim.TimeSeriesTableVec3(path), opensim.MarkerData(path)
rows = range(table.getNumRows())
assert data.getNumFrames() == len(rows) and data.getUnits().getLabel() == "meters"
names = table.getColumnLabels()
out = {"time": np.array(table.getIndependentColumn()), "rate": data.getDataRate()}
for i, name in enumerate(names):
    out[name] = np.array([[table.getRowAtIndex(row)[i][k] for k in range(3)] for row in rows])
    old = np.array([[data.getFrame(row).getMarker(i)[k] for k in range(3)] for row in rows])
    assert data.getMarkerNames().get(i) == name and np.array_equal(out[name], old, equal_nan=True)
"""

OPENSIM_MOT = """
import opensim
table, storage = opensim.TimeSeriesTable(path), opensim.Storage(path)
assert storage.isInDegrees() and table.getTableMetaDataAsString("inDegrees") == "yes"
labels = storage.getColumnLabels()
out = {"time": np.array(table.getIndependentColumn())}
for i in range(1, labels.getSize()):
    out[labels.get(i)] = table.getDependentColumn(labels.get(i)).to_numpy()
    old = opensim.ArrayDouble()
    storage.getDataColumn(labels.get(i), old)
    assert np.array_equal(out[labels.get(i)], [old.get(row) for row in range(old.getSize())])
"""

PYBVH = """
import pybvh
read = pybvh.read_bvh_file(path)
places = read.joint_positions()
out = {name: places[:, i] for i, name in enumerate(read.joint_names)} | {"step": read.frame_time}
"""

MOVEMENT = """
import warnings
warnings.simplefilter("ignore")
import xarray as xr
from movement.kinematics import compute_velocity
from movement.validators.datasets import ValidPosesInputs
data = xr.open_dataset(path)
ValidPosesInputs.validate(data)
speed = compute_velocity(data["position"]).sel(keypoints="pelvis", individuals="person_1")
out = {"speed": speed.transpose("time", "space").to_numpy()}
"""
