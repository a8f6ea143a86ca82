import numpy as np
import pytest
from motion_bodies import body, pose

from posepipe.errors import UsageError
from posepipe.motion import fill_gaps
from posepipe.skeleton import COCO17
from posepipe.types import KeypointTrack


def track(time_s: np.ndarray, blank: np.ndarray, sigma: float = 2.0) -> KeypointTrack:
    """Seventeen joints moving at 100 px/s, lost where `blank`."""
    f = len(time_s)
    xy = (np.arange(17)[None, :, None] + 100.0 * time_s[:, None, None] * np.array([1.0, 0.5])).astype(np.float32)
    valid = np.repeat(~blank[:, None], 17, axis=1)
    xy[~valid] = np.nan
    return KeypointTrack(
        person=1,
        layout=COCO17,
        frame=np.arange(f, dtype=np.int32),
        time_s=time_s,
        xy_px=xy,
        sigma_px=np.where(valid, np.float32(sigma), np.float32(np.nan)),
        score=np.where(valid, np.float32(0.9), np.float32(0)),
        valid=valid,
        interpolated=np.zeros_like(valid),
    )


@pytest.mark.parametrize("fps", [10.0, 24.0, 29.97, 60.0, 240.0])
def test_limit_is_in_seconds_at_any_frame_rate(fps):
    time_s = np.arange(int(4 * fps)) / fps
    short = (time_s > 1.0) & (time_s < 1.19)
    long = (time_s > 2.0) & (time_s < 2.35)
    filled = fill_gaps(track(time_s, short | long), max_gap_s=0.3)
    assert filled.valid[short].all() and filled.interpolated[short].all()
    assert not filled.valid[long].any() and np.isnan(filled.xy_px[long]).all()
    assert not filled.interpolated[~short].any()


def test_a_step_longer_than_the_limit_is_a_gap_too():
    time_s = np.array([0.0, 0.04, 0.08, 0.5, 0.9, 0.94, 0.98])
    blank = np.zeros(7, bool)
    blank[3] = True  # one frame, but 0.82 s between its neighbours
    assert not fill_gaps(track(time_s, blank)).valid[3].any()


def test_variable_frame_rate_follows_time_not_index():
    time_s = np.array([0.0, 0.03, 0.05, 0.14, 0.15, 0.2, 0.23])
    blank = np.array([0, 0, 1, 1, 1, 0, 0], bool)
    filled = fill_gaps(track(time_s, blank))
    np.testing.assert_allclose(filled.xy_px[:, 0, 0], 100.0 * time_s, atol=1e-3)


def test_nothing_is_made_outside():
    time_s = np.arange(20) / 30.0
    blank = np.zeros(20, bool)
    blank[:3] = blank[-3:] = True
    filled = fill_gaps(track(time_s, blank), max_gap_s=10.0)
    assert not filled.valid[:3].any() and not filled.valid[-3:].any()
    assert not fill_gaps(track(time_s, np.ones(20, bool))).valid.any()


def test_sigma_grows_towards_the_middle_even_at_rest():
    time_s = np.arange(30) / 30.0
    blank = (np.arange(30) >= 10) & (np.arange(30) < 15)
    moving = fill_gaps(track(time_s, blank)).sigma_px[:, 0]
    assert 2.0 < moving[10] < moving[11] < moving[12]
    assert moving[12] > moving[13] > moving[14] > 2.0
    still = track(time_s, blank)
    still.xy_px[still.valid] = 5.0
    rest = fill_gaps(still).sigma_px[:, 0]
    assert 2.0 < rest[12] < moving[12]


def test_filled_score_is_the_lower_end_and_input_is_untouched():
    time_s = np.arange(10) / 30.0
    blank = np.zeros(10, bool)
    blank[5] = True
    before = track(time_s, blank)
    before.score[4] = 0.4
    after = fill_gaps(before)
    assert np.all(after.score[5] == np.float32(0.4))
    assert np.isnan(before.xy_px[5]).all() and not before.valid[5].any()


def test_pose_and_root_by_the_same_rule():
    xyz = np.stack([body(knee=k) for k in range(30)])
    xyz[10:13] = np.nan
    xyz[20:29] = np.nan
    before = pose(xyz)
    before.root_m[10:13] = np.nan
    after = fill_gaps(before)
    assert after.valid[10:13].all() and after.interpolated[10:13].all()
    assert np.isfinite(after.root_m[10:13]).all()
    assert np.all(after.root_sigma_m[11] > 0.05)
    assert not after.valid[20:29].any()


def test_negative_limit_is_refused():
    with pytest.raises(UsageError):
        fill_gaps(track(np.arange(3) / 30.0, np.zeros(3, bool)), max_gap_s=-1.0)
