"""The summary, read by the json module alone and held against the contract."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from posepipe.body.motion import View
from posepipe.reasons import Reason
from posepipe.record.codec import plain
from posepipe.record.summary import quality, summary_json

from .factory import make_gait, make_person, make_recording

NUMBER = (int, float)
CONTRACT_PERSON = {
    "id": int,
    "frames": int,
    "view": {"yaw_deg": NUMBER, "label": str, "share": NUMBER},
    "exercise": dict,
    "gait": dict,
}
CONTRACT_TOP = {
    "schema": int,
    "posepipe": str,
    "created": str,
    "versions": dict,
    "models": dict,
    "config": dict,
    "video": {"path": str, "width_px": int, "height_px": int, "fps_hz": NUMBER, "frames": int, "duration_s": NUMBER},
    "camera": {"focal_px": NUMBER, "focal_source": str},
    "warnings": list,
    "people": list,
}


def mismatches(value, shape, path="summary"):
    """Where a value isn't of the shape."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{path}: not an object"]
        found = [f"{path}.{key}: missing" for key in shape if key not in value]
        return found + [m for key in shape if key in value for m in mismatches(value[key], shape[key], f"{path}.{key}")]
    return [] if isinstance(value, shape) else [f"{path}: {value!r} isn't {shape}"]


def forbid(constant):
    raise AssertionError(f"{constant} isn't JSON")


def strict(text):
    return json.loads(text, parse_constant=forbid)


def test_the_check_can_fail():
    assert mismatches({"schema": "1"}, {"schema": int, "people": list}) == [
        "summary.people: missing",
        "summary.schema: '1' isn't <class 'int'>",
    ]


def test_contract():
    summary = strict(summary_json(make_recording()))
    assert mismatches(summary, CONTRACT_TOP) == []
    assert summary["schema"] == 1
    (person,) = summary["people"]
    assert mismatches(person, CONTRACT_PERSON) == []
    assert list(person)[:5] == list(CONTRACT_PERSON)
    assert person["frames"] == 240
    assert person["view"]["label"] == "front"
    assert person["gait"] == {"withheld": "not_walking"}
    segment = person["exercise"]["segments"][0]
    assert segment["label"] == "squat"
    assert segment["reps"] == len(segment["rep_list"]) == 3
    assert segment["rejected"][0]["reason"] == "too_shallow"


def test_gait_passes_through_rounded_to_its_sigma():
    (person,) = strict(summary_json(make_recording(people=(make_person(gait=make_gait()),))))["people"]
    assert person["gait"]["cadence_spm"] == {"value": 109.12, "sigma": 1.7}
    assert person["gait"]["strides"] == {"left": 5, "right": 5}
    assert person["gait"]["walking_speed_mps"] == {"withheld": "scale_assumed"}


def test_unknown_numbers_are_null():
    person = make_person(20, view=View(float("nan"), "unknown", 0.0))
    (found,) = strict(summary_json(make_recording(people=(person,))))["people"]
    assert found["view"] == {"yaw_deg": None, "label": "unknown", "share": 0.0}


def test_same_input_same_text():
    assert summary_json(make_recording()) == summary_json(make_recording())


def test_names_keep_their_letters():
    assert "Kniebeuge Größe 你好.mp4" in summary_json(make_recording(path="Kniebeuge Größe 你好.mp4"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (-math.inf, None),
        (np.float32(0.1), 0.1),
        (np.int32(7), 7),
        (np.bool_(True), True),
        (1 / 3, 0.333333),
        (Reason.TOO_SHORT, "too_short"),
        (Path("a") / "b", str(Path("a") / "b")),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        ({"value": 123.456, "sigma": 0.0321}, {"value": 123.456, "sigma": 0.0321}),
        ({"value": 123.456789, "sigma": 4.56789, "n": 3}, {"value": 123.46, "sigma": 4.57, "n": 3}),
        ({"value": math.nan, "sigma": 1.0}, {"value": None, "sigma": 1.0}),
        ({"value": 12345.678, "sigma": 4567.0}, {"value": 12350.0, "sigma": 4570.0}),
        ((1, "a", None), [1, "a", None]),
    ],
)
def test_plain(value, expected):
    assert plain(value) == expected


def test_plain_refuses_what_json_cannot_hold():
    with pytest.raises(TypeError, match="set"):
        plain({"a": {1, 2}})


def test_quality_counts_limb_joints():
    person = make_person(240)
    seen = quality(person)
    # One wrist of twelve joints is gone for a twelfth of the frames; one knee is filled for 5 frames.
    assert seen.missing_share == pytest.approx(20 / 240 / 12)
    assert seen.filled_share == pytest.approx(5 / 240 / 12)
    assert seen.seen_share + seen.filled_share + seen.missing_share == pytest.approx(1.0)
    assert seen.median_sigma_m == pytest.approx(0.03)
    assert seen.swaps_repaired == 1
