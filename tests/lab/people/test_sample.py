from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from posepipe.keypoints.blazepose import BlazePose
from posepipe.lab.people.motion import idle
from posepipe.lab.people.sample import (
    clip_truth,
    render_clip,
    sample_camera,
    sample_motion,
    sample_shape,
    write_truth,
)
from posepipe.samples import SAMPLE_TRUTH, SAMPLE_VIDEO
from posepipe.skeleton import BLAZEPOSE33, BODY21, conversion
from posepipe.types import Frame


@pytest.fixture(scope="module")
def truth() -> dict[str, np.ndarray]:
    with np.load(SAMPLE_TRUTH) as data:
        return {key: data[key] for key in data}


def frames() -> Iterator[Frame]:
    with av.open(str(SAMPLE_VIDEO)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            yield Frame(index, float(frame.time), frame.to_ndarray(format="bgr24"))


def test_video_and_truth_agree(truth: dict[str, np.ndarray]) -> None:
    with av.open(str(SAMPLE_VIDEO)) as container:
        stream = container.streams.video[0]
        times = sorted(float(packet.pts * packet.time_base) for packet in container.demux(stream) if packet.size)
        assert (stream.width, stream.height) == tuple(truth["size_px"])
    assert times == pytest.approx(truth["time_s"], abs=2e-4)
    assert SAMPLE_VIDEO.stat().st_size < 1_500_000


def test_truth_is_what_the_code_makes(truth: dict[str, np.ndarray]) -> None:
    fresh = clip_truth(sample_motion(sample_shape()), sample_camera())
    assert fresh.keys() == truth.keys()
    for key, value in fresh.items():
        if value.dtype.kind == "U":
            assert np.array_equal(value, truth[key])
        else:
            assert truth[key] == pytest.approx(value, abs=1e-3), key


def test_truth_is_consistent(truth: dict[str, np.ndarray]) -> None:
    assert tuple(truth["joints"]) == BODY21.joints
    camera = truth["xyz_world_m"] @ truth["rotation"].T + truth["translation_m"]
    assert camera == pytest.approx(truth["xyz_camera_m"], abs=1e-4)
    xy = truth["focal_px"] * camera[..., :2] / camera[..., 2:] + truth["principal_px"]
    assert xy == pytest.approx(truth["xy_px"], abs=0.05)
    assert (truth["xy_px"] > 40).all()
    assert (truth["xy_px"] < truth["size_px"] - 40).all()
    assert len(truth["reps_s"]) == 3
    pelvis = truth["xyz_world_m"][:, 0, 2]
    for start, end in truth["reps_s"]:
        inside = (truth["time_s"] > start) & (truth["time_s"] < end)
        assert pelvis[inside].min() < 0.62 * pelvis[-1]
    strikes = truth["event_s"][truth["event_kind"] == "heel_strike"]
    assert len(strikes) >= 4
    assert strikes.max() < truth["reps_s"][0, 0]
    speed = np.linalg.norm(np.diff(truth["xyz_world_m"], axis=0), axis=-1) * 30.0
    assert speed.max() < 6.0  # nothing jumps, from the walk to the squats neither


def test_blazepose_finds_the_person_where_the_truth_is(truth: dict[str, np.ndarray]) -> None:
    detector = BlazePose(threads=1)
    matrix = conversion(BLAZEPOSE33, BODY21)
    wanted = (15, 60, 110, 140, 230)
    limbs = BODY21.indices(*(n for n in BODY21.joints if n.split("_")[-1] in ("hip", "knee", "ankle", "shoulder")))
    errors = []
    for frame in frames():
        if frame.index not in wanted:
            continue
        people = detector.start().step(frame)
        assert len(people) == 1
        seen = people[0]
        assert seen.presence > 0.9
        assert seen.score.mean() > 0.7
        errors.append(np.linalg.norm(matrix @ seen.xy_px - truth["xy_px"][frame.index], axis=1)[limbs])
    assert len(errors) == len(wanted)
    # The person is about 430 pixels tall; 16 pixels are 6 cm.
    assert np.median(errors) < 16.0


def test_clip_frames_repeat_by_seed(tmp_path: Path) -> None:
    shape = sample_shape()
    motion = idle(shape, 0.1)
    camera = sample_camera().region((640.0, 360.0), 700.0, 0.0, 128)
    a, b = ([f.image for f in render_clip(motion, shape, camera, noise=3.0, seed=5)] for _ in range(2))
    assert len(a) == len(motion) == 3
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    write_truth(tmp_path / "truth.npz", motion, camera)
    with np.load(tmp_path / "truth.npz", allow_pickle=False) as data:
        assert data["reps_s"].shape == (0, 2)
        assert data["xyz_world_m"].shape == (3, 21, 3)
        assert "allow_pickle" not in data
