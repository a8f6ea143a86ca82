"""A Rerun recording: pose and keypoints over time, angles as curves, each with sigma.

Entities: ``people/ID/joints`` and ``people/ID/bones`` (metres, camera frame), ``people/ID/keypoints`` (pixels),
``people/ID/angles/NAME`` and ``people/ID/angles/NAME/sigma`` (degrees). Timelines ``time`` and ``frame``. Joints
carry a component ``sigma_m``, keypoints ``sigma_px``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.results.formats.needs import need
from posepipe.results.recording import Person, Recording

__all__ = ["write_rerun"]

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
    stream.flush(blocking=True)
    stream.disconnect()


def _times(rr: Any, person: Person, rows: NDArray[Any]) -> list[Any]:
    return [
        rr.TimeColumn("time", duration=person.pose.time_s[rows]),
        rr.TimeColumn("frame", sequence=person.keypoints.frame[rows].astype(np.int64)),
    ]


def _joints(rr: Any, stream: Any, person: Person) -> None:
    pose = person.pose
    known = pose.valid & np.isfinite(pose.root_m).all(axis=1)[:, None]
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
    bones = known[rows][:, edges].all(axis=2)
    some = bones.any(axis=1)
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
