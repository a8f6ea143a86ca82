import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.body.smooth import OneEuro, SmoothSettings, fill_gaps, smooth, zero_phase
from posepipe.errors import UsageError
from posepipe.skeleton import COCO17
from posepipe.types import KeypointTrack

from .bodies import body, pose


def uneven(seconds: float, fps: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.uniform(0.4, 1.6, int(seconds * fps)) / fps)


def wave(time_s: np.ndarray, hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * time_s)[:, None, None].astype(np.float32)


def live(euro: OneEuro, time_s: np.ndarray, values: np.ndarray, sigma: np.ndarray) -> list[np.ndarray]:
    """Values and sigmas of all frames, stepped through."""
    steps = [euro.step(float(t), x, s) for t, x, s in zip(time_s, values, sigma, strict=True)]
    return [np.stack(column) for column in zip(*steps, strict=True)]


def fit(time_s: np.ndarray, x: np.ndarray, hz: float) -> complex:
    """Amplitude and phase of one frequency."""
    inner = (time_s > 1.0) & (time_s < time_s[-1] - 1.0)
    basis = np.stack([np.sin(2 * np.pi * hz * time_s), np.cos(2 * np.pi * hz * time_s), np.ones_like(time_s)], 1)
    s, c, _ = np.linalg.lstsq(basis[inner], x[inner, 0, 0], rcond=None)[0]
    return complex(s, c)


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 120.0])
@pytest.mark.parametrize("hz", [0.5, 1.0, 2.0])
def test_movement_is_kept_without_delay_at_uneven_times(fps, hz):
    time_s = uneven(12.0, fps)
    out, _ = zero_phase(time_s, wave(time_s, hz), np.full((len(time_s), 1), 0.1, np.float32))
    got = fit(time_s, out, hz)
    assert abs(abs(got) - 1.0) < 0.02
    assert abs(np.degrees(np.angle(got))) < 0.5


def test_gain_is_half_at_the_cutoff_and_small_above():
    time_s = np.arange(2400) / 240.0
    sigma = np.full((2400, 1), 0.1, np.float32)
    assert abs(fit(time_s, zero_phase(time_s, wave(time_s, 6.0), sigma)[0], 6.0)) == pytest.approx(0.5, abs=0.02)
    assert abs(fit(time_s, zero_phase(time_s, wave(time_s, 15.0), sigma)[0], 15.0)) < 0.02


def test_backwards_in_time_gives_the_same():
    time_s = uneven(3.0, 30.0)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(len(time_s), 2, 3)).astype(np.float32)
    sigma = rng.uniform(0.5, 2.0, (len(time_s), 2)).astype(np.float32)
    out, s = zero_phase(time_s, x, sigma)
    back, s_back = zero_phase(-time_s[::-1], x[::-1].copy(), sigma[::-1].copy())
    np.testing.assert_allclose(out, back[::-1], atol=1e-4)
    np.testing.assert_allclose(s, s_back[::-1], rtol=1e-4)


def test_noise_falls_and_uncertain_samples_count_less():
    time_s = np.arange(300) / 30.0
    rng = np.random.default_rng(0)
    sigma = np.where(np.arange(300) % 5 == 0, 1.0, 0.05)[:, None].astype(np.float32)
    truth = wave(time_s, 0.7)
    x = truth + rng.normal(size=(300, 1, 1)).astype(np.float32) * sigma[:, :, None]
    weighed = np.std(zero_phase(time_s, x, sigma)[0] - truth)
    even = np.std(zero_phase(time_s, x, np.full_like(sigma, 0.4))[0] - truth)
    assert weighed < 0.5 * even < np.std(x - truth)


def test_one_wild_sample_is_passed_over():
    time_s = np.arange(120) / 30.0
    x = wave(time_s, 0.7)
    truth = x.copy()
    x[60] += 3.0
    out, sigma = zero_phase(time_s, x, np.full((120, 1), 0.05, np.float32))
    assert abs(out[60, 0, 0] - truth[60, 0, 0]) < 0.15
    assert sigma[60, 0] > sigma[20, 0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.floats(1.0, 5.0))
def test_more_noise_never_lowers_sigma(frame, factor):
    rng = np.random.default_rng(5)
    time_s = uneven(4.0, 25.0)
    x = rng.normal(size=(len(time_s), 1, 2)).astype(np.float32)
    sigma = rng.uniform(0.5, 1.5, (len(time_s), 1)).astype(np.float32)
    more = sigma.copy()
    more[frame] *= factor
    before, after = zero_phase(time_s, x, sigma)[1], zero_phase(time_s, x, more)[1]
    assert np.all(after >= before * (1 - 2e-3))
    one = live(OneEuro(), time_s, x, sigma)[1]
    rougher = live(OneEuro(), time_s, x, more)[1]
    assert rougher[frame, 0] >= one[frame, 0] * (1 - 1e-3)


def test_sigma_keeps_its_floor():
    time_s = np.arange(600) / 60.0
    _, sigma = zero_phase(time_s, wave(time_s, 1.0), np.full((600, 1), 0.2, np.float32))
    assert np.all(sigma >= 0.2 * np.sqrt(1 - SmoothSettings().white_share) * 0.999)
    assert np.all(sigma <= 0.2 * 1.001)


def test_long_hole_separates_and_short_tracks_pass():
    time_s = np.concatenate([np.arange(30) / 30.0, 3.0 + np.arange(30) / 30.0])
    x = np.zeros((60, 1, 1), np.float32)
    x[30:] = 10.0
    out, _ = zero_phase(time_s, x, np.ones((60, 1), np.float32))
    np.testing.assert_allclose(out, x, atol=1e-5)
    few, s = zero_phase(time_s[:3], x[:3], np.ones((3, 1), np.float32))
    assert np.array_equal(few, x[:3]) and np.all(s == 1.0)


def test_missing_stays_missing_and_filled_keeps_sigma():
    xyz = np.stack([body(knee=k) for k in range(40)])
    xyz[10:12, 3] = np.nan
    before = pose(xyz, 0.03)
    before.interpolated[20, 5] = True
    before.sigma_m[20, 5] = 0.2
    after = smooth(before)
    assert np.isnan(after.xyz_m[10:12, 3]).all() and np.isfinite(after.xyz_m[:, 5]).all()
    assert after.sigma_m[20, 5] == np.float32(0.2)
    assert np.array_equal(after.valid, before.valid)
    assert after.root_m.shape == before.root_m.shape


def test_wrong_times_and_cutoffs_are_refused():
    x, s = np.zeros((3, 1, 1), np.float32), np.ones((3, 1), np.float32)
    with pytest.raises(UsageError):
        zero_phase(np.array([0.0, 0.1, 0.1]), x, s)
    with pytest.raises(UsageError):
        zero_phase(np.array([0.0, 0.1, 0.2]), x, s, cutoff_hz=0.0)
    euro = OneEuro()
    euro.step(1.0, x[0], s[0])
    with pytest.raises(UsageError):
        euro.step(1.0, x[0], s[0])


def test_one_euro_is_causal_and_the_same_in_pieces():
    rng = np.random.default_rng(2)
    time_s = uneven(5.0, 30.0)
    x = np.cumsum(rng.normal(size=(len(time_s), 4, 3)), axis=0).astype(np.float32)
    sigma = rng.uniform(0.5, 1.5, (len(time_s), 4)).astype(np.float32)
    x[40:45, 2] = np.nan
    whole, whole_sigma = live(OneEuro(), time_s, x, sigma)
    euro = OneEuro()
    parts = [live(euro, time_s[a:b], x[a:b], sigma[a:b]) for a, b in ((0, 1), (1, 50), (50, len(time_s)))]
    np.testing.assert_array_equal(whole, np.concatenate([p[0] for p in parts]))
    np.testing.assert_array_equal(whole_sigma, np.concatenate([p[1] for p in parts]))
    other = x.copy()
    other[100:] = 7.0
    np.testing.assert_array_equal(whole[:100], live(OneEuro(), time_s, other, sigma)[0][:100])
    assert np.isnan(whole[40:45, 2]).all() and np.isfinite(whole[45:, 2]).all()


def test_one_euro_calms_rest_follows_speed_and_has_no_unit():
    rng = np.random.default_rng(4)
    time_s = np.arange(300) / 30.0
    rest = rng.normal(0, 0.3, (300, 1, 2)).astype(np.float32)
    ones = np.ones((300, 1), np.float32)
    out, _ = live(OneEuro(), time_s, rest, ones)
    assert out[50:].std() < 0.6 * rest[50:].std()
    fast = (100.0 * wave(time_s, 1.0)).astype(np.float32)
    follow, sigma = live(OneEuro(), time_s, fast, ones)
    assert np.abs(follow - fast)[30:].max() < 6.0
    assert np.all(sigma >= 0.99)
    metres, sigma_m = live(OneEuro(), time_s, fast / 1000, ones / 1000)
    np.testing.assert_allclose(metres * 1000, follow, atol=0.01)
    np.testing.assert_allclose(sigma_m * 1000, sigma, rtol=1e-3)


def test_one_euro_starts_anew_after_an_absence():
    euro = OneEuro()
    one = np.ones(1, np.float32)
    euro.step(0.0, np.float32([[0.0]]), one)
    euro.step(0.1, np.float32([[np.nan]]), one)
    value, _ = euro.step(2.0, np.float32([[9.0]]), one)
    assert value[0, 0] == 9.0


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
