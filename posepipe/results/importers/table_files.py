"""Readers of tables: DeepLabCut and SLEAP, as CSV and HDF5."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.results.formats.needs import need
from posepipe.results.importers.joints import joint_named
from posepipe.results.importers.people import Found, Raw
from posepipe.results.importers.pickled_names import texts_of

__all__ = ["is_sleap_h5", "read_deeplabcut_csv", "read_deeplabcut_h5", "read_sleap_csv", "read_sleap_h5"]

Array = NDArray[np.float64]
_SINGLE = ""
_COORDINATES = ("x", "y", "likelihood")


def read_deeplabcut_csv(path: Path) -> Raw:
    """DeepLabCut's CSV: header rows ``scorer``, perhaps ``individuals``, ``bodyparts``, ``coords``."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    header = {row[0]: row[1:] for row in rows[:4] if row and row[0] in ("scorer", "individuals", "bodyparts", "coords")}
    if not {"bodyparts", "coords"} <= set(header):
        raise InputError("has no rows bodyparts and coords", where=str(path), hint="Is it DeepLabCut's?")
    body = rows[len(header) :]
    frames = [int(row[0]) if row[0].strip().isdigit() else i for i, row in enumerate(body) if row]
    values = np.array([[_float(cell) for cell in row[1:]] for row in body if row])
    people = header.get("individuals", [_SINGLE] * len(header["bodyparts"]))
    columns = list(zip(people, header["bodyparts"], header["coords"], strict=True))
    return _deeplabcut(columns, frames, values.reshape(len(frames), len(columns)))


def read_deeplabcut_h5(path: Path) -> Raw:
    """DeepLabCut's HDF5, a pandas table.

    Raises:
        UsageError: h5py isn't installed.
    """
    need("h5py", "formats")
    import h5py

    with h5py.File(path, "r") as file:
        table = next(
            (group["table"] for group in file.values() if isinstance(group, h5py.Group) and "table" in group), None
        )
        if table is None or "values_block_0" not in (table.dtype.names or ()):
            raise InputError("holds no pandas table", where=str(path), hint="Is it DeepLabCut's? Else use the .csv")
        names = texts_of(bytes(table.attrs["values_block_0_kind"]))
        rows = table[:]
    # Scorer first; individuals only where there are several.
    columns = [(name[1] if len(name) == 4 else _SINGLE, name[-2], name[-1]) for name in names]
    frames = [int(frame) for frame in rows["index"]] if rows["index"].dtype.kind in "iu" else list(range(len(rows)))
    return _deeplabcut(columns, frames, np.asarray(rows["values_block_0"], np.float64))


def _deeplabcut(columns: Sequence[tuple[str, str, str]], frames: Sequence[int], values: Array) -> Raw:
    """People from a table (F, C) whose columns are (individual, body part, coordinate)."""
    names = list(dict.fromkeys(part for _, part, _ in columns))
    raw = Raw(names=tuple(map(joint_named, names)), frames={frame: [] for frame in frames})
    for number, person in enumerate(dict.fromkeys(person for person, _, _ in columns), start=1):
        points = np.full((len(frames), len(names), 3), np.nan)
        # Hand-made labels have no likelihood.
        points[..., 2] = 1.0
        for column, (whose, part, coordinate) in enumerate(columns):
            if whose == person and coordinate in _COORDINATES:
                points[:, names.index(part), _COORDINATES.index(coordinate)] = values[:, column]
        for frame, found in zip(frames, points, strict=True):
            if np.isfinite(found).all(axis=1).any():
                raw.frames[frame].append(Found(found, number))
    return raw


def read_sleap_csv(path: Path) -> Raw:
    """SLEAP's analysis CSV: columns ``track frame_idx instance.score`` and ``NODE.x NODE.y NODE.score``."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0]) if rows else []
    nodes = [name[:-2] for name in columns if name.endswith(".x")]
    if "frame_idx" not in columns or not nodes:
        raise InputError("has no columns frame_idx and NODE.x", where=str(path), hint="Is it SLEAP's analysis CSV?")
    ids: dict[str, int] = {}
    raw = Raw(names=tuple(map(joint_named, nodes)))
    for row in rows:
        points = np.array(
            [[_float(row[f"{n}.x"]), _float(row[f"{n}.y"]), _float(row.get(f"{n}.score") or "1")] for n in nodes]
        )
        track = row.get("track") or ""
        number = ids.setdefault(track, len(ids) + 1) if track else None
        raw.frames.setdefault(int(row["frame_idx"]), []).append(Found(points, number))
    return raw


def is_sleap_h5(path: Path) -> bool:
    """Whether an HDF5 file is SLEAP's analysis.

    Raises:
        UsageError: h5py isn't installed.
    """
    need("h5py", "formats")
    import h5py

    with h5py.File(path, "r") as file:
        return {"tracks", "node_names"} <= set(file)


def read_sleap_h5(path: Path) -> Raw:
    """SLEAP's analysis HDF5: ``tracks`` (people, 2, nodes, frames), ``node_names``, ``point_scores``.

    Raises:
        UsageError: h5py isn't installed.
    """
    need("h5py", "formats")
    import h5py

    with h5py.File(path, "r") as file:
        if not {"tracks", "node_names"} <= set(file):
            raise InputError(
                "holds no tracks and node_names", where=str(path), hint="Export analysis HDF5 from SLEAP, or use CSV"
            )
        tracks: Array = np.asarray(file["tracks"], np.float64)
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in file["node_names"][:]]
        scores = np.asarray(file["point_scores"], np.float64) if "point_scores" in file else np.ones(tracks[:, 0].shape)
    raw = Raw(names=tuple(map(joint_named, names)))
    for frame in range(tracks.shape[3]):
        raw.frames[frame] = []
        for person in range(tracks.shape[0]):
            points = np.column_stack([*tracks[person, :, :, frame], scores[person, :, frame]])
            if np.isfinite(points[:, :2]).any():
                raw.frames[frame].append(Found(points, person + 1))
    return raw


def _float(text: str) -> float:
    return float(text) if text.strip() else float("nan")
