from __future__ import annotations

import numpy as np
import pytest

from posepipe.errors import UsageError
from posepipe.lab.people.body import BodyShape, complete_feet, from_mocap, head_frame
from posepipe.lab.people.figure import make_figure, scale_of
from posepipe.lab.people.motion import idle, squat
from posepipe.skeleton import BLAZEPOSE33, BODY21, conversion

JOINT = {name: i for i, name in enumerate(BODY21.joints)}


def standing(shape: BodyShape | None = None) -> np.ndarray:
    return idle(shape or BodyShape(), 0.1).xyz_m[0]


@pytest.mark.parametrize("height_m", [1.5, 1.75, 1.95])
def test_proportions_are_human(height_m: float) -> None:
    xyz = standing(BodyShape(height_m=height_m))

    def bone(a: str, b: str) -> float:
        return float(np.linalg.norm(xyz[JOINT[a]] - xyz[JOINT[b]]))

    thigh, shank = bone("left_hip", "left_knee"), bone("left_knee", "left_ankle")
    upper, fore = bone("left_shoulder", "left_elbow"), bone("left_elbow", "left_wrist")
    assert 0.9 < thigh / shank < 1.15
    assert 1.0 < upper / fore < 1.4
    assert 0.45 < (thigh + shank) / height_m < 0.52
    assert 0.27 < bone("pelvis", "thorax") / height_m < 0.32
    assert 1.5 < bone("left_shoulder", "right_shoulder") / bone("left_hip", "right_hip") < 2.4
    # The skull's middle is a twentieth of the stature below the crown.
    assert xyz[JOINT["head"], 2] + 0.057 * height_m == pytest.approx(height_m, rel=0.02)
    assert scale_of(xyz) == pytest.approx(height_m / 1.75, rel=0.02)


def test_spine_and_thorax_are_what_the_conversion_makes() -> None:
    xyz = squat(BodyShape()).xyz_m[40]
    matrix = conversion(BLAZEPOSE33, BODY21)
    points = np.zeros((33, 3))
    for name in ("left_hip", "right_hip", "left_shoulder", "right_shoulder"):
        points[BLAZEPOSE33.index(name)] = xyz[JOINT[name]]
    for name in ("pelvis", "thorax", "spine"):
        assert matrix[JOINT[name]] @ points == pytest.approx(xyz[JOINT[name]], abs=1e-6)


def test_complete_feet_fills_only_what_is_missing() -> None:
    xyz = standing()
    holes = xyz.copy()
    holes[JOINT["left_heel"]] = np.nan
    filled = complete_feet(holes)
    rest = [i for i in range(21) if i != JOINT["left_heel"]]
    assert np.array_equal(filled[rest], xyz[rest])
    assert np.linalg.norm(filled[JOINT["left_heel"]] - xyz[JOINT["left_heel"]]) < 0.03
    assert np.isnan(holes[JOINT["left_heel"]]).all()


def test_complete_feet_turns_with_the_body() -> None:
    xyz = standing()
    xyz[[JOINT["left_heel"], JOINT["right_heel"]]] = np.nan
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    assert complete_feet(xyz @ turn.T) == pytest.approx(complete_feet(xyz) @ turn.T)


def test_from_mocap_takes_the_nose_from_the_extra_points() -> None:
    xyz = np.stack([standing(), standing()])
    positions = xyz[:, :17].copy()
    positions[:, 9] = 0.0
    extra = np.stack([xyz[:, 9], xyz[:, 10] + [0, 0, 0.1], xyz[:, 18], xyz[:, 20], xyz[:, 17], xyz[:, 19]], axis=1)
    extra[1, 4:] = np.nan
    body = from_mocap(positions, extra)
    assert body[0] == pytest.approx(xyz[0], abs=1e-9)
    assert np.isfinite(body).all()


def test_head_frame_is_square_and_looks_ahead() -> None:
    frame = head_frame(standing())
    assert frame.T @ frame == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(frame) == pytest.approx(-1.0)  # left, forward, up
    assert frame[:, 1] @ [1.0, 0.0, 0.0] > 0.95
    assert frame[:, 0] @ [0.0, 1.0, 0.0] > 0.95
    assert frame[:, 2] @ [0.0, 0.0, 1.0] > 0.95


def test_random_shapes_repeat_by_seed_and_differ() -> None:
    a, b = (BodyShape.random(np.random.default_rng(4)) for _ in range(2))
    assert a == b
    assert len({BodyShape.random(np.random.default_rng(i)) for i in range(20)}) == 20
    for seed in range(200):
        shape = BodyShape.random(np.random.default_rng(seed))
        assert 1.4 < shape.height_m < 2.05
        assert all(0 <= value <= 255 for value in (*shape.skin, *shape.hair, *shape.shirt, *shape.trousers))


def test_wrong_bodies() -> None:
    with pytest.raises(UsageError, match="stature"):
        BodyShape(height_m=175.0)
    with pytest.raises(UsageError, match="pattern"):
        BodyShape(pattern="dots")
    holes = standing()
    holes[JOINT["nose"]] = np.nan
    with pytest.raises(UsageError, match="nose"):
        make_figure(holes, BodyShape())
    with pytest.raises(UsageError, match="shape"):
        make_figure(holes[:17], BodyShape())
