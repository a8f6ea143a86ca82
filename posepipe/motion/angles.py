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

Sigma starts first-order: ``variance = sum over joints of |d angle / d joint|^2 sigma_m^2``, errors of joints taken as
independent. For three points it is the closed form ``(s_a / L1)^2 + (s_c / L2)^2 + s_b^2 (1 / L1^2 + 1 / L2^2 -
2 cos / (L1 L2))`` with the interior angle's cosine. A lifter's joints don't err independently, so that is
multiplied by a factor for each kind of angle (`LIFTED`), measured on people that the lifter wasn't trained on. Where it
passes `MAX_SIGMA_DEG` the angle is withheld (NaN), as it is where a joint is missing; near overhead, where their
direction is lost, shoulder flexion and abduction go together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from posepipe.motion._axes import UP, Base, Between, Plan, Swing, Tilt, Turn, Way
from posepipe.types import Angles, PoseTrack

__all__ = ["ANGLES", "LIFTED", "MAX_SIGMA_DEG", "AngleSpec", "joint_angles"]

MAX_SIGMA_DEG = 45.0
"""A more uncertain angle is withheld."""

LIFTED: Mapping[str, float] = {
    "hip_flexion": 1.077,
    "hip_abduction": 0.771,
    "knee_flexion": 0.588,
    "ankle_dorsiflexion": 0.307,
    "shoulder_flexion": 0.488,
    "shoulder_abduction": 0.516,
    "shoulder_elevation": 0.499,
    "elbow_flexion": 0.472,
    "trunk_flexion": 1.035,
    "trunk_lateral": 0.762,
    "trunk_rotation": 0.494,
    "neck_flexion": 0.367,
}
"""What the propagated sigma of each kind of angle is multiplied by; `posepipe.training.angle_sigma` prints it."""

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

_COLUMN = {spec.name: column for column, spec in enumerate(ANGLES)}
_FACTOR = np.array([LIFTED[spec.name.removeprefix("left_").removeprefix("right_")] for spec in ANGLES], np.float32)


def joint_angles(pose: PoseTrack, up: Sequence[float] = (0.0, -1.0, 0.0), *, independent: bool = False) -> Angles:
    """All angles of `ANGLES` for every frame.

    Args:
        pose: Body21 or Human3.6M 17; without heels and toes the ankles are NaN.
        up: upward direction in the camera frame, for the trunk's lean.
        independent: joints err independently, as triangulated markers do; sigma is the first-order formula alone.

    Returns:
        Angles (F, A) and sigmas in degrees; NaN where a joint is missing, the geometry is degenerate, or sigma is
        above `MAX_SIGMA_DEG`.
    """
    deg = np.full((len(pose), len(ANGLES)), np.nan, dtype=np.float32)
    sigma_deg = np.full_like(deg, np.nan)
    vertical = np.asarray(up, dtype=np.float64)
    vertical = vertical / np.linalg.norm(vertical)
    plan = _plan(pose.layout.joints)
    columns = [_COLUMN[name] for name in plan.names]
    for start in range(0, len(pose), _CHUNK):
        part = slice(start, start + _CHUNK)
        xyz = np.where(pose.valid[part, :, None], pose.xyz_m[part], np.nan).astype(np.float64)
        angle, spread = plan.measure(xyz, pose.sigma_m[part].astype(np.float64), vertical)
        good = np.isfinite(angle) & np.isfinite(spread)
        deg[part, columns] = np.where(good, np.degrees(angle), np.nan)
        sigma_deg[part, columns] = np.where(good, np.degrees(spread), np.nan)
    if not independent:
        sigma_deg *= _FACTOR
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


def _angles() -> dict[str, Between | Turn | Tilt | Swing]:
    hips: Way = ("left_hip", "right_hip")
    shoulders: Way = ("left_shoulder", "right_shoulder")
    spine: Way = ("thorax", "pelvis")
    # Axes of every frame: left, up, forward. The first direction is kept.
    pelvis: Base = (hips, spine)
    trunk: Base = (spine, shoulders[::-1])  # up, right, forward
    level: Base = (UP, hips[::-1])  # up, right, forward
    girdle: Base = (spine, hips[::-1])  # up, right, forward
    found: dict[str, Between | Turn | Tilt | Swing] = {}
    for side, outward in (("left", 1.0), ("right", -1.0)):
        joints = ("hip", "knee", "ankle", "heel", "foot_index", "shoulder", "elbow", "wrist")
        hip, knee, ankle, heel, toe, shoulder, elbow, wrist = (f"{side}_{joint}" for joint in joints)
        thigh, shank, arm = (knee, hip), (ankle, knee), (elbow, shoulder)
        ahead, out = (0.0, 0.0, 1.0), (0.0, -outward, 0.0)
        found |= {
            f"{side}_hip_flexion": Turn(thigh, pelvis, toward=ahead, rest=(0.0, -1.0, 0.0)),
            f"{side}_hip_abduction": Tilt(thigh, pelvis, toward=(outward, 0.0, 0.0)),
            f"{side}_knee_flexion": Between(thigh, shank),
            f"{side}_ankle_dorsiflexion": Between(shank, (toe, heel), less=np.pi / 2.0),
            f"{side}_shoulder_flexion": Swing(arm, trunk, toward=ahead, across=out),
            f"{side}_shoulder_abduction": Swing(arm, trunk, toward=ahead, across=out, sideways=True),
            f"{side}_shoulder_elevation": Between(arm, spine[::-1]),
            f"{side}_elbow_flexion": Between(arm, (wrist, elbow)),
        }
    top, back = (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)
    return found | {
        "trunk_flexion": Turn(spine, level, toward=(0.0, 0.0, 1.0), rest=top, low=-np.pi),
        "trunk_lateral": Tilt(spine, level, toward=(0.0, -1.0, 0.0)),
        "trunk_rotation": Turn(shoulders, girdle, toward=back, rest=(0.0, -1.0, 0.0), low=-np.pi),
        "neck_flexion": Turn(("head", "thorax"), trunk, toward=(0.0, 0.0, 1.0), rest=top, low=-np.pi),
    }


@cache
def _plan(joints: tuple[str, ...]) -> Plan:
    return Plan(_angles(), joints)
