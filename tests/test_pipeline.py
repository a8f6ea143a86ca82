"""The stages put together, against the sample clip's exact truth, live against offline, whole against cut up."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from posepipe.annotate import keypoints_at
from posepipe.body.angles import joint_angles
from posepipe.body.lift import Lifter
from posepipe.body.world_live import LiveWorld
from posepipe.errors import ModelError, UsageError
from posepipe.geometry import align
from posepipe.keypoints import open_detector
from posepipe.live import LiveSession
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.pipeline import Config, Detection, Pipeline
from posepipe.record.codec import exercise_json
from posepipe.record.recording import Recording
from posepipe.reports.motion import render
from posepipe.samples import SAMPLE_HEIGHT_M, SAMPLE_TRUTH, SAMPLE_VIDEO
from posepipe.skeleton import BLAZEPOSE33, BODY21, H36M17
from posepipe.tracking.upright import turned_points
from posepipe.types import Frame, Keypoints, KeypointTrack, PoseTrack

LIMBS = [
    BODY21.index(f"{side}_{joint}")
    for side in ("left", "right")
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
]


@pytest.fixture(scope="module")
def detection() -> Detection:
    return Pipeline(Config()).detect(SAMPLE_VIDEO)


@pytest.fixture(scope="module")
def recording(detection: Detection) -> Recording:
    return Pipeline(Config(height_m=SAMPLE_HEIGHT_M)).describe(detection)


@pytest.fixture(scope="module")
def truth() -> dict[str, np.ndarray]:
    with np.load(SAMPLE_TRUTH) as file:
        return {name: file[name] for name in file.files}


def test_every_frame_is_seen(recording: Recording, truth: dict[str, np.ndarray]) -> None:
    person = recording.people[0]
    assert len(recording.people) == 1
    assert np.array_equal(person.keypoints.frame, np.arange(len(truth["time_s"])))
    assert np.abs(person.keypoints.time_s - truth["time_s"]).max() < 1e-3
    assert person.pose.valid.mean() > 0.99


def test_the_quality_is_recorded_as_decided(detection: Detection, recording: Recording) -> None:
    assert detection.quality == recording.config["quality"] == "standard"
    assert Config(**recording.config).detector_name() == "blazepose"  # as the app does for another person


def test_a_missing_network_is_said_before_a_frame_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posepipe.keypoints.quality.have_blazepose", lambda network: network == "full")
    with pytest.raises(ModelError, match="posepipe models get heavy"):
        Pipeline(Config(quality="best")).detect(SAMPLE_VIDEO, on_progress=lambda *_: pytest.fail("watched"))


def test_keypoints_are_near_the_truth(recording: Recording, truth: dict[str, np.ndarray]) -> None:
    track = recording.people[0].keypoints
    mine = track.xy_px[:, track.layout.indices(*[BODY21.joints[i] for i in LIMBS])]
    error_px = np.linalg.norm(mine - truth["xy_px"][:, LIMBS], axis=-1)
    # The person is about 440 px tall.
    assert np.median(error_px) < 10


def test_pose_is_near_the_truth(recording: Recording, truth: dict[str, np.ndarray]) -> None:
    pose = recording.people[0].pose
    mine, true = pose.xyz_m[:, LIMBS].astype(np.float64), truth["xyz_camera_m"][:, LIMBS].astype(np.float64)
    error_mm = np.array([np.linalg.norm(align(a, b) - b, axis=1).mean() for a, b in zip(mine, true, strict=True)]) * 1e3
    assert np.median(error_mm) < 75


def test_given_height_sets_the_scale(recording: Recording, detection: Detection) -> None:
    assert recording.people[0].scale_source == "given"
    assumed = Pipeline(Config()).describe(detection).people[0]
    assert assumed.scale_source == "assumed"
    child = Pipeline(Config(height_m=SAMPLE_HEIGHT_M / 2)).describe(detection).people[0]
    ratio = np.nanmedian(np.abs(child.pose.xyz_m)) / np.nanmedian(np.abs(recording.people[0].pose.xyz_m))
    assert ratio == pytest.approx(0.5, rel=0.02)


def test_a_camera_that_stands_is_said_to(recording: Recording, detection: Detection) -> None:
    assert detection.motion.kind in ("still", "unknown") and recording.camera_motion is detection.motion
    # Before a camera that stands a walker has a speed; the clip's person walks at 1.0 m/s before the squats.
    speed = recording.people[0].gait.parameters.value("walking_speed_mps")
    assert speed is not None and abs(speed.value - 1.0) < 0.2


def test_the_height_of_the_camera_is_used_or_said_not_to_be(recording: Recording, detection: Detection) -> None:
    with pytest.raises(UsageError, match="high"):
        Config(camera_height_m=0.0)
    world = recording.people[0].world
    assert world is not None and world.knows("floor")
    absurd = Pipeline(Config(camera_height_m=15.0)).describe(detection)
    assert absurd.people[0].scale_source == "assumed"
    assert any("height wasn't used" in said for said in absurd.warnings)
    both = Pipeline(Config(height_m=SAMPLE_HEIGHT_M, camera_height_m=15.0)).describe(detection)
    assert both.people[0].scale_source == "given" and any("body height counts" in said for said in both.warnings)


def test_squats_show_in_the_knees(recording: Recording, truth: dict[str, np.ndarray]) -> None:
    person = recording.people[0]
    knee = person.angles.deg[:, person.angles.names.index("right_knee_flexion")]
    for start_s, end_s in truth["reps_s"]:
        inside = (person.keypoints.time_s >= start_s) & (person.keypoints.time_s <= end_s)
        assert np.nanmax(knee[inside]) > 70
        assert knee[inside][0] < 45


def test_angles_agree_with_those_of_the_true_pose(recording: Recording, truth: dict[str, np.ndarray]) -> None:
    person = recording.people[0]
    frames = len(truth["time_s"])
    xyz = truth["xyz_camera_m"] - truth["xyz_camera_m"][:, :1]
    exact = PoseTrack(
        BODY21,
        truth["time_s"],
        xyz.astype(np.float32),
        np.full((frames, 21), 0.001, np.float32),
        truth["xyz_camera_m"][:, 0].astype(np.float32),
        np.full((frames, 3), 0.01, np.float32),
        np.ones((frames, 21), bool),
        np.zeros((frames, 21), bool),
    )
    true = joint_angles(exact)
    limits_deg = {"knee_flexion": 10, "hip_flexion": 16, "elbow_flexion": 12, "ankle_dorsiflexion": 10}
    for name, limit_deg in limits_deg.items():
        for side in ("left", "right"):
            column = true.names.index(f"{side}_{name}")
            off = person.angles.deg[:, column] - true.deg[:, column]
            assert np.nanmedian(np.abs(off)) < limit_deg, (side, name)
    # Nine in ten are meant to lie within 1.645 sigma; a single clip may stray.
    off = person.angles.deg - true.deg
    inside = np.abs(off) < 1.645 * person.angles.sigma_deg
    assert np.mean(inside[np.isfinite(off)]) > 0.8


def test_subject_can_be_chosen_again(detection: Detection) -> None:
    person = detection.tracks[0].person
    assert Pipeline(Config(subject=str(person))).describe(detection).people[0].id == person
    with pytest.raises(UsageError):
        Pipeline(Config(subject="99")).describe(detection)


def test_spans_give_what_one_reading_gives(person_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Pipeline(Config(workers=1)).detect(person_clip)
    for track in whole.tracks:
        assert len(track) == 60
    # Two seconds are too short to be cut, so the sample itself is.
    with monkeypatch.context() as patched:
        patched.setattr("posepipe.pipeline.lanes_for", lambda info, workers: 0)
        (one,) = Pipeline(Config()).detect(SAMPLE_VIDEO).tracks
    (cut,) = Pipeline(Config(workers=1)).detect(SAMPLE_VIDEO).tracks
    assert np.array_equal(one.time_s, cut.time_s)
    off_px = np.linalg.norm(one.xy_px - cut.xy_px, axis=-1)
    assert np.median(off_px) < 0.2 and off_px.max() > 0.0
    assert np.percentile(off_px, 99) < 6
    # Where a film is cut doesn't hang on the cores, so nothing that is found does.
    (beside,) = Pipeline(Config(workers=3)).detect(SAMPLE_VIDEO).tracks
    assert np.array_equal(cut.xy_px, beside.xy_px) and np.array_equal(cut.sigma_px, beside.sigma_px)
    # Nor on whether a batch has the detector open already.
    detector = open_detector("blazepose", threads=1)
    (kept,) = Pipeline(Config()).detect(SAMPLE_VIDEO, detector=detector, in_parts=True).tracks
    assert np.array_equal(cut.xy_px, kept.xy_px)


def test_fast_looks_at_half_of_the_frames_and_sees_the_same(person_clip: Path) -> None:
    class Counted:
        """BlazePose, and how often it was asked."""

        def __init__(self) -> None:
            self.under, self.looks = open_detector("blazepose", threads=1), 0
            self.name, self.layout = self.under.name, self.under.layout

        def start(self) -> Counted:
            self.stream = self.under.start()
            return self

        def step(self, frame: Frame) -> tuple[Keypoints, ...]:
            self.looks += 1
            return self.stream.step(frame)

        def close(self) -> None:
            self.stream.close()

    tracks, looks = [], []
    for quality in ("standard", "fast"):
        detector = Counted()
        found = Pipeline(Config(quality=quality)).detect(person_clip, detector=detector)
        assert found.quality == quality and len(found.tracks) == 1
        tracks.append(found.tracks[0])
        looks.append(detector.looks)
    assert looks[0] == 60 and looks[1] <= 33
    off_px = np.linalg.norm(tracks[1].xy_px - tracks[0].xy_px, axis=-1)
    # The person is about 220 px tall.
    assert np.isfinite(off_px).mean() > 0.9
    assert np.nanmedian(off_px) < 2.0


def test_same_answer_twice(person_clip: Path) -> None:
    pipeline = Pipeline(Config(workers=1))
    a, b = (pipeline.run(person_clip).people[0] for _ in range(2))
    assert np.array_equal(a.keypoints.xy_px, b.keypoints.xy_px, equal_nan=True)
    assert np.array_equal(a.pose.xyz_m, b.pose.xyz_m, equal_nan=True)


def test_live_sees_what_offline_sees(person_clip: Path) -> None:
    pipeline = Pipeline(Config(workers=1))
    track: KeypointTrack = pipeline.detect(person_clip).tracks[0]
    with open_source(person_clip) as source, pipeline.start(*_size(source.info)) as session:
        for row, frame in enumerate(source):
            (person,) = session.step(frame)
            assert person.id == track.person
            # The live left/right guard may exchange labels, nothing else.
            mine, mirror = person.keypoints.xy_px, track.layout.mirror
            same = np.array_equal(mine, track.xy_px[row])
            assert same or np.isin(mine, track.xy_px[row][mirror]).all()
            assert np.isfinite(person.pose.xyz_m[0, : len(H36M17)]).all()
            assert person.angles.deg.shape == (1, len(person.angles.names))


def _size(info: object) -> tuple[int, int]:
    return info.width_px, info.height_px  # type: ignore[attr-defined]


def test_live_height_sets_the_scale(person_clip: Path) -> None:
    with open_source(person_clip) as source:
        frames = [frame for frame, _ in zip(source, range(20), strict=False)]
    sizes = []
    for height_m in (1.6, 2.0):
        with Pipeline(Config(height_m=height_m)).start(*frames[0].size_px) as session:
            poses = [session.step(frame)[0].pose.xyz_m for frame in frames]
        sizes.append(np.nanmedian(np.abs(poses[-1])))
    assert sizes[1] / sizes[0] == pytest.approx(2.0 / 1.6, rel=0.02)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotated_files_give_the_same_pose(person_clip: Path, tmp_path: Path, turn: int) -> None:
    import av

    # The stored pictures are turned; the display matrix turns them back.
    path = tmp_path / f"turned {turn}.mp4"
    with open_source(person_clip) as source, av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "12", "preset": "ultrafast"})
        stream.width, stream.height = (640, 360) if turn == 180 else (360, 640)
        stream.pix_fmt = "yuv420p"
        stream.set_display_rotation(turn)
        for frame in source:
            stored = np.ascontiguousarray(np.rot90(frame.image, -turn // 90))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="bgr24")))
        container.mux(stream.encode(None))
    upright = Pipeline(Config(workers=1)).run(person_clip).people[0]
    turned = Pipeline(Config(workers=1)).run(path)
    assert turned.video.rotation_deg == turn
    assert (turned.video.width_px, turned.video.height_px) == (640, 360)
    off_m = np.linalg.norm(turned.people[0].pose.xyz_m - upright.pose.xyz_m, axis=-1)
    assert np.nanmedian(off_m) < 0.02


def test_wide_and_tall_pictures_give_the_same_pose(person_clip: Path, tmp_path: Path) -> None:
    """Trap: normalised coordinates taken for isotropic. The same pixels in 16:9 and in 1:1, focal length given."""
    path = tmp_path / "square.mp4"
    with open_source(person_clip) as source:
        info = source.info
        with VideoWriter(path, 640, 640, 30.0, crf=12) as writer:
            for frame in source:
                square = np.zeros((640, 640, 3), np.uint8)
                square[140:500] = frame.image
                writer.write(square, frame.time_s)
    config = Config(workers=1, fov_deg=60.0)
    wide, square_run = Pipeline(config).run(person_clip), Pipeline(config).run(path)
    assert wide.camera.focal_px == square_run.camera.focal_px
    assert info.width_px == 640
    off_m = np.linalg.norm(square_run.people[0].pose.xyz_m - wide.people[0].pose.xyz_m, axis=-1)
    assert np.nanmedian(off_m) < 0.02


def test_annotated_video_has_every_frame(recording: Recording, person_clip: Path, tmp_path: Path) -> None:
    pipeline = Pipeline(Config(workers=1))
    short = pipeline.run(person_clip)
    path = tmp_path / "annotated.mp4"
    pipeline.annotate(short, person_clip, path)
    with open_source(person_clip) as before, open_source(path) as after:
        pairs = [(a, b) for a, b in zip(before, after, strict=True)]
    assert len(pairs) == 60
    assert max(abs(a.time_s - b.time_s) for a, b in pairs) < 1e-3
    changed = np.abs(pairs[30][0].image.astype(int) - pairs[30][1].image).max(axis=2) > 60
    joints = short.people[0].keypoints.xy_px[30]
    # What is drawn stands where the person stands.
    rows, columns = np.nonzero(changed[40:])
    assert abs(columns.mean() - joints[:, 0].mean()) < 40
    assert abs(rows.mean() + 40 - joints[:, 1].mean()) < 60


@pytest.mark.parametrize(
    "wrong", [{"task": "dance"}, {"height_m": 9.0}, {"fov_deg": 0.0}, {"subject": "me"}, {"max_people": 0}]
)
def test_config_is_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        replace(Config(), **wrong)  # type: ignore[arg-type]


class _Remembered:
    """A detector that sees what was seen before, frame by frame."""

    name = "remembered"

    def __init__(self, track: KeypointTrack) -> None:
        self.layout = track.layout
        self._track = track

    def start(self) -> _Remembered:
        return self

    def step(self, frame: Frame) -> tuple[Keypoints, ...]:
        found = keypoints_at(self._track, frame.index)
        return () if found is None else (found,)

    def close(self) -> None:
        pass


def test_slow_motion_is_told_in_the_time_of_what_was_filmed(
    detection: Detection, recording: Recording, tmp_path: Path
) -> None:
    import av

    slow = tmp_path / "slow.mp4"
    with av.open(str(SAMPLE_VIDEO)) as source, av.open(str(slow), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.duration = 4 * packet.pts, 4 * packet.dts, 4 * packet.duration
                packet.stream = stream
                target.mux(packet)
    seen = _Remembered(detection.tracks[0])
    told = Pipeline(Config(height_m=SAMPLE_HEIGHT_M, capture_fps_hz=30.0))
    again = told.describe(told.detect(slow, detector=seen))
    assert (again.video.capture_fps_hz, again.video.slowed) == (30.0, 4.0)
    assert again.video.fps_hz == pytest.approx(recording.video.fps_hz)
    assert again.video.duration_s == pytest.approx(recording.video.duration_s)
    np.testing.assert_allclose(again.people[0].pose.time_s, recording.people[0].pose.time_s, atol=1e-6)
    before, after = (exercise_json(one.people[0].exercise) for one in (recording, again))
    assert before["reps_total"] > 0 and after == before
    assert "4 times slower" in render(again) and "times slower" not in render(recording)
    # Not told, it is a slow film: the test could fail.
    last_s = Pipeline(Config()).detect(slow, detector=seen).tracks[0].time_s[-1]
    assert last_s == pytest.approx(4 * recording.people[0].pose.time_s[-1])


class _Replay:
    """A detector that says again what was found, in pictures half as large and turned clockwise."""

    name = "replay"
    layout = BLAZEPOSE33

    def __init__(self, detection: Detection) -> None:
        self.track = detection.tracks[0]
        self.size = detection.video.width_px // 2, detection.video.height_px // 2

    def start(self) -> _Replay:
        return self

    def step(self, frame: Frame) -> tuple[Keypoints, ...]:
        found = keypoints_at(self.track, frame.index)
        if found is None:
            return ()
        xy = turned_points(found.xy_px / 2.0, self.size, 270)
        return (replace(found, xy_px=xy, sigma_px=found.sigma_px / 2.0),)

    def close(self) -> None:
        pass


class _Again(_Replay):
    """The same in pictures as they were."""

    def step(self, frame: Frame) -> tuple[Keypoints, ...]:
        found = keypoints_at(self.track, frame.index)
        return () if found is None else (found,)


def test_live_finds_the_room_that_the_clip_tells(recording: Recording, detection: Detection) -> None:
    camera, world = detection.camera, recording.people[0].world
    assert world is not None and world.knows("floor")
    blank = np.zeros((8, 8, 3), np.uint8)
    rooms = partial(LiveWorld, camera)
    seen = []
    with LiveSession(_Again(detection), Lifter(), camera, SAMPLE_HEIGHT_M, rooms) as session:
        for index, time_s in zip(detection.tracks[0].frame, detection.tracks[0].time_s, strict=True):
            seen += session.step(Frame(int(index), float(time_s), blank))
    known = [person for person in seen if person.room is not None]
    assert seen[0].room is None and len(known) > 0.7 * len(seen)
    last = known[-1]
    assert last.room is not None
    off_deg = np.degrees(np.arccos(np.clip(last.room.up @ world.up, -1.0, 1.0)))
    assert off_deg < 1.645 * np.hypot(*last.room.up_sigma_deg)
    assert abs(last.room.camera_m - world.camera_m) < 1.645 * 2.0 * world.camera_sigma_m
    assert np.isfinite(last.place_m).all() and 0.3 < last.place_m[2] < 1.3


def test_a_film_on_its_side_is_turned_upright_and_said(detection: Detection, tmp_path: Path) -> None:
    replay = _Replay(detection)
    video = tmp_path / "side.mp4"
    first = None
    with open_source(SAMPLE_VIDEO) as source, VideoWriter(video, *replay.size[::-1], 30.0, crf=16) as writer:
        for frame in source:
            small = cv2.resize(frame.image, replay.size, interpolation=cv2.INTER_AREA)
            first = small if first is None else first
            writer.write(np.ascontiguousarray(np.rot90(small, -1)), frame.time_s)
    pipeline = Pipeline(Config(task="pose"))
    found = pipeline.detect(video, detector=replay)
    assert (
        (found.video.width_px, found.video.height_px) == replay.size == (found.camera.width_px, found.camera.height_px)
    )
    assert found.video.rotation_deg == 90
    assert any("turned by 90 degrees" in line for line in found.warnings)
    np.testing.assert_allclose(found.tracks[0].xy_px, detection.tracks[0].xy_px / 2.0, atol=0.01)
    assert found.thumbnails[0][2].shape[1] > found.thumbnails[0][2].shape[0]
    drawn = tmp_path / "drawn.mp4"
    pipeline.annotate(pipeline.describe(found), video, drawn)
    with open_source(drawn) as source:
        assert (source.info.width_px, source.info.height_px) == replay.size
        image = next(iter(source)).image
    assert first is not None and np.median(np.abs(image.astype(int) - first.astype(int))) < 8


def test_a_film_that_stands_upright_stays(detection: Detection) -> None:
    assert detection.video.rotation_deg == 0 and not any("turned" in line for line in detection.warnings)
