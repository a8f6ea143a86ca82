"""The two tables as CSV, and everything as one JSON file; written a piece at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from posepipe.results.recording import Person, Recording
from posepipe.results.summary import summary_dict
from posepipe.results.tables import write_angles, write_poses
from posepipe.types import BoolArray, FloatArray

__all__ = ["write_csv", "write_json", "write_parquet"]

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
