"""How true lifting speeds are, measured."""

from __future__ import annotations

import numpy as np

from posepipe.lab.counter.lifts import evaluate_lifts


def test_every_exercise_that_lifts_is_timed() -> None:
    """A set each of the first four: speeds are known and not far off."""
    result = evaluate_lifts(4)
    assert len(result["rows"]) == 4 and all(row["repetitions"] >= 2 for row in result["rows"])
    assert result["metrics"]["known"] > 0.5
    assert 0.0 < result["metrics"]["mean off"] < 0.3 and np.isfinite(result["metrics"]["loss off"])
