"""What an analysis hands over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

import numpy as np
from numpy.typing import NDArray

from posepipe.body.camera_motion import CameraMotion
from posepipe.body.motion import Motion, View
from posepipe.body.outcomes import Outcomes
from posepipe.body.world import World
from posepipe.errors import UsageError
from posepipe.exercise.types import ExerciseResult
from posepipe.gait.types import GaitResult
from posepipe.types import Angles, Camera, FloatArray, KeypointTrack, PoseTrack, Swap

__all__ = ["KeyFrame", "Person", "Recording", "VideoFacts", "View"]

SCHEMA = 1
"""Number of the results folder's format; see docs/results-format.md."""


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What is known of the video itself.

    Attributes:
        path: as the user gave it.
        width_px, height_px: upright picture.
        fps_hz: mean frame rate.
        frames: number of frames read.
        duration_s: time from the first frame to the end of the last.
        rotation_deg: rotation that was applied to make the picture upright.
        codec: name of the codec; empty if unknown.
        sha256: of the file; None for a stream.
        truncated: the file ended before its end.
        time_estimated: frame times come from the frame rate, for want of better.
        capture_fps_hz: rate at which the pictures were taken, where it was given, or where a tag tells slow motion.
        slowed: how many times slower the film plays than what it shows. All times and rates are of what it shows.
    """

    path: str
    width_px: int
    height_px: int
    fps_hz: float
    frames: int
    duration_s: float
    rotation_deg: float = 0.0
    codec: str = ""
    sha256: str | None = None
    truncated: bool = False
    time_estimated: bool = False
    capture_fps_hz: float | None = None
    slowed: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class KeyFrame:
    """A picture worth showing.

    Attributes:
        frame: frame number.
        time_s: its time.
        caption: what it shows.
        image: (height, width, 3) BGR uint8, drawn upon, already small.
    """

    frame: int
    time_s: float
    caption: str
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One person's record over the F frames of their track.

    Attributes:
        id: stable over the clip.
        keypoints: 2D, in the detector's layout, after repair.
        pose: 3D, same frames.
        angles: same frames.
        yaw_deg, yaw_sigma_deg: (F,) heading.
        view: where the camera stood.
        exercise, gait: what was found, or why nothing was.
        scale_source: "given" or "assumed": where metres come from.
        height_m: body height that set the scale; None if unknown.
        swaps: left/right swaps that were repaired, or too uncertain to be.
        key_frames: few pictures for the report.
        world: gravity, floor and path; None in a folder of a posepipe that didn't know them.
        outcomes: what comes of the world and isn't in the gait; None where `world` is.
    """

    id: int
    keypoints: KeypointTrack
    pose: PoseTrack
    angles: Angles
    yaw_deg: FloatArray
    yaw_sigma_deg: FloatArray
    view: View
    exercise: ExerciseResult
    gait: GaitResult
    scale_source: str = "assumed"
    height_m: float | None = None
    swaps: tuple[Swap, ...] = ()
    key_frames: tuple[KeyFrame, ...] = ()
    world: World | None = None
    outcomes: Outcomes | None = None

    def __post_init__(self) -> None:
        frames = len(self.keypoints)
        lengths = {
            "pose": len(self.pose),
            "angles": len(self.angles.deg),
            "yaw_deg": len(self.yaw_deg),
            "yaw_sigma_deg": len(self.yaw_sigma_deg),
            "world": frames if self.world is None else len(self.world),
        }
        for name, length in lengths.items():
            if length != frames:
                raise UsageError(f"Person.{name}: expected {frames} frames, as in keypoints, got {length}")


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One analysed video.

    Attributes:
        video: facts of the video.
        camera: the camera assumed.
        people: everyone who was followed, the main subject first.
        config: resolved settings; plain values.
        versions: program name -> version.
        models: model name -> sha256.
        warnings: plain sentences for the user.
        created: ISO 8601 time with zone; now, unless given.
        camera_motion: what the camera did; None in a folder of a posepipe that didn't know it.
    """

    video: VideoFacts
    camera: Camera
    people: tuple[Person, ...]
    config: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    created: str = field(default_factory=_now)
    camera_motion: CameraMotion | None = None

    def motion_of(self, person: Person) -> Motion:
        """One person's movement, as the expert modules take it."""
        size_px = self.video.width_px, self.video.height_px
        return Motion.from_pose(person.pose, person.angles, person.keypoints, size_px)
