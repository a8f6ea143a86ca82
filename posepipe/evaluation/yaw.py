"""Which way a rendered person faces: people on a turntable, at known angles, seen by the whole chain."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.evaluation.rendered import true_yaw_deg
from posepipe.keypoints import open_detector
from posepipe.lifting.lifter import Lifter, assumed_camera
from posepipe.motion.facing import LABELS, facing, view_label
from posepipe.skeleton import BLAZEPOSE33, BODY21
from posepipe.synth.body import BodyShape, from_mocap
from posepipe.synth.camera import SynthCamera
from posepipe.synth.figure import scale_of
from posepipe.synth.mocap import MocapSet, load_mocap
from posepipe.synth.render import Person, render_frame
from posepipe.synth.scene import Light, Room
from posepipe.types import Frame, Keypoints, KeypointTrack

__all__ = ["evaluate_yaw", "turned_to", "upright_frames"]

Array = NDArray[np.float64]

_STEP_DEG = 22.5
_WIDTH_PX, _HEIGHT_PX = 640, 480


def upright_frames(data: MocapSet) -> NDArray[np.intp]:
    """Frames in which a person stands or walks: trunk within 25 degrees of the vertical, legs nearly straight."""
    body = from_mocap(data.positions, data.extra)
    joint = {name: body[:, BODY21.index(name)] for name in BODY21.joints}

    def steep(low: str, high: str, cosine: float) -> NDArray[np.bool_]:
        bone = joint[high] - joint[low]
        return np.asarray(bone[:, 2] > cosine * np.linalg.norm(bone, axis=1))

    legs = [steep(f"{side}_ankle", f"{side}_hip", 0.9) for side in ("left", "right")]
    return np.flatnonzero(steep("pelvis", "thorax", 0.906) & legs[0] & legs[1] & np.isfinite(body).all(axis=(1, 2)))


def turned_to(xyz_m: Array, camera: SynthCamera, yaw_deg: float) -> Array:
    """A body (21, 3) in the world turned about the vertical until the camera sees it at this yaw."""
    out = xyz_m
    for _ in range(4):
        gap = float(true_yaw_deg(camera.to_camera(out)[None])[0]) - yaw_deg
        angle = np.radians(gap)
        c, s = np.cos(angle), np.sin(angle)
        # A camera that looks down sees a slightly other angle than the one about the vertical, hence the rounds.
        out = out @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]).T
    return out


def evaluate_yaw(
    data: Path, *, people: int = 16, lifter: Lifter | None = None, focal_known: bool = False, seed: int = 0
) -> dict[str, Any]:
    """Upright people of a motion-capture file at 16 angles each, rendered, found by BlazePose and lifted one by one.

    Cameras are level, 2.5 to 5 m away and 0.8 to 1.7 m high.

    Args:
        data: npz in the form of ../shared/data/mocap, or a folder with val.npz.
        people: bodies, each with its own pose, clothes, camera and room.
        lifter: ours; the shipped one if None.
        focal_known: give the lifter the true focal length instead of letting it assume one.
        seed: of all that.

    Returns:
        ``{"metrics", "rows", "versions"}``, a row for each of the eight views; `within_22` is the share of pictures
        with a yaw within 22.5 degrees of the true one, a missed person counts as outside.

    Raises:
        InputError: nobody stands upright in the file.
    """
    lifter = lifter or Lifter()
    motion = load_mocap(data / "val.npz" if data.is_dir() else data)
    upright = upright_frames(motion)
    if not len(upright):
        raise InputError("nobody stands upright", where=str(data))
    rng = np.random.default_rng(seed)
    stream = open_detector("blazepose", threads=1).start()
    found: list[tuple[float, float, float]] = []
    for frame in rng.choice(upright, people):
        found += _turntable(motion, int(frame), rng, lifter, stream.step, focal_known)
    stream.close()
    truth, yaw, sigma = np.array(found).T
    gap = np.abs((yaw - truth + 180.0) % 360.0 - 180.0)
    view = np.array([view_label(value) for value in truth])
    rows = [{"view": name} | _figures(gap[view == name], sigma[view == name]) for name in LABELS]
    return {
        "metrics": {"pictures": len(gap)} | _figures(gap, sigma),
        "rows": rows,
        "versions": {name: version(name) for name in ("posepipe", "mediapipe", "numpy")},
    }


def _turntable(
    motion: MocapSet, frame: int, rng: np.random.Generator, lifter: Lifter, step: Any, focal_known: bool
) -> list[tuple[float, float, float]]:
    """True yaw, measured yaw and its sigma of one person at 16 angles."""
    body = from_mocap(motion.positions[[frame]], motion.extra[[frame]])[0]
    body[:, :2] -= body[0, :2]
    body[:, 2] -= body[:, 2].min() - 0.02
    shape = BodyShape.random(rng, float(np.clip(1.75 * scale_of(body), 1.3, 2.1)))
    camera = SynthCamera.random(
        rng,
        body[0],
        width_px=_WIDTH_PX,
        height_px=_HEIGHT_PX,
        distance_m=(2.5, 5.0),
        camera_height_m=(0.8, 1.7),
        fov_deg=(50.0, 70.0),
        max_roll_deg=0.0,
    )
    room = Room.random(rng, (0.0, 0.0)).picture(camera)
    light = Light.random(rng)
    out = []
    for turn in range(16):
        wanted = (turn * _STEP_DEG + 180.0) % 360.0 - 180.0
        xyz = turned_to(body, camera, wanted)
        image = render_frame([Person(xyz, shape)], camera, scene=room, light=light, supersample=1)
        people = step(Frame(turn, turn / 30.0, image))
        if not people:
            out.append((wanted, np.nan, np.nan))
            continue
        lens = camera.intrinsics if focal_known else assumed_camera(_WIDTH_PX, _HEIGHT_PX)
        yaw, sigma = facing(lifter.lift(_one_frame(people[0]), lens).pose)
        out.append((wanted, float(yaw[0]), float(sigma[0])))
    return out


def _one_frame(keypoints: Keypoints) -> KeypointTrack:
    return KeypointTrack(
        person=1,
        layout=BLAZEPOSE33,
        frame=np.zeros(1, dtype=np.int32),
        time_s=np.zeros(1),
        xy_px=keypoints.xy_px[None],
        sigma_px=keypoints.sigma_px[None],
        score=keypoints.score[None],
        valid=~np.isnan(keypoints.xy_px[None]).any(axis=-1),
        interpolated=np.zeros((1, len(BLAZEPOSE33)), dtype=bool),
    )


def _figures(gap: Array, sigma: Array) -> dict[str, float]:
    seen = ~np.isnan(gap)
    return {
        "found": float(seen.mean()),
        "within_22": float((gap[seen] <= 22.5).sum() / len(gap)),
        "within_45": float((gap[seen] <= 45.0).sum() / len(gap)),
        "turned_round": float((gap[seen] > 90.0).sum() / len(gap)),
        "median_deg": float(np.median(gap[seen])),
        "within_2_sigma": float((gap[seen] <= 2.0 * sigma[seen]).mean()),
    }
