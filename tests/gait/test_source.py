"""What a source's walks share is taken off; what one of them has alone stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.gait.features import FEATURES, SIGNED, signed
from posepipe.gait.judge import Classifier
from posepipe.gait.norms import feature_norms
from posepipe.gait.source import SOURCE, source_of
from posepipe.gait.types import Feature

NORMS = feature_norms("3d")


def _walk(rng: np.random.Generator, **shift: float) -> dict[str, Feature]:
    """A normal walk's features; `shift` is added, with sign where a feature has a side."""
    out = {}
    for spec in FEATURES:
        if spec.name not in NORMS:
            continue
        norm = NORMS[spec.name]
        if spec.name in SIGNED:
            value = 1.5 * norm.mean * rng.standard_normal() + shift.get(spec.name, 0.0)
            out[spec.name] = Feature(abs(value), float("nan"), "right" if value < 0.0 else "left")
        else:
            value = norm.mean + norm.sd * rng.standard_normal() + shift.get(spec.name, 0.0)
            out[spec.name] = Feature(float(value), float("nan"))
    return out


def _source(count: int, seed: int, **shift: float) -> list[dict[str, Feature]]:
    rng = np.random.default_rng(seed)
    return [_walk(rng, **shift) for _ in range(count)]


def test_few_walks_tell_nothing_of_their_source() -> None:
    assert source_of(_source(SOURCE.least_walks - 1, 1), NORMS) is None


@given(st.floats(-25.0, 25.0), st.floats(-12.0, 12.0), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_an_offset_that_all_share_is_found(bent_deg: float, lopsided_deg: float, seed: int) -> None:
    walks = _source(40, seed, knee_stance_deg=bent_deg, hip_mean_asymmetry_deg=lopsided_deg)
    source = source_of(walks, NORMS)
    assert source is not None
    spread = {name: np.std([signed(walk[name]) for walk in walks]) for name in ("knee_stance_deg",)}
    assert source.offset["knee_stance_deg"] == pytest.approx(bent_deg, abs=spread["knee_stance_deg"])
    moved = [source.taken_off(walk)["hip_mean_asymmetry_deg"] for walk in walks]
    assert abs(np.median([signed(one) for one in moved])) < 1e-6
    assert all(one.value >= 0.0 for one in moved)


def test_times_are_what_they_are() -> None:
    walks = _source(20, 3, cadence_spm=-30.0, stance_pct=8.0)
    source = source_of(walks, NORMS)
    assert source is not None
    for name in ("cadence_spm", "stance_pct", "step_time_asymmetry_pct"):
        assert source.taken_off(walks[0])[name] == walks[0][name]


def test_only_another_skeleton_is_called_foreign() -> None:
    plain = source_of(_source(40, 5), NORMS)
    bent = source_of(_source(40, 5, knee_stance_deg=20.0), NORMS)
    assert plain is not None and bent is not None
    assert "knee_stance_deg" not in plain.foreign
    assert bent.foreign[0] == "knee_stance_deg"


def test_what_all_share_changes_no_answer() -> None:
    plain = _source(30, 7)
    moved = [
        walk | {"knee_stance_deg": replace(walk["knee_stance_deg"], value=walk["knee_stance_deg"].value + 20.0)}
        for walk in plain
    ]
    here, there = source_of(plain, NORMS), source_of(moved, NORMS)
    judge = Classifier().judge
    for one, other in zip(plain[:5], moved[:5], strict=True):
        assert judge(one, "3d", 2, here).probability == pytest.approx(
            judge(other, "3d", 2, there).probability, abs=1e-4
        )


def test_who_stands_out_in_a_foreign_source_still_does() -> None:
    offset = {"knee_stance_deg": 20.0, "hip_mean_asymmetry_deg": 8.0}
    walks = _source(30, 7, **offset)
    source = source_of(walks, NORMS)
    slow = {"pace_llps": -3.0 * NORMS["pace_llps"].sd, "step_length_ll": -3.0 * NORMS["step_length_ll"].sd}
    marked = _source(1, 9, **offset, **slow, knee_swing_deg=-4.0 * NORMS["knee_swing_deg"].sd)[0]
    judge = Classifier().judge
    others = np.mean([judge(walk, "3d", 2, source).probability for walk in walks])
    assert judge(marked, "3d", 2, source).probability > others + 0.2


def test_the_side_follows_what_is_left() -> None:
    source = source_of(_source(30, 11, hip_mean_asymmetry_deg=10.0), NORMS)
    assert source is not None
    base = _walk(np.random.default_rng(1))
    even = replace(base["hip_mean_asymmetry_deg"], value=4.0, side="left")
    moved = source.taken_off(base | {"hip_mean_asymmetry_deg": even})["hip_mean_asymmetry_deg"]
    assert moved.side == "right"
    assert moved.value == pytest.approx(abs(4.0 - source.offset["hip_mean_asymmetry_deg"]))
