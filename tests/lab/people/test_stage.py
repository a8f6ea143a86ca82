from __future__ import annotations

import numpy as np
import pytest

from posepipe.errors import UsageError
from posepipe.lab.people.body import BodyShape, MocapSet
from posepipe.lab.people.figure import scale_of
from posepipe.lab.people.gait import make_walk
from posepipe.lab.people.scene import foliage, shapes
from posepipe.lab.people.stage import Faults, choose, draw_motion, draw_stage
from posepipe.skeleton import BODY21

PLAIN = np.full((48, 64, 3), 100, dtype=np.uint8)


@pytest.fixture(scope="module")
def data() -> MocapSet:
    """Two people, one of them with three times as many sequences."""
    clip = make_walk(np.random.default_rng(0), shape=BodyShape(), duration_s=1.0, fps_hz=30.0).xyz_m.astype(np.float32)
    count = len(clip)
    xyz = np.concatenate([clip] * 4)
    return MocapSet(
        xyz[:, :17],
        xyz[:, [9, 10, 18, 20, 17, 19]],
        np.arange(5) * count,
        np.full(4, 30.0, np.float32),
        np.array(["a", "b", "c", "d"]),
        np.array(["1", "1", "1", "2"]),
    )


def test_subjects_left_out_never_come_and_the_rest_come_more_evenly(data: MocapSet) -> None:
    rng = np.random.default_rng(0)
    assert {choose(rng, data, 1.0, 3, leave_out=["1"])[0] for _ in range(30)} == {3}
    plain = np.mean([choose(rng, data, 1.0, 3)[0] == 3 for _ in range(600)])
    even = np.mean([choose(rng, data, 1.0, 3, even=True)[0] == 3 for _ in range(600)])
    assert plain == pytest.approx(0.25, abs=0.06)
    assert even == pytest.approx(1 / (1 + 3**0.5), abs=0.06)
    with pytest.raises(UsageError):
        choose(rng, data, 1.0, 3, leave_out=["1", "2"])


def test_wide_motion_has_other_proportions_but_the_same_bones_all_along(data: MocapSet) -> None:
    shin = BODY21.indices("left_knee", "left_ankle")
    thigh = BODY21.indices("left_hip", "left_knee")
    seen = []
    for seed in range(12):
        motion = draw_motion(np.random.default_rng(seed), data, 1.0, 4, wide=True)
        assert motion.xyz_m.shape == (4, 21, 3)
        long = [np.linalg.norm(np.diff(motion.xyz_m[:, pair], axis=1)[:, 0], axis=-1) for pair in (shin, thigh)]
        assert np.ptp(long[0]) < 0.01
        seen.append(long[0][0] / long[1][0])
        hips, spine = motion.xyz_m[:, BODY21.indices("left_hip", "right_hip")], motion.xyz_m[:, 0]
        assert hips.mean(axis=1) == pytest.approx(spine, abs=1e-6)
    assert np.std(seen) > 0.02
    plain = draw_motion(np.random.default_rng(0), data, 1.0, 4)
    first = slice(plain.first, plain.first + 4)
    assert np.linalg.norm(plain.xyz_m[:, 1] - plain.xyz_m[:, 2], axis=-1) / plain.scale == pytest.approx(
        np.linalg.norm(data.positions[first, 1] - data.positions[first, 2], axis=-1)
        if not plain.mirrored
        else np.linalg.norm(data.positions[first, 4] - data.positions[first, 5], axis=-1),
        abs=1e-5,
    )


@pytest.mark.parametrize("wide", [False, True])
def test_stage_repeats_by_seed_and_shows_the_person(data: MocapSet, wide: bool) -> None:
    motion = draw_motion(np.random.default_rng(1), data, 1.0, 3, wide=wide)
    one, two = (draw_stage(np.random.default_rng(5), motion.xyz_m, wide=wide) for _ in range(2))
    assert one.camera == two.camera and one.shape == two.shape and one.faults == two.faults
    assert np.array_equal(one.backdrop, two.backdrop)
    sizes, tall = set(), []
    for seed in range(15):
        stage = draw_stage(np.random.default_rng(seed), motion.xyz_m, wide=wide)
        xy, depth = stage.camera.project(motion.xyz_m)
        assert depth.min() > 0
        tall.append(np.ptp(xy[0, :, 1]) / stage.camera.height_px)
        sizes.add(stage.faults.side_px)
        assert stage.backdrop.dtype == np.uint8
    assert 0.25 < np.median(tall) < 1.0
    assert (sizes == {256}) is not wide
    assert scale_of(motion.xyz_m[0]) > 0.5


def test_faults_do_what_they_say() -> None:
    rng = np.random.default_rng(0)
    assert np.array_equal(Faults().apply(PLAIN, rng), PLAIN)
    assert Faults(gain=0.5).apply(PLAIN, rng).mean() == pytest.approx(50, abs=1)
    assert Faults(gamma=2.0).apply(PLAIN, rng).mean() == pytest.approx(255 * (100 / 255) ** 2, abs=1)
    colour = np.dstack([PLAIN[..., 0], 0 * PLAIN[..., 0], 2 * PLAIN[..., 0]])
    assert np.ptp(Faults(grey=1.0).apply(colour, rng), axis=-1).max() == 0
    point = np.zeros((31, 31, 3), np.uint8)
    point[15, 15] = 255
    smeared = Faults(smear_px=10.0, smear_rad=0.0).apply(point, rng)[..., 0] > 0
    assert smeared.any(axis=0).sum() >= 10
    assert smeared.any(axis=1).sum() <= 3


def test_made_up_pictures() -> None:
    a, b = (foliage(np.random.default_rng(2), 64, 48) for _ in range(2))
    assert a.shape == (48, 64, 3) and np.array_equal(a, b) and a.std() > 5
    assert np.array_equal(shapes(PLAIN, np.random.default_rng(0), 0), PLAIN)
    assert not np.array_equal(shapes(PLAIN, np.random.default_rng(0), 5), PLAIN)
