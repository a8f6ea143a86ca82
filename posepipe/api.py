"""posepipe from Python: everything the command line does, in a few functions.

>>> import posepipe
>>> recording = posepipe.analyze("walk.mp4", height_m=1.74)  # doctest: +SKIP
>>> recording.people[0].angles.deg.shape  # doctest: +SKIP
(240, 20)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from posepipe.errors import UsageError
from posepipe.formats.registry import parse_formats
from posepipe.media.atomic import expanded
from posepipe.media.sources import is_live, open_source
from posepipe.pipeline import Config, Detection, OnProgress, Pipeline
from posepipe.record.folder import load, names_of, save
from posepipe.record.recording import Recording, VideoFacts
from posepipe.record.seal import require_room
from posepipe.types import Frame

if TYPE_CHECKING:
    from posepipe.formats.read_people import ImportedTracks
    from posepipe.live import LivePerson
    from posepipe.record.tables import to_pandas

__all__ = ["Config", "Pipeline", "Recording", "analyze", "lift", "load", "save", "stream", "to_pandas"]


def __getattr__(name: str) -> object:
    # Tables need pyarrow, whose loading a film needn't wait for.
    if name == "to_pandas":
        from posepipe.record.tables import to_pandas

        return to_pandas
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_LONG_S, _SPARSE = 3600.0, 10.0
"""Seconds, and times the frames that there are, beyond which nothing moves from one frame to the next."""


def analyze(
    video: str | Path | int,
    out: str | Path | None = None,
    *,
    task: str = "auto",
    subject: str = "largest",
    height_m: float | None = None,
    camera_height_m: float | None = None,
    fov_deg: float | None = None,
    detector: str = "blazepose",
    refine: bool = False,
    capture_fps_hz: float | None = None,
    anonymise: str = "no",
    quality: str = "auto",
    video_out: bool = False,
    formats: str | Iterable[str] = (),
    on_progress: OnProgress | None = None,
) -> Recording:
    """Analyse one video.

    Args:
        video: a file, a folder of images, an image pattern, a webcam's number, or a stream's address.
        out: results folder to write; nothing is written without one.
        task: "auto", "exercise", "gait" or "pose".
        subject: "largest", "center", "all", or a person's id.
        height_m: the person's height; without it lengths in metres rest on an assumed size.
        camera_height_m: the camera's height over the floor; sets the scale where `height_m` isn't given.
        fov_deg: the camera's angle of view along the picture's longer side.
        detector: "blazepose", "blazepose:heavy", "blazepose:lite", "mediapipe", or the path of a model.
        refine: optimise the 3D pose at test time.
        capture_fps_hz: of a slow-motion film, the rate at which its pictures were taken.
        anonymise: what pictures and videos show: "no" (as filmed), "blur" (faces blurred) or "figure" (skeletons only).
        quality: "fast", "standard" or "best"; "auto" is best where BlazePose's heavy network has been fetched.
        video_out: write ``annotated.mp4`` into `out` (not of live inputs).
        formats: further formats to write into `out`; see `posepipe.formats.FORMATS`.
        on_progress: called with the stage's name, frames done, and frames in all where known.

    Returns:
        Everybody chosen, with 3D poses, angles and what was made of them; every number with its sigma.

    Raises:
        MediaError: the input can't be read.
        NobodyFoundError: it holds no person.
        ModelError: a model is missing or damaged.
        UsageError: an argument can't be, or there is no such subject.
        OutputError: `out` can't be written.
    """
    wanted = parse_formats(formats)
    if out is None and (video_out or wanted):
        raise UsageError("nowhere to write", where="out", hint="Give a folder")
    config = Config(
        *(task, subject, height_m, fov_deg, detector, refine),
        capture_fps_hz=capture_fps_hz,
        anonymise=anonymise,
        quality=quality,
        camera_height_m=camera_height_m,
    )
    names = [item.name for item in wanted]
    if out is not None:
        require_room(expanded(out), names_of(names), source=video if isinstance(video, int) else expanded(video))
    pipeline = Pipeline(config)
    detection, recording = pipeline.run_with_detection(video, on_progress=on_progress)
    if out is not None:

        def draw(path: Path) -> None:
            pipeline.annotate(recording, str(video), path, seen=detection.tracks, on_progress=on_progress)

        drawn = video_out and not is_live(video)
        save(recording, out, formats=names, more={"annotated.mp4": draw} if drawn else {})
    return recording


def lift(
    keypoints: str | Path | ImportedTracks,
    *,
    source: str = "auto",
    fps_hz: float | None = None,
    width_px: int | None = None,
    height_px: int | None = None,
    task: str = "auto",
    subject: str = "largest",
    height_m: float | None = None,
    camera_height_m: float | None = None,
    fov_deg: float | None = None,
    refine: bool = False,
) -> Recording:
    """Lift and analyse 2D keypoints that another program found; no video is needed.

    Args:
        keypoints: a file, OpenPose's folder of files, or what `posepipe.formats.read_keypoints` returned.
        source: whose form it has, see `posepipe.formats.SOURCES`; "auto" looks.
        fps_hz: frames a second; 30 if neither you nor the file says.
        width_px: the picture's width, if the file doesn't say.
        height_px: the picture's height.
        task: as in `analyze`, like the rest.
        subject: whom to analyse.
        height_m: the person's height.
        camera_height_m: of the camera over the floor, as in `analyze`.
        fov_deg: the camera's angle of view.
        refine: optimise the 3D pose at test time.

    Raises:
        InputError: the file can't be read, isn't of that form, or lacks the picture's size.
        NobodyFoundError: it holds nobody.
        UsageError: an argument can't be, or there is no such subject.
    """
    from posepipe.formats.read import read_keypoints

    config = Config(
        task=task,
        subject=subject,
        height_m=height_m,
        camera_height_m=camera_height_m,
        fov_deg=fov_deg,
        refine=refine,
    )
    if isinstance(keypoints, str | Path):
        keypoints = read_keypoints(keypoints, source, fps_hz=fps_hz, width_px=width_px, height_px=height_px)
    if config.task != "pose" and _scattered(keypoints):
        config = replace(config, task="pose")
        said = "Frames lie hours apart: poses are found, but no exercise and no gait."
        keypoints = replace(keypoints, warnings=(*keypoints.warnings, said))
    pipeline = Pipeline(config)
    return pipeline.describe(_detection(keypoints, config))


def _scattered(imported: ImportedTracks) -> bool:
    """Whether tracks last for hours, but have frames for little of that time: movement can't be told from them."""
    return any(
        track.time_s[-1] - track.time_s[0] > max(_LONG_S, _SPARSE * len(track) / imported.fps_hz)
        for track in imported.tracks
    )


def _detection(imported: ImportedTracks, config: Config) -> Detection:
    from posepipe.body.lift import assumed_camera
    from posepipe.types import Camera

    size = imported.width_px, imported.height_px
    camera = assumed_camera(*size) if config.fov_deg is None else Camera.from_fov(*size, config.fov_deg, "given")
    frames = max(int(track.frame[-1]) + 1 for track in imported.tracks)
    facts = VideoFacts(
        path=imported.path,
        width_px=size[0],
        height_px=size[1],
        fps_hz=imported.fps_hz,
        frames=frames,
        duration_s=frames / imported.fps_hz,
        time_estimated=imported.time_estimated,
    )
    return Detection(facts, camera, imported.tracks, (), imported.warnings)


def stream(video: str | Path | int, config: Config | None = None) -> Iterator[tuple[Frame, tuple[LivePerson, ...]]]:
    """Every frame of an input with everyone in it, as soon as it is seen; for webcams and for programs of your own.

    The causal stages only: what a frame gives doesn't depend on later ones. A live input skips the frames that you are
    too slow for. To feed frames yourself, use ``Pipeline(config).start(width_px, height_px)`` and its ``step``.

    Args:
        video: as in `analyze`.
        config: settings; detector, quality, max_people, height_m and fov_deg matter here.

    Raises:
        MediaError: the input can't be read.
        ModelError: a model is missing or damaged.
    """
    with open_source(video, latest_only=True) as source:
        info = source.info
        with Pipeline(config).start(info.width_px, info.height_px) as live:
            for frame in source:
                yield frame, live.step(frame)
