"""The values that stages hand to each other: frozen, slotted, validated when made.

Arrays are float32 unless noted. Missing is NaN with ``valid`` False. F frames, J joints of the layout, A angles.
Camera frame: x right, y down, z away from the camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.skeleton import Layout

__all__ = ["NO_PICTURE", "Angles", "Camera", "Frame", "KeypointTrack", "Keypoints", "PoseTrack", "Swap"]

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

NO_PICTURE = np.zeros((1, 1, 3), np.uint8)
"""Image of a frame that nobody looks at."""


def _check(owner: object, **shapes: tuple[int, ...]) -> None:
    for field, expected in shapes.items():
        got = np.shape(getattr(owner, field))
        if got != expected:
            raise UsageError(f"{type(owner).__name__}.{field}: expected shape {expected}, got {got}")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture.

    Attributes:
        index: position in the source, from 0.
        time_s: presentation time of the container, strictly increasing.
        image: (height, width, 3) BGR uint8, upright; `NO_PICTURE` itself where the time alone was asked for.
        time_estimated: the container had no time for it; `time_s` comes from the frame rate.
    """

    index: int
    time_s: float
    image: NDArray[np.uint8]
    time_estimated: bool = False

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise UsageError(
                f"Frame.image: expected (height, width, 3) uint8, got {self.image.shape} {self.image.dtype}"
            )

    @property
    def seen(self) -> bool:
        """Whether it has its picture."""
        return self.image is not NO_PICTURE

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """One person in one frame.

    Attributes:
        layout: joint layout.
        xy_px: (J, 2) in pixels of the upright picture; may lie outside it.
        sigma_px: (J,) standard deviation of each coordinate.
        score: (J,) the detector's own confidence in [0, 1]; not calibrated.
        presence: the detector's confidence in [0, 1] that this is a person.
    """

    layout: Layout
    xy_px: FloatArray
    sigma_px: FloatArray
    score: FloatArray
    presence: float = 1.0

    def __post_init__(self) -> None:
        j = len(self.layout)
        _check(self, xy_px=(j, 2), sigma_px=(j,), score=(j,))


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera.

    Attributes:
        width_px, height_px: picture size.
        focal_px: focal length, the same for both axes.
        focal_source: "given", "metadata", "estimated" or "assumed".
        center_px: principal point; the middle of the picture if None.
    """

    width_px: int
    height_px: int
    focal_px: float
    focal_source: str = "assumed"
    center_px: tuple[float, float] | None = None

    @classmethod
    def from_fov(cls, width_px: int, height_px: int, fov_deg: float, source: str = "given") -> Camera:
        """Camera from the angle of view along the picture's longer side.

        Raises:
            UsageError: the angle isn't between 5 and 170 degrees.
        """
        if not 5.0 <= fov_deg <= 170.0:
            raise UsageError(f"field of view of {fov_deg} degrees", hint="Give one between 5 and 170")
        focal_px = max(width_px, height_px) / (2.0 * np.tan(np.radians(fov_deg) / 2.0))
        return cls(width_px, height_px, float(focal_px), source)

    @property
    def principal_px(self) -> tuple[float, float]:
        """Principal point."""
        return self.center_px or (self.width_px / 2.0, self.height_px / 2.0)

    @property
    def focal_guessed(self) -> bool:
        """Whether the focal length is neither given nor told by the file."""
        return self.focal_source not in ("given", "metadata")


@dataclass(frozen=True, slots=True, eq=False)
class KeypointTrack:
    """One person's keypoints over a run of consecutive frames.

    Attributes:
        person: id, stable over the clip.
        layout: joint layout.
        frame: (F,) int32 frame numbers.
        time_s: (F,) float64.
        xy_px: (F, J, 2).
        sigma_px: (F, J).
        score: (F, J).
        valid: (F, J) bool; False where `xy_px` is NaN.
        interpolated: (F, J) bool; filled between seen samples.
    """

    person: int
    layout: Layout
    frame: NDArray[np.int32]
    time_s: NDArray[np.float64]
    xy_px: FloatArray
    sigma_px: FloatArray
    score: FloatArray
    valid: BoolArray
    interpolated: BoolArray

    def __post_init__(self) -> None:
        f, j = len(self.frame), len(self.layout)
        _check(self, frame=(f,), time_s=(f,), xy_px=(f, j, 2), sigma_px=(f, j))
        _check(self, score=(f, j), valid=(f, j), interpolated=(f, j))

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True, slots=True, eq=False)
class PoseTrack:
    """One person's 3D pose over the frames of a `KeypointTrack`.

    Attributes:
        layout: joint layout (Human3.6M 17).
        time_s: (F,) float64.
        xyz_m: (F, J, 3) relative to the pelvis, camera frame.
        sigma_m: (F, J) standard deviation of each coordinate.
        root_m: (F, 3) pelvis in the camera frame.
        root_sigma_m: (F, 3).
        valid: (F, J) bool.
        interpolated: (F, J) bool.
    """

    layout: Layout
    time_s: NDArray[np.float64]
    xyz_m: FloatArray
    sigma_m: FloatArray
    root_m: FloatArray
    root_sigma_m: FloatArray
    valid: BoolArray
    interpolated: BoolArray

    def __post_init__(self) -> None:
        f, j = len(self.time_s), len(self.layout)
        _check(self, xyz_m=(f, j, 3), sigma_m=(f, j), root_m=(f, 3), root_sigma_m=(f, 3))
        _check(self, valid=(f, j), interpolated=(f, j))

    def __len__(self) -> int:
        return len(self.time_s)


@dataclass(frozen=True, slots=True, eq=False)
class Angles:
    """Joint angles over frames; the sign table is in `posepipe.body.angles`.

    Attributes:
        names: angle names, without unit.
        deg: (F, A).
        sigma_deg: (F, A).
    """

    names: tuple[str, ...]
    deg: FloatArray
    sigma_deg: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.deg), len(self.names))
        _check(self, deg=shape, sigma_deg=shape)


def same(a: object, b: object) -> bool:
    """Whether two values, such as dataclasses, hold equal parts all the way down; NaN equals NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if is_dataclass(a):
        return all(same(getattr(a, field.name), getattr(b, field.name)) for field in fields(a))
    return a == b or (a != a and b != b)


@dataclass(frozen=True, slots=True)
class Swap:
    """One run of frames with left and right exchanged.

    Attributes:
        group: "body", "arms" or "legs".
        start_s, end_s: time of its first and last frame.
        frames: number of frames.
        gain: what the repair explains: log-likelihood after the price of its ends (`posepipe.body.sides`), or fall of
            log sigma (`posepipe.body.sides`).
        repaired: False where it was too uncertain to touch; sigma is raised all the same.
    """

    group: str
    start_s: float
    end_s: float
    frames: int
    gain: float
    repaired: bool
