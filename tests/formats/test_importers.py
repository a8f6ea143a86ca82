"""Keypoints in other programs' forms, written here as their documentation has them, and lifted."""

from __future__ import annotations

import csv
import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import posepipe
from posepipe.errors import InputError, MediaError, NobodyFoundError, UsageError
from posepipe.formats.read import read_keypoints
from posepipe.formats.read_people import ImportedTracks, joint_named
from posepipe.formats.read_tables import texts_of
from posepipe.formats.registry import write_formats
from posepipe.skeleton import BLAZEPOSE33, COCO17, HALPE26
from posepipe.types import KeypointTrack
from tests.record.factory import CAMERA, make_keypoints, make_pose, make_recording

FRAMES = 45
SIZE = {"width_px": 1280, "height_px": 720}
BODY25 = (
    *("Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist"),
    *("MidHip", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "REye"),
    *("LEye", "REar", "LEar", "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe"),
    *("RHeel",),
)


@pytest.fixture(scope="module")
def people() -> tuple[KeypointTrack, KeypointTrack]:
    """The factory's figure, and a second one two metres to its left."""
    pose = make_pose(np.arange(FRAMES) / 30.0)
    first = make_keypoints(pose)
    shifted = make_keypoints(pose, person=2)
    xy = shifted.xy_px + np.float32([400.0, 0.0])
    second = KeypointTrack(
        2,
        shifted.layout,
        shifted.frame,
        shifted.time_s,
        xy,
        *(getattr(shifted, name) for name in ("sigma_px", "score", "valid", "interpolated")),
    )
    return first, second


def _point(track: KeypointTrack, row: int, joint: str | None) -> list[float]:
    """x, y, score; zeros for a missing joint, as most programs have it."""
    if joint is None or joint not in track.layout.joints:
        return [0.0, 0.0, 0.0]
    i = track.layout.index(joint)
    if not track.valid[row, i]:
        return [0.0, 0.0, 0.0]
    return [*map(float, track.xy_px[row, i]), float(track.score[row, i])]


def _openpose(people, folder: Path) -> Path:
    for row in range(FRAMES):
        # OpenPose lists people in any order, without numbers.
        order = people if row % 2 else people[::-1]
        found = [
            {
                "person_id": [-1],
                "pose_keypoints_2d": [v for name in BODY25 for v in _point(track, row, joint_named(name))],
                "face_keypoints_2d": [],
            }
            for track in order
        ]
        path = folder / f"clip_{row:012d}_keypoints.json"
        path.write_text(json.dumps({"version": 1.3, "people": found}))
    return folder


def _alphapose(people, folder: Path) -> Path:
    path = folder / "alphapose-results.json"
    entries = [
        {
            "image_id": f"{row}.jpg",
            "category_id": 1,
            "keypoints": [v for name in HALPE26.joints for v in _point(track, row, name)],
            "score": 2.9,
            "box": [1, 2, 3, 4],
            "idx": track.person,
        }
        for track in people
        for row in range(FRAMES)
    ]
    path.write_text(json.dumps(entries))
    return path


def _mmpose(people, folder: Path) -> Path:
    path = folder / "mmpose.json"
    points = [[[_point(track, row, name) for name in COCO17.joints] for track in people] for row in range(FRAMES)]
    info = [
        {
            "frame_id": row + 1,
            "instances": [
                {"keypoints": [p[:2] for p in person], "keypoint_scores": [p[2] for p in person]} for person in frame
            ],
        }
        for row, frame in enumerate(points)
    ]
    meta = {"keypoint_id2name": {str(i): name for i, name in enumerate(COCO17.joints)}}
    path.write_text(json.dumps({"meta_info": meta, "instance_info": info}))
    return path


def _mmpose_list(people, folder: Path) -> Path:
    path = folder / "mmpose_list.json"
    path.write_text(
        json.dumps([frame["instances"] for frame in json.loads(_mmpose(people, folder).read_text())["instance_info"]])
    )
    return path


def _mediapipe(people, folder: Path) -> Path:
    path = folder / "landmarks.json"
    track = people[0]
    frames = []
    for row in range(FRAMES):
        landmarks = []
        for i in range(33):
            x, y, score = _point(track, row, BLAZEPOSE33.joints[i])
            landmarks.append({"x": x / 1280, "y": y / 720, "z": 0.0, "visibility": score})
        frames.append({"timestamp_ms": row * 1000.0 / 30.0, "pose_landmarks": [landmarks]})
    path.write_text(json.dumps(frames))
    return path


def _coco(people, folder: Path) -> Path:
    path = folder / "coco.json"
    annotations = [
        {
            "id": row * 2 + k,
            "image_id": 100 + row,
            "category_id": 1,
            "keypoints": [
                v for name in COCO17.joints for x, y, s in [_point(track, row, name)] for v in (x, y, 2 if s else 0)
            ],
        }
        for row in range(FRAMES)
        for k, track in enumerate(people)
    ]
    images = [{"id": 100 + row, "file_name": f"{row}.jpg", "width": 1280, "height": 720} for row in range(FRAMES)]
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.joints), "skeleton": []}
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}))
    return path


def _deeplabcut(people, folder: Path) -> Path:
    path = folder / "clipDLC.csv"
    joints = COCO17.joints
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        columns = [(f"ind{t.person}", j, c) for t in people for j in joints for c in ("x", "y", "likelihood")]
        writer.writerow(["scorer", *["DLC_resnet"] * len(columns)])
        writer.writerow(["individuals", *(c[0] for c in columns)])
        writer.writerow(["bodyparts", *(c[1] for c in columns)])
        writer.writerow(["coords", *(c[2] for c in columns)])
        for row in range(FRAMES):
            writer.writerow([row, *(v for t in people for j in joints for v in _point(t, row, j))])
    return path


def _deeplabcut_h5(people, folder: Path) -> Path:
    """As `DataFrame.to_hdf(format="table")` lays it out: names pickled beside the numbers."""
    h5py = pytest.importorskip("h5py")
    path = folder / "clipDLC.h5"
    names = [
        ("DLC_resnet", f"ind{t.person}", j, c) for t in people for j in COCO17.joints for c in ("x", "y", "likelihood")
    ]
    table = np.zeros(FRAMES, [("index", "<i8"), ("values_block_0", "<f8", (len(names),))])
    table["index"] = np.arange(FRAMES)
    table["values_block_0"] = [
        [v for t in people for j in COCO17.joints for v in _point(t, row, j)] for row in range(FRAMES)
    ]
    with h5py.File(path, "w") as file:
        made = file.create_dataset("df_with_missing/table", data=table)
        made.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(names, 0))
    return path


def _sleap_csv(people, folder: Path) -> Path:
    path = folder / "sleap.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["track", "frame_idx", "instance.score", *(f"{j}.{c}" for j in COCO17.joints for c in ("x", "y", "score"))]
        )
        for track in people:
            for row in range(FRAMES):
                cells = [v for j in COCO17.joints for v in (_point(track, row, j))]
                writer.writerow([f"track_{track.person}", row, 0.9, *(v if v else "" for v in cells)])
    return path


def _sleap_h5(people, folder: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    path = folder / "sleap.analysis.h5"
    table = np.array([[[_point(t, row, j) for j in COCO17.joints] for row in range(FRAMES)] for t in people])
    table[table[..., 2] == 0] = math.nan
    with h5py.File(path, "w") as file:
        file["tracks"] = table[..., :2].transpose(0, 3, 2, 1)
        file["point_scores"] = table[..., 2].transpose(0, 2, 1)
        file["node_names"] = np.array([name.encode() for name in COCO17.joints])
        file["track_names"] = np.array([b"a", b"b"])
    return path


Writer = Callable[..., Path]
WRITERS: dict[str, Writer] = {
    "openpose": _openpose,
    "alphapose": _alphapose,
    "mmpose": _mmpose,
    "mmpose list": _mmpose_list,
    "mediapipe": _mediapipe,
    "coco": _coco,
    "deeplabcut": _deeplabcut,
    "deeplabcut h5": _deeplabcut_h5,
    "sleap": _sleap_csv,
    "sleap h5": _sleap_h5,
}


def _nearest(imported: ImportedTracks, truth: KeypointTrack) -> KeypointTrack:
    i, j = imported.tracks[0].layout.index("left_hip"), truth.layout.index("left_hip")
    return min(imported.tracks, key=lambda track: abs(track.xy_px[0, i, 0] - truth.xy_px[0, j, 0]))


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("named", [True, False])
def test_every_source(people, kind: str, named: bool, tmp_path: Path) -> None:
    path = WRITERS[kind](people, tmp_path)
    imported = read_keypoints(path, kind.split()[0] if named else "auto", fps_hz=30.0, **SIZE)
    expected = people[:1] if kind == "mediapipe" else people
    assert len(imported.tracks) == len(expected)
    assert (imported.width_px, imported.height_px, imported.fps_hz) == (1280, 720, 30.0)
    for truth in expected:
        track = _nearest(imported, truth)
        assert len(track) == FRAMES
        assert track.time_s == pytest.approx(np.arange(FRAMES) / 30.0)
        for joint in ("left_wrist", "right_ankle", "left_hip", "nose"):
            i, j = track.layout.index(joint), truth.layout.index(joint)
            assert (track.valid[:, i] == truth.valid[:, j]).all(), joint
            seen = truth.valid[:, j]
            assert np.abs(track.xy_px[seen, i] - truth.xy_px[seen, j]).max() < 0.01
            assert (track.sigma_px[seen, i] > 0).all() and np.isnan(track.sigma_px[~seen, i]).all()


def test_feet_come_along(people, tmp_path: Path) -> None:
    track = _nearest(read_keypoints(_openpose(people, tmp_path), **SIZE), people[0])
    i, j = track.layout.index("left_foot_index"), people[0].layout.index("left_foot_index")
    assert np.abs(track.xy_px[:, i] - people[0].xy_px[:, j]).max() < 0.01


def test_lower_score_gives_more_sigma(people, tmp_path: Path) -> None:
    path = _alphapose(people[:1], tmp_path)
    entries = json.loads(path.read_text())
    for entry in entries:
        entry["keypoints"][2::3] = [0.3 if s else 0.0 for s in entry["keypoints"][2::3]]
    doubtful = tmp_path / "doubtful.json"
    doubtful.write_text(json.dumps(entries))
    sure, unsure = (read_keypoints(p, "alphapose", **SIZE).tracks[0] for p in (path, doubtful))
    assert np.nanmin(unsure.sigma_px / sure.sigma_px) > 1.2


def test_lift_without_a_video(people, tmp_path: Path) -> None:
    recording = posepipe.lift(_coco(people[:1], tmp_path), fps_hz=30.0, height_m=1.75)
    person = recording.people[0]
    assert person.height_m == 1.75 and person.scale_source == "given"
    assert len(person.pose) == FRAMES
    knee = person.pose.valid[:, person.pose.layout.index("left_knee")]
    assert knee.all()
    truth = make_pose(np.arange(FRAMES) / 30.0)
    bend = person.angles.deg[:, person.angles.names.index("left_knee_flexion")]
    ankle = -truth.xyz_m[:, truth.layout.index("left_ankle"), 1]
    # Deeper squats have higher ankles seen from the pelvis, and more bent knees.
    assert np.corrcoef(ankle, bend)[0, 1] > 0.9
    assert recording.video.sha256 is None
    folder = tmp_path / "out"
    posepipe.save(recording, folder)
    assert posepipe.load(folder).video.path == recording.video.path


def test_our_own_coco_comes_back(tmp_path: Path) -> None:
    recording = make_recording(40)
    path = write_formats(recording, tmp_path, "coco")[0]
    imported = read_keypoints(path)
    track, truth = imported.tracks[0], recording.people[0].keypoints
    assert imported.width_px == CAMERA.width_px
    assert track.time_s == pytest.approx(truth.time_s)
    i, j = track.layout.index("left_elbow"), truth.layout.index("left_elbow")
    assert track.xy_px[:, i] == pytest.approx(truth.xy_px[:, j], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "joint"),
    [
        ("LeftAnkle", "left_ankle"),
        ("l_ankle", "left_ankle"),
        ("ankle_R", "right_ankle"),
        ("RBigToe", "right_foot_index"),
        ("ankle2", "left_ankle"),
        ("wrist1", "right_wrist"),
        ("left_small_toe", "left_small_toe"),
        ("MidHip", "pelvis"),
        ("Right Shoulder", "right_shoulder"),
        ("tail", None),
        ("chin", None),
        ("", None),
    ],
)
def test_names(name: str, joint: str | None) -> None:
    assert joint_named(name) == joint


@pytest.mark.parametrize("protocol", range(6))
def test_names_are_read_not_run(protocol: int) -> None:
    names = [("a", "left ankle", "x"), ("a", "é", "y"), ("a", "é", "y")]
    assert texts_of(pickle.dumps(names, protocol)) == names
    for wrong in ([1, 2], {"a": 1}, "text", [Path("x")]):
        with pytest.raises(ValueError, match="a pickle"):
            texts_of(pickle.dumps(wrong, protocol))


def test_refusals(people, tmp_path: Path) -> None:
    coco = _coco(people, tmp_path)
    with pytest.raises(UsageError, match="posenet"):
        read_keypoints(coco, "posenet")
    with pytest.raises(UsageError, match="fps_hz"):
        read_keypoints(coco, fps_hz=-1.0)
    with pytest.raises(MediaError, match="no such"):
        read_keypoints(tmp_path / "nowhere.json")
    with pytest.raises(InputError, match="how large"):
        read_keypoints(_alphapose(people, tmp_path))
    junk = tmp_path / "junk.json"
    junk.write_text("{nonsense")
    with pytest.raises(InputError, match="isn't JSON"):
        read_keypoints(junk)
    junk.write_text('{"annotations": 3, "images": [{"id": 1}]}')
    with pytest.raises(InputError, match=r"junk\.json"):
        read_keypoints(junk)
    mouse = tmp_path / "mouse.csv"
    mouse.write_text("scorer,a,a,a\nbodyparts,snout,snout,snout\ncoords,x,y,likelihood\n0,1,2,0.9\n")
    with pytest.raises(InputError, match="shoulder"):
        read_keypoints(mouse, **SIZE)
    empty = tmp_path / "empty.json"
    empty.write_text('{"images": [{"id": 1, "width": 10, "height": 10}], "annotations": []}')
    with pytest.raises(NobodyFoundError):
        read_keypoints(empty)
