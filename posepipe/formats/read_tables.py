"""Readers of tables: DeepLabCut and SLEAP, as CSV and HDF5; MediaPipe's landmarks and the like as CSV."""

from __future__ import annotations

import pickletools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.formats.read_people import FEWEST, ORDERS, Entry, Found, Raw, joint_named
from posepipe.formats.read_values import (
    FRAME_KEYS,
    JOINT_KEYS,
    PERSON_KEYS,
    SCORE_KEYS,
    TIME_KEYS,
    number,
    person_key,
    plain,
    time_of,
)
from posepipe.skeleton import BLAZEPOSE33
from posepipe.system import need

__all__ = ["is_sleap_h5", "read_deeplabcut_h5", "read_sleap_h5", "read_table", "texts_of"]

_TEXTS = frozenset(("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"))
_PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GETS = frozenset(("GET", "BINGET", "LONG_BINGET"))
_SIZES = {"APPEND": 1, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = frozenset(("PROTO", "FRAME", "STOP"))


def texts_of(data: bytes) -> list[Any]:
    """The nested lists and tuples of texts in a pickle.

    Raises:
        ValueError: there is anything else in it.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    marks: list[int] = []
    for code, value, _ in pickletools.genops(data):
        name = code.name
        if name in _PUTS or name == "MEMOIZE":
            memo[len(memo) if name == "MEMOIZE" else int(str(value))] = stack[-1]
        elif name in _GETS:
            stack.append(memo[int(str(value))])
        elif name in _TEXTS:
            stack.append(str(value))
        elif name == "MARK":
            marks.append(len(stack))
        elif name not in _IGNORED:
            _build(name, stack, marks)
    if len(stack) != 1 or not isinstance(stack[0], list):
        raise ValueError("a pickle that holds no list")
    return stack[0]


def _build(name: str, stack: list[Any], marks: list[int]) -> None:
    """One instruction that makes a list or tuple, or adds to a list."""
    if name in ("EMPTY_LIST", "EMPTY_TUPLE"):
        stack.append([] if name == "EMPTY_LIST" else ())
        return
    if name in ("LIST", "TUPLE", "APPENDS"):
        start = marks.pop()
    elif name in _SIZES:
        start = len(stack) - _SIZES[name]
    else:
        raise ValueError(f"a pickle with the instruction {name}")
    items = stack[start:]
    del stack[start:]
    if name.startswith("APPEND"):
        stack[-1].extend(items)
    else:
        stack.append(items if name == "LIST" else tuple(items))


Array = NDArray[np.float64]
_SINGLE = ""
_COORDINATES = ("x", "y", "likelihood")
_DLC_HEADS = ("scorer", "individuals", "bodyparts", "coords")
_VIDEO = ("video", "videoid", "videoidx", "videoname", "videopath", "camera", "clip")
_HEADS = 6
"""Rows in which heads are looked for."""
_AXES = "|".join(("x", "y", "z", *SCORE_KEYS))
_AXIS_LAST = re.compile(rf"(?P<joint>.*[a-z0-9])[._\- ]+(?P<axis>{_AXES})")
_AXIS_FIRST = re.compile(rf"(?P<axis>{_AXES})(?:[._\- ]+|(?=\d))(?P<joint>[a-z0-9].*)")
_COLUMNS_HINT = "Columns are to be DeepLabCut's, or NODE.x NODE.y NODE.score with frame_idx as SLEAP's"


def read_table(rows: Sequence[Sequence[str]], where: str) -> Raw:
    """A table: DeepLabCut's with several rows of heads, or one row of heads as SLEAP's and MediaPipe's.

    One row a person and frame with columns ``NODE.x NODE.y NODE.score`` (or ``left_hip_x``, ``x11``), or one row a
    point with columns for the joint, x and y; perhaps columns for the frame, the time and the person.

    Raises:
        InputError: there are no such columns.
    """
    heads = [plain(row[0]) for row in rows[:_HEADS]]
    if "bodyparts" in heads and "coords" in heads:
        return _read_deeplabcut(rows, where)
    if len(rows) < 2:
        raise InputError("is no table of keypoints", where=where, hint=_COLUMNS_HINT)
    head = _Head(rows[0])
    if head.space:
        raise InputError("is three-dimensional", where=where, hint="Export the 2D keypoints of the picture")
    if not head.long and len(head.joints) < FEWEST:
        raise InputError("has no columns of people's points", where=where, hint=_COLUMNS_HINT)
    raw = Raw()
    whole = _whole(rows, 1, raw.bad)
    for column in (head.meta[word] for word in _VIDEO if word in head.meta):
        if len({row[column] for row in whole}) > 1:
            raise InputError("holds several videos", where=where, hint="Give one video's rows")
    raw.entries = head.points_in_rows(whole) if head.long else [head.entry(row) for row in whole]
    return raw


def _whole(rows: Sequence[Sequence[str]], heads: int, bad: list[str]) -> list[Sequence[str]]:
    """The rows below the heads that have a cell for each column; the others are noted, but for empty ones."""
    width = len(rows[heads - 1])
    whole = []
    for line, row in enumerate(rows[heads:], start=heads + 1):
        if len(row) < width and not any(row[1:]):
            row = [*row, *[""] * (width - len(row))]
        if len(row) >= width and not any(row[width:]):
            whole.append(row[:width])
        else:
            bad.append(f"row {line} ({len(row)} cells instead of {width})")
    return whole


class _Head:
    """What the columns of a table with one row of heads mean.

    Attributes:
        joints: joint -> columns of x, y and confidence, None for the last if there is none.
        names: our names of the joints; None where their order has to say.
        long: columns of joint, x, y, confidence in a table with a row for each point.
        space: the table is of points in space.
    """

    def __init__(self, cells: Sequence[str]) -> None:
        self.meta = {plain(cell): column for column, cell in reversed(list(enumerate(cells)))}
        found: dict[str, dict[str, int]] = {}
        for column, cell in enumerate(cells):
            if (split := _column(cell)) is not None:
                found.setdefault(split[0], {})[split[1]] = column
        self.joints = {
            joint: (axes["x"], axes["y"], axes.get("score")) for joint, axes in found.items() if {"x", "y"} <= set(axes)
        }
        if all(joint.isdigit() for joint in self.joints):
            self.joints = dict(sorted(self.joints.items(), key=lambda item: int(item[0])))
        self.names = _names(list(self.joints))
        # Anipose's and others' tables; MediaPipe's have a z as well.
        deep = [axes for axes in found.values() if "z" in axes]
        self.space = any(plain(cell).endswith(("ncams", "error")) for cell in cells) and bool(deep)
        self.space |= bool(deep) and not any("score" in axes for axes in deep) and len(self.joints) != len(BLAZEPOSE33)
        self.long: tuple[int, int, int, int | None] | None = None
        joint = self._first(JOINT_KEYS)
        if joint is not None and {"x", "y"} <= set(self.meta) and len(self.joints) < FEWEST:
            score = next((self.meta[key] for key in SCORE_KEYS if key in self.meta), None)
            self.long = (joint, self.meta["x"], self.meta["y"], score)
        self._times = {word: column for word, column in self.meta.items() if word in TIME_KEYS}
        self._frame, self._person = self._first(FRAME_KEYS), self._first(PERSON_KEYS)

    def _first(self, words: Sequence[str]) -> int | None:
        taken = {column for columns in (*self.joints.values(), self.long or ()) for column in columns}
        return next((self.meta[w] for w in words if w in self.meta and self.meta[w] not in taken), None)

    def _whose(self, row: Sequence[str]) -> tuple[object, int | str | None, tuple[float, float | None] | None]:
        """Frame, person and time of a row."""
        label = row[self._frame] if self._frame is not None and row[self._frame] else None
        person = None if self._person is None else person_key(row[self._person])
        return label, person, time_of({word: row[column] for word, column in self._times.items()})

    def entry(self, row: Sequence[str]) -> Entry:
        """One person in one frame."""
        label, person, time = self._whose(row)
        points = np.array(
            [
                [number(row[x]), number(row[y]), np.nan if s is None else number(row[s])]
                for x, y, s in self.joints.values()
            ]
        )
        seen = np.nan_to_num(points[:, :2]).any()
        return Entry(label, [Found(points, self.names, person)] if seen else [], time)

    def points_in_rows(self, rows: Sequence[Sequence[str]]) -> list[Entry]:
        """People of a table with a row for each point."""
        assert self.long is not None
        joint, x, y, score = self.long
        grouped: dict[tuple[object, int | str | None, tuple[float, float | None] | None], list[Sequence[str]]] = {}
        for row in rows:
            grouped.setdefault(self._whose(row), []).append(row)
        joints = list(dict.fromkeys(row[joint] for row in rows))
        if all(np.isfinite(number(name)) for name in joints):
            joints.sort(key=number)
        names = _names(joints)
        entries = []
        for (label, person, time), own in grouped.items():
            points = np.full((len(joints), 3), np.nan)
            for row in own:
                points[joints.index(row[joint])] = (
                    number(row[x]),
                    number(row[y]),
                    np.nan if score is None else number(row[score]),
                )
            entries.append(Entry(label, [Found(points, names, person)], time))
        return entries


def _names(joints: Sequence[str]) -> tuple[str | None, ...] | None:
    """Our names of a table's joints; by their number if they are numbered."""
    if all(np.isfinite(number(joint)) for joint in joints):
        return ORDERS.get(len(joints))
    return tuple(joint_named(joint) for joint in joints)


def _column(cell: str) -> tuple[str, str] | None:
    """Joint and axis of a column: ``left_hip_x``, ``nose.score``, ``x11``, ``landmark_0_visibility``, ``LeftHipX``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cell.strip()).lower()
    match = _AXIS_LAST.fullmatch(words) or _AXIS_FIRST.fullmatch(words)
    if match is None or not match["joint"]:
        return None
    axis = match["axis"] if match["axis"] in ("x", "y", "z") else "score"
    joint = match["joint"].strip("._- ")
    if joint_named(joint) is None and (digits := re.findall(r"\d+", joint)):
        joint = digits[-1]
    return joint, axis


def _read_deeplabcut(rows: Sequence[Sequence[str]], where: str) -> Raw:
    """DeepLabCut's CSV: rows of heads ``scorer``, perhaps ``individuals``, ``bodyparts``, ``coords``."""
    header = {plain(row[0]): row for row in rows[:_HEADS] if plain(row[0]) in _DLC_HEADS}
    parts = header["bodyparts"]
    # A frame's path may take three columns.
    start = next((column for column in range(1, len(parts)) if parts[column]), 1)
    raw = Raw()
    labels: list[object] = []
    values = []
    for row in _whole(rows, len(header), raw.bad):
        label = "/".join(cell for cell in row[:start] if cell)
        # pandas puts the index' name in a row of its own.
        if any(map(str.isdigit, label)) or any(row[start:]):
            labels.append(label or None)
            values.append([number(cell) for cell in row[start:]])
    people = header.get("individuals", [_SINGLE] * len(parts))[start:]
    columns = list(zip(people, parts[start:], map(plain, header["coords"][start:]), strict=True))
    return _deeplabcut(raw, columns, labels, np.array(values).reshape(len(labels), len(columns)), where)


def read_deeplabcut_h5(path: Path) -> Raw:
    """DeepLabCut's HDF5, a pandas table.

    Raises:
        UsageError: h5py isn't installed.
    """
    need("h5py", "formats")
    import h5py

    with h5py.File(path, "r") as file:
        if "instances" in file:
            raise InputError("is a SLEAP project", where=str(path), hint="Export analysis HDF5 or CSV from SLEAP")
        table = next(
            (group["table"] for group in file.values() if isinstance(group, h5py.Group) and "table" in group), None
        )
        if table is None or "values_block_0" not in (table.dtype.names or ()):
            raise InputError("holds no pandas table", where=str(path), hint="Is it DeepLabCut's? Else use the .csv")
        names = texts_of(bytes(table.attrs["values_block_0_kind"]))
        rows = table[:]
    # Scorer first; individuals only where there are several.
    columns = [(name[1] if len(name) == 4 else _SINGLE, name[-2], name[-1]) for name in names]
    labels = [
        label.decode("utf-8", "replace") if isinstance(label, bytes) else label for label in rows["index"].tolist()
    ]
    return _deeplabcut(Raw(), columns, labels, np.asarray(rows["values_block_0"], np.float64), str(path))


def _deeplabcut(
    raw: Raw, columns: Sequence[tuple[str, str, str]], labels: Sequence[object], values: Array, where: str
) -> Raw:
    """People from a table (F, C) whose columns are (individual, body part, coordinate)."""
    if any(coordinate == "z" for _, _, coordinate in columns):
        raise InputError("is three-dimensional", where=where, hint="Export the 2D keypoints of the picture")
    joints = list(dict.fromkeys(part for _, part, _ in columns))
    names = tuple(map(joint_named, joints))
    individuals = list(dict.fromkeys(person for person, _, _ in columns))
    points = np.full((len(individuals), len(labels), len(joints), 3), np.nan)
    for column, (person, part, coordinate) in enumerate(columns):
        if coordinate in _COORDINATES:
            points[individuals.index(person), :, joints.index(part), _COORDINATES.index(coordinate)] = values[:, column]
    seen = (np.isfinite(points[..., :2]).all(axis=-1) & (points[..., :2] != 0.0).any(axis=-1)).any(axis=-1)
    for row, label in enumerate(labels):
        people = [Found(points[i, row], names, name) for i, name in enumerate(individuals) if seen[i, row]]
        raw.entries.append(Entry(label, people))
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
        scores = np.asarray(file["point_scores"], np.float64) if "point_scores" in file else None
    if tracks.ndim == 4 and tracks.shape[-1] == 3 and tracks.shape[1] != 2:
        raise InputError("is three-dimensional", where=str(path), hint="Export the 2D keypoints of the picture")
    if tracks.ndim == 4 and tracks.shape[1:3] == (len(names), 2):
        # MATLAB's order and sleap-io's: frames, nodes, xy, people.
        tracks = tracks.transpose(3, 2, 1, 0)
        scores = None if scores is None else scores.transpose(2, 1, 0)
    if tracks.ndim != 4 or tracks.shape[1:3] != (2, len(names)):
        raise InputError(f"has tracks of the shape {tracks.shape}", where=str(path), hint="Export analysis HDF5 again")
    if scores is None:
        scores = np.full(tracks[:, 0].shape, np.nan)
    raw, ours = Raw(), tuple(map(joint_named, names))
    for frame in range(tracks.shape[3]):
        shown = [i for i in range(len(tracks)) if np.isfinite(tracks[i, :, :, frame]).any()]
        points = [np.column_stack([*tracks[i, :, :, frame], scores[i, :, frame]]) for i in shown]
        raw.entries.append(Entry(frame, [Found(p, ours, i + 1) for i, p in zip(shown, points, strict=True)]))
    return raw
