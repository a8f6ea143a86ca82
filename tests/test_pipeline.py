"""The stages put together, against the sample clip's exact truth, live against offline, whole against cut up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import UsageError
from posepipe.geometry.procrustes import align
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.motion.angles import joint_angles
from posepipe.pipeline import Config, Detection, Pipeline
from posepipe.results.recording import Recording
from posepipe.samples import SAMPLE_HEIGHT_M, SAMPLE_TRUTH, SAMPLE_VIDEO
from posepipe.skeleton import BODY21, H36M17
from posepipe.types import KeypointTrack, PoseTrack

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


def test_spans_give_what_one_reading_gives(person_clip: Path) -> None:
    whole = Pipeline(Config(workers=1)).detect(person_clip)
    for track in whole.tracks:
        assert len(track) == 60
    # Two seconds are too short to be cut, so the sample itself is.
    one = Pipeline(Config(workers=1)).detect(SAMPLE_VIDEO).tracks
    three = Pipeline(Config(workers=3)).detect(SAMPLE_VIDEO).tracks
    assert len(one) == len(three) == 1
    assert np.array_equal(one[0].time_s, three[0].time_s)
    off_px = np.linalg.norm(one[0].xy_px - three[0].xy_px, axis=-1)
    assert np.median(off_px) < 0.2
    assert np.percentile(off_px, 99) < 6


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
