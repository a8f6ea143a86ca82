"""Arrays for scientific programs: NumPy npz in the Human3.6M form, and netCDF as the movement package reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posepipe import __version__
from posepipe.results.formats.world import Y_UP, Z_UP, clock, positions, sigma_of
from posepipe.results.recording import Person, Recording
from posepipe.skeleton import H36M17, conversion

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["to_xarray", "write_netcdf", "write_npz"]

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
            **columns,
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
        "positions": positions(pose, Z_UP)[:, order].astype(np.float32),
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
    from posepipe.results.formats.needs import need

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
        position[rows[:, None], :, there[None], column] = positions(person.pose, Y_UP)
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
    from posepipe.results.formats.needs import need

    need("h5netcdf", "formats")
    to_xarray(recording).to_netcdf(path, engine="h5netcdf")
