"""Marker trajectories in TRC files, as Pose2Sim and OpenSim write them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError

__all__ = ["Markers", "read_trc"]

_HEADER_LINES = 5
_UNITS = {"m": 1.0, "mm": 0.001}


@dataclass(frozen=True, slots=True, eq=False)
class Markers:
    """Marker positions over time.

    Attributes:
        names: marker names.
        time_s: (F,).
        xyz_m: (F, M, 3) in the file's axes.
    """

    names: tuple[str, ...]
    time_s: NDArray[np.float64]
    xyz_m: NDArray[np.float64]

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Trajectory (F, 3) of one marker."""
        return self.xyz_m[:, self.names.index(name)]


def read_trc(path: Path) -> Markers:
    """Read a TRC file; empty cells become NaN.

    Raises:
        InputError: missing file, unknown unit or a ragged table.
    """
    if not path.is_file():
        raise InputError("no such file", where=str(path))
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) <= _HEADER_LINES or not lines[0].startswith("PathFileType"):
        raise InputError("not a TRC file", where=str(path))
    facts = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    unit = facts.get("Units", "m").strip()
    if unit not in _UNITS:
        raise InputError(f"unit {unit!r}", where=str(path), hint=f"Known: {', '.join(_UNITS)}")
    names = tuple(cell.strip() for cell in lines[3].split("\t")[2:] if cell.strip())
    width = 2 + 3 * len(names)
    rows = [line.split("\t") for line in lines[_HEADER_LINES:] if line.strip()]
    try:
        table = np.array([[float(cell) if cell.strip() else np.nan for cell in row[:width]] for row in rows])
    except ValueError as error:
        raise InputError(f"the table can't be read ({error})", where=str(path)) from error
    if table.ndim != 2 or table.shape[1] != width:
        raise InputError(f"expected {width} columns", where=str(path))
    return Markers(names, table[:, 1], table[:, 2:].reshape(len(table), len(names), 3) * _UNITS[unit])
