"""Speed, time under tension and trends of a set, against exact joints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exercise_kit import CATALOGUE, exercise, filmed, take_motion, take_of
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.errors import UsageError
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.count import Cycle, count_exercise
from posepipe.exercise.effort import effort, lift_speed, lifted_joint
from posepipe.exercise.form import describe
from posepipe.exercise.types import Bout, Repetition
from posepipe.record.codec import _rep_from, _rep_json
from posepipe.reports.exercise import effort_words
from posepipe.texts import load

CAMERA_UP = np.array([0.0, -1.0, 0.0])


def _lift(time_s: np.ndarray, height_m: np.ndarray, depth_m: float = 4.0) -> np.ndarray:
    """One joint at a height before a level camera, both sides."""
    xyz = np.stack([np.zeros_like(height_m), -height_m, np.full_like(height_m, depth_m)], axis=1)
    return np.repeat(xyz[:, None], 2, axis=1)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.2, 1.2), st.floats(0.6, 2.0), st.floats(0.0, 2.0), st.booleans())
def test_speed_of_a_known_lift(size_m: float, up_s: float, pause_s: float, rises_first: bool) -> None:
    """A cosine up at known speed: pauses at both ends change nothing, nor does the way that comes first."""
    time_s = np.arange(0.0, 2.0 * up_s + 2.0 * pause_s + 1.0, 1 / 60)
    begin, turn = 0.5 + (0.0 if rises_first else up_s), 0.5 + up_s + (0.0 if rises_first else pause_s)
    share = 0.5 - 0.5 * np.cos(np.pi * np.clip((time_s - 0.5) / up_s, 0, 1))
    back = 0.5 - 0.5 * np.cos(np.pi * np.clip((time_s - 0.5 - up_s - pause_s) / up_s, 0, 1))
    height = size_m * (share - back if rises_first else 1.0 - share + back)
    cycle = Cycle(0.5, begin + up_s if rises_first else turn, 0.5 + 2.0 * up_s + pause_s)
    mean, peak = lift_speed(time_s, _lift(time_s, height), CAMERA_UP, cycle)
    # From a twentieth to nineteen twentieths of a cosine.
    inner_s = up_s * (1.0 - 2.0 * np.arccos(0.9) / np.pi)
    assert mean == pytest.approx(0.9 * size_m / inner_s, rel=0.08)
    assert peak == pytest.approx(size_m * np.pi / 2.0 / up_s, rel=0.08)


@pytest.mark.parametrize("label", ["squat", "bicep_curl", "deadlift", "front_raise", "pull_up", "push_up"])
def test_speed_before_a_camera(label: str) -> None:
    """Joints half a centimetre off, depth too: within 8 % in the median of eight sets' repetitions."""
    found, true = [], []
    for seed in range(8):
        take = take_of(label, seed)
        exact = take_motion(take)
        joint_m, up = lifted_joint(exact, exercise(label).lifts), exact.up.astype(float)
        _, motion = filmed(take, seed, noise_m=0.005)
        for rep in describe(motion, exercise(label), count_exercise(motion, exercise(label))):
            cycle = Cycle(rep.start_s, rep.turn_s, rep.end_s, rep.side)
            true.append(lift_speed(exact.time_s, joint_m, up, cycle)[0])
            found.append(rep.speed_m_s[0])
    off = np.abs(np.array(found) / np.array(true) - 1.0)
    assert len(off) >= 24 and np.isfinite(off).mean() > 0.9
    assert np.nanmedian(off) < 0.08


def test_unknown_places_have_no_speed() -> None:
    motion = filmed(take_of("squat", 1))[1]
    nowhere = replace(motion, root_m=np.full_like(motion.root_m, np.nan))
    reps = describe(nowhere, exercise("squat"), count_exercise(nowhere, exercise("squat")))
    assert reps and not any(np.isfinite(rep.speed_m_s).any() for rep in reps)


def test_a_set_that_tires() -> None:
    """Every lift a tenth of the first slower, every range two degrees less: said so, whatever the scale."""
    reps = [
        Repetition(3.0 * k, 3.0 * k + 1, 3.0 * k + 2, rom_deg=100.0 - 2.0 * k, speed_m_s=(0.8 * (1 - 0.1 * k), 1.0))
        for k in range(4)
    ]
    whole = effort(reps)
    assert whole.under_tension_s == pytest.approx(8.0)
    assert whole.speed_loss == pytest.approx(0.3)
    assert whole.rom_trend_deg == pytest.approx(-2.0)
    double = [replace(rep, speed_m_s=(2.0 * rep.speed_m_s[0], 2.0)) for rep in reps]
    assert effort(double).speed_loss == pytest.approx(0.3)
    assert np.isnan(effort(reps[:2]).rom_trend_deg) and np.isnan(effort(reps[:1]).speed_loss)
    last = [*reps[:3], replace(reps[3], speed_m_s=(float("nan"), float("nan")))]
    assert np.isnan(effort(last).speed_loss)
    assert effort((), held_s=31.5).under_tension_s == 31.5


def test_speed_is_kept_on_disk() -> None:
    rep = Repetition(0.0, 1.0, 2.0, speed_m_s=(0.5, 0.75))
    assert _rep_from(_rep_json(rep)).speed_m_s == (0.5, 0.75)
    older = _rep_json(Repetition(0.0, 1.0, 2.0))
    assert "speed_m_s" not in older and np.isnan(_rep_from(older).speed_m_s).all()


def test_lifted_joints_are_checked(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert CATALOGUE["squat"].lifts == "pelvis" and CATALOGUE["plank"].lifts == ""
    path = tmp_path / "mine.yaml"
    path.write_text("jump:\n  words: jump\n  signal: knee_flexion\n  lifts: pelvs\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"jump\.lifts"):
        load_catalogue(path)


def test_the_report_says_what_a_set_came_to() -> None:
    """Metres only where the height was given; holds say how long; nothing of what isn't known."""
    reps = tuple(
        Repetition(3.0 * k, 3.0 * k + 1, 3.0 * k + 2, rom_deg=90.0 + k, speed_m_s=(0.8 - 0.1 * k, 1.2))
        for k in range(4)
    )
    bout = Bout("squat", 0.9, 0.0, 12.0, reps)
    told = effort_words(bout, metres=True)
    assert "Time under tension: 8 s." in told and "0.65 m/s on average, 1.20 m/s" in told
    assert "38 % slower" in told and "+1.0°" in told
    assert "m/s" not in effort_words(bout, metres=False)
    german = effort_words(bout, True, load("de"))
    assert "38 % langsamer" in german and "Zeit unter Spannung: 8 s." in german
    assert effort_words(Bout("plank", 0.9, 2.0, 33.4), metres=True) == "Held for 31 s."
    assert effort_words(Bout("squat", 0.9, 0.0, 2.0), metres=True) == ""
