"""How large a fault must be to be found."""

from __future__ import annotations

from posepipe.lab.power import Judged, evaluate_power, power_rows


def test_power_is_told_by_size() -> None:
    sharp = [Judged("squat", "shallow", error, 16.0) for error in (-3.0, 0.0, 1.0, 2.0, 17.0)]
    (row,) = power_rows([*sharp, Judged("squat", "shallow", float("nan"), float("nan"), wrong_view=True)])
    assert row["repetitions"] == 5 and row["judged"] == 1.0
    # One error is beyond its own bar: a false alarm, and found at any size.
    assert row["false alarms"] == row["found of 10°"] == 0.2
    assert row["found of 20°"] == 1.0 and row["found from"] == "20°"


def test_what_cannot_be_judged_is_not_found() -> None:
    blind = [Judged("squat", "shallow", float("nan"), float("nan"))] * 6
    (row,) = power_rows(blind)
    assert row["judged"] == row["found of 50°"] == 0.0 and row["found from"] == "–"
    # Four repetitions aren't enough to tell a share.
    (row,) = power_rows(blind[:4])
    assert row["judged"] == "–"


def test_rules_are_judged_on_synthetic_people() -> None:
    found = evaluate_power(2)
    assert found["metrics"]["judgements"] > 0
    assert 0.0 <= found["metrics"]["false_alarms"] <= 1.0
    assert {row["exercise"] for row in found["rows"]} <= {"squat", "push_up"}
