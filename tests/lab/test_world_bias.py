"""What the lifter has wrong all over a clip: fitted, taken out, and nothing more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.body.lift import OWN_JOINTS
from posepipe.body.world_bias import Bias, mean_pose, without_bias
from posepipe.errors import InputError
from posepipe.lab.people.filmed import draw_clip
from posepipe.lab.world_bias import _Item, fit_bias, make_bias
from posepipe.skeleton import BODY21

_NOTHING = Bias(np.zeros(54), np.zeros(54), np.zeros((54, 54)))


def _seen(seed: int) -> tuple[np.ndarray, np.ndarray]:
    clip = draw_clip("squat", seed)
    xyz = clip.camera.to_camera(clip.xyz_m)
    return xyz - xyz[:, :1], xyz[:, 0]


def test_what_is_wrong_is_learnt_and_taken_out() -> None:
    rng = np.random.default_rng(1)
    # The lifter sees everything a tenth too shallow.
    items = []
    for _ in range(3000):
        true = rng.normal(0.0, 0.4, (18, 3))
        pose = true * [1.0, 1.0, 0.9]
        items.append(_Item(pose, pose - true, 0.03))
    bias = fit_bias(items)
    true, root = _seen(3)
    pose = mean_pose(true, root)
    assert pose is not None
    shallow = (true @ pose.axes.T * [1.0, 1.0, 0.9]) @ pose.axes
    found = without_bias(shallow, root, 1.0, bias)
    mean = np.abs((found - true).mean(axis=0)).mean(), np.abs((shallow - true).mean(axis=0)).mean()
    assert mean[0] < 0.4 * mean[1]
    # All frames move alike.
    np.testing.assert_allclose(np.ptp(found - shallow, axis=0), 0.0, atol=1e-9)


def test_joints_of_others_stay_between_them_and_the_pelvis_in_the_middle() -> None:
    true, root = _seen(4)
    found = without_bias(true, root, 0.7)
    assert 0.001 < np.linalg.norm(found - true, axis=-1).mean() < 0.06
    left, right = (found[:, BODY21.index(f"{side}_hip")] for side in ("left", "right"))
    np.testing.assert_allclose(found[:, 0], 0.0, atol=1e-9)
    np.testing.assert_allclose(left + right, 0.0, atol=1e-9)


@pytest.mark.parametrize("size", [0.6, 1.0])
def test_a_child_is_a_small_adult(size: float) -> None:
    true, root = _seen(5)
    apart = without_bias(size * true, root, 0.7) - size * true
    np.testing.assert_allclose(apart, size * (without_bias(true, root, 0.7) - true), atol=1e-9)


def test_a_mirrored_body_is_wrong_the_mirrored_way() -> None:
    true, root = _seen(6)
    straight = root * [0.0, 0.0, 1.0]
    mirrored = (true * [-1.0, 1.0, 1.0])[:, list(BODY21.mirror)]
    there = (without_bias(true, straight, 0.7) * [-1.0, 1.0, 1.0])[:, list(BODY21.mirror)]
    np.testing.assert_allclose(without_bias(mirrored, straight, 0.7), there, atol=2e-3)


def test_nothing_is_taken_where_nothing_is_known() -> None:
    true, root = _seen(7)
    assert without_bias(true, root, 0.0) is true
    np.testing.assert_allclose(without_bias(true, root, 1.0, _NOTHING), true, atol=1e-9)
    lost = np.full_like(true, np.nan)
    assert mean_pose(lost, root) is None and without_bias(lost, root, 1.0) is lost
    some = true.copy()
    some[3, np.flatnonzero(OWN_JOINTS)[0]] = np.nan
    assert np.isfinite(np.delete(without_bias(some, root, 0.7), 3, axis=0)).all()


def test_a_folder_without_captured_people_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"val\.npz"):
        make_bias(tmp_path, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()
