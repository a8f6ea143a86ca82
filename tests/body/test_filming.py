"""Fit to film by or not, on made people whose camera is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posepipe.body.filming import CHECKS, WALK, Check, Light, Shot, Verdict, Wanted, judge, light_of
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.filming import best_views, place, wanted
from posepipe.lab.people.body import BodyShape
from posepipe.lab.people.camera import SynthCamera
from posepipe.lab.people.motion import Stance, squat
from posepipe.skeleton import BODY21

SHAPE = BodyShape()
MOTION = squat(SHAPE, reps=1, fps_hz=30.0, lead_s=1.0, stance=Stance(heading_deg=-90.0))


def shot(camera: SynthCamera, *, yaw_deg: float = 0.0, fps_hz: float = 30.0, light: tuple[Light, ...] = ()) -> Shot:
    xy, _ = camera.project(MOTION.xyz_m)
    yaw = np.full(len(MOTION), yaw_deg)
    return Shot(BODY21, MOTION.time_s * 30.0 / fps_hz, xy, yaw, (camera.width_px, camera.height_px), light=light)


def found(checks: tuple[Check, ...]) -> dict[str, str]:
    assert tuple(check.name for check in checks) == CHECKS
    return {check.name: check.code for check in checks if check.verdict is Verdict.MEND}


def at(away_m: float = 4.0, height_m: float = 1.0, aim_m: float = 0.85, aside_m: float = 0.0) -> SynthCamera:
    return SynthCamera((aside_m, -away_m, height_m), (aside_m, 0.0, aim_m), 720.0, 640, 480)


GOOD = (Light(120.0, 130.0),)


def test_a_good_place_is_called_good() -> None:
    checks = judge(shot(at(), light=GOOD), Wanted())
    assert not found(checks)
    assert {check.verdict for check in checks} == {Verdict.GOOD}


@pytest.mark.parametrize(
    ("camera", "name", "code"),
    [
        (at(away_m=12.0), "distance", "closer"),
        (at(away_m=2.0, aim_m=1.0), "whole", "cut_below"),
        (at(away_m=2.2, aim_m=0.1), "whole", "cut_above"),
        (at(aside_m=1.95), "whole", "cut_aside"),
        (at(away_m=5.0, aim_m=-0.25), "height", "level"),
    ],
)
def test_each_bad_place_is_named(camera: SynthCamera, name: str, code: str) -> None:
    mend = found(judge(shot(camera, light=GOOD), Wanted()))
    assert mend.get(name) == code
    assert {"light", "view", "rate"}.isdisjoint(mend)


@pytest.mark.parametrize(
    ("light", "code"), [((20.0, 30.0), "dark"), ((100.0, 230.0), "backlight"), ((250.0, 250.0), "glare")]
)
def test_light(light: tuple[float, float], code: str) -> None:
    assert found(judge(shot(at(), light=(Light(*light),)), Wanted())) == {"light": code}


def test_view_and_rate_are_those_that_are_asked_for() -> None:
    assert found(judge(shot(at(), yaw_deg=0.0, light=GOOD), WALK)) == {"view": "turn"}
    assert found(judge(shot(at(), yaw_deg=88.0, light=GOOD), WALK)) == {}
    assert found(judge(shot(at(), yaw_deg=-90.0, light=GOOD, fps_hz=15.0), WALK)) == {"rate": "rate"}
    assert found(judge(shot(at(), yaw_deg=-90.0, light=GOOD, fps_hz=15.0), Wanted())) == {}


def test_a_known_height_goes_before_the_place_in_the_picture() -> None:
    seen = shot(at(away_m=5.0, aim_m=-0.25), light=GOOD)
    for camera_m, code in ((1.0, None), (2.5, "lower"), (0.1, "higher")):
        known = Shot(seen.layout, seen.time_s, seen.xy_px, seen.yaw_deg, seen.size_px, None, GOOD, camera_m)
        assert found(judge(known, Wanted())).get("height") == code


def test_nobody_and_nothing_known() -> None:
    seen = shot(at())
    nobody = Shot(seen.layout, seen.time_s, np.full_like(seen.xy_px, np.nan), np.full(len(MOTION), np.nan), (640, 480))
    checks = judge(nobody, Wanted())
    assert found(checks) == {"whole": "nobody"}
    unknown = {check.name for check in checks if check.verdict is Verdict.UNKNOWN}
    assert unknown == {"distance", "height", "light", "view"}
    one = Shot(seen.layout, seen.time_s[:1], seen.xy_px[:1], np.array([np.nan]), (640, 480))
    unknown = {check.name for check in judge(one, Wanted()) if check.verdict is Verdict.UNKNOWN}
    assert unknown == {"light", "view", "rate"}
    # Half of the time lost.
    lost = seen.xy_px.copy()
    lost[::2] = np.nan
    assert found(judge(Shot(seen.layout, seen.time_s, lost, seen.yaw_deg, (640, 480)), Wanted()))["whole"] == "lost"


@given(st.floats(0.0, 255.0), st.floats(0.0, 255.0), st.integers(40, 400))
def test_light_of_a_picture(body: float, around: float, side: int) -> None:
    image = np.full((side, 2 * side, 3), round(around), np.uint8)
    image[side // 4 : side // 2, side // 4 : side // 2] = round(body)
    corners = np.array([[side // 4 + 4, side // 4 + 4], [side // 2 - 4, side // 2 - 4], [np.nan, np.nan]])
    seen = light_of(image, corners)
    assert seen.body == pytest.approx(round(body), abs=0.6)
    assert seen.around == pytest.approx(round(around), abs=0.6)
    assert np.isnan(light_of(image, corners[2:]).body)


def test_where_the_phone_goes_shows_most_of_the_rules() -> None:
    known = load_catalogue()
    # Knees from the front, the trunk from the side: half turned shows both.
    assert best_views(known["squat"]) == {"front_left", "front_right"}
    assert [place(known[name]) for name in ("squat", "push_up", "jumping_jack", "plank")] == [
        "diagonal", "side", "front", "any",
    ]  # fmt: skip
    for exercise in known.exercises.values():
        best = best_views(exercise)
        assert best <= exercise.views
        counts = [sum(view in rule.views for rule in exercise.rules) for view in exercise.views]
        assert all(sum(view in rule.views for rule in exercise.rules) == max(counts) for view in best)
        assert {"hip", "ankle", *exercise.needs} <= set(wanted(exercise).needs)
