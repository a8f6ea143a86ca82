"""posepipe from Python: everything the command line does, in a few functions.

>>> import posepipe
>>> recording = posepipe.analyze("walk.mp4", height_m=1.74)  # doctest: +SKIP
>>> recording.people[0].angles.deg.shape  # doctest: +SKIP
(240, 20)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from posepipe.errors import UsageError
from posepipe.live import LivePerson
from posepipe.media.atomic import require_writable
from posepipe.media.sources import is_live, open_source
from posepipe.pipeline import Config, Detection, OnProgress, Pipeline
from posepipe.results.folder import load
from posepipe.results.formats import parse_formats
from posepipe.results.importers import ImportedTracks, read_keypoints
from posepipe.results.recording import Recording, VideoFacts
from posepipe.types import Frame

__all__ = ["Config", "Pipeline", "Recording", "analyze", "lift", "load", "stream"]


def analyze(
    video: str | Path | int,
    out: str | Path | None = None,
    *,
    task: str = "auto",
    subject: str = "largest",
    height_m: float | None = None,
    fov_deg: float | None = None,
    detector: str = "blazepose",
    refine: bool = False,
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
        fov_deg: the camera's angle of view along the picture's longer side.
        detector: "blazepose", "mediapipe", or the path of a model.
        refine: optimise the 3D pose at test time.
        video_out: write ``annotated.mp4`` into `out` (not of live inputs).
        formats: further formats to write into `out`; see `posepipe.results.formats.FORMATS`.
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
    config = Config(task=task, subject=subject, height_m=height_m, fov_deg=fov_deg, detector=detector, refine=refine)
    if out is not None:
        require_writable(out)
    pipeline = Pipeline(config)
    recording = pipeline.run(video, on_progress=on_progress)
    if out is not None:
        if video_out and not (isinstance(video, int) or is_live(video)):
            pipeline.annotate(recording, video, Path(out) / "annotated.mp4", on_progress=on_progress)
        # The summary comes last: a folder with a summary is whole.
        recording.save(out, formats=[item.name for item in wanted])
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
    fov_deg: float | None = None,
    refine: bool = False,
) -> Recording:
    """Lift and analyse 2D keypoints that another program found; no video is needed.

    Args:
        keypoints: a file, OpenPose's folder of files, or what `posepipe.results.importers.read_keypoints` returned.
        source: whose form it has, see `posepipe.results.importers.SOURCES`; "auto" looks.
        fps_hz: frames a second; 30 if neither you nor the file says.
        width_px: the picture's width, if the file doesn't say.
        height_px: the picture's height.
        task: as in `analyze`, like the rest.
        subject: whom to analyse.
        height_m: the person's height.
        fov_deg: the camera's angle of view.
        refine: optimise the 3D pose at test time.

    Raises:
        InputError: the file can't be read, isn't of that form, or lacks the picture's size.
        NobodyFoundError: it holds nobody.
        UsageError: an argument can't be, or there is no such subject.
    """
    config = Config(task=task, subject=subject, height_m=height_m, fov_deg=fov_deg, refine=refine)
    if not isinstance(keypoints, ImportedTracks):
        keypoints = read_keypoints(keypoints, source, fps_hz=fps_hz, width_px=width_px, height_px=height_px)
    pipeline = Pipeline(config)
    return pipeline.describe(_detection(keypoints, config))


def _detection(imported: ImportedTracks, config: Config) -> Detection:
    from posepipe.lifting.lifter import assumed_camera
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
        config: settings; detector, max_people, height_m and fov_deg matter here.

    Raises:
        MediaError: the input can't be read.
        ModelError: a model is missing or damaged.
    """
    with open_source(video, latest_only=True) as source:
        info = source.info
        with Pipeline(config).start(info.width_px, info.height_px) as live:
            for frame in source:
                yield frame, live.step(frame)
