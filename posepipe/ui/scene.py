"""The live picture: the person as in a mirror with the skeleton, and the 3D pose turning beside it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.live import LivePerson
from posepipe.media.draw import OKABE_ITO, draw_pose, mirror_view
from posepipe.types import PoseTrack

__all__ = ["live_picture"]

Image = NDArray[np.uint8]
Points = NDArray[np.float64]

_BACKGROUND = (38, 34, 31)
_FLOOR = (92, 84, 78)
_DOT = (235, 235, 235)
_SHIFT = 4
_PANEL_SHARE = 0.6  # Width of the 3D view, of the picture's height.
_BODY_SHARE = 0.40  # Height of one metre in it, of its height.
_PITCH = np.radians(12.0)
_FLOOR_M = 0.6


def live_picture(image: Image, person: LivePerson | None, turn_deg: float) -> Image:
    """What the live page shows.

    Args:
        image: (height, width, 3) BGR uint8, as filmed.
        person: whom to draw; None if nobody is followed.
        turn_deg: how far the 3D view is turned about the vertical.

    Returns:
        (height, wider, 3) BGR uint8, both sizes even: mirrored picture on the left, 3D view on the right.
    """
    height = image.shape[0] - image.shape[0] % 2
    width = image.shape[1] - image.shape[1] % 2
    panel = round(_PANEL_SHARE * height / 2) * 2
    canvas = np.empty((height, width + panel, 3), np.uint8)
    mirrored, people = mirror_view(image[:height, :width], [person.keypoints] if person else [])
    for keypoints in people:
        mirrored = draw_pose(mirrored, keypoints)
    canvas[:, :width] = mirrored
    canvas[:, width:] = _BACKGROUND
    _draw_3d(canvas[:, width:], person.pose if person else None, turn_deg)
    return canvas


def _draw_3d(panel: Image, pose: PoseTrack | None, turn_deg: float) -> None:
    """The newest pose of a track, in place; a still floor where there is none."""
    height, width = panel.shape[:2]
    scale = _BODY_SHARE * height
    center = np.array([width / 2.0, 0.80 * height])
    turn = np.radians(turn_deg)

    def place(xyz_m: Points) -> Points:
        # Mirrored like the picture: what is on the left there is on the left here.
        x, y, z = -xyz_m[:, 0], xyz_m[:, 1], xyz_m[:, 2]
        across, away = x * np.cos(turn) + z * np.sin(turn), z * np.cos(turn) - x * np.sin(turn)
        down = y * np.cos(_PITCH) - away * np.sin(_PITCH)
        pixels: Points = center + scale * np.stack([across, down], axis=1)
        return pixels

    _draw_floor(panel, place)
    if pose is None or not pose.valid[-1].any():
        return
    xyz, valid = pose.xyz_m[-1].astype(np.float64), pose.valid[-1]
    # The lowest joint stands on the floor.
    points = np.round(place(xyz - [0.0, xyz[valid, 1].max(), 0.0]) * (1 << _SHIFT))
    names = pose.layout.joints
    thick = max(2, round(height / 120))
    for a, b in pose.layout.edge_indices:
        if valid[a] and valid[b]:
            color = _color(names[a], names[b])
            cv2.line(panel, _pixel(points[a]), _pixel(points[b]), color, thick, cv2.LINE_AA, _SHIFT)
    for joint in np.flatnonzero(valid):
        cv2.circle(panel, _pixel(points[joint]), thick << (_SHIFT - 1), _DOT, -1, cv2.LINE_AA, _SHIFT)


def _draw_floor(panel: Image, place: Callable[[Points], Points]) -> None:
    steps = np.linspace(-_FLOOR_M, _FLOOR_M, 5)
    ends = [(step, -_FLOOR_M, step, _FLOOR_M) for step in steps] + [(-_FLOOR_M, step, _FLOOR_M, step) for step in steps]
    corners = np.array([[[xa, 0.0, za], [xb, 0.0, zb]] for xa, za, xb, zb in ends])
    for start, end in np.round(place(corners.reshape(-1, 3)) * (1 << _SHIFT)).reshape(-1, 2, 2):
        cv2.line(panel, _pixel(start), _pixel(end), _FLOOR, 1, cv2.LINE_AA, _SHIFT)


def _pixel(point: Points) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _color(a: str, b: str) -> tuple[int, int, int]:
    sides = {side for name in (a, b) for side in ("left", "right") if side in name}
    if len(sides) != 1:
        return OKABE_ITO.middle
    return OKABE_ITO.left if sides == {"left"} else OKABE_ITO.right
