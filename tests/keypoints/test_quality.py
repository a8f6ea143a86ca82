"""Quality as one choice: what auto means, and what is said where a network is missing."""

from __future__ import annotations

import math

import pytest

from posepipe.errors import ModelError, UsageError
from posepipe.keypoints import quality
from posepipe.keypoints.quality import QUALITIES, decided_quality, detector_of, looks_hz
from posepipe.pipeline import Config


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The networks that have been fetched; change it."""
    networks = {"full"}
    monkeypatch.setattr(quality, "have_blazepose", networks.__contains__)
    monkeypatch.delenv("POSEPIPE_QUALITY", raising=False)
    return networks


def test_auto_is_best_where_heavy_is_at_hand_and_nobody_waits(at_hand: set[str]) -> None:
    assert decided_quality("auto") == "standard"
    at_hand.add("heavy")
    assert decided_quality("auto") == "best"
    assert decided_quality("auto", live=True) == "standard"
    assert decided_quality("fast") == "fast"


def test_the_environment_decides_auto_alone(at_hand: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand.add("heavy")
    monkeypatch.setenv("POSEPIPE_QUALITY", "standard")
    assert decided_quality("auto") == "standard"
    assert decided_quality("best") == "best"
    monkeypatch.setenv("POSEPIPE_QUALITY", "better")
    with pytest.raises(UsageError, match="better"):
        decided_quality("auto")


def test_a_missing_network_names_its_command(at_hand: set[str]) -> None:
    assert detector_of("standard") == detector_of("fast") == "blazepose"
    with pytest.raises(ModelError, match="posepipe models get heavy"):
        detector_of("best")
    at_hand.add("heavy")
    assert detector_of("best") == "blazepose:heavy"


def test_standard_looks_at_every_frame() -> None:
    assert looks_hz("standard") == looks_hz("auto") == math.inf
    for name in ("fast", "best"):
        # At least twice the 6 Hz that smoothing leaves, and no more than every other picture of the usual film.
        assert 12.0 < looks_hz(name) <= 15.0


def test_config_takes_one_of_quality_and_detector(at_hand: set[str]) -> None:
    at_hand.add("heavy")
    assert Config().detector_name() == "blazepose:heavy"
    assert Config().detector_name(live=True) == "blazepose"
    assert Config().decided().quality == "best"
    named = Config(detector="blazepose:lite")
    assert named.detector_name() == "blazepose:lite" and named.decided().quality == "auto"
    with pytest.raises(UsageError, match="chooses BlazePose's network"):
        Config(detector="mediapipe", quality="best")
    with pytest.raises(UsageError, match=", ".join(QUALITIES)):
        Config(quality="good")
