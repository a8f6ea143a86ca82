"""What a source says about itself, and the contract of the readers behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from posepipe.types import Frame

__all__ = ["FULL_FRAME_DIAGONAL_MM", "Reader", "SourceInfo", "focal_from_35mm"]

Kind = Literal["video", "images", "camera", "stream"]

FULL_FRAME_DIAGONAL_MM = float(np.hypot(36.0, 24.0))


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known before the frames are read.

    Attributes:
        name: file name, folder, pattern, "camera 0" or address without password.
        kind: "video", "images", "camera" or "stream".
        width_px, height_px: size of the upright picture.
        fps_hz: mean frame rate as the container states it; None if it doesn't.
        frames: number of frames as the container states it, or from duration and rate; None if unknown.
        duration_s: None if unknown.
        rotation_deg: counter-clockwise turn that makes the stored picture upright: 0, 90, 180 or 270.
        codec: codec name, or the image format.
        live: frames come as they happen and have no known end.
        focal_px: focal length from the metadata, None where there is none.
        seekable: a whole file with an index, so that `open_source` can give a span of it.
    """

    name: str
    kind: Kind
    width_px: int
    height_px: int
    fps_hz: float | None
    frames: int | None
    duration_s: float | None
    rotation_deg: int
    codec: str
    live: bool
    focal_px: float | None
    seekable: bool = False


class Reader(Protocol):
    """Delivers the frames of one input in order; runs in the decoder thread.

    Attributes:
        info: facts known at once.
        skipped_frames: pictures that couldn't be decoded so far.
        truncated: why the input seems cut off; None if it doesn't, or as long as its end isn't reached.
    """

    info: SourceInfo
    skipped_frames: int
    truncated: str | None

    def frames(self) -> Iterator[Frame]:
        """The frames, once."""

    def close(self) -> None:
        """Release the input; may be called again."""


def focal_from_35mm(equivalent_mm: float, width_px: int, height_px: int) -> float | None:
    """Focal length in pixels from the 35 mm equivalent, which compares diagonals (CIPA DCG-001).

    None unless the value is that of a real lens (4 to 2000 mm).
    """
    if not 4.0 <= equivalent_mm <= 2000.0:
        return None
    return float(equivalent_mm * np.hypot(width_px, height_px) / FULL_FRAME_DIAGONAL_MM)
