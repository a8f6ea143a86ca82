"""Changed walks show the change that was made, and another skeleton doesn't change how somebody walks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from posepipe.gait.curves import cut_cycles
from posepipe.gait.features import gait_features
from posepipe.gait.types import Event
from posepipe.gait.walk import find_walk
from posepipe.lab.gait.files import file_motion
from posepipe.lab.gait.impair import Change, Skeleton, changed
from posepipe.lab.people.gait import make_walk
from posepipe.skeleton import BODY21

FPS_HZ = 60.0


def _features(xyz: NDArray[np.float64]) -> dict[str, float]:
    motion = file_motion(xyz.astype(np.float32), BODY21.joints, FPS_HZ, "m", "z up")
    cycles = cut_cycles(motion, find_walk(motion).strides)
    return {name: item.value for name, item in gait_features(cycles, errors=False).items()}


@pytest.fixture(scope="module")
def walk() -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[Event, ...]]:
    made = make_walk(np.random.default_rng(4), duration_s=6.0, fps_hz=FPS_HZ)
    motion = file_motion(made.xyz_m.astype(np.float32), BODY21.joints, FPS_HZ, "m", "z up")
    return made.time_s, made.xyz_m, find_walk(motion).events


def _made(
    walk: tuple[NDArray[np.float64], NDArray[np.float64], tuple[Event, ...]],
    change: Change,
    skeleton: Skeleton | None = None,
) -> dict[str, float]:
    out = changed(*walk, change, skeleton or Skeleton(), np.random.default_rng(0))
    assert out is not None
    return _features(out)


def test_no_change_changes_nothing(walk: tuple[NDArray[np.float64], NDArray[np.float64], tuple[Event, ...]]) -> None:
    before, after = _features(walk[1]), _made(walk, Change())
    for name in ("cadence_spm", "stance_pct", "hip_range_deg", "knee_swing_deg", "step_length_ll"):
        assert after[name] == pytest.approx(before[name], rel=0.01), name


def test_each_change_shows(walk: tuple[NDArray[np.float64], NDArray[np.float64], tuple[Event, ...]]) -> None:
    before = _made(walk, Change())
    slow = _made(walk, Change(time=1.25))
    assert slow["cadence_spm"] == pytest.approx(before["cadence_spm"] / 1.25, rel=0.03)
    stiff = _made(walk, Change(knee=(0.7, 1.0)))
    gap = stiff["knee_swing_asymmetry_deg"]
    assert gap == pytest.approx(0.3 * before["knee_swing_deg"], abs=6.0)
    assert _made(walk, Change(hip=(0.8, 0.8)))["step_length_ll"] < 0.9 * before["step_length_ll"]
    assert _made(walk, Change(stance=(0.04, 0.04)))["stance_pct"] == pytest.approx(before["stance_pct"] + 4.0, abs=1.5)
    # One foot 4 % of a stride later: one step is 4 % longer, the other shorter.
    late = _made(walk, Change(late=(0.0, 0.04)))["step_time_asymmetry_pct"]
    assert late - before["step_time_asymmetry_pct"] == pytest.approx(8.0, abs=3.0)
    lean = _made(walk, Change(lean_deg=8.0))["trunk_flexion_deg"]
    assert lean - before["trunk_flexion_deg"] == pytest.approx(8.0, abs=2.0)


def test_another_skeleton_moves_angles_not_times(
    walk: tuple[NDArray[np.float64], NDArray[np.float64], tuple[Event, ...]],
) -> None:
    before = _made(walk, Change())
    other = _made(walk, Change(), Skeleton(knee_deg=(12.0, 4.0), thigh=(1.05, 1.0)))
    assert other["knee_stance_deg"] - before["knee_stance_deg"] == pytest.approx(8.0, abs=2.0)
    assert other["knee_stance_asymmetry_deg"] > before["knee_stance_asymmetry_deg"] + 4.0
    assert other["cadence_spm"] == pytest.approx(before["cadence_spm"], rel=0.02)
    assert other["knee_swing_deg"] == pytest.approx(before["knee_swing_deg"], abs=3.0)
