"""``summary.json``: everything about a recording but its tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from posepipe._version import __version__
from posepipe.body.camera_motion import CameraMotion
from posepipe.body.motion import View
from posepipe.body.outcomes import Outcomes
from posepipe.body.world import PARTS, World
from posepipe.gait.types import GaitResult
from posepipe.reasons import Reason, withheld
from posepipe.record.codec import decode, encode, exercise_from, exercise_json, gait_json, plain
from posepipe.record.recording import SCHEMA, Person, Recording, VideoFacts
from posepipe.types import Angles, BoolArray, Camera, FloatArray, KeypointTrack, PoseTrack, Swap

__all__ = ["Quality", "person_from", "quality", "recording_from", "summary_dict", "summary_json"]

_LIMB_JOINTS = tuple(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a person was seen, over frames and the twelve limb joints.

    Attributes:
        seen_share, filled_share, missing_share: parts in [0, 1]; they add up to 1.
        median_sigma_px, median_sigma_m: of what was seen or filled; NaN if nothing was.
        swaps_repaired: left/right swaps that were turned back.
    """

    seen_share: float
    filled_share: float
    missing_share: float
    median_sigma_px: float
    median_sigma_m: float
    swaps_repaired: int


def quality(person: Person) -> Quality:
    """How well a person was seen."""
    keypoints, pose = person.keypoints, person.pose
    joints = [keypoints.layout.joints.index(name) for name in _LIMB_JOINTS]
    lifted = [pose.layout.joints.index(name) for name in _LIMB_JOINTS]
    valid, filled = keypoints.valid[:, joints], keypoints.interpolated[:, joints]
    missing_share = 1.0 - _mean(valid)
    filled_share = _mean(filled & valid)
    return Quality(
        seen_share=1.0 - missing_share - filled_share,
        filled_share=filled_share,
        missing_share=missing_share,
        median_sigma_px=_median(keypoints.sigma_px[:, joints][valid]),
        median_sigma_m=_median(pose.sigma_m[:, lifted][pose.valid[:, lifted]]),
        swaps_repaired=len(person.swaps),
    )


def summary_dict(recording: Recording) -> dict[str, Any]:
    """The summary as plain values: strings, numbers, None, lists, dicts with string keys."""
    summary = {
        "schema": SCHEMA,
        "posepipe": __version__,
        "created": recording.created,
        "versions": recording.versions,
        "models": recording.models,
        "config": recording.config,
        "video": asdict(recording.video),
        "camera": asdict(recording.camera),
        **({} if recording.camera_motion is None else {"camera_motion": asdict(recording.camera_motion)}),
        "warnings": list(recording.warnings),
        "people": [_person_dict(person) for person in recording.people],
    }
    return {key: plain(value) for key, value in summary.items()}


def summary_json(recording: Recording) -> str:
    """The summary as strict JSON text."""
    return json.dumps(summary_dict(recording), allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def person_from(
    section: Mapping[str, Any],
    keypoints: KeypointTrack,
    pose: PoseTrack,
    angles: Angles,
    yaw_deg: FloatArray,
    yaw_sigma_deg: FloatArray,
    gait: GaitResult,
    tables: tuple[FloatArray, FloatArray, BoolArray] | None = None,
) -> Person:
    """A person of ``summary.json``, their tables and their gait as a `Person`; `tables` are those of `read_world`.

    Raises:
        KeyError, TypeError, ValueError: it isn't such a section.
    """
    height_m = section["scale"]["height_m"]
    return Person(
        id=decode(int, section["id"]),
        keypoints=keypoints,
        pose=pose,
        angles=angles,
        yaw_deg=yaw_deg,
        yaw_sigma_deg=yaw_sigma_deg,
        view=decode(View, section["view"]),
        exercise=exercise_from(section["exercise"]),
        gait=gait,
        scale_source=decode(str, section["scale"]["source"]),
        height_m=None if height_m is None else decode(float, height_m),
        swaps=decode(tuple[Swap, ...], section["swaps"]),
        world=None if tables is None or "world" not in section else _world_from(section["world"], tables),
        outcomes=decode(Outcomes, section["outcomes"]) if "outcomes" in section else None,
    )


def recording_from(summary: Mapping[str, Any], people: tuple[Person, ...]) -> Recording:
    """A ``summary.json`` and its people as a `Recording`. Raises as `person_from`."""
    video = decode(VideoFacts, summary["video"])
    if not video.slowed > 0.0:
        raise ValueError(f"slowed {video.slowed:g} times")
    return Recording(
        video=video,
        camera=decode(Camera, summary["camera"]),
        people=people,
        config=dict(summary["config"]),
        versions={name: str(value) for name, value in summary["versions"].items()},
        models={name: str(value) for name, value in summary["models"].items()},
        warnings=tuple(map(str, summary["warnings"])),
        created=decode(str, summary["created"]),
        camera_motion=_motion_from(summary["camera_motion"]) if "camera_motion" in summary else None,
    )


def _motion_from(section: Mapping[str, Any]) -> CameraMotion:
    turn = np.array(section["turn_rad"], np.float64).reshape(-1, 3)
    time_s = np.array(section["time_s"], np.float64)
    # Folders of before know no lines.
    lines = np.array(section.get("lines", []), np.float64).reshape(-1, 3)
    return CameraMotion(decode(str, section["kind"]), time_s, turn, decode(float, section["swing_deg"]), lines)


def _person_dict(person: Person) -> dict[str, Any]:
    track = person.keypoints
    some = len(track) > 0
    return {
        "id": person.id,
        "frames": len(track),
        "view": asdict(person.view),
        "exercise": exercise_json(person.exercise),
        "gait": gait_json(person.gait),
        "first_frame": track.frame[0] if some else None,
        "last_frame": track.frame[-1] if some else None,
        "start_s": track.time_s[0] if some else None,
        "end_s": track.time_s[-1] if some else None,
        "layout": {"keypoints": track.layout.name, "pose": person.pose.layout.name},
        "scale": {"source": person.scale_source, "height_m": person.height_m},
        "quality": asdict(quality(person)),
        "swaps": [asdict(swap) for swap in person.swaps],
        **({} if person.world is None else {"world": _world_json(person.world)}),
        **({} if person.outcomes is None else {"outcomes": encode(person.outcomes)}),
        "withheld": {},  # Schema 1 has it; nothing was ever in it.
    }


def _world_json(world: World) -> dict[str, Any]:
    """The ``world`` object: gravity in the camera frame and the camera's height, or why they aren't known."""
    gravity = {"up": world.up, "up_sigma_deg": world.up_sigma_deg}
    camera = {"camera_height_m": {"value": world.camera_m, "sigma": world.camera_sigma_m}}
    path: dict[str, Any] = {"known_share": float(np.isfinite(world.root_m[:, 0]).mean()) if len(world) else 0.0}
    if world.lens_sigma > 0.0:
        path["log_focal_ratio"] = {"value": world.lens, "sigma": world.lens_sigma}
    known = (gravity, camera, {"path": path})
    parts: dict[str, Any] = {
        part: dict(withheld(world.withheld[part])) if part in world.withheld else what
        for part, what in zip(PARTS, known, strict=True)
    }
    return parts


def _world_from(section: Mapping[str, Any], tables: tuple[FloatArray, FloatArray, BoolArray]) -> World:
    why = {part: Reason(section[part]["withheld"]) for part in PARTS if "withheld" in section[part]}
    gravity = section["gravity"] if "gravity" not in why else {"up": [None] * 3, "up_sigma_deg": [None] * 2}
    camera = section["floor"]["camera_height_m"] if "floor" not in why else {"value": None, "sigma": None}
    xyz, sigma, contact = tables
    # A known lens has none, and so have folders of before.
    lens = section["path"].get("path", {}).get("log_focal_ratio", {"value": 0.0, "sigma": 0.0})
    return World(
        up=np.array([decode(float, value) for value in gravity["up"]], np.float32),
        up_sigma_deg=np.array([decode(float, value) for value in gravity["up_sigma_deg"]], np.float32),
        camera_m=decode(float, camera["value"]),
        camera_sigma_m=decode(float, camera["sigma"]),
        xyz_m=xyz,
        root_sigma_m=sigma,
        contact=contact,
        withheld=why,
        lens=decode(float, lens["value"]),
        lens_sigma=decode(float, lens["sigma"]),
    )


def _mean(mask: BoolArray) -> float:
    return float(mask.mean()) if mask.size else 0.0


def _median(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")
