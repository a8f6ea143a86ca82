"""How firm counts are."""

from __future__ import annotations

import numpy as np
import pytest

from posepipe.exercise.types import Bout, ExerciseResult, Repetition
from posepipe.lab.counter.firm import evaluate_firm, firm_sets, told


@pytest.fixture(scope="module")
def sets():  # type: ignore[no-untyped-def]
    return list(firm_sets(2))


def test_changes_are_smaller_than_a_detector_s_error(sets) -> None:  # type: ignore[no-untyped-def]
    assert [one.name.split()[0] for one in sets] == ["0", "1"]
    for one in sets:
        assert one.true >= 0 and set(one.changed) == {"jitter", "zoom", "drift", "later"}
        for name, motion in one.changed.items():
            whole = one.whole
            assert len(motion) == len(whole) - (name == "later") and np.diff(motion.time_s).min() > 0.0
            both = motion.valid & whole.valid[: len(motion)]
            off_m = np.linalg.norm(motion.xyz_m - whole.xyz_m[: len(motion)], axis=-1)[both]
            assert 0.0 < np.median(off_m) < 0.5 * np.median(whole.sigma_m[whole.valid])


def test_the_same_seed_makes_the_same_sets(sets) -> None:  # type: ignore[no-untyped-def]
    again = next(firm_sets(1))
    assert np.array_equal(again.changed["drift"].xyz_m, sets[0].changed["drift"].xyz_m, equal_nan=True)


def test_what_is_told() -> None:
    rep = Repetition(0.0, 0.5, 1.0)
    squats, lunges, plank = (
        Bout(n, 0.9, 0.0, 9.0, r) for n, r in (("squat", (rep,)), ("lunge", (rep, rep)), ("plank", ()))
    )
    assert told(ExerciseResult((squats, lunges, plank))) == (3, "lunge")
    assert told(ExerciseResult((plank,))) == (0, "plank") and told(ExerciseResult()) == (0, "")


def test_measured() -> None:
    found = evaluate_firm(1)
    right, same = found["metrics"], found["rows"]
    assert right["sets"] == 1.0 and 0.0 <= right["exact"] <= right["off_by_one"] <= 1.0
    assert [row["change"] for row in same] == ["jitter", "zoom", "drift", "later", "all"] and same[4]["pairs"] == 4
    assert all(0.0 <= row["same"] <= min(row["same_count"], row["same_name"]) <= 1.0 for row in same)
