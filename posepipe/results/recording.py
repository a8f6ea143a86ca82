"""What an analysis hands over, and its way to and from a results folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.motion.facing import View
from posepipe.types import Angles, Camera, FloatArray, KeypointTrack, PoseTrack

if TYPE_CHECKING:
    from pandas import DataFrame

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
        exercise, gait: sections of ``summary.json``, or ``{"withheld": reason}``.
        scale_source: "given" or "assumed": where metres come from.
        height_m: body height that set the scale; None if unknown.
        swaps: left/right swaps that were repaired, each a mapping of plain values.
        withheld: angle name -> reason, for angles left out on purpose.
        key_frames: few pictures for the report.
    """

    id: int
    keypoints: KeypointTrack
    pose: PoseTrack
    angles: Angles
    yaw_deg: FloatArray
    yaw_sigma_deg: FloatArray
    view: View
    exercise: Mapping[str, object]
    gait: Mapping[str, object]
    scale_source: str = "assumed"
    height_m: float | None = None
    swaps: tuple[Mapping[str, object], ...] = ()
    withheld: Mapping[str, str] = field(default_factory=dict)
    key_frames: tuple[KeyFrame, ...] = ()

    def __post_init__(self) -> None:
        frames = len(self.keypoints)
        lengths = {
            "pose": len(self.pose),
            "angles": len(self.angles.deg),
            "yaw_deg": len(self.yaw_deg),
            "yaw_sigma_deg": len(self.yaw_sigma_deg),
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
    """

    video: VideoFacts
    camera: Camera
    people: tuple[Person, ...]
    config: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    created: str = field(default_factory=_now)

    def save(self, folder: Path | str, *, formats: str | Iterable[str] = (), language: str = "en") -> tuple[Path, ...]:
        """Write a results folder; see `posepipe.results.folder.save`.

        Args:
            folder: made if it is missing.
            formats: further formats; see `posepipe.results.formats.write_formats`.
            language: of ``report.html``; see `posepipe.results.language.LANGUAGES`.

        Returns:
            The paths written.

        Raises:
            OutputError: the folder or disk refuses.
            UsageError: there is no such format or language, or a package that a format needs is missing.
        """
        from posepipe.results.folder import save
        from posepipe.results.formats import parse_formats, write_formats

        wanted = [item for item in parse_formats(formats) if item.name != "parquet"]
        # The summary comes last: a folder with a summary is whole.
        return (*write_formats(self, folder, wanted), *save(self, folder, language=language))

    @classmethod
    def load(cls, folder: Path | str) -> Recording:
        """Read a results folder; see `posepipe.results.folder.load`.

        Raises:
            InputError: a file is missing, damaged or of another schema.
        """
        from posepipe.results.folder import load

        return load(folder)

    def to_pandas(self, table: str = "poses") -> DataFrame:
        """One of the two tables of docs/results-format.md as a data frame.

        Args:
            table: "poses", a row per frame, person and joint, or "angles", a row per frame and person.

        Raises:
            UsageError: there is no such table, or pandas isn't installed.
        """
        from posepipe.results.frames import data_frame

        return data_frame(self, table)
