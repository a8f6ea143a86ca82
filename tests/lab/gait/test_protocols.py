"""Sets that users download: their published forms are found and read, people are kept apart, sums are right."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError
from posepipe.formats.mocap import write_mot
from posepipe.lab.gait import protocols
from posepipe.lab.gait.protocols import Picture, Trial, evaluate_protocol, kuopio, rehab24, summarise_trials, vidimu
from posepipe.lab.people.gait import make_walk
from posepipe.record.agree import Reference
from posepipe.record.recording import Recording
from posepipe.skeleton import BODY21
from tests.gait.filmed import seen
from tests.gait.walks import recording_of, straight_motion, world_walk

BODY25 = (
    *(
        "nose",
        "thorax",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "pelvis",
    ),
    *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "", "", "", ""),
    *("left_foot_index", "", "left_heel", "right_foot_index", "", "right_heel"),
)
_ARM, _LEG = ("Shoulder", "Arm", "ForeArm", "Hand", "HandEnd"), ("UpLeg", "Leg", "Foot", "ToeBase", "ToeEnd")
REHAB = (
    *("Hips", "Spine", "Spine1", "Neck", "Head", "HeadEnd"),
    *(f"{side}{part}" for limb in (_ARM, _LEG) for side in ("Left", "Right") for part in limb),
)


def _openpose(folder: Path) -> None:
    folder.mkdir(parents=True)
    track = seen(make_walk(np.random.default_rng(5), duration_s=4.0, fps_hz=30.0), 90.0, "pan").keypoints
    assert track is not None
    for number, points in enumerate(track.xy_px):
        flat: list[float] = []
        for name in BODY25:
            known = name in BODY21.joints
            flat += [*map(float, points[BODY21.index(name)]), 0.9] if known else [0.0, 0.0, 0.0]
        text = json.dumps({"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": flat}]})
        (folder / f"l_comf_01_{number:012d}_keypoints.json").write_text(text, encoding="utf-8")


def test_kuopio_reads_keypoints_beside_c3d(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _openpose(tmp_path / "07" / "openpose" / "json_l_comf_01")
    for person, trial in (("07", "l_comf_01"), ("08", "l_fast_02")):  # The second has no keypoints.
        (tmp_path / person / "mocap").mkdir(parents=True)
        (tmp_path / person / "mocap" / f"{trial}.c3d").touch()
    (trial,) = kuopio(tmp_path)
    assert (trial.person, trial.view, trial.condition) == ("07", "side", "comf")
    true = make_walk(np.random.default_rng(5), duration_s=4.0, fps_hz=30.0)
    angles = true.angles()
    knee = {name: angles.deg[:, angles.names.index(name)].astype(float) for name in ("left_knee_flexion",)}
    monkeypatch.setattr(protocols, "read_reference", lambda path: Reference(path.name, true.time_s, knee))
    found = evaluate_protocol("kuopio", tmp_path, Picture(30.0, 480, 480))
    assert found["metrics"]["side_knee_flexion_people"] == 1.0
    assert found["metrics"]["side_knee_flexion_centred_rmse_deg"] < 12.0


def test_vidimu_pairs_films_and_sensors_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings = {}
    for number, (person, seed) in enumerate((("S40", 11), ("S41", 12))):
        recording = recording_of(straight_motion(seed))
        subject = recording.people[0]
        films, sensors = tmp_path / "videos" / person, tmp_path / "joints" / person
        films.mkdir(parents=True)
        sensors.mkdir(parents=True)
        (films / f"{person}_A01_T01.mp4").touch()
        (films / f"{person}_A02_T01.mp4").touch()  # Without sensors.
        moved = replace(subject.angles, deg=subject.angles.deg - np.float32(2.0 + 2.0 * number))
        write_mot(recording, replace(subject, angles=moved), sensors / f"ik_{person}_A01_T01.mot")
        recordings[f"{person}_A01_T01"] = recording
    trials = list(vidimu(tmp_path))
    assert [(t.person, t.condition) for t in trials] == [("S40", "A01"), ("S41", "A01")]

    def recorded(trial: Trial, *_: object) -> Recording:
        return recordings[trial.name]

    monkeypatch.setattr(protocols, "_recorded", recorded)
    metrics = evaluate_protocol("vidimu", tmp_path)["metrics"]
    assert metrics["knee_flexion_people"] == 2.0
    # One person 2 degrees off, the other 4: people count alike, and differ by the root of 2.
    assert metrics["knee_flexion_bias_deg"] == pytest.approx(3.0, abs=0.1)
    assert metrics["knee_flexion_bias_deg_people_sd"] == pytest.approx(2**0.5, abs=0.1)
    assert metrics["knee_flexion_centred_rmse_deg"] < 2.0


def _rehab(folder: Path) -> None:
    _, xyz = world_walk(11)
    points = np.zeros((len(xyz), len(REHAB), 3))
    for column, name in enumerate(REHAB):
        ours = protocols._REHAB_JOINTS.get(name)
        if ours is not None:
            points[:, column] = 1000.0 * xyz[:, BODY21.index(ours)][:, [0, 2, 1]] * np.array([1.0, 1.0, -1.0])
    (folder / "3d_joints" / "Ex6").mkdir(parents=True)
    np.save(folder / "3d_joints" / "Ex6" / "PM_008-30fps.npy", points)
    (folder / "videos").mkdir()
    for camera in (17, 18):
        (folder / "videos" / f"PM_008-Camera{camera}-30fps.mp4").touch()
    (folder / "joints_names.txt").write_text("\n".join(f"{i:02d} {n}" for i, n in enumerate(REHAB)), encoding="utf-8")
    with (folder / "Segmentation.csv").open("w", encoding="utf-8", newline="") as file:
        head = "video_id repetition_number exercise_id person_id first_frame last_frame cam17_orientation"
        writer = csv.writer(file, delimiter=";")
        writer.writerow([*head.split(), "mocap_erroneous", "correctness"])
        writer.writerow(["PM_008", 1, 6, 7, 0, 90, "front", 0, 1])
        writer.writerow(["PM_009", 1, 6, 7, 0, 90, "front", 1, 1])  # Wrong markers.


def test_rehab24_has_two_views_and_markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _rehab(tmp_path)
    front, side = rehab24(tmp_path)
    assert [(t.view, t.split, t.condition) for t in (front, side)] == [("front", "7-9", "Ex6"), ("side", "7-9", "Ex6")]
    monkeypatch.setattr(protocols, "_recorded", lambda *_: recording_of(straight_motion(11)))
    metrics = evaluate_protocol("rehab24", tmp_path)["metrics"]
    assert metrics["side_knee_flexion_rmse_deg"] < 4.0
    assert metrics["front_hip_flexion_rmse_deg"] < 5.0


def test_what_isnt_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="kuopio"):
        evaluate_protocol("kuopio", tmp_path)
    with pytest.raises(InputError, match="Segmentation"):
        evaluate_protocol("rehab24", tmp_path)


def test_a_person_with_many_trials_counts_once() -> None:
    rows = [{"trial": f"a{i}", "person": "a", "view": "side", "joint": "knee", "rmse_deg": 2.0} for i in range(9)]
    rows.append({"trial": "b", "person": "b", "view": "side", "joint": "knee", "rmse_deg": 6.0})
    assert summarise_trials(rows)["side_knee_rmse_deg"] == pytest.approx(4.0)
