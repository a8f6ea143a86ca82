"""The stages in their order: detect everyone once, then make a record of whoever is wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from posepipe.annotate import key_frames, write_annotated
from posepipe.doctor import package_versions
from posepipe.errors import NobodyFoundError, UsageError
from posepipe.keypoints import open_detector
from posepipe.keypoints.base import DetectorStream
from posepipe.lifting.lifter import Lifter, assumed_camera
from posepipe.live import LiveSession
from posepipe.media.sources import Source, SourceInfo, open_source
from posepipe.media.thumbnails import Thumbnail, Thumbnails
from posepipe.motion.angles import joint_angles
from posepipe.motion.facing import clip_view, facing
from posepipe.motion.gaps import fill_gaps
from posepipe.motion.smooth import smooth
from posepipe.motion.swaps import repair_swaps
from posepipe.reasons import Reason
from posepipe.results.recording import Person, Recording, VideoFacts
from posepipe.tracking.collect import TrackBuilder
from posepipe.tracking.subject import choose_subject
from posepipe.tracking.tracker import Tracker
from posepipe.types import Camera, KeypointTrack
from posepipe.weights import list_cards

__all__ = ["Config", "Detection", "OnProgress", "Pipeline"]

OnProgress = Callable[[str, int, "int | None"], None]
"""Called with the stage's name, frames done, and frames in all where known."""

TASKS = ("auto", "exercise", "gait", "pose")


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a user can choose.

    Attributes:
        task: "auto", "exercise", "gait" or "pose".
        subject: "largest", "center", "all", or a person's id.
        height_m: the person's height; None leaves the scale assumed.
        fov_deg: angle of view along the picture's longer side; None takes it from metadata, or assumes it.
        detector: "blazepose", "mediapipe", or a path.
        refine: whether to optimise the 3D pose at test time.
        max_people: how many people are followed at once.
        max_gap_s: longest gap that is filled.
        cutoff_hz: movement faster than this is smoothed away.
    """

    task: str = "auto"
    subject: str = "largest"
    height_m: float | None = None
    fov_deg: float | None = None
    detector: str = "blazepose"
    refine: bool = True
    max_people: int = 4
    max_gap_s: float = 0.25
    cutoff_hz: float = 6.0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UsageError(f"task {self.task!r}", hint=f"Valid: {', '.join(TASKS)}")
        if self.subject not in ("largest", "center", "all") and not self.subject.isdigit():
            raise UsageError(f"subject {self.subject!r}", hint="Valid: largest, center, all, or a person's id")
        if self.height_m is not None and not 0.4 <= self.height_m <= 2.6:
            raise UsageError(f"a height of {self.height_m} m", hint="Give one in metres between 0.4 and 2.6")
        if self.fov_deg is not None and not 5.0 <= self.fov_deg <= 170.0:
            raise UsageError(f"a field of view of {self.fov_deg} degrees", hint="Give one between 5 and 170")
        if self.max_people < 1:
            raise UsageError(f"max_people {self.max_people}", hint="Give at least 1")


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """Everyone seen in a video: enough to choose a subject again without detecting again.

    Attributes:
        video: facts of the video.
        camera: the camera assumed.
        tracks: one for each person, as seen.
        thumbnails: few small pictures.
        warnings: plain sentences for the user.
    """

    video: VideoFacts
    camera: Camera
    tracks: tuple[KeypointTrack, ...]
    thumbnails: tuple[Thumbnail, ...]
    warnings: tuple[str, ...] = ()


class Pipeline:
    """Video in, `Recording` out.

    ``Pipeline(config).run("walk.mp4")`` does everything. `detect` and `describe` are its two halves: detecting takes
    the time, describing another subject afterwards takes none.

    Args:
        config: what the user chose.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = config if config is not None else Config()

    def run(self, video: str | Path | int, *, on_progress: OnProgress | None = None) -> Recording:
        """Analyse a whole input.

        Args:
            video: anything `posepipe.media.sources.open_source` takes.
            on_progress: called after every frame.

        Raises:
            MediaError: the input can't be read.
            NobodyFoundError: it holds no person.
            ModelError: a model is missing or damaged.
            UsageError: there is no such subject.
        """
        return self.describe(self.detect(video, on_progress=on_progress))

    def detect(self, video: str | Path | int, *, on_progress: OnProgress | None = None) -> Detection:
        """Find and follow everyone in a video. Raises as `run`, but for the subject."""
        with ThreadPoolExecutor(1) as aside:
            # Networks load while the video is opened.
            loading = aside.submit(_start, self.config)
            with open_source(video) as source:
                with closing(loading.result()) as stream:
                    seen = _watch(source, stream, on_progress)
                return self._detection(str(video), source, *seen)

    def _detection(
        self, path: str, source: Source, builder: TrackBuilder, thumbnails: Thumbnails, clock: _Clock
    ) -> Detection:
        info = source.info
        tracks = builder.tracks()
        if not tracks:
            raise NobodyFoundError(
                f"nobody found in {clock.frames} frames",
                where=path,
                hint="The whole body should be in the picture, and large enough",
            )
        facts = VideoFacts(
            path=path,
            width_px=info.width_px,
            height_px=info.height_px,
            fps_hz=clock.fps_hz(info),
            frames=clock.frames,
            duration_s=clock.frames / clock.fps_hz(info),
            rotation_deg=info.rotation_deg,
            codec=info.codec,
            sha256=_sha256(Path(path)) if info.kind == "video" else None,
            truncated=bool(source.truncated),
            time_estimated=clock.estimated,
        )
        return Detection(
            facts,
            self._camera(info.width_px, info.height_px, info.focal_px),
            tracks,
            thumbnails.pictures(),
            _warnings(source, clock),
        )

    def _camera(self, width_px: int, height_px: int, focal_px: float | None) -> Camera:
        if self.config.fov_deg is not None:
            return Camera.from_fov(width_px, height_px, self.config.fov_deg, "given")
        if focal_px is not None:
            return Camera(width_px, height_px, focal_px, "metadata")
        return assumed_camera(width_px, height_px)

    def describe(self, detection: Detection) -> Recording:
        """3D motion, angles and report material of the chosen subject.

        Raises:
            UsageError: nobody in the video has the id asked for.
        """
        size = detection.camera.width_px, detection.camera.height_px
        chosen = choose_subject(detection.tracks, self.config.subject, size)
        lifter = Lifter()
        people = tuple(self._person(track, detection, lifter) for track in chosen)
        return Recording(
            video=detection.video,
            camera=detection.camera,
            people=people,
            config=asdict(self.config),
            versions=_found_versions(),
            models=_model_hashes(),
            warnings=detection.warnings + _others(detection.tracks, chosen),
        )

    def start(self, width_px: int, height_px: int) -> LiveSession:
        """A live session for pictures of one size; feed it frames with `LiveSession.step`.

        Raises:
            ModelError: a model is missing or damaged.
        """
        camera = self._camera(width_px, height_px, None)
        return LiveSession(_start(self.config), Lifter(), camera, self.config.height_m)

    def annotate(
        self, recording: Recording, video: str | Path, path: Path, *, on_progress: OnProgress | None = None
    ) -> None:
        """Write the annotated video; see `posepipe.annotate.write_annotated`."""
        write_annotated(recording, video, path, on_progress=on_progress)

    def _person(self, seen: KeypointTrack, detection: Detection, lifter: Lifter) -> Person:
        track, swaps = repair_swaps(seen)
        track = fill_gaps(track, self.config.max_gap_s)
        lifted = lifter.lift(track, detection.camera, height_m=self.config.height_m)
        pose = smooth(lifted.pose, self.config.cutoff_hz)
        track = smooth(track, self.config.cutoff_hz)
        yaw_deg, yaw_sigma_deg = facing(pose)
        return Person(
            id=track.person,
            keypoints=track,
            pose=pose,
            angles=joint_angles(pose),
            yaw_deg=yaw_deg,
            yaw_sigma_deg=yaw_sigma_deg,
            view=clip_view(yaw_deg, yaw_sigma_deg),
            exercise={"withheld": Reason.NOT_ANALYSED.value},
            gait={"withheld": Reason.NOT_ANALYSED.value},
            scale_source=lifted.scale.source,
            height_m=lifted.scale.height_m,
            swaps=tuple(asdict(swap) for swap in swaps),
            key_frames=key_frames(track, detection.thumbnails, detection.camera),
        )


@dataclass(slots=True)
class _Clock:
    """Counts frames and times while they pass."""

    frames: int = 0
    last_s: float = 0.0
    estimated: bool = False

    def tick(self, time_s: float, estimated: bool) -> None:
        self.frames += 1
        self.last_s = time_s
        self.estimated |= estimated

    def fps_hz(self, info: SourceInfo) -> float:
        """Mean rate of the frames that came; the stated one where there are too few."""
        if self.frames > 1 and self.last_s > 0.0:
            return (self.frames - 1) / self.last_s
        return info.fps_hz or 30.0


def _start(config: Config) -> DetectorStream:
    return open_detector(config.detector, max_people=config.max_people).start()


def _watch(
    source: Source, stream: DetectorStream, on_progress: OnProgress | None
) -> tuple[TrackBuilder, Thumbnails, _Clock]:
    """Detect and follow everyone, frame by frame. A live input ends with Ctrl-C and keeps what it has."""
    tracker, builder, thumbnails, clock = Tracker(), TrackBuilder(), Thumbnails(), _Clock()
    try:
        for frame in source:
            people = stream.step(frame)
            builder.append(frame.index, frame.time_s, tracker.step(frame.time_s, people), people)
            thumbnails.add(frame)
            clock.tick(frame.time_s, frame.time_estimated)
            if on_progress is not None:
                on_progress("watching", clock.frames, source.info.frames)
    except KeyboardInterrupt:
        if not source.info.live:
            raise
    return builder, thumbnails, clock


def _warnings(source: Source, clock: _Clock) -> tuple[str, ...]:
    said = []
    if source.truncated:
        said.append(f"The video breaks off after {clock.last_s:.1f} s: {source.truncated}.")
    if source.skipped_frames:
        said.append(f"{source.skipped_frames} damaged pictures were left out.")
    if clock.estimated:
        said.append("The file doesn't time all of its pictures; times come from the frame rate.")
    return tuple(said)


def _others(tracks: tuple[KeypointTrack, ...], chosen: tuple[KeypointTrack, ...]) -> tuple[str, ...]:
    ids = {track.person for track in chosen}
    others = [f"{track.person} ({len(track)} frames)" for track in tracks if track.person not in ids]
    if not others:
        return ()
    return (f"Other people were seen: {', '.join(others[:8])}. Choose one with --subject ID, or all.",)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _found_versions() -> dict[str, str]:
    names = ("posepipe", "mediapipe", "onnxruntime", "opencv-python", "av", "numpy", "scipy")
    return {name: found for name, found in package_versions(names).items() if found}


def _model_hashes() -> dict[str, str]:
    return {card.name: card.sha256 for card in list_cards()}
