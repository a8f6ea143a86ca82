"""Results to JSON and back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from posepipe.gait.types import Cycle, Deviation, GaitResult, Measured, Value
from posepipe.reasons import Reason
from posepipe.record.codec import decode, encode, gait_json
from posepipe.types import same
from tests.gait.walks import recording_of, straight_motion

from .factory import make_gait


def _through_json(value):
    return json.loads(json.dumps(encode(value), allow_nan=False))


@pytest.mark.parametrize(
    "value",
    [
        Value(1 / 3, float("nan")),
        Reason.WRONG_VIEW,
        {"left": Value(1.0, 0.1), "right": Reason.GAPS},
        {"stance_pct": Value(0.98, 0.03)},
    ],
)
def test_whatever_was_measured_comes_back(value):
    assert same(decode(Measured, _through_json(value)), value)


def test_a_made_up_walk_comes_back_whole():
    assert same(decode(GaitResult, _through_json(make_gait())), make_gait())


def test_a_walk_comes_back_to_the_last_digit_but_for_samples_of_curves():
    (person,) = recording_of(straight_motion(11, "crouch", 0.9), height_m=1.75).people
    found = person.gait
    back = decode(GaitResult, _through_json(found))
    assert isinstance(found.deviation, Deviation) and len(found.cycles) > 5
    for name in ("walk", "view", "parameters", "departures", "features", "deviation", "abnormal", "withheld"):
        mine, theirs = getattr(found, name), getattr(back, name)
        assert mine == theirs or same(mine, theirs)
    assert gait_json(back) == gait_json(found)
    for mine, theirs in zip(found.cycles, back.cycles, strict=True):
        assert isinstance(theirs, Cycle)
        np.testing.assert_allclose(theirs.deg, mine.deg, rtol=1e-5)
        np.testing.assert_allclose(theirs.xyz, mine.xyz, rtol=1e-5)


@pytest.mark.parametrize("broken", [{"value": 1.0}, {"value": 1.0, "sigma": "wide"}, [], None, {"withheld": "moon"}])
def test_what_is_broken_is_refused(broken):
    with pytest.raises((KeyError, TypeError, ValueError)):
        decode(Value, broken)
    with pytest.raises((KeyError, TypeError, ValueError)):
        decode(Reason, broken)
