"""What all motion-capture formats share: axes that point up, positions in the room, and an even clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.results.recording import Person
from posepipe.types import FloatArray, PoseTrack

__all__ = ["Y_UP", "Z_UP", "Clock", "clock", "joints_written", "on_clock", "positions", "sigma_of"]

Array = NDArray[np.float64]

Y_UP = np.diag([1.0, -1.0, -1.0])
"""Camera frame (x right, y down, z away) to x right, y up, z towards the camera: half a turn about x."""

Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Camera frame to x right, y away, z up."""

_UNEVEN = 0.25
"""Share of a frame by which times may miss an even clock before samples are placed anew."""


def positions(pose: PoseTrack, axes: Array, part: slice = slice(None)) -> Array:
    """Joints in the room: root and pose added, then turned; NaN where either is unknown.

    Where the root is known in no frame of the track, positions are relative to the pelvis.

    Args:
        pose: F frames.
        axes: (3, 3), `Y_UP` or `Z_UP`.
        part: frames wanted.

    Returns:
        (frames wanted, J, 3) in metres.
    """
    xyz = np.where(pose.valid[part, :, None], pose.xyz_m[part], np.nan).astype(np.float64)
    if np.isfinite(pose.root_m).all(axis=1).any():
        xyz += pose.root_m[part, None]
    turned: Array = xyz @ axes.T
    return turned


def joints_written(pose: PoseTrack) -> list[int]:
    """Positions in the layout of the joints that are known in at least one frame."""
    return [int(joint) for joint in np.flatnonzero(pose.valid.any(axis=0))]


@dataclass(frozen=True, slots=True)
class Clock:
    """An even clock, for formats that know a rate but no times.

    Attributes:
        start_s: time of the first sample.
        rate_hz: samples a second.
        samples: how many.
        even: the track's own frames already lie on it; else samples are interpolated between them.
    """

    start_s: float
    rate_hz: float
    samples: int
    even: bool

    @property
    def time_s(self) -> Array:
        """(samples,) times."""
        return self.start_s + np.arange(self.samples) / self.rate_hz


def clock(time_s: Array) -> Clock:
    """The even clock that suits a track's times best.

    Frames whose times miss it by less than a quarter of a frame, as the rounding in files makes them, count as even.
    """
    frames = len(time_s)
    if frames < 2:
        return Clock(float(time_s[0]) if frames else 0.0, 30.0, frames, True)
    # The median step is right even where a few frames are missing; the mean is more exact where none is.
    mean_s = float(time_s[-1] - time_s[0]) / (frames - 1)
    off = np.abs(time_s - time_s[0] - np.arange(frames) * mean_s).max() / mean_s
    if off < _UNEVEN:
        return Clock(float(time_s[0]), 1.0 / mean_s, frames, True)
    step_s = float(np.median(np.diff(time_s)))
    samples = int(np.floor((time_s[-1] - time_s[0]) / step_s + 1e-6)) + 1
    return Clock(float(time_s[0]), 1.0 / step_s, samples, False)


def on_clock(values: NDArray[Any], time_s: Array, to: Clock) -> Array:
    """Samples (F, ...) of a track placed on a clock: (samples, ...).

    Linear between neighbours; missing where one of them is missing.
    """
    if to.even:
        return values.astype(np.float64)
    wanted = np.clip(to.time_s, time_s[0], time_s[-1])
    after = np.clip(np.searchsorted(time_s, wanted), 1, len(time_s) - 1)
    share = (wanted - time_s[after - 1]) / (time_s[after] - time_s[after - 1])
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    low, high = values[after - 1].astype(np.float64), values[after].astype(np.float64)
    # A sample that falls on a frame is that frame, whatever its neighbour.
    mixed: Array = np.where(share == 0.0, low, np.where(share == 1.0, high, low + share * (high - low)))
    return mixed


def sigma_of(person: Person, part: slice = slice(None)) -> FloatArray:
    """(frames, J) sigma of each 3D coordinate in metres; NaN where the joint isn't valid."""
    pose = person.pose
    return np.where(pose.valid[part], pose.sigma_m[part], np.float32(np.nan))
