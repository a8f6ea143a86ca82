"""Pictures to calibrate the int8 networks with, made by our renderer: no footage of anybody is needed.

Each shows another person in another pose, room, light and camera: standing, squatting, arms anywhere, sitting,
stooping, and the same lying down (the picture turned).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.keypoints.roi import Roi, letterbox
from posepipe.keypoints.ssd import INPUT_PX
from posepipe.skeleton import BODY21
from posepipe.synth.body import BodyShape
from posepipe.synth.camera import SynthCamera
from posepipe.synth.kinematics import solve
from posepipe.synth.motion import Pose, Stance, pose_controls
from posepipe.synth.render import Person, render_frame
from posepipe.synth.scene import Light, Room, clutter, degrade

__all__ = ["Calibration", "calibration_frames"]

Image = NDArray[np.uint8]

_CROP_PX = 256
_HIPS = BODY21.indices("left_hip", "right_hip")
_SHOULDERS = BODY21.indices("left_shoulder", "right_shoulder")
_SIZES = ((640, 480), (640, 360), (360, 640))


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Inputs of the networks.

    Attributes:
        pictures: whole pictures (H, W, 3) BGR of several sizes.
        squares: (N, 224, 224, 3) the detector's input.
        crops: (N, 256, 256, 3) the landmark network's input.
    """

    pictures: tuple[Image, ...]
    squares: Image
    crops: Image


def calibration_frames(count: int, seed: int = 0) -> Calibration:
    """Render so many pictures; the same for the same seed."""
    pictures, squares, crops = [], [], []
    for i in range(count):
        rng = np.random.default_rng((seed, i))
        picture, roi = _picture(rng)
        square = letterbox(picture.shape[1], picture.shape[0])
        pictures.append(picture)
        squares.append(square.crop(picture, INPUT_PX, cv2.BORDER_CONSTANT))
        crops.append(roi.crop(picture, _CROP_PX))
    return Calibration(tuple(pictures), np.stack(squares), np.stack(crops))


def _picture(rng: np.random.Generator) -> tuple[Image, Roi]:
    """A picture, and about where a person detector would look."""
    width, height = _SIZES[rng.integers(len(_SIZES))]
    shape = BodyShape.random(rng)
    stance = Stance(heading_deg=float(rng.uniform(0, 360)), width_m=float(rng.uniform(0.15, 0.6)))
    xyz = solve(shape, pose_controls(shape, stance, (_pose(rng), _pose(rng)), [rng.random()]))[0]
    middle = xyz.mean(axis=0)
    for _ in range(20):
        camera = SynthCamera.random(rng, middle, width_px=width, height_px=height)
        xy_px, depth = camera.project(xyz)
        tall = np.ptp(xy_px, axis=0).max() / max(width, height)
        if depth.min() > 0.5 and 0.3 < tall < 0.95:
            break
    center = (float(middle[0]), float(middle[1]))
    room = Room.random(rng, center) if rng.random() < 0.6 else clutter(rng, width, height)
    image = render_frame([Person(xyz, shape)], camera, scene=room, light=Light.random(rng), supersample=1)
    image = degrade(image, rng, blur_px=float(rng.uniform(0, 1.2)), noise=float(rng.uniform(0, 8)))
    if rng.random() < 0.3:
        turn = int(rng.integers(3))
        image, xy_px = _turned(image, xy_px, turn)
    return image, _roi(rng, xy_px)


def _pose(rng: np.random.Generator) -> Pose:
    """Any pose of a person on two feet, from standing to a deep squat, arms anywhere in front or beside."""
    low = rng.random() if rng.random() < 0.6 else 0.0
    return Pose(
        shank_deg=3.0 + 30.0 * low,
        thigh_deg=3.0 + 95.0 * low,
        lean_deg=float(rng.uniform(0, 20) + rng.uniform(0, 60) * low),
        head_pitch_deg=float(rng.uniform(-15, 25)),
        shoulder_flex_deg=float(rng.uniform(-20, 170)),
        shoulder_abduct_deg=float(rng.uniform(0, 90)),
        elbow_flex_deg=float(rng.uniform(0, 140)),
    )


def _turned(image: Image, xy_px: NDArray[np.float64], turn: int) -> tuple[Image, NDArray[np.float64]]:
    """Picture and points turned by 90 degrees either way (0, 2) or upside down (1)."""
    height, width = image.shape[:2]
    x, y = xy_px[:, 0], xy_px[:, 1]
    places = ((height - y, x), (width - x, height - y), (y, width - x))[turn]
    code = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)[turn]
    return np.asarray(cv2.rotate(image, code), np.uint8), np.stack(places, axis=1)


def _roi(rng: np.random.Generator, xy_px: NDArray[np.float64]) -> Roi:
    """Middle of the hips, trunk up, whole body, a little off."""
    hips, shoulders = xy_px[_HIPS].mean(axis=0), xy_px[_SHOULDERS].mean(axis=0)
    radius = 1.1 * float(np.linalg.norm(xy_px - hips, axis=1).max())
    trunk = shoulders - hips
    way = trunk / max(float(np.linalg.norm(trunk)), 1e-6)
    return Roi.around_body(hips + rng.normal(0, 0.05 * radius, 2), hips + way * radius)
