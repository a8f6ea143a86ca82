"""The stages in their order: detect everyone once, then make a record of whoever is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from posepipe.annotate import key_frames, write_annotated
from posepipe.doctor import package_versions
from posepipe.errors import NobodyFoundError, SeekError, UsageError
from posepipe.keypoints import open_detector
from posepipe.keypoints.base import Detector
from posepipe.lifting.lifter import Lifter, assumed_camera
from posepipe.lifting.refine import RefineConfig, Refiner
from posepipe.lifting.sides import settle_sides
from posepipe.live import LiveSession
from posepipe.media.sources import Source, SourceInfo, open_source
from posepipe.media.thumbnails import Thumbnail, Thumbnails
from posepipe.motion.angles import joint_angles
from posepipe.motion.clip import Motion
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
from posepipe.watch import Seen, cores, lanes_for, watch, watch_spans
from posepipe.weights import list_cards, sha256_of_file

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
        refine: whether to optimise the network's input at test time (UAO); steady bones and motion are always used.
        max_people: how many people are followed at once.
        max_gap_s: longest gap that is filled.
        cutoff_hz: movement faster than this is smoothed away.
        workers: parts of a file that are watched side by side; None takes a core each.
    """

    task: str = "auto"
    subject: str = "largest"
    height_m: float | None = None
    fov_deg: float | None = None
    detector: str = "blazepose"
    refine: bool = False
    max_people: int = 4
    max_gap_s: float = 0.25
    cutoff_hz: float = 6.0
    workers: int | None = None

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
        with ThreadPoolExecutor(1) as aside:
            lifter = aside.submit(Lifter, threads=cores())
            detection = self.detect(video, on_progress=on_progress)
            return self.describe(detection, lifter=lifter.result())

    def detect(
        self, video: str | Path | int, *, detector: Detector | None = None, on_progress: OnProgress | None = None
    ) -> Detection:
        """Find and follow everyone in a video. Raises as `run`, but for the subject.

        Args:
            video: as in `run`.
            detector: one that is open already, for many videos; a file isn't watched in several parts then.
            on_progress: called after every frame.
        """
        with ThreadPoolExecutor(1) as aside, open_source(video) as source:
            aside.submit(_load_libraries)
            alone = detector is not None or self.config.detector == "mediapipe"
            lanes = 1 if alone else lanes_for(source.info, self.config.workers or cores())
            if lanes > 1:
                followed = _Followed(source.info)
                frames = watch_spans(str(video), source.info, self._detector(1), followed.wanted, lanes)
                with suppress(SeekError):
                    followed.take(frames, on_progress)
                    return self._detection(str(video), source, followed)
            followed = _Followed(source.info)
            followed.take(watch(source, detector or self._detector(), followed.wanted), on_progress)
            return self._detection(str(video), source, followed)

    def _detector(self, threads: int | None = None) -> Detector:
        return open_detector(self.config.detector, max_people=self.config.max_people, threads=threads)

    def _detection(self, path: str, source: Source, followed: _Followed) -> Detection:
        info = source.info
        tracks = followed.builder.tracks()
        if not tracks:
            raise NobodyFoundError(
                f"nobody found in {followed.frames} frames",
                where=path,
                hint="The whole body should be in the picture, and large enough",
            )
        fps_hz = followed.fps_hz()
        facts = VideoFacts(
            path=path,
            width_px=info.width_px,
            height_px=info.height_px,
            fps_hz=fps_hz,
            frames=followed.frames,
            duration_s=followed.frames / fps_hz,
            rotation_deg=info.rotation_deg,
            codec=info.codec,
            sha256=sha256_of_file(Path(path)) if info.kind == "video" else None,
            truncated=bool(source.truncated),
            time_estimated=followed.estimated,
        )
        camera = self._camera(info.width_px, info.height_px, info.focal_px)
        return Detection(facts, camera, tracks, followed.thumbnails.pictures(), _warnings(source, followed))

    def _camera(self, width_px: int, height_px: int, focal_px: float | None) -> Camera:
        if self.config.fov_deg is not None:
            return Camera.from_fov(width_px, height_px, self.config.fov_deg, "given")
        if focal_px is not None:
            return Camera(width_px, height_px, focal_px, "metadata")
        return assumed_camera(width_px, height_px)

    def describe(self, detection: Detection, *, lifter: Lifter | None = None) -> Recording:
        """3D motion, angles and report material of the chosen subject.

        Args:
            detection: what `detect` found.
            lifter: one that is open already, for many videos.

        Raises:
            UsageError: nobody in the video has the id asked for.
        """
        size = detection.camera.width_px, detection.camera.height_px
        chosen = choose_subject(detection.tracks, self.config.subject, size)
        lifter = lifter if lifter is not None else Lifter(threads=cores())
        refiner = Refiner(config=RefineConfig(latent=self.config.refine))
        people = tuple(self._person(track, detection, lifter, refiner) for track in chosen)
        return Recording(
            video=detection.video,
            camera=detection.camera,
            people=people,
            config=asdict(self.config),
            versions=_found_versions(),
            models=_model_hashes(),
            warnings=detection.warnings + _others(detection.tracks, chosen),
        )

    def start(self, width_px: int, height_px: int, *, threads: int | None = None) -> LiveSession:
        """A live session for pictures of one size; feed it frames with `LiveSession.step`.

        Args:
            width_px: of the pictures.
            height_px: of the pictures.
            threads: of each network; see `posepipe.inference.default_threads`. 1 where other work needs the cores:
                threads of a network then wait for each other.

        Raises:
            ModelError: a model is missing or damaged.
        """
        camera = self._camera(width_px, height_px, None)
        return LiveSession(self._detector(threads).start(), Lifter(), camera, self.config.height_m)

    def annotate(
        self, recording: Recording, video: str | Path, path: Path, *, on_progress: OnProgress | None = None
    ) -> None:
        """Write the annotated video; see `posepipe.annotate.write_annotated`."""
        write_annotated(recording, video, path, on_progress=on_progress)

    def _person(self, seen: KeypointTrack, detection: Detection, lifter: Lifter, refiner: Refiner) -> Person:
        track, swaps = repair_swaps(seen)
        track, settled = settle_sides(track, lifter, detection.camera)
        track = fill_gaps(track, self.config.max_gap_s)
        lifted = lifter.lift(track, detection.camera, height_m=self.config.height_m)
        pose = smooth(refiner.refine(track, lifted).pose, self.config.cutoff_hz)
        track = smooth(track, self.config.cutoff_hz)
        yaw_deg, yaw_sigma_deg = facing(pose)
        size = detection.camera.width_px, detection.camera.height_px
        motion = Motion.from_pose(pose, joint_angles(pose), track, size)
        return Person(
            id=track.person,
            keypoints=track,
            pose=pose,
            angles=motion.angles,
            yaw_deg=yaw_deg,
            yaw_sigma_deg=yaw_sigma_deg,
            view=clip_view(yaw_deg, yaw_sigma_deg),
            exercise=self._exercise(motion),
            gait=self._gait(motion, lifted.scale.source == "given"),
            scale_source=lifted.scale.source,
            height_m=lifted.scale.height_m,
            swaps=tuple(asdict(swap) for swap in (*swaps, *settled)),
            key_frames=key_frames(track, detection.thumbnails, detection.camera),
        )

    def _exercise(self, motion: Motion) -> dict[str, object]:
        if self.config.task not in ("auto", "exercise"):
            return {"withheld": Reason.NOT_ANALYSED.value}
        from posepipe.exercise.analyse import analyse_exercise
        from posepipe.exercise.recognise import Recogniser

        return analyse_exercise(motion, Recogniser(threads=1))

    def _gait(self, motion: Motion, scale_known: bool) -> dict[str, object]:
        if self.config.task not in ("auto", "gait"):
            return {"withheld": Reason.NOT_ANALYSED.value}
        from posepipe.gait.analyse import analyse_gait

        return analyse_gait(motion, scale_known=scale_known)


class _Followed:
    """Everyone in an input, gathered frame by frame."""

    def __init__(self, info: SourceInfo) -> None:
        self._info = info
        self._tracker = Tracker()
        self.builder = TrackBuilder()
        self.thumbnails = Thumbnails(frames=info.frames)
        self.frames = 0
        self.last_s = 0.0
        self.estimated = False

    @property
    def wanted(self) -> Callable[[int], bool]:
        return self.thumbnails.wanted

    def take(self, seen: Iterable[Seen], on_progress: OnProgress | None) -> None:
        """Follow people through frames. A live input ends with Ctrl-C and keeps what it has."""
        try:
            for frame in seen:
                index = self.frames if frame.index is None else frame.index
                ids = self._tracker.step(frame.time_s, frame.people)
                self.builder.append(index, frame.time_s, ids, frame.people)
                if frame.small is not None:
                    self.thumbnails.keep(index, frame.time_s, frame.small)
                self.frames += 1
                self.last_s = frame.time_s
                self.estimated |= frame.time_estimated
                if on_progress is not None:
                    on_progress("watching", max(self.frames, frame.watched), self._info.frames)
        except KeyboardInterrupt:
            if not self._info.live:
                raise

    def fps_hz(self) -> float:
        """Mean rate of the frames that came; the stated one where there are too few."""
        if self.frames > 1 and self.last_s > 0.0:
            return (self.frames - 1) / self.last_s
        return self._info.fps_hz or 30.0


def _load_libraries() -> None:
    """Import what later stages need, aside, while the first frames are watched."""
    for name in ("scipy.linalg", "pyarrow.parquet"):
        import_module(name)


def _warnings(source: Source, followed: _Followed) -> tuple[str, ...]:
    said = []
    if source.truncated:
        said.append(f"The video breaks off after {followed.last_s:.1f} s: {source.truncated}.")
    if source.skipped_frames:
        said.append(f"{source.skipped_frames} damaged pictures were left out.")
    if followed.estimated:
        said.append("The file doesn't time all of its pictures; times come from the frame rate.")
    return tuple(said)


def _others(tracks: tuple[KeypointTrack, ...], chosen: tuple[KeypointTrack, ...]) -> tuple[str, ...]:
    ids = {track.person for track in chosen}
    others = [
        f"{track.person} ({track.time_s[-1] - track.time_s[0]:.1f} s)" for track in tracks if track.person not in ids
    ]
    if not others:
        return ()
    return (f"Other people were seen: {', '.join(others[:8])}. Another subject can be chosen.",)


def _found_versions() -> dict[str, str]:
    names = ("posepipe", "mediapipe", "onnxruntime", "opencv-python", "av", "numpy", "scipy")
    return {name: found for name, found in package_versions(names).items() if found}


def _model_hashes() -> dict[str, str]:
    return {card.name: card.sha256 for card in list_cards()}
