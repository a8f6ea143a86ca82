"""Pictures without faces, or without anything but the figure, for films that are to be shown to others.

Where a face was is told by everybody's tracks. A frame in which nobody was seen, or somebody not for too long, is
blurred as a whole: a face that isn't known to be somewhere could be anywhere. Whoever was never followed isn't covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.settings import setting
from posepipe.types import KeypointTrack

__all__ = ["HIDE", "WAYS", "Face", "HideSettings", "faces_at", "hide"]

Image = NDArray[np.uint8]

WAYS = ("no", "blur", "figure")
"""As filmed; faces blurred; the skeleton on a plain ground."""

_FACE_WORDS = frozenset({"nose", "eye", "ear", "mouth", "head"})
_GROUND = 32
"""Grey behind a figure without its film."""


@dataclass(frozen=True, slots=True)
class HideSettings:
    """How faces are covered."""

    near_s: float = setting(0.3, "a face is where it was so long before or after", unit="s", source="judgement")
    by_face: float = setting(
        1.7, "radius of what is covered, in the farthest face joint's distance from their middle",
        source="judgement: ears to hair and chin in rendered people",
    )  # fmt: skip
    by_body: float = setting(
        0.085, "radius at least, in the body's extent", source="a head is about 1/7.5 of a body's height"
    )
    cells: int = setting(5, "so many cells are left of a face, each way", source="judgement")


HIDE = HideSettings()


class Face(NamedTuple):
    """A disc that covers a face, in pixels."""

    x_px: float
    y_px: float
    radius_px: float


def faces_at(tracks: Sequence[KeypointTrack], frame: int, fps_hz: float) -> tuple[Face, ...] | None:
    """Every face in a frame; None if one may be there whose place isn't known.

    Args:
        tracks: everybody followed.
        frame: its number.
        fps_hz: frames a second.
    """
    near = max(1, round(HIDE.near_s * fps_hz))
    found = []
    for track in tracks:
        if not len(track) or not track.frame[0] - near <= frame <= track.frame[-1] + near:
            continue
        rows = np.flatnonzero(np.abs(track.frame.astype(np.int64) - frame) <= near)
        order = rows[np.argsort(np.abs(track.frame[rows].astype(np.int64) - frame), kind="stable")]
        face = next((one for row in order if (one := _face(track, int(row))) is not None), None)
        if face is None:
            return None
        found.append(face)
    return tuple(found) or None


def _face(track: KeypointTrack, row: int) -> Face | None:
    valid = track.valid[row]
    if not valid.any():
        return None
    names = track.layout.joints
    head = [k for k, name in enumerate(names) if valid[k] and _FACE_WORDS & set(name.split("_"))]
    if not head:
        return None
    xy = track.xy_px[row].astype(np.float64)
    extent = float(np.ptp(xy[valid], axis=0).max())
    middle = xy[head].mean(axis=0)
    widest = float(np.linalg.norm(xy[head] - middle, axis=1).max())
    return Face(float(middle[0]), float(middle[1]), max(HIDE.by_face * widest, HIDE.by_body * extent, 4.0))


def hide(image: Image, way: str, faces: Sequence[Face] | None) -> Image:
    """A copy of a picture in which nobody can be told by their face.

    Args:
        image: (height, width, 3) BGR uint8.
        way: one of `WAYS`.
        faces: from `faces_at`, in this picture's pixels.

    Raises:
        UsageError: there is no such way.
    """
    if way not in WAYS:
        raise UsageError(f"anonymise {way!r}", hint=f"Valid: {', '.join(WAYS)}")
    if way == "figure":
        return np.full_like(image, _GROUND)
    if way == "no":
        return image.copy()
    height, width = image.shape[:2]
    if faces is None:
        return _coarse(image, HIDE.cells * max(1, round(min(height, width) / 120)))
    covered = image.copy()
    for face in faces:
        radius = face.radius_px
        left, top = int(max(face.x_px - radius, 0)), int(max(face.y_px - radius, 0))
        right, bottom = int(min(face.x_px + radius + 1, width)), int(min(face.y_px + radius + 1, height))
        if right - left < 2 or bottom - top < 2:
            continue
        part = covered[top:bottom, left:right]
        mask = np.zeros(part.shape[:2], np.uint8)
        cv2.circle(mask, (round(face.x_px) - left, round(face.y_px) - top), round(radius), 255, -1)
        part[mask > 0] = _coarse(part, HIDE.cells)[mask > 0]
    return covered


def _coarse(image: Image, cells: int) -> Image:
    """The picture with so few cells that nothing finer is left; means over areas, so nothing can be undone."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (min(cells, width), min(cells, height)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
