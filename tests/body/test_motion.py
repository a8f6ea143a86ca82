import numpy as np
import pytest

from posepipe.body.motion import clip_view, facing, view_label

from .bodies import UP, body, pose, rotate


@pytest.mark.parametrize("yaw", [0.0, 45.0, 90.0, 135.0, -170.0, -90.0])
def test_yaw_of_a_turned_body(yaw):
    # Turning to the own right (clockwise from above) shows the left side.
    xyz = rotate(body(), UP, -yaw)
    got, sigma = facing(pose(xyz[None]))
    assert got[0] == pytest.approx(yaw, abs=0.01)
    assert 0.0 < sigma[0] < 10.0


def test_left_side_towards_the_camera_is_plus_90():
    xyz = rotate(body(), UP, -90.0)
    from posepipe.skeleton import BODY21

    assert xyz[BODY21.index("left_shoulder"), 2] < xyz[BODY21.index("right_shoulder"), 2]  # nearer
    assert facing(pose(xyz[None]))[0][0] == pytest.approx(90.0, abs=0.01)
    assert xyz[BODY21.index("nose"), 0] < 0.0  # looks to the picture's left


def test_sigma_agrees_with_monte_carlo_and_grows():
    rng = np.random.default_rng(1)
    xyz = rotate(body(), UP, 30.0)
    told = [facing(pose(xyz[None], s))[1][0] for s in (0.01, 0.02, 0.2)]
    seen = facing(pose(xyz + rng.normal(0, 0.01, (5000, 21, 3)), 0.01))[0].std()
    assert told[0] == pytest.approx(seen, rel=0.05)
    assert told[0] < told[1] < told[2] <= 104.0


def test_labels_go_round():
    assert [view_label(y) for y in (0, 22, 23, 90, 135, 180, -180, -90, -30)] == [
        "front",
        "front",
        "front_left",
        "left",
        "back_left",
        "back",
        "back",
        "right",
        "front_right",
    ]
    assert view_label(float("nan")) == "unknown"


def test_clip_view_is_circular():
    yaw = np.float32([175, -175, 179, -179, 10, np.nan])
    view = clip_view(yaw, np.full(6, 5.0, np.float32))
    assert view.label == "back"
    assert abs(view.yaw_deg) == pytest.approx(180.0, abs=1.0)
    assert view.share == pytest.approx(0.8)
    assert set(view.as_dict()) == {"yaw_deg", "label", "share"}


def test_nobody_in_view_is_unknown():
    xyz = np.full((4, 21, 3), np.nan)
    yaw, sigma = facing(pose(xyz))
    assert np.isnan(yaw).all() and np.isnan(sigma).all()
    assert clip_view(yaw, sigma).label == "unknown"
