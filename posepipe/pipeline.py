"""The stages in their order: detect everyone once, then make a record of whoever is wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from posepipe.body.camera_motion import CameraMotion, Shift, camera_motion, steady_pose
from posepipe.body.left_right import in_order
from posepipe.body.lift import LIFT, STATURE_SIGMA, Lifter, LiftResult, assumed_camera
from posepipe.body.motion import Motion, clip_view, facing
from posepipe.body.outcomes import Footfall, Outcomes, Scales, find_outcomes
from posepipe.body.refine import RefineConfig, Refiner
from posepipe.body.room import (
    STILL,
    Shared,
    angles_in,
    in_one_room,
    onto,
    room_warnings,
    scaled_by_camera,
    scales_of,
    world_of,
)
from posepipe.body.smooth import fill_gaps, smooth
from posepipe.body.world import World
from posepipe.doctor import installed
from posepipe.errors import NobodyFoundError, SeekError, UsageError
from posepipe.exercise.types import ExerciseResult
from posepipe.gait.corrections import Strike
from posepipe.gait.types import HEEL_STRIKE, GaitResult
from posepipe.keypoints import Detector, open_detector
from posepipe.keypoints.quality import QUALITIES, decided_quality, detector_of, looks_hz
from posepipe.media.atomic import expanded
from posepipe.media.hide import WAYS, Face, faces_at, hide
from posepipe.media.sources import Source, SourceInfo, open_source
from posepipe.reasons import Reason
from posepipe.record.recording import Person, Recording, VideoFacts
from posepipe.system import cores, give_back_memory
from posepipe.tracking.collect import TrackBuilder, choose_subject
from posepipe.tracking.tracker import Tracker
from posepipe.tracking.upright import find_turn, turned
from posepipe.tracking.visible import only_seen, without_unseen
from posepipe.types import Camera, KeypointTrack, PoseTrack, Swap
from posepipe.watch import Seen, Thumbnail, Thumbnails, lanes_for, watch, watch_spans
from posepipe.weights import list_cards, sha256_of_file

if TYPE_CHECKING:
    from posepipe.live import LiveSession

__all__ = [
    "Config",
    "Detection",
    "OnProgress",
    "Pipeline",
    "angles_in",
    "model_hashes",
    "outcomes_of",
    "program_versions",
    "world_of",
]

OnProgress = Callable[[str, int, "int | None"], None]
"""Called with the stage's name, frames done, and frames in all where known."""

_ENOUGH_PX = 1920
"""Longer side of pictures that are large enough to be watched: whoever fills a quarter of one twice as large still has
the 256 pixels that the networks see of them."""

TASKS = ("auto", "exercise", "gait", "pose")


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a user can choose.

    Attributes:
        task: "auto", "exercise", "gait" or "pose".
        subject: "largest", "center", "all", or a person's id.
        height_m: the person's height; None leaves the scale assumed.
        camera_height_m: the camera's height over the floor; sets the scale where the person's isn't known.
        fov_deg: angle of view along the picture's longer side; None takes it from metadata, or assumes it.
        detector: "blazepose", "blazepose:heavy", "blazepose:lite", "mediapipe", or a path.
        refine: whether to optimise the network's input at test time (UAO); steady bones and motion are always used.
        max_people: how many people are followed at once.
        max_gap_s: longest gap that is filled.
        cutoff_hz: movement faster than this is smoothed away.
        workers: parts of a file that are watched side by side; None takes a core each.
        capture_fps_hz: of a slow-motion film, the rate at which its pictures were taken; None takes it from the file's
            tags, where they tell. Of images, their rate.
        anonymise: what pictures and the annotated video show: "no" (as filmed), "blur" (faces of everybody who was
            followed blurred, and frames in which nobody was) or "figure" (skeletons on a plain ground).
        quality: "fast", "standard" or "best" chooses BlazePose's network, and how often it looks; "auto" is best where
            that network has been fetched and the input isn't live. Another detector has no quality.
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
    capture_fps_hz: float | None = None
    anonymise: str = "no"
    quality: str = "auto"
    camera_height_m: float | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UsageError(f"task {self.task!r}", hint=f"Valid: {', '.join(TASKS)}")
        if self.subject not in ("largest", "center", "all") and not self.subject.isdigit():
            raise UsageError(f"subject {self.subject!r}", hint="Valid: largest, center, all, or a person's id")
        if self.height_m is not None and not 0.4 <= self.height_m <= 2.6:
            raise UsageError(f"a height of {self.height_m} m", hint="Give one in metres between 0.4 and 2.6")
        if self.camera_height_m is not None and not 0.05 <= self.camera_height_m <= 20.0:
            hint = "Give the metres between lens and floor, 0.05 to 20"
            raise UsageError(f"a camera {self.camera_height_m} m high", hint=hint)
        if self.fov_deg is not None and not 5.0 <= self.fov_deg <= 170.0:
            raise UsageError(f"a field of view of {self.fov_deg} degrees", hint="Give one between 5 and 170")
        if self.capture_fps_hz is not None and not 0.1 <= self.capture_fps_hz <= 100_000.0:
            hint = "Give pictures a second, as 240"
            raise UsageError(f"a capture rate of {self.capture_fps_hz} Hz", hint=hint)
        if self.anonymise not in WAYS:
            raise UsageError(f"anonymise {self.anonymise!r}", hint=f"Valid: {', '.join(WAYS)}")
        if self.max_people < 1:
            raise UsageError(f"max_people {self.max_people}", hint="Give at least 1")
        if self.quality not in QUALITIES:
            raise UsageError(f"quality {self.quality!r}", hint=f"Valid: {', '.join(QUALITIES)}")
        if self.quality != "auto" and self.detector != "blazepose":
            hint = "Leave one of them out: a quality chooses BlazePose's network"
            raise UsageError(f"quality {self.quality!r} and the detector {self.detector!r}", hint=hint)

    def decided(self, *, live: bool = False) -> Config:
        """The same with the quality "auto" decided by what is at hand; see `posepipe.keypoints.quality`."""
        if self.detector != "blazepose":
            return self
        return replace(self, quality=decided_quality(self.quality, live=live))

    def detector_name(self, *, live: bool = False) -> str:
        """The detector meant, as `posepipe.keypoints.open_detector` takes it.

        Raises:
            ModelError: the quality's network hasn't been fetched.
        """
        chosen = self.decided(live=live)
        return self.detector if chosen.quality == "auto" else detector_of(chosen.quality)


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """Everyone seen in a video: enough to choose a subject again without detecting again.

    Attributes:
        video: facts of the video.
        camera: the camera assumed.
        tracks: one for each person, as seen.
        thumbnails: few small pictures.
        warnings: plain sentences for the user.
        quality: as decided; "auto" where the detector has none.
        motion: what the camera did.
    """

    video: VideoFacts
    camera: Camera
    tracks: tuple[KeypointTrack, ...]
    thumbnails: tuple[Thumbnail, ...]
    warnings: tuple[str, ...] = ()
    quality: str = "auto"
    motion: CameraMotion = STILL


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
        return self.run_with_detection(video, on_progress=on_progress)[1]

    def run_with_detection(
        self, video: str | Path | int, *, on_progress: OnProgress | None = None
    ) -> tuple[Detection, Recording]:
        """As `run`, with everyone who was seen."""
        with ThreadPoolExecutor(1) as aside:
            lifter = aside.submit(Lifter, threads=cores())
            detection = self.detect(video, on_progress=on_progress)
            # The networks that watched are gone; what they took is as much as a long film needs from here on.
            give_back_memory()
            return detection, self.describe(detection, lifter=lifter.result())

    def detect(
        self,
        video: str | Path | int,
        *,
        detector: Detector | None = None,
        in_parts: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Detection:
        """Find and follow everyone in a video. Raises as `run`, but for the subject.

        Args:
            video: as in `run`.
            detector: one that is open already, for many videos; it sees every frame from the first one on.
            in_parts: it sees a file cut into the parts that it is cut into without it, one after the other: what is
                found is the same then.
            on_progress: called after every frame.
        """
        with ThreadPoolExecutor(1) as aside, self._open(video) as source:
            aside.submit(_load_libraries)
            live = source.info.live
            looks = math.inf if live else looks_hz(self.config.decided().quality)
            whole = self.config.detector.startswith("mediapipe") or (detector is not None and not in_parts)
            lanes = 0 if whole else lanes_for(source.info, self.config.workers or cores())
            if lanes:
                followed = _Followed(source.info)
                lanes = lanes if detector is None else 1
                each = detector or self._detector(max(1, (self.config.workers or cores()) // lanes), live)
                frames = watch_spans(str(video), source.info, each, followed.wanted, lanes, looks, _ENOUGH_PX)
                with suppress(SeekError):
                    followed.take(frames, on_progress)
                    return self._detection(str(video), source, followed)
            followed = _Followed(source.info)
            seen = watch(source, detector or self._detector(None, live), followed.wanted, looks)
            followed.take(seen, on_progress)
            return self._detection(str(video), source, followed)

    def _open(self, video: str | Path | int) -> Source:
        return open_source(video, capture_fps_hz=self.config.capture_fps_hz, most_px=_ENOUGH_PX)

    def _detector(self, threads: int | None, live: bool) -> Detector:
        name = self.config.detector_name(live=live)
        return open_detector(name, max_people=self.config.max_people, threads=threads)

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
        size = info.width_px, info.height_px
        turn_deg = find_turn(tracks, followed.frames, size)
        width_px, height_px = size[::-1] if turn_deg in (90, 270) else size
        facts = VideoFacts(
            path=path,
            width_px=width_px,
            height_px=height_px,
            fps_hz=fps_hz,
            frames=followed.frames,
            duration_s=followed.frames / fps_hz,
            rotation_deg=(info.rotation_deg + turn_deg) % 360,
            codec=info.codec,
            sha256=sha256_of_file(expanded(path)) if info.kind == "video" else None,
            truncated=bool(source.truncated),
            time_estimated=followed.estimated,
            capture_fps_hz=info.capture_fps_hz,
            slowed=info.slowed,
        )
        camera = self._camera(width_px, height_px, info.focal_px)
        pictures, warnings = followed.thumbnails.pictures(), _warnings(source, followed)
        if turn_deg:
            from posepipe.annotate import turned_picture

            tracks = tuple(turned(track, size, turn_deg) for track in tracks)
            pictures = tuple((index, time_s, turned_picture(image, turn_deg)) for index, time_s, image in pictures)
            warnings += (f"The film stood on its side or head: it was turned by {turn_deg} degrees.",)
        motion = camera_motion(followed.shifts, camera, turned_deg=turn_deg)
        return Detection(facts, camera, tracks, pictures, warnings, self.config.decided(live=info.live).quality, motion)

    def _camera(self, width_px: int, height_px: int, focal_px: float | None) -> Camera:
        if self.config.fov_deg is not None:
            return Camera.from_fov(width_px, height_px, self.config.fov_deg, "given")
        if focal_px is not None:
            return Camera(width_px, height_px, focal_px, "metadata")
        return assumed_camera(width_px, height_px)

    def hidden(self, detection: Detection) -> Detection:
        """The same with pictures in which nobody's face is seen, as far as that was asked for."""
        way, width_px = self.config.anonymise, detection.camera.width_px
        if way == "no":
            return detection

        def covered(picture: Thumbnail) -> Thumbnail:
            frame, time_s, image = picture
            faces = faces_at(detection.tracks, frame, detection.video.fps_hz)
            scale = image.shape[1] / width_px
            small = None if faces is None else [Face(*(scale * number for number in face)) for face in faces]
            return frame, time_s, hide(image, way, small)

        return replace(detection, thumbnails=tuple(covered(picture) for picture in detection.thumbnails))

    def describe(self, detection: Detection, *, lifter: Lifter | None = None) -> Recording:
        """3D motion, angles and report material of the chosen subject.

        Args:
            detection: what `detect` found.
            lifter: one that is open already, for many videos.

        Raises:
            UsageError: nobody in the video has the id asked for.
        """
        from posepipe.annotate import key_frames

        detection = self.hidden(detection)
        size = detection.camera.width_px, detection.camera.height_px
        chosen = choose_subject(detection.tracks, self.config.subject, size)
        lifter = lifter if lifter is not None else Lifter(threads=cores())
        refiner = Refiner(config=RefineConfig(latent=self.config.refine))
        lifted = [self._lifted(track, detection, lifter, refiner) for track in chosen]
        found = [one.world for one in lifted]
        worlds = in_one_room([one.pose for one in lifted], [one.lifted for one in lifted], found, detection.motion)
        people = tuple(
            replace(
                self._measured(replace(one, world=world), detection.camera, detection.motion),
                key_frames=key_frames(one.track, detection.thumbnails, detection.camera),
            )
            for one, world in zip(lifted, worlds, strict=True)
        )
        given_m = self.config.camera_height_m
        said = () if given_m is None else room_warnings(worlds, [person.scale_source for person in people], given_m)
        return Recording(
            video=detection.video,
            camera=detection.camera,
            people=people,
            config=asdict(self.config) | {"quality": detection.quality},
            versions=program_versions(),
            models=model_hashes(),
            warnings=detection.warnings + _others(detection.tracks, chosen) + said,
            camera_motion=detection.motion,
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
        from posepipe.body.world_live import LiveWorld
        from posepipe.live import LiveSession

        camera = self._camera(width_px, height_px, None)
        height_m = self.config.height_m
        rooms = partial(
            LiveWorld,
            camera,
            scale_sigma=STATURE_SIGMA if height_m is None else 0.0,
            focal_sigma=LIFT.focal_error if camera.focal_guessed else 0.0,
        )
        return LiveSession(self._detector(threads, live=True).start(), Lifter(), camera, height_m, rooms)

    def annotate(
        self,
        recording: Recording,
        video: str | Path,
        path: Path,
        *,
        language: str = "en",
        seen: Sequence[KeypointTrack] = (),
        on_progress: OnProgress | None = None,
    ) -> None:
        """Write the annotated video; see `posepipe.annotate.write_annotated`."""
        from posepipe.annotate import write_annotated

        write_annotated(
            recording,
            video,
            path,
            language=language,
            anonymise=self.config.anonymise,
            seen=seen,
            on_progress=on_progress,
        )

    def _lifted(self, seen: KeypointTrack, detection: Detection, lifter: Lifter, refiner: Refiner) -> _Lifted:
        track, swaps = in_order(seen, lifter, detection.camera)
        track = fill_gaps(track, self.config.max_gap_s)
        lifted = lifter.lift(track, detection.camera, height_m=self.config.height_m)
        size = detection.camera.width_px, detection.camera.height_px
        track = only_seen(smooth(track, self.config.cutoff_hz), size)
        one = self._placed(lifted, track, refiner, detection.motion)
        return replace(one, swaps=swaps)

    def _placed(self, lifted: LiftResult, track: KeypointTrack, refiner: Refiner, motion: CameraMotion) -> _Lifted:
        """A lifted track in the room: `track` are the keypoints that are shown."""
        pose = without_unseen(smooth(refiner.refine(lifted).pose, self.config.cutoff_hz), track)
        world = world_of(pose, lifted, motion)
        if self.config.camera_height_m is not None and lifted.scale.source == "assumed":
            scaled = scaled_by_camera(pose, lifted, world, self.config.camera_height_m)
            if scaled is not None:
                return _Lifted(track, *scaled, world_of(*scaled, motion))
        return _Lifted(track, pose, lifted, world)

    def again(
        self,
        recording: Recording,
        person: Person,
        track: KeypointTrack | None,
        *,
        strikes: Sequence[Strike] = (),
        thumbnails: Sequence[Thumbnail] = (),
    ) -> Person:
        """A person measured anew from what was corrected by hand; nothing is repaired or filled in.

        Args:
            recording: whose person it is.
            person: as first measured.
            track: the corrected keypoints; None if they are as they were: then pose and exercise are, too.
            strikes: heel strikes to leave out of the gait.
            thumbnails: small pictures of the clip, for key frames; without any, moved keypoints leave none.

        Raises:
            ModelError: a model is missing or damaged.
        """
        from posepipe.annotate import key_frames

        if track is None:
            gait = self._gait(recording.motion_of(person), person.scale_source == "given", strikes)
            return replace(person, gait=gait)
        lifter, refiner = Lifter(threads=cores()), Refiner(config=RefineConfig(latent=self.config.refine))
        lifted = lifter.lift(track, recording.camera, height_m=self.config.height_m)
        motion = recording.camera_motion or STILL
        one = replace(self._placed(lifted, track, refiner, motion), swaps=person.swaps)
        if len(recording.people) > 1 and person.world is not None and person.world.knows("gravity"):
            one = replace(one, world=onto(Shared.of(person.world), one.pose, one.lifted, one.world, motion))
        found = self._measured(one, recording.camera, motion, strikes)
        return replace(found, key_frames=key_frames(track, thumbnails, recording.camera))

    def _measured(
        self, one: _Lifted, camera: Camera, camera_moved: CameraMotion, strikes: Sequence[Strike] = ()
    ) -> Person:
        """What somebody in a room gives."""
        track, pose, scale = one.track, one.pose, one.lifted.scale
        yaw_deg, yaw_sigma_deg = facing(pose)
        angles = angles_in(one.world, pose, camera_moved)
        motion = Motion.from_pose(pose, angles, track, (camera.width_px, camera.height_px))
        gait = self._gait(motion, scale.source == "given", strikes)
        found = outcomes_of(pose, one.world, gait, scales_of(one.lifted), camera_moved)
        # One number in one place.
        known = {name for name in found.items if gait.parameters.value(name) is not None}
        return Person(
            id=track.person,
            keypoints=track,
            pose=pose,
            angles=motion.angles,
            yaw_deg=yaw_deg,
            yaw_sigma_deg=yaw_sigma_deg,
            view=clip_view(yaw_deg, yaw_sigma_deg),
            exercise=self._exercise(motion),
            gait=gait,
            scale_source=scale.source,
            height_m=scale.height_m,
            swaps=one.swaps,
            world=one.world,
            outcomes=replace(found, items={name: item for name, item in found.items.items() if name not in known}),
        )

    def _exercise(self, motion: Motion) -> ExerciseResult:
        if self.config.task not in ("auto", "exercise"):
            return ExerciseResult(withheld=Reason.NOT_ANALYSED)
        from posepipe.exercise.analyse import analyse_exercise
        from posepipe.exercise.recognise import Recogniser

        return analyse_exercise(motion, Recogniser(threads=1))

    def _gait(self, motion: Motion, scale_known: bool, strikes: Sequence[Strike] = ()) -> GaitResult:
        if self.config.task not in ("auto", "gait"):
            return GaitResult(withheld=Reason.NOT_ANALYSED)
        from posepipe.gait.analyse import analyse

        return analyse(motion, scale_known=scale_known, dropped=strikes)


@dataclass(frozen=True, slots=True, eq=False)
class _Lifted:
    """One person on the way to a `Person`: keypoints to show, pose, what it was made of, and where it is."""

    track: KeypointTrack
    pose: PoseTrack
    lifted: LiftResult
    world: World
    swaps: tuple[Swap, ...] = ()


def outcomes_of(pose: PoseTrack, world: World, gait: GaitResult, scales: Scales, moved: CameraMotion) -> Outcomes:
    """What comes of somebody's world, with the heel strikes of their gait."""
    strikes = [event for event in gait.walk.events if event.type == HEEL_STRIKE]
    falls = [Footfall(event.side, event.time_s, not event.turning) for event in strikes]
    reason = gait.withheld or Reason.NOT_WALKING
    return find_outcomes(world, steady_pose(pose, moved), falls, not_walking=reason, scales=scales)


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
        self.shifts: list[Shift] = []

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
                if frame.shift is not None:
                    self.shifts.append(frame.shift)
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


_LATER = (
    *("scipy.linalg", "posepipe.annotate", "posepipe.exercise.analyse", "posepipe.gait.analyse"),
    *("posepipe.record.tables", "posepipe.reports.motion"),
)


def _load_libraries() -> None:
    """Import what later stages need, aside, while the first frames are watched."""
    for name in _LATER:
        import_module(name)


def _warnings(source: Source, followed: _Followed) -> tuple[str, ...]:
    said = []
    if source.truncated:
        said.append(f"The video breaks off after {followed.last_s:.1f} s: {source.truncated}.")
    if source.skipped_frames:
        said.append(f"{source.skipped_frames} damaged pictures were left out.")
    if followed.estimated:
        said.append("The file doesn't time all of its pictures; times come from the frame rate.")
    return (*said, *source.notes)


def _others(tracks: tuple[KeypointTrack, ...], chosen: tuple[KeypointTrack, ...]) -> tuple[str, ...]:
    ids = {track.person for track in chosen}
    others = [
        f"{track.person} ({track.time_s[-1] - track.time_s[0]:.1f} s)" for track in tracks if track.person not in ids
    ]
    if not others:
        return ()
    return (f"Other people were seen: {', '.join(others[:8])}. Another subject can be chosen.",)


def program_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    names = ("posepipe", "mediapipe", "onnxruntime", "opencv-python", "av", "numpy", "scipy")
    return installed(names)


def model_hashes() -> dict[str, str]:
    """Each model's sha256. Raises `ModelError` if a card can't be read."""
    return {card.name: card.sha256 for card in list_cards()}
