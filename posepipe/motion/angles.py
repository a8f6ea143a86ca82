"""Joint angles from a 3D pose, each with a sigma.

One sign table, for every program that prints an angle. Standing straight with hanging arms, looking ahead, everything
is near 0. Left and right mean the person's own. All angles are in degrees.

============================  ==============================================================  =======================
angle                         what it is                                                      positive
============================  ==============================================================  =======================
left_hip_flexion (right_)     thigh against the trunk's axis, in the pelvis' sagittal plane    thigh forward
left_hip_abduction            thigh out of the pelvis' sagittal plane                          thigh outward
left_knee_flexion             180 - angle hip-knee-ankle; never negative                       bent
left_ankle_dorsiflexion       90 - angle between shank and foot (heel to toe)                  toes up
left_shoulder_flexion         upper arm's elevation, its share forward                         arm forward
left_shoulder_abduction       upper arm's elevation, its share sideways                        arm outward
left_shoulder_elevation       angle between upper arm and the trunk's downward axis            arm raised
left_elbow_flexion            180 - angle shoulder-elbow-wrist; never negative                 bent
trunk_flexion                 trunk (pelvis to thorax) against `up`, forward                   leaning forward
trunk_lateral                 the same, sideways                                               leaning to the left
trunk_rotation                shoulder line against hip line, about the trunk's axis           turned to the left
neck_flexion                  thorax to head against the trunk's axis, sagittal                head forward
============================  ==============================================================  =======================

Frames. Pelvis: sideways axis through both hips, forward axis square to it and to the trunk. Trunk: long axis from
pelvis to thorax, forward axis square to it and to the shoulder line. Both turn with the body, so no angle depends on
where the person faces, and a mirrored person has left and right exchanged (trunk_lateral and trunk_rotation change
sign). There is no pelvis tilt of its own in the skeleton: hip flexion holds the bend of the lower back too.

Ranges. Hip flexion is in [-90, 270), so a deep squat doesn't wrap; abduction and elevation are bounded. An arm raised
forward past overhead reads more than 180. Exactly overhead, forward and sideways can't be told apart: there flexion and
abduction have a big sigma and `elevation` is the one to use.

`up` is the camera's up unless given. Gravity isn't known from one picture: a camera that looks down by 10 degrees moves
trunk_flexion by up to 10 degrees, and sigma doesn't know. No other angle uses `up`.

Sigma is first-order: ``variance = sum over joints of |d angle / d joint|^2 sigma_m^2``, errors of joints taken as
independent. For three points it is the closed form ``(s_a / L1)^2 + (s_c / L2)^2 + s_b^2 (1 / L1^2 + 1 / L2^2 -
2 cos / (L1 L2))`` with the interior angle's cosine. Where sigma passes `MAX_SIGMA_DEG` the linear picture fails and
the angle is withheld (NaN), as it is where a joint is missing; near overhead, where their direction is lost, shoulder
flexion and abduction go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.motion import _axes
from posepipe.motion._axes import Gradients, Point
from posepipe.types import Angles, PoseTrack

__all__ = ["ANGLES", "MAX_SIGMA_DEG", "AngleSpec", "joint_angles"]

MAX_SIGMA_DEG = 45.0
"""A more uncertain angle is withheld."""

_CHUNK = 2048  # Frames at a time, to bound memory.

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AngleSpec:
    """One row of the sign table.

    Attributes:
        name: name in `Angles.names` and, with ``_deg``, in tables.
        label: words for a report.
        positive: what a positive value means.
        neutral: what 0 means.
        unit: always "deg".
    """

    name: str
    label: str
    positive: str
    neutral: str
    unit: str = "deg"


def _side_specs(side: str) -> tuple[AngleSpec, ...]:
    S = side.capitalize()
    return (
        AngleSpec(f"{side}_hip_flexion", f"{S} hip flexion", "thigh forward", "thigh in line with the trunk"),
        AngleSpec(f"{side}_hip_abduction", f"{S} hip abduction", "thigh outward", "thigh square to the hip line"),
        AngleSpec(f"{side}_knee_flexion", f"{S} knee flexion", "bent", "straight"),
        AngleSpec(f"{side}_ankle_dorsiflexion", f"{S} ankle dorsiflexion", "toes up", "foot square to the shank"),
        AngleSpec(f"{side}_shoulder_flexion", f"{S} shoulder flexion", "arm forward", "arm along the trunk"),
        AngleSpec(f"{side}_shoulder_abduction", f"{S} shoulder abduction", "arm outward", "arm along the trunk"),
        AngleSpec(f"{side}_shoulder_elevation", f"{S} shoulder elevation", "arm raised", "arm along the trunk"),
        AngleSpec(f"{side}_elbow_flexion", f"{S} elbow flexion", "bent", "straight"),
    )


ANGLES: tuple[AngleSpec, ...] = (
    *_side_specs("left"),
    *_side_specs("right"),
    AngleSpec("trunk_flexion", "Trunk flexion", "leaning forward", "trunk along up"),
    AngleSpec("trunk_lateral", "Trunk lateral lean", "leaning to the person's left", "trunk along up"),
    AngleSpec("trunk_rotation", "Trunk rotation", "shoulders turned to the person's left", "shoulders over hips"),
    AngleSpec("neck_flexion", "Neck flexion", "head forward", "head in line with the trunk"),
)
"""The sign table as data, in the order of `joint_angles`' columns."""


def joint_angles(pose: PoseTrack, up: Sequence[float] = (0.0, -1.0, 0.0)) -> Angles:
    """All angles of `ANGLES` for every frame.

    Args:
        pose: Body21 or Human3.6M 17; without heels and toes the ankles are NaN.
        up: upward direction in the camera frame, for the trunk's lean.

    Returns:
        Angles (F, A) and sigmas in degrees; NaN where a joint is missing, the geometry is degenerate, or sigma is
        above `MAX_SIGMA_DEG`.
    """
    deg = np.full((len(pose), len(ANGLES)), np.nan, dtype=np.float32)
    sigma_deg = np.full_like(deg, np.nan)
    vertical = np.asarray(up, dtype=np.float64)
    vertical = vertical / np.linalg.norm(vertical)
    for start in range(0, len(pose), _CHUNK):
        part = slice(start, start + _CHUNK)
        xyz = np.where(pose.valid[part, :, None], pose.xyz_m[part], np.nan).astype(np.float64)
        columns = _columns(_Body(pose, xyz), vertical)
        for column, spec in enumerate(ANGLES):
            if spec.name not in columns:
                continue
            angle, gradients = columns[spec.name]
            spread = np.degrees(_axes.spread(gradients, pose.sigma_m[part].astype(np.float64)))
            good = np.isfinite(angle) & np.isfinite(spread)
            deg[part, column] = np.where(good, np.degrees(angle), np.nan)
            sigma_deg[part, column] = np.where(good, spread, np.nan)
    _withhold(deg, sigma_deg)
    return Angles(tuple(spec.name for spec in ANGLES), deg, sigma_deg)


def _withhold(deg: Float32, sigma_deg: Float32) -> None:
    """Blank, in place, what is too uncertain."""
    bad = sigma_deg > MAX_SIGMA_DEG
    for column, spec in enumerate(ANGLES):
        if spec.name.endswith("shoulder_flexion"):
            # One direction split in two: near overhead it vanishes, and the first-order sigma of one part can't tell.
            other = column + 1
            lost = np.hypot(sigma_deg[:, column], sigma_deg[:, other]) > 2.0 * MAX_SIGMA_DEG
            bad[:, column] |= lost
            bad[:, other] |= lost
    deg[bad] = np.nan
    sigma_deg[bad] = np.nan


class _Body:
    """Joints of one chunk by name, as points that know which coordinate they depend on."""

    def __init__(self, pose: PoseTrack, xyz: Float64) -> None:
        self._layout = pose.layout
        self._xyz = xyz

    def __contains__(self, joint: str) -> bool:
        return joint in self._layout.joints

    def __getitem__(self, joint: str) -> Point:
        index = self._layout.index(joint)
        return Point(self._xyz[:, index], {index: 1.0})


def _columns(body: _Body, up: Float64) -> dict[str, tuple[Float64, Gradients]]:
    hips = body["left_hip"] - body["right_hip"]
    shoulders = body["left_shoulder"] - body["right_shoulder"]
    spine = body["thorax"] - body["pelvis"]
    vertical = Point(np.broadcast_to(up, spine.xyz.shape), {})
    # Axes of every frame: left, up, forward. The first argument keeps its direction.
    pelvis = _axes.frame(hips, spine)
    trunk = _axes.frame(spine, -shoulders)  # up, right, forward
    level = _axes.frame(vertical, -hips)  # up, right, forward
    girdle = _axes.frame(spine, -hips)  # up, right, forward
    columns: dict[str, tuple[Float64, Gradients]] = {}
    for side, outward in (("left", 1.0), ("right", -1.0)):
        hip, knee, ankle = body[f"{side}_hip"], body[f"{side}_knee"], body[f"{side}_ankle"]
        shoulder, elbow, wrist = body[f"{side}_shoulder"], body[f"{side}_elbow"], body[f"{side}_wrist"]
        thigh, arm = knee - hip, elbow - shoulder
        columns[f"{side}_hip_flexion"] = _axes.turn(thigh, pelvis, toward=(0, 0, 1), rest=(0, -1, 0))
        columns[f"{side}_hip_abduction"] = _axes.tilt(thigh, pelvis, toward=(outward, 0, 0))
        columns[f"{side}_knee_flexion"] = _axes.between(thigh, ankle - knee)
        columns[f"{side}_shoulder_flexion"] = _axes.swing(arm, trunk, toward=(0, 0, 1), across=(0, -outward, 0))
        columns[f"{side}_shoulder_abduction"] = _axes.swing(
            arm, trunk, toward=(0, 0, 1), across=(0, -outward, 0), sideways=True
        )
        columns[f"{side}_shoulder_elevation"] = _axes.between(arm, -spine)
        columns[f"{side}_elbow_flexion"] = _axes.between(arm, wrist - elbow)
        if f"{side}_heel" in body and f"{side}_foot_index" in body:
            foot = body[f"{side}_foot_index"] - body[f"{side}_heel"]
            angle, gradients = _axes.between(ankle - knee, foot)
            columns[f"{side}_ankle_dorsiflexion"] = (angle - np.pi / 2.0, gradients)
    columns["trunk_flexion"] = _axes.turn(spine, level, toward=(0, 0, 1), rest=(1, 0, 0), low=-np.pi)
    columns["trunk_lateral"] = _axes.tilt(spine, level, toward=(0, -1, 0))
    columns["trunk_rotation"] = _axes.turn(shoulders, girdle, toward=(0, 0, -1), rest=(0, -1, 0), low=-np.pi)
    columns["neck_flexion"] = _axes.turn(
        body["head"] - body["thorax"], trunk, toward=(0, 0, 1), rest=(1, 0, 0), low=-np.pi
    )
    return columns
