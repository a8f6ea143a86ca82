"""How true the time of a hold is, measured."""

from __future__ import annotations

from posepipe.lab.counter.holds import evaluate_holds


def test_holds_are_timed() -> None:
    result = evaluate_holds(4)
    metrics = result["metrics"]
    assert metrics["planks"] == 4.0 and metrics["named"] >= 0.5
    assert metrics["time off"] < 0.5 and metrics["start off"] < 0.5
    assert sum(row["planks"] for row in result["rows"]) == 4.0
