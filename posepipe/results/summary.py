"""``summary.json``: everything about a recording but its tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from posepipe import __version__
from posepipe.motion.facing import View
from posepipe.results.recording import SCHEMA, Person, Recording, VideoFacts
from posepipe.types import Angles, BoolArray, Camera, FloatArray, KeypointTrack, PoseTrack

__all__ = ["Quality", "person_from", "plain", "quality", "recording_from", "summary_dict", "summary_json"]

_LIMB_JOINTS = tuple(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)
_DIGITS = 6
_SIGMA_DIGITS = 3


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
        "warnings": list(recording.warnings),
        "people": [_person_dict(person) for person in recording.people],
    }
    return {key: plain(value) for key, value in summary.items()}


def summary_json(recording: Recording) -> str:
    """The summary as strict JSON text."""
    return json.dumps(summary_dict(recording), allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def plain(value: Any) -> Any:
    """A value as JSON can hold it: NaN and infinity become None, floats keep six digits.

    In a mapping with ``value`` and ``sigma``, sigma keeps three digits and the value no decimals beyond sigma's.

    Raises:
        TypeError: a value that has no plain form.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return _digits(value, _DIGITS) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return _measured(value) or {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise TypeError(f"no plain form of {type(value).__name__}: {value!r}")


def person_from(
    section: Mapping[str, Any],
    keypoints: KeypointTrack,
    pose: PoseTrack,
    angles: Angles,
    yaw_deg: FloatArray,
    yaw_sigma_deg: FloatArray,
) -> Person:
    """A person of ``summary.json`` and their tables as a `Person`."""
    view = section["view"]
    return Person(
        id=section["id"],
        keypoints=keypoints,
        pose=pose,
        angles=angles,
        yaw_deg=yaw_deg,
        yaw_sigma_deg=yaw_sigma_deg,
        view=View(float("nan") if view["yaw_deg"] is None else view["yaw_deg"], view["label"], view["share"]),
        exercise=section["exercise"],
        gait=section["gait"],
        scale_source=section["scale"]["source"],
        height_m=section["scale"]["height_m"],
        swaps=tuple(section["swaps"]),
        withheld=section["withheld"],
    )


def recording_from(summary: Mapping[str, Any], people: tuple[Person, ...]) -> Recording:
    """A ``summary.json`` and its people as a `Recording`."""
    camera = dict(summary["camera"])
    if camera["center_px"] is not None:
        camera["center_px"] = tuple(camera["center_px"])
    return Recording(
        video=VideoFacts(**summary["video"]),
        camera=Camera(**camera),
        people=people,
        config=summary["config"],
        versions=summary["versions"],
        models=summary["models"],
        warnings=tuple(summary["warnings"]),
        created=summary["created"],
    )


def _person_dict(person: Person) -> dict[str, Any]:
    track = person.keypoints
    some = len(track) > 0
    return {
        "id": person.id,
        "frames": len(track),
        "view": asdict(person.view),
        "exercise": person.exercise,
        "gait": person.gait,
        "first_frame": track.frame[0] if some else None,
        "last_frame": track.frame[-1] if some else None,
        "start_s": track.time_s[0] if some else None,
        "end_s": track.time_s[-1] if some else None,
        "layout": {"keypoints": track.layout.name, "pose": person.pose.layout.name},
        "scale": {"source": person.scale_source, "height_m": person.height_m},
        "quality": asdict(quality(person)),
        "swaps": list(person.swaps),
        "withheld": person.withheld,
    }


def _measured(value: Mapping[Any, Any]) -> dict[str, Any] | None:
    """A mapping with value and sigma, rounded to what sigma allows; None if it isn't one."""
    if not (_is_real(value.get("value")) and _is_real(value.get("sigma")) and value["sigma"] > 0):
        return None
    number, sigma = float(value["value"]), float(value["sigma"])
    decimals = _SIGMA_DIGITS - 1 - math.floor(math.log10(sigma))
    rounded = {"value": round(number, decimals), "sigma": round(sigma, decimals)}
    return {str(key): rounded[key] if key in rounded else plain(item) for key, item in value.items()}


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and math.isfinite(value)


def _digits(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _mean(mask: BoolArray) -> float:
    return float(mask.mean()) if mask.size else 0.0


def _median(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")
