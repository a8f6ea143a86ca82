"""``poses.parquet`` and ``angles.parquet``, written a piece at a time, so that a long video needs little memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from posepipe._version import __version__
from posepipe.body.world import FEET
from posepipe.errors import InputError, UsageError
from posepipe.record.recording import SCHEMA, Person, Recording
from posepipe.skeleton import BODY21, H36M17, LAYOUTS, Layout, conversion
from posepipe.system import need
from posepipe.types import Angles, BoolArray, FloatArray, KeypointTrack, PoseTrack

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["joint_names", "read_angles", "read_poses", "read_world", "to_pandas", "write_angles", "write_poses"]

AnyArray = NDArray[Any]

_FRAMES_PER_GROUP = 2000
_MOST = 1e9
"""More than anything we measure, in its unit."""
_KEYS = ("frame", "time_s", "person")
_FLOATS = (
    *("x_px", "y_px", "sigma_px", "score"),
    *("x_m", "y_m", "z_m", "sigma_m", "root_x_m", "root_y_m", "root_z_m"),
)
_ROOT_SIGMA = ("root_sigma_x_m", "root_sigma_y_m", "root_sigma_z_m")
_NUMPY = {pa.int32(): np.int32, pa.float32(): np.float32, pa.float64(): np.float64}
_POSES = pa.schema(
    [
        ("frame", pa.int32()),
        ("time_s", pa.float64()),
        ("person", pa.int32()),
        ("joint", pa.string()),
        *((name, pa.float32()) for name in _FLOATS),
        ("valid", pa.bool_()),
        ("interpolated", pa.bool_()),
    ]
)
_WORLD = ("world_x_m", "world_y_m", "world_z_m")
"""Further columns of ``poses.parquet``, and of ``angles.parquet``; files of before don't have them."""
_WORLD_SIGMA = ("world_sigma_x_m", "world_sigma_y_m", "world_sigma_z_m")
_STANDS = tuple(f"{foot}_stands" for foot in FEET)


def joint_names(keypoints: Layout, pose: Layout) -> tuple[str, ...]:
    """Joints of a person's rows, in order: Human3.6M 17, the detector's others, then what only the lifter gives."""
    return tuple(dict.fromkeys((*H36M17.joints, *keypoints.joints, *pose.joints)))


def write_poses(people: Sequence[Person], path: Path) -> None:
    """Write ``poses.parquet``: rows sorted by person, frame, joint; one row group per 2,000 frames of a person.

    The 2D of pelvis, spine, thorax and head is made from keypoints by `skeleton.conversion`: sigma as if the
    sources' errors were independent, score the least of theirs, valid if all of them are.
    """
    layouts = {str(person.id): [person.keypoints.layout.name, person.pose.layout.name] for person in people}
    schema = pa.schema(
        [*_POSES, *((name, pa.float32()) for name in _WORLD)], metadata=_metadata(layouts=json.dumps(layouts))
    )
    keys = ["frame", "time_s", "person", "joint"]
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=keys) as writer:
        for person in people:
            names = joint_names(person.keypoints.layout, person.pose.layout)
            for part in _parts(len(person.keypoints)):
                writer.write_batch(_pose_batch(person, part, names, schema))


def write_angles(people: Sequence[Person], path: Path) -> None:
    """Write ``angles.parquet``: rows sorted by person, then frame."""
    names = tuple(dict.fromkeys(name for person in people for name in person.angles.names))
    floats = [f"{name}_{unit}" for name in (*names, "yaw") for unit in ("deg", "sigma_deg")] + list(_ROOT_SIGMA)
    schema = pa.schema(
        [
            *((name, _POSES.field(name).type) for name in _KEYS),
            *((name, pa.float32()) for name in floats),
            ("valid", pa.bool_()),
            *((name, pa.float32()) for name in _WORLD_SIGMA),
            *((name, pa.bool_()) for name in _STANDS),
        ],
        metadata=_metadata(angles=json.dumps(names)),
    )
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=["person"]) as writer:
        for person in people:
            for part in _parts(len(person.keypoints)):
                writer.write_batch(_angle_batch(person, part, names, schema))


def read_poses(path: Path) -> dict[int, tuple[KeypointTrack, PoseTrack]]:
    """Read ``poses.parquet`` back: person id -> 2D and 3D track, in the order written.

    The standard deviation of the root is in ``angles.parquet``; it is NaN here.

    Raises:
        InputError: not such a file, damaged, or of another schema.
    """
    table, metadata = _read(path, _POSES.names)
    damaged = InputError("rows aren't in posepipe's order", where=str(path), hint="Analyse the video again")
    layouts = json.loads(metadata[b"layouts"])
    person_column = table["person"].to_numpy()
    tracks = {}
    for key, (keypoints_name, pose_name) in layouts.items():
        keypoints, pose = LAYOUTS[keypoints_name], LAYOUTS[pose_name]
        names = joint_names(keypoints, pose)
        rows = table.filter(pa.array(person_column == int(key)))
        if rows.num_rows % len(names) or tuple(rows["joint"][: len(names)].to_pylist()) not in (names, ()):
            raise damaged
        columns = {
            name: rows[name].to_numpy().reshape(-1, len(names)) for name in (*_KEYS, *_FLOATS, "valid", "interpolated")
        }
        if not (np.diff(columns["time_s"][:, 0]) > 0.0).all():
            raise damaged
        tracks[int(key)] = _tracks(int(key), keypoints, pose, names, columns)
    return tracks


def read_angles(path: Path) -> dict[int, tuple[Angles, FloatArray, FloatArray, FloatArray]]:
    """Read ``angles.parquet`` back: person id -> angles, yaw_deg (F,), yaw_sigma_deg (F,), root_sigma_m (F, 3).

    Raises:
        InputError: not such a file, damaged, or of another schema.
    """
    table, metadata = _read(path, [*_KEYS, *_ROOT_SIGMA, "yaw_deg", "yaw_sigma_deg"])
    names = tuple(json.loads(metadata[b"angles"]))
    _require(table, [f"{name}{end}" for name in names for end in ("_deg", "_sigma_deg")], path)
    person_column = table["person"].to_numpy()
    people = {}
    for key in dict.fromkeys(person_column.tolist()):
        rows = table.filter(pa.array(person_column == key))
        deg = _stack(rows, [f"{name}_deg" for name in names])
        sigma_deg = _stack(rows, [f"{name}_sigma_deg" for name in names])
        yaw = _stack(rows, ["yaw_deg", "yaw_sigma_deg"])
        people[int(key)] = (Angles(names, deg, sigma_deg), yaw[:, 0], yaw[:, 1], _stack(rows, _ROOT_SIGMA))
    return people


def read_world(poses: Path, angles: Path) -> dict[int, tuple[FloatArray, FloatArray, BoolArray]]:
    """Person id -> joints (F, 21, 3) in world axes, sigma of the pelvis (F, 3), standing feet (F, 4).

    Empty if the tables were written before there was a world.

    Raises:
        InputError: as `read_poses`.
    """
    table, metadata = _read(poses, _KEYS)
    about, _ = _read(angles, _KEYS)
    if not {*_WORLD} <= {*table.column_names} or not {*_WORLD_SIGMA, *_STANDS} <= {*about.column_names}:
        return {}
    _require(table, _WORLD, poses)
    _require(about, _WORLD_SIGMA, angles)
    people = {}
    for key, (keypoints, pose) in json.loads(metadata[b"layouts"]).items():
        names = joint_names(LAYOUTS[keypoints], LAYOUTS[pose])
        rows = table.filter(pa.array(table["person"].to_numpy() == int(key)))
        mine = about.filter(pa.array(about["person"].to_numpy() == int(key)))
        xyz = _stack(rows, _WORLD).reshape(-1, len(names), 3)[:, [names.index(joint) for joint in BODY21.joints]]
        stands: BoolArray = np.stack([mine[name].to_numpy() for name in _STANDS], axis=1).astype(np.bool_)
        people[int(key)] = (xyz, _stack(mine, _WORLD_SIGMA), stands)
    return people


def _metadata(**more: str) -> dict[str, str]:
    return {
        "posepipe_schema": str(SCHEMA),
        "generator": f"posepipe {__version__}",
        "units": "the end of a column's name is its unit: px pixel, m metre, s second, deg degree",
        "axes": "pixels: x right, y down, from the upper left corner; metres: camera frame, x right, y down, z away; "
        "world: x to the camera's right, y away from it, z up, from the floor right below the camera",
        **more,
    }


def _parts(frames: int) -> Iterator[slice]:
    for start in range(0, frames, _FRAMES_PER_GROUP):
        yield slice(start, min(start + _FRAMES_PER_GROUP, frames))


def _column(values: AnyArray, kind: pa.DataType) -> pa.Array:
    """As `pa.array`, which would import pandas, a fifth of a second, to ask whether it was given one of its columns."""
    if pa.types.is_boolean(kind):
        data = np.packbits(values, bitorder="little")
    else:
        data = np.ascontiguousarray(values, _NUMPY[kind])
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(data)])


def _words(names: tuple[str, ...], times: int) -> pa.Array:
    """All names, so many times over."""
    texts = [name.encode() for name in names]
    ends = np.cumsum([len(text) for text in texts] * times)
    places = np.concatenate([[0], ends]).astype(np.int32)
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(places), pa.py_buffer(b"".join(texts) * times))


def _pose_batch(person: Person, part: slice, names: tuple[str, ...], schema: pa.Schema) -> pa.RecordBatch:
    """Rows of some frames of one person."""
    count = part.stop - part.start
    columns = {**_columns_2d(person.keypoints, part, names), **_columns_3d(person.pose, part, names)}
    columns |= _columns_world(person, part, names)
    seen, lifted = columns.pop("seen"), columns.pop("lifted")
    is_lifted = np.isin(names, person.pose.layout.joints)
    columns["valid"] = np.where(is_lifted, lifted, seen)
    columns["interpolated"] = columns.pop("filled_2d") | columns.pop("filled_3d")
    track = person.keypoints
    columns["frame"] = np.repeat(track.frame[part], len(names))
    columns["time_s"] = np.repeat(track.time_s[part], len(names))
    columns["person"] = np.full(count * len(names), person.id)
    arrays = {name: _column(column.ravel(), schema.field(name).type) for name, column in columns.items()}
    arrays["joint"] = _words(names, count)
    return pa.record_batch([arrays[name] for name in schema.names], schema=schema)


def _columns_2d(track: KeypointTrack, part: slice, names: tuple[str, ...]) -> dict[str, AnyArray]:
    layout = track.layout
    matrix = conversion(layout, H36M17)
    shape = (part.stop - part.start, len(names))
    xy = np.full((*shape, 2), np.nan, np.float32)
    sigma, score = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    seen, filled = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    for column, name in enumerate(names):
        if name in H36M17.joints:
            weights = matrix[H36M17.index(name)]
        elif name in layout.joints:
            weights = np.eye(len(layout), dtype=np.float32)[layout.index(name)]
        else:
            continue
        used = np.flatnonzero(weights)
        weight = weights[used]
        xy[:, column] = np.einsum("s,fsc->fc", weight, track.xy_px[part][:, used])
        sigma[:, column] = np.sqrt(track.sigma_px[part][:, used] ** 2 @ weight**2)
        score[:, column] = track.score[part][:, used].min(axis=1)
        seen[:, column] = track.valid[part][:, used].all(axis=1)
        filled[:, column] = track.interpolated[part][:, used].any(axis=1)
    seen &= np.isfinite(xy).all(axis=-1)
    xy[~seen] = np.nan
    sigma[~seen] = np.nan
    return {
        "x_px": xy[..., 0],
        "y_px": xy[..., 1],
        "sigma_px": sigma,
        "score": score,
        "seen": seen,
        "filled_2d": filled & seen,
    }


def _columns_3d(track: PoseTrack, part: slice, names: tuple[str, ...]) -> dict[str, AnyArray]:
    count = part.stop - part.start
    source = [track.layout.joints.index(name) for name in names if name in track.layout.joints]
    target = [column for column, name in enumerate(names) if name in track.layout.joints]
    xyz = np.full((count, len(names), 3), np.nan, np.float32)
    sigma = np.full((count, len(names)), np.nan, np.float32)
    lifted, filled = np.zeros(sigma.shape, np.bool_), np.zeros(sigma.shape, np.bool_)
    xyz[:, target] = track.xyz_m[part][:, source]
    sigma[:, target] = track.sigma_m[part][:, source]
    lifted[:, target] = track.valid[part][:, source]
    filled[:, target] = track.interpolated[part][:, source]
    lifted &= np.isfinite(xyz).all(axis=-1)
    xyz[~lifted] = np.nan
    sigma[~lifted] = np.nan
    columns = {"x_m": xyz[..., 0], "y_m": xyz[..., 1], "z_m": xyz[..., 2], "sigma_m": sigma}
    for axis, name in enumerate(("root_x_m", "root_y_m", "root_z_m")):
        columns[name] = np.repeat(track.root_m[part, axis], len(names))
    return {**columns, "lifted": lifted, "filled_3d": filled & lifted}


def _columns_world(person: Person, part: slice, names: tuple[str, ...]) -> dict[str, AnyArray]:
    xyz = np.full((part.stop - part.start, len(names), 3), np.nan, np.float32)
    if person.world is not None:
        target = [column for column, name in enumerate(names) if name in BODY21.joints]
        xyz[:, target] = person.world.xyz_m[part][:, [BODY21.index(names[column]) for column in target]]
    return {name: xyz[..., axis] for axis, name in enumerate(_WORLD)}


def _angle_batch(person: Person, part: slice, names: tuple[str, ...], schema: pa.Schema) -> pa.RecordBatch:
    count = part.stop - part.start
    columns: dict[str, AnyArray] = {
        "frame": person.keypoints.frame[part],
        "time_s": person.keypoints.time_s[part],
        "person": np.full(count, person.id),
        "yaw_deg": person.yaw_deg[part],
        "yaw_sigma_deg": person.yaw_sigma_deg[part],
        "valid": np.any(np.isfinite(person.angles.deg[part]), axis=1),
    }
    for axis, name in enumerate(_ROOT_SIGMA):
        columns[name] = person.pose.root_sigma_m[part, axis]
    world = person.world
    for axis, name in enumerate(_WORLD_SIGMA):
        columns[name] = world.root_sigma_m[part, axis] if world else np.full(count, np.nan, np.float32)
    for foot, name in enumerate(_STANDS):
        columns[name] = world.contact[part, foot] if world else np.zeros(count, np.bool_)
    unknown = np.full(count, np.nan, np.float32)
    for name in names:
        known = name in person.angles.names
        column = person.angles.names.index(name) if known else 0
        columns[f"{name}_deg"] = person.angles.deg[part, column] if known else unknown
        columns[f"{name}_sigma_deg"] = person.angles.sigma_deg[part, column] if known else unknown
    arrays = [_column(columns[f.name], f.type) for f in schema]
    return pa.record_batch(arrays, schema=schema)


def _read(path: Path, needed: Sequence[str]) -> tuple[pa.Table, dict[bytes, bytes]]:
    try:
        table = pq.read_table(path, read_dictionary=["joint"])
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"can't be read ({error})", where=str(path), hint="Analyse the video again, or give another folder"
        ) from error
    metadata: dict[bytes, bytes] = table.schema.metadata or {}
    found = metadata.get(b"posepipe_schema", b"none").decode()
    if found != str(SCHEMA):
        raise InputError(
            f"schema {found}, this posepipe reads {SCHEMA}", where=str(path), hint="Analyse the video again"
        )
    _require(table, needed, path)
    return table, metadata


def _require(table: pa.Table, names: Sequence[str], path: Path) -> None:
    """Raise `InputError` unless there is one column of each name and it holds what we write there."""
    for name in names:
        there = table.column_names.count(name) == 1
        if there and name != "joint":
            column, wanted = table[name], _POSES.field(name).type if name in _POSES.names else pa.float32()
            there = column.type == wanted
            if there and pa.types.is_floating(wanted):
                there = not (np.abs(column.to_numpy()) > _MOST).any()
            elif there:
                there = column.null_count == 0
        if not there:
            raise InputError(
                f"column {name!r} isn't as posepipe writes it", where=str(path), hint="Analyse the video again"
            )


def _stack(rows: pa.Table, names: Sequence[str]) -> FloatArray:
    if not names:
        return np.zeros((rows.num_rows, 0), np.float32)
    stacked: FloatArray = np.stack([rows[name].to_numpy() for name in names], axis=1).astype(np.float32, copy=False)
    return stacked


def _tracks(
    person: int, keypoints: Layout, pose: Layout, names: tuple[str, ...], columns: dict[str, AnyArray]
) -> tuple[KeypointTrack, PoseTrack]:
    seen = [names.index(joint) for joint in keypoints.joints]
    lifted = [names.index(joint) for joint in pose.joints]
    time_s = columns["time_s"][:, 0].copy()

    def pick(joints: list[int], *wanted: str) -> FloatArray:
        return np.stack([columns[name][:, joints] for name in wanted], axis=-1)

    xy, xyz = pick(seen, "x_px", "y_px"), pick(lifted, "x_m", "y_m", "z_m")
    valid_2d: BoolArray = np.all(np.isfinite(xy), axis=-1)
    valid_3d: BoolArray = np.all(np.isfinite(xyz), axis=-1)
    filled = columns["interpolated"]
    track = KeypointTrack(
        person,
        keypoints,
        columns["frame"][:, 0].copy(),
        time_s,
        xy,
        pick(seen, "sigma_px")[..., 0],
        pick(seen, "score")[..., 0],
        valid_2d,
        filled[:, seen] & valid_2d,
    )
    root = pick([0], "root_x_m", "root_y_m", "root_z_m")[:, 0]
    return track, PoseTrack(
        pose,
        time_s,
        xyz,
        pick(lifted, "sigma_m")[..., 0],
        root,
        np.full_like(root, np.nan),
        valid_3d,
        filled[:, lifted] & valid_3d,
    )


_WRITERS = {"poses": write_poses, "angles": write_angles}


def to_pandas(recording: Recording, table: str = "poses") -> DataFrame:
    """What ``poses.parquet`` or ``angles.parquet`` would hold; see docs/results-format.md.

    Args:
        recording: whose table.
        table: "poses", a row per frame, person and joint, or "angles", a row per frame and person.

    Raises:
        UsageError: there is no such table, or pandas isn't installed.
    """
    if table not in _WRITERS:
        raise UsageError(f"no table {table!r}", hint=f"Valid: {', '.join(_WRITERS)}")
    need("pandas", "formats")
    # Through a file: one place makes the rows, and pieces of it needn't be in memory twice.
    with tempfile.TemporaryDirectory(prefix="posepipe-") as folder:
        path = Path(folder) / f"{table}.parquet"
        _WRITERS[table](recording.people, path)
        frame: DataFrame = pq.read_table(path).to_pandas()
    return frame
