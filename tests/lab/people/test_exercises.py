"""Synthetic exercises: bodies stay whole, and repetitions are where the truth says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.exercise.labels import EXERCISES, LABELS, OTHER, WALKING
from posepipe.lab.people.exercises.move import Factory
from posepipe.lab.people.exercises.rig import Body, Rig, bridge, directions
from posepipe.lab.people.exercises.takes import anything, gym_counted, make_exercise
from posepipe.skeleton import BODY21

_J = BODY21.index
_LIMBS = [
    (f"{s}_{a}", f"{s}_{b}")
    for s in ("left", "right")
    for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("heel", "foot_index"))
]


def _angle(xyz: NDArray[np.float64], a: str, b: str, c: str) -> NDArray[np.float64]:
    u, v = xyz[:, _J(a)] - xyz[:, _J(b)], xyz[:, _J(c)] - xyz[:, _J(b)]
    cosine = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


@pytest.mark.parametrize("label", LABELS)
def test_bodies_stay_whole(label: str) -> None:
    for seed in range(12):
        take = make_exercise(label, np.random.default_rng(seed))
        xyz = take.positions
        assert xyz.shape == (len(take), 21, 3) and np.isfinite(xyz).all()
        assert len(take.frame_label) == len(take)
        for a, b in _LIMBS if take.variant != "burpee" else []:  # Burpees blend two postures.
            length = np.linalg.norm(xyz[:, _J(a)] - xyz[:, _J(b)], axis=1)
            assert length.std() < 0.01 * length.mean(), (label, seed, take.variant, a, b)
        # Nothing jumps: no joint outruns a fast punch.
        relative = xyz - xyz[:, :1]
        assert np.abs(np.diff(relative, axis=0)).max() * 30.0 < 16.0, (label, seed, take.variant)


@pytest.mark.parametrize("label", [name for name in EXERCISES if name != "plank"])
def test_repetitions_are_counted_as_asked(label: str) -> None:
    for seed in range(6):
        take = make_exercise(label, np.random.default_rng(seed), reps=4, partial=0.0, cut=0.0)
        assert take.rep_bounds.shape == (4, 2) and take.rep_complete.all()
        assert (np.diff(take.rep_bounds, axis=1) > 0).all() and (np.diff(take.rep_bounds[:, 0]) > 0).all()
        assert take.rep_bounds[0, 0] >= take.set_bounds[0] - 1e-6
        inside = (take.time_s >= take.rep_bounds[0, 0]) & (take.time_s <= take.rep_bounds[-1, 1])
        assert (take.frame_label[inside] == LABELS.index(label)).all()


@pytest.mark.parametrize("factory", [anything, gym_counted])
def test_movements_without_a_name_have_repetitions_too(factory: Factory) -> None:
    for seed in range(15):
        rng = np.random.default_rng([3, seed])
        take = make_exercise("other", rng, reps=5, partial=0.0, cut=0.0, context=0.0, noise_deg=0.0, factory=factory)
        assert len(take.rep_bounds) == 5 and take.rep_complete.all()
        xyz = take.positions - take.positions[:, :1]
        assert np.isfinite(xyz).all()
        for a, b in _LIMBS:
            length = np.linalg.norm(xyz[:, _J(a)] - xyz[:, _J(b)], axis=1)
            assert length.std() < 0.01 * length.mean(), (seed, take.variant, a, b)
        # Each begins where the one before ended, and goes away in between.
        first, second = (np.searchsorted(take.time_s, t) for t in take.rep_bounds[1])
        middle = np.abs(xyz[first:second] - xyz[first]).max()
        assert middle > 0.03, (seed, take.variant)
        if factory is anything:
            assert np.abs(xyz[second - 1] - xyz[first]).max() < 0.35 * middle


# What turns around in the middle of a repetition: joints of an angle, and whether it is smallest there.
_TURNS = {
    "squat": ("left_hip", "left_knee", "left_ankle", True),
    "push_up": ("left_shoulder", "left_elbow", "left_wrist", True),
    "pull_up": ("left_shoulder", "left_elbow", "left_wrist", True),
    "deadlift": ("left_shoulder", "left_hip", "left_knee", False),
    "jumping_jack": ("left_hip", "left_shoulder", "left_elbow", False),
    "sit_up": ("left_shoulder", "left_hip", "left_knee", True),
}


@pytest.mark.parametrize("label", list(_TURNS))
def test_a_repetition_turns_between_its_bounds(label: str) -> None:
    a, b, c, smallest = _TURNS[label]
    for seed in range(8):
        take = make_exercise(label, np.random.default_rng(seed), reps=3, partial=0.0, cut=0.0, noise_deg=0.0)
        angle = _angle(take.positions, a, b, c) * (1.0 if smallest else -1.0)
        for start, end in take.rep_bounds:
            part = (take.time_s >= start) & (take.time_s <= end)
            values = angle[part]
            turn = int(values.argmin())
            assert 0.15 < turn / len(values) < 0.9, (label, seed, take.variant)
            assert min(values[0], values[-1]) - values[turn] > 8.0, (label, seed, take.variant)


def test_partial_repetitions_are_not_complete() -> None:
    take = make_exercise("squat", np.random.default_rng(3), reps=30, partial=0.5, cut=0.0, context=0.0)
    knee = _angle(take.positions, "left_hip", "left_knee", "left_ankle")
    deep = [knee[(take.time_s >= start) & (take.time_s <= end)].min() for start, end in take.rep_bounds]
    assert 5 < take.rep_complete.sum() < 25
    assert max(np.array(deep)[take.rep_complete]) < min(np.array(deep)[~take.rep_complete])


def test_sides_take_turns() -> None:
    for seed in range(60):
        take = make_exercise("bicep_curl", np.random.default_rng(seed), reps=4, cut=0.0)
        if "alternate" in take.variant:
            assert set(take.rep_side) == {"left", "right"} and (take.rep_side[1:] != take.rep_side[:-1]).all()
            return
    pytest.fail("no alternating curl in 60 takes")


@pytest.mark.parametrize("label", [WALKING, OTHER, "plank"])
def test_uncounted_movements_have_no_repetitions(label: str) -> None:
    take = make_exercise(label, np.random.default_rng(1))
    assert len(take.rep_bounds) == 0 and len(take.rep_side) == 0


def test_the_same_seed_gives_the_same_take_at_any_rate() -> None:
    slow = make_exercise("lunge", np.random.default_rng(5), fps_hz=15.0)
    fast = make_exercise("lunge", np.random.default_rng(5), fps_hz=30.0)
    again = make_exercise("lunge", np.random.default_rng(5), fps_hz=15.0)
    assert np.array_equal(slow.positions, again.positions)
    assert slow.time_s[-1] == pytest.approx(fast.time_s[-1], abs=0.1)
    shared = min(len(slow), (len(fast) + 1) // 2)
    assert np.abs(slow.positions[:shared] - fast.positions[::2][:shared]).max() < 0.02


def test_bad_arguments_say_so() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match="no label"):
        make_exercise("yoga", rng)
    with pytest.raises(UsageError):
        make_exercise("squat", rng, fps_hz=0.0)
    with pytest.raises(UsageError):
        make_exercise("squat", rng, reps=-1)


def test_a_bridge_keeps_bones_even_between_opposite_poses() -> None:
    body = Body.random(np.random.default_rng(0))
    low, high = Rig(body, 1), Rig(body, 1)
    for rig, flex in ((low, 0.0), (high, 180.0)):
        rig.trunk([0.0, 0.0, 1.0], 0.0)
        for i in (0, 1):
            rig.arm(i, flex, 0.0, 0.0)
            rig.leg(i, 0.0, 0.0)
    way = bridge(low.xyz[0], high.xyz[0], np.linspace(0, 1, 21))
    assert np.allclose(way[0], low.xyz[0], atol=1e-9) and np.allclose(way[-1], high.xyz[0], atol=1e-9)
    _, length = directions(way)
    assert np.ptp(length, axis=0).max() < 1e-9
    # Turned evenly, not through itself.
    assert np.linalg.norm(np.diff(way[:, _J("left_wrist")], axis=0), axis=1).max() < 0.2
