"""Formats of data science: npz, netCDF, CSV and Parquet, COCO, Rerun."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from posepipe._version import __version__
from posepipe.formats.mocap import Y_UP, Z_UP, clock, placed, sigma_of
from posepipe.record.recording import Person, Recording
from posepipe.record.summary import summary_dict
from posepipe.record.tables import write_angles, write_poses
from posepipe.skeleton import COCO17, H36M17, conversion
from posepipe.system import need
from posepipe.types import BoolArray, FloatArray

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["to_xarray"]

Array = NDArray[Any]


def write_npz(recording: Recording, path: Path) -> None:
    """All people one after another in Human3.6M's 17 joints. No pickle: every array has a plain type.

    Keys: ``positions`` (F, 17, 3) metres, z up, in the room; ``positions_camera`` (F, 17, 3) relative to the pelvis in
    the camera frame; ``sigma`` (F, 17); ``root_camera`` (F, 3); ``positions_2d`` (F, 17, 2) and ``sigma_2d`` (F, 17)
    pixels; ``time_s frame`` (F,); ``seq_start`` (P + 1,) and ``seq_name fps`` (P,) of each person; ``joint_names``.
    """
    people = recording.people
    empty: list[Array] = [np.zeros((0, 17, 3), np.float32)]
    parts = [_h36m(person) for person in people]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else {})} or {
        "positions": empty[0]
    }
    lengths = [len(person.pose) for person in people]
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            **dict[str, Any](columns),
            seq_start=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            seq_name=np.array([f"person_{person.id}" for person in people], dtype=np.str_),
            fps=np.array([clock(person.pose.time_s).rate_hz for person in people], np.float64),
            joint_names=np.array(H36M17.joints),
            units=np.array("m, px, s"),
            axes=np.array("positions: x right, y away, z up; positions_camera: x right, y down, z away"),
            source=np.array(f"posepipe {__version__}"),
        )


def _h36m(person: Person) -> dict[str, Array]:
    pose, track = person.pose, person.keypoints
    order = [pose.layout.index(name) for name in H36M17.joints]
    matrix = conversion(track.layout, H36M17)
    seen = track.valid & np.isfinite(track.xy_px).all(axis=-1)
    whole = (~seen).astype(np.float32) @ (matrix != 0).T == 0
    xy = np.einsum("js,fsc->fjc", matrix, np.where(seen[..., None], track.xy_px, 0.0))
    variance = np.where(seen, np.nan_to_num(track.sigma_px), 0.0) ** 2
    return {
        "positions": placed(person, Z_UP)[:, order].astype(np.float32),
        "positions_camera": np.where(pose.valid[..., None], pose.xyz_m, np.nan)[:, order].astype(np.float32),
        "sigma": sigma_of(person)[:, order],
        "root_camera": pose.root_m,
        "positions_2d": np.where(whole[..., None], xy, np.nan).astype(np.float32),
        "sigma_2d": np.where(whole, np.sqrt(variance @ (matrix**2).T), np.nan).astype(np.float32),
        "time_s": pose.time_s,
        "frame": track.frame,
    }


def to_xarray(recording: Recording) -> xr.Dataset:
    """A dataset in the form of the movement package's poses, with sigma added.

    Variables ``position`` (time, space, keypoints, individuals) in metres, x right, y up, z towards the camera;
    ``confidence`` and ``sigma`` (time, keypoints, individuals). The time axis is that of the whole video; where
    somebody isn't followed, everything is NaN.

    Raises:
        UsageError: xarray isn't installed.
    """
    need("xarray", "formats")
    import xarray as xr

    frames = np.unique(np.concatenate([np.zeros(0, np.int32), *(p.keypoints.frame for p in recording.people)]))
    time_s = np.full(len(frames), np.nan)
    joints = tuple(dict.fromkeys(name for p in recording.people for name in p.pose.layout.joints))
    shape = (len(frames), len(joints), len(recording.people))
    position = np.full((shape[0], 3, *shape[1:]), np.nan, np.float32)
    sigma, confidence = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for column, person in enumerate(recording.people):
        rows = np.searchsorted(frames, person.keypoints.frame)
        time_s[rows] = person.keypoints.time_s
        there = np.array([joints.index(name) for name in person.pose.layout.joints])
        place = np.ix_(rows, there)
        position[rows[:, None], :, there[None], column] = placed(person, Y_UP)
        sigma[..., column][place] = sigma_of(person)
        seen = [name for name in joints if name in person.keypoints.layout.joints]
        score = person.keypoints.score[:, [person.keypoints.layout.index(name) for name in seen]]
        place = np.ix_(rows, np.array([joints.index(name) for name in seen]))
        confidence[..., column][place] = score
    return _dataset(recording, xr, {"position": position, "sigma": sigma, "confidence": confidence}, time_s, joints)


def _dataset(
    recording: Recording, xr: Any, values: dict[str, Array], time_s: Array, joints: tuple[str, ...]
) -> xr.Dataset:
    dims = ("time", "keypoints", "individuals")
    dataset: xr.Dataset = xr.Dataset(
        {
            "position": (("time", "space", *dims[1:]), values["position"], {"units": "m"}),
            "confidence": (dims, values["confidence"]),
            "sigma": (dims, values["sigma"], {"units": "m", "long_name": "standard deviation of each coordinate"}),
        },
        coords={
            "time": time_s,
            "space": ["x", "y", "z"],
            "keypoints": list(joints),
            "individuals": [f"person_{person.id}" for person in recording.people],
        },
        attrs={
            "ds_type": "poses",
            "source_software": f"posepipe {__version__}",
            "source_file": recording.video.path,
            "fps": clock(time_s).rate_hz,
            "time_unit": "seconds",
        },
    )
    return dataset


def write_netcdf(recording: Recording, path: Path) -> None:
    """`to_xarray` as a netCDF 4 file.

    Raises:
        UsageError: xarray or h5netcdf isn't installed.
    """
    need("h5netcdf", "formats")
    to_xarray(recording).to_netcdf(path, engine="h5netcdf")


# The two tables as CSV, and everything as one JSON file; written a piece at a time.

_MISSING: Any = None
_FRAMES = 100
"""Frames at a time."""


def write_parquet(recording: Recording, folder: Path) -> tuple[Path, ...]:
    """``poses.parquet`` and ``angles.parquet`` of docs/results-format.md."""
    write_poses(recording.people, folder / "poses.parquet")
    write_angles(recording.people, folder / "angles.parquet")
    return folder / "poses.parquet", folder / "angles.parquet"


def write_csv(recording: Recording, folder: Path) -> tuple[Path, ...]:
    """The same tables as ``poses.csv`` and ``angles.csv``; missing is an empty cell."""
    written = []
    for source in write_parquet(recording, folder):
        target = source.with_suffix(".csv")
        with pq.ParquetFile(source) as table:
            schema = table.schema_arrow.remove_metadata()
            with pc.CSVWriter(target, schema) as writer:
                for batch in table.iter_batches(batch_size=65536):
                    writer.write_batch(_without_nan(batch, schema))
        source.unlink()
        written.append(target)
    return tuple(written)


def _without_nan(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        if pa.types.is_floating(field.type):
            values = column.to_numpy(zero_copy_only=False)
            columns.append(pa.array(values, field.type, from_pandas=True))
        else:
            columns.append(column)
    return pa.record_batch(columns, schema=schema)


def write_json(recording: Recording, path: Path) -> None:
    """``summary.json`` with a further key ``tracks``: per person the joint and angle names, then one object a frame."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(json.dumps(summary_dict(recording), allow_nan=False, ensure_ascii=False, indent=1)[:-2])
        file.write(',\n "tracks": [')
        for count, person in enumerate(recording.people):
            head = {
                "id": person.id,
                "keypoints": list(person.keypoints.layout.joints),
                "joints": list(person.pose.layout.joints),
                "angles": list(person.angles.names),
            }
            file.write((",\n" if count else "\n") + json.dumps(head, ensure_ascii=False)[:-1] + ', "frames": [')
            for row, record in enumerate(_frames(person)):
                file.write((",\n" if row else "\n") + json.dumps(record, allow_nan=False))
            file.write("\n]}")
        file.write("\n]}\n")


def _frames(person: Person) -> Iterator[dict[str, Any]]:
    track, pose, angles = person.keypoints, person.pose, person.angles
    for start in range(0, len(track), _FRAMES):
        part = slice(start, start + _FRAMES)
        columns = {
            "frame": track.frame[part].tolist(),
            "time_s": track.time_s[part].tolist(),
            "xy_px": _plain(track.xy_px[part], 3, track.valid[part]),
            "sigma_px": _plain(track.sigma_px[part], 3, track.valid[part]),
            "xyz_m": _plain(pose.xyz_m[part], 6, pose.valid[part]),
            "sigma_m": _plain(pose.sigma_m[part], 6, pose.valid[part]),
            "root_m": _plain(pose.root_m[part], 6),
            "root_sigma_m": _plain(pose.root_sigma_m[part], 6),
            "deg": _plain(angles.deg[part], 4),
            "sigma_deg": _plain(angles.sigma_deg[part], 4),
        }
        for row in zip(*columns.values(), strict=True):
            yield dict(zip(columns, row, strict=True))


def _plain(values: FloatArray, decimals: int, valid: BoolArray | None = None) -> list[Any]:
    """Numbers as JSON can hold them: None where not finite or not valid."""
    known = np.isfinite(values)
    if valid is not None:
        known &= valid.reshape(*valid.shape, *[1] * (values.ndim - valid.ndim))
    plain: list[Any] = np.where(known, np.round(values.astype(np.float64), decimals), _MISSING).tolist()
    return plain


# COCO keypoints JSON: one image for each frame, one annotation for each person in it.

_Points = NDArray[np.float64]

_CATEGORY = 1


def write_coco(recording: Recording, path: Path) -> None:
    """Everybody's 2D keypoints; written a frame at a time."""
    video = recording.video
    frames = {
        int(frame): float(time_s)
        for person in recording.people
        for frame, time_s in zip(person.keypoints.frame, person.keypoints.time_s, strict=True)
    }
    head = {
        "info": {"description": f"posepipe {__version__}", "video": video.path, "date_created": recording.created},
        "licenses": [],
        "categories": [
            {
                "id": _CATEGORY,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(COCO17.joints),
                "skeleton": [[int(a) + 1, int(b) + 1] for a, b in COCO17.edge_indices],
            }
        ],
    }
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(json.dumps(head, ensure_ascii=False)[:-1])
        file.write(',\n"images": [')
        for count, (frame, time_s) in enumerate(sorted(frames.items())):
            image = {
                "id": frame,
                "file_name": f"{frame:06d}.jpg",
                "width": video.width_px,
                "height": video.height_px,
                "frame": frame,
                "time_s": time_s,
            }
            file.write((",\n" if count else "\n") + json.dumps(image))
        file.write('\n],\n"annotations": [')
        number = 0
        for person in recording.people:
            number = _annotations(person, number, file)
        file.write("\n]}\n")


def _annotations(person: Person, number: int, file: TextIO) -> int:
    """Write one person's annotations; returns the last number given."""
    track = person.keypoints
    columns = [track.layout.joints.index(name) for name in COCO17.joints if name in track.layout.joints]
    places = [i for i, name in enumerate(COCO17.joints) if name in track.layout.joints]
    for start in range(0, len(track), _FRAMES):
        part = slice(start, start + _FRAMES)
        seen = np.zeros((len(track.frame[part]), len(COCO17)), np.int64)
        numbers = np.full((*seen.shape, 4), np.nan)
        seen[:, places] = np.where(track.interpolated[part][:, columns], 1, 2) * track.valid[part][:, columns]
        for i, values in enumerate((track.xy_px[..., 0], track.xy_px[..., 1], track.sigma_px, track.score)):
            numbers[:, places, i] = values[part][:, columns]
        for row in np.flatnonzero(seen.any(axis=1)):
            number += 1
            record = _record(number, int(track.frame[start + row]), person.id, numbers[row], seen[row])
            file.write((",\n" if number > 1 else "\n") + json.dumps(record, allow_nan=False))
    return number


def _record(number: int, frame: int, person: int, numbers: _Points, seen: NDArray[np.int64]) -> dict[str, Any]:
    """One annotation from (17, 4) x, y, sigma, score."""
    there = seen > 0
    low = numbers[there, :2].min(axis=0)
    size = np.ptp(numbers[there, :2], axis=0)
    points = np.column_stack([np.round(np.where(there[:, None], numbers[:, :2], 0.0), 4), seen])
    known = there[:, None] & np.isfinite(numbers[:, 2:])
    sigma, score = np.where(known, np.round(numbers[:, 2:], 4), _MISSING).T.tolist()
    return {
        "id": number,
        "image_id": frame,
        "category_id": _CATEGORY,
        "track_id": person,
        "keypoints": points.ravel().tolist(),
        "num_keypoints": int(there.sum()),
        "bbox": np.round([*low, *size], 4).tolist(),
        "area": round(float(size[0] * size[1]), 4),
        "iscrowd": 0,
        "sigma_px": sigma,
        "keypoint_scores": score,
    }


# A Rerun recording: pose and keypoints over time, angles as curves, each with sigma.

_APPLICATION = "posepipe"


def write_rerun(recording: Recording, path: Path) -> None:
    """Everybody's motion.

    Raises:
        UsageError: the Rerun SDK isn't installed.
    """
    need("rerun", "formats")
    import rerun as rr

    stream: Any = rr.RecordingStream(_APPLICATION)
    stream.save(str(path))
    stream.log("people", rr.ViewCoordinates.RDF, static=True)
    for person in recording.people:
        _joints(rr, stream, person)
        _keypoints(rr, stream, person)
        _angles(rr, stream, person)
    stream.flush()
    stream.disconnect()


def _times(rr: Any, person: Person, rows: NDArray[Any]) -> list[Any]:
    return [
        rr.TimeColumn("time", duration=person.pose.time_s[rows]),
        rr.TimeColumn("frame", sequence=person.keypoints.frame[rows].astype(np.int64)),
    ]


def _joints(rr: Any, stream: Any, person: Person) -> None:
    pose = person.pose
    known = pose.valid & np.all(np.isfinite(pose.root_m), axis=1)[:, None]
    rows = np.flatnonzero(known.any(axis=1))
    if not len(rows):
        return
    path, times = f"people/{person.id}", _times(rr, person, rows)
    xyz = pose.xyz_m + pose.root_m[:, None]
    names = np.array(pose.layout.joints)
    counts = known[rows].sum(axis=1)
    columns = rr.Points3D.columns(
        positions=xyz[rows][known[rows]], labels=np.tile(names, (len(rows), 1))[known[rows]].tolist()
    ).partition(counts)
    sigma = rr.AnyValues.columns(sigma_m=pose.sigma_m[rows][known[rows]]).partition(counts)
    stream.send_columns(f"{path}/joints", times, [*columns, *sigma])
    edges = pose.layout.edge_indices
    bones = np.all(known[rows][:, edges], axis=2)
    some = np.any(bones, axis=1)
    strips = xyz[rows][:, edges][bones]
    stream.send_columns(
        f"{path}/bones",
        _times(rr, person, rows[some]),
        rr.LineStrips3D.columns(strips=strips).partition(bones[some].sum(axis=1)),
    )


def _keypoints(rr: Any, stream: Any, person: Person) -> None:
    track = person.keypoints
    rows = np.flatnonzero(track.valid.any(axis=1))
    if not len(rows):
        return
    known = track.valid[rows]
    counts = known.sum(axis=1)
    columns = rr.Points2D.columns(
        positions=track.xy_px[rows][known],
        labels=np.tile(np.array(track.layout.joints), (len(rows), 1))[known].tolist(),
    ).partition(counts)
    sigma = rr.AnyValues.columns(sigma_px=track.sigma_px[rows][known]).partition(counts)
    stream.send_columns(f"people/{person.id}/keypoints", _times(rr, person, rows), [*columns, *sigma])


def _angles(rr: Any, stream: Any, person: Person) -> None:
    for column, name in enumerate(person.angles.names):
        rows = np.flatnonzero(np.isfinite(person.angles.deg[:, column]))
        if not len(rows):
            continue
        path, times = f"people/{person.id}/angles/{name}", _times(rr, person, rows)
        stream.send_columns(path, times, rr.Scalars.columns(scalars=person.angles.deg[rows, column]))
        stream.send_columns(f"{path}/sigma", times, rr.Scalars.columns(scalars=person.angles.sigma_deg[rows, column]))
