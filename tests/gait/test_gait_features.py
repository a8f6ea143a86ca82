"""Signs that a clinician looks at: each goes the way its pattern says, and names the right side."""

from __future__ import annotations

import numpy as np
import pytest

from posepipe.body.motion import Motion
from posepipe.gait.curves import cut_cycles
from posepipe.gait.events import coarse_strides
from posepipe.gait.features import FEATURES, gait_features
from posepipe.gait.types import Feature
from posepipe.gait.walk import find_walk
from tests.gait.walks import mirrored, straight_motion, without


def _features(motion: Motion) -> dict[str, Feature]:
    return gait_features(cut_cycles(motion, find_walk(motion).strides), errors=False)


@pytest.mark.parametrize(
    ("pattern", "name", "sign"),
    [
        ("parkinsonian", "pace_llps", -1),
        ("foot_drop", "foot_strike_deg", -1),
        ("foot_drop", "foot_strike_asymmetry_deg", 1),
        ("foot_drop", "hip_swing_asymmetry_deg", 1),
        ("antalgic", "heel_rise_asymmetry_deg", 1),
        ("crouch", "knee_strike_deg", 1),
        ("crouch", "hip_behind_deg", 1),
        ("stiff_knee", "knee_off_asymmetry_deg", 1),
        ("crouch", "knee_off_deg", 1),
    ],
)
def test_a_sign_goes_the_way_of_its_pattern(pattern: str, name: str, sign: int) -> None:
    """Where a pattern is what a sign is for, the sign has words on that side, and the pattern moves it there."""
    values = [_features(straight_motion(13, pattern, severity))[name].value for severity in (0.0, 0.9)]
    assert sign * (values[1] - values[0]) > 0.0
    spec = next(spec for spec in FEATURES if spec.name == name)
    assert spec.high if sign > 0 else spec.low


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_foot_that_lands_flatter_is_named(side: str) -> None:
    assert _features(straight_motion(13, "foot_drop", 0.9, side))["foot_strike_asymmetry_deg"].side == side


def test_a_mirror_changes_no_value() -> None:
    motion = straight_motion(13, "hemiplegic", 0.6)
    here, there = _features(motion), _features(mirrored(motion))
    assert set(here) == set(there)
    for name, feature in here.items():
        assert there[name].value == pytest.approx(feature.value, abs=0.02 + 0.01 * abs(feature.value)), name


def test_without_feet_nothing_is_said_of_them() -> None:
    motion = straight_motion(13)
    feet = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("heel", "foot_index"))
    bare = without(motion, np.ones(len(motion), dtype=bool), feet)
    found = gait_features(cut_cycles(bare, coarse_strides(bare)), errors=False)
    assert not {name for name in found if name.startswith(("foot_strike", "heel_rise"))}
    assert {"knee_strike_deg", "knee_loading_deg", "hip_behind_deg", "hip_swing_deg"} <= set(found)
