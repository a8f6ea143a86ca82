"""Training of the network that counts: takes, targets, export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from posepipe.cli.main import run
from posepipe.errors import InputError
from posepipe.exercise.repeats import CHANNELS, LAGS_S, RATE_HZ, PaceModel, pace_image
from posepipe.lab.counter.data import (
    PacePool,
    _joined,
    _paced,
    _surrounded,
    build_pace_pool,
    counted_takes,
    example,
    load_pace_pool,
)
from posepipe.lab.counter.train import PaceNet, _unfolded, export_pace, train_pace
from posepipe.lab.counter.web import web_poses
from posepipe.lab.film import open_film
from posepipe.weights import find_model, load_card


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small pools of sets and of nothing, and one to look at."""
    folder = tmp_path_factory.mktemp("pools")
    for more in (["8", "--seed", "1"], ["3", "--seed", "2", "--nothing"], ["3", "--seed", "3", "--held"]):
        assert run(["train", "reps-pool", "--out", str(folder), "--takes", *more]) == 0
    return folder


@pytest.fixture(scope="module")
def pool(pools: Path) -> PacePool:
    """The first two as one."""
    return load_pace_pool([pools / "reps_1.npz", pools / "nothing_2.npz"])


def test_pools_are_named_after_what_is_in_them(pools: Path) -> None:
    assert sorted(p.name for p in pools.iterdir()) == ["nothing_2.npz", "reps_1.npz", "val_3.npz"]


def test_a_seed_makes_the_same_takes() -> None:
    one, two = build_pace_pool(2, 4), build_pace_pool(2, 4)
    np.testing.assert_array_equal(one.pose, two.pose)
    np.testing.assert_array_equal(one.bounds, two.bounds)


def test_takes_are_of_all_kinds() -> None:
    takes = list(counted_takes(60, 9))
    variants = {take.variant for take in takes}
    assert "anything" in variants and {take.label for take in takes} > {"other", "squat"}
    assert all(np.isfinite(take.positions).all() for take in takes)
    assert not any(len(take.rep_bounds) for take in counted_takes(12, 9, nothing=True))


def test_web_videos_show_every_mishap_and_still_the_set() -> None:
    """Each kind of mishap comes, the person is still there, and a seed makes the same again."""
    stages, told = open_film(), []
    for k, take in enumerate(counted_takes(8, 3, web=True)):
        seen = web_poses(stages, take.time_s[:300], take.positions[:300], np.random.default_rng(k))
        if seen is None:
            continue
        pose, names = seen
        told += names
        again = web_poses(stages, take.time_s[:300], take.positions[:300], np.random.default_rng(k))
        assert again is not None and again[1] == names
        np.testing.assert_array_equal(again[0].xyz_m, pose.xyz_m)
        assert pose.valid.all(axis=1).mean() > 0.4
    assert len(set(told)) >= 5


def test_a_shipped_file_goes_on_where_it_ended(tmp_path: Path) -> None:
    """Its norms are folded into its convolutions, and taken over the network says the same."""
    net = PaceNet()
    _unfolded(net, find_model("reps"))
    image = torch.rand(1, CHANNELS, 90, len(LAGS_S), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        mine = torch.sigmoid(net.eval()(image)[:, 0]).numpy()
    shipped = PaceModel()._session.run(["repeating"], {"lags": image.numpy()})[0]
    np.testing.assert_allclose(mine, shipped, atol=1e-5)
    with pytest.raises(InputError, match="other weights"):
        _unfolded(net, find_model("form"))


def test_a_pace_that_changes_moves_the_bounds_along() -> None:
    """What is read at the new bounds is what stood at the old ones."""
    for seed in range(40):
        at = _paced(200, np.random.default_rng(seed))
        assert (np.diff(at) > 0.2).all() and at[-1] <= 199.0
        bounds = np.interp(np.array([10.0, 90.0, 150.0]), at, np.arange(float(len(at))))
        np.testing.assert_allclose(np.interp(bounds, np.arange(len(at)), at), [10.0, 90.0, 150.0], atol=1e-6)


def test_pools_are_put_behind_each_other(pool: PacePool) -> None:
    assert pool.start[0] == 0 and pool.start[-1] == len(pool.pose) == len(pool.shape)
    assert len(pool.start) == len(pool.name) + 1
    assert pool.take.max() < len(pool.name)
    length_s = np.diff(pool.start)[pool.take] / RATE_HZ
    assert (pool.bounds[:, 0] >= -0.2).all() and (pool.bounds[:, 1] <= length_s + 0.3).all()
    assert set(pool.idle) >= set(range(len(pool.name) - 3, len(pool.name)))


def test_targets_add_up_to_the_count(pool: PacePool) -> None:
    """The rate over the moments within repetitions is their number."""
    for k in range(len(pool.name)):
        made = example(pool, k, np.random.default_rng(k), vary=False)
        count = (pool.take == k).sum()
        assert abs(float(made.rate_hz.sum()) / RATE_HZ - count) < 0.5 + 0.05 * count, pool.name[k]
        assert ((made.rate_hz > 0) == (made.inside > 0)).all()


def test_variations_keep_the_targets_sound(pool: PacePool) -> None:
    for seed in range(30):
        made = example(pool, seed % len(pool.name), np.random.default_rng(seed))
        assert np.isfinite(made.image).all()
        # What the stretch cuts off counts neither as a repetition nor as none.
        assert not ((made.inside > 0) & (made.weight == 0)).any()
        assert made.rate_hz.max() < 6.0


def test_what_comes_before_moves_the_bounds(pool: PacePool) -> None:
    k = int(np.argmax(np.bincount(pool.take)))
    span = slice(int(pool.start[k]), int(pool.start[k + 1]))
    pose, shape = pool.pose[span].astype(float), pool.shape[span].astype(float)
    bounds = pool.bounds[pool.take == k].astype(float) * RATE_HZ
    middle = pose[round(bounds[0].mean())]
    for seed in range(5):
        longer, _, moved = _surrounded(pool, pose, shape, bounds, np.random.default_rng(seed))
        np.testing.assert_allclose(longer[round(moved[0].mean())], middle, atol=1e-9)


def test_short_pauses_belong_to_both_neighbours() -> None:
    joined = _joined(np.array([[0.0, 10.0], [12.0, 22.0], [60.0, 70.0]]))
    np.testing.assert_allclose(joined, [[0, 11], [11, 22], [60, 70]])


def test_a_run_ends_in_a_model_that_reads_the_same(pools: Path, pool: PacePool, tmp_path: Path) -> None:
    lines: list[str] = []
    train_pace(pools, tmp_path / "run", steps=2, batch=2, log=lines.append)
    assert any("held out" in line for line in lines)
    card = load_card(export_pace(tmp_path / "run", tmp_path / "models"))
    assert card.name == "reps" and card.metrics["onnx_parity"] < 1e-4
    model = PaceModel(tmp_path / "models" / "reps.onnx")
    image = pace_image(pool.pose[:200].astype(float), pool.shape[:200].astype(float))[None]
    repeating, rate_hz = model._session.run(None, {"lags": image})
    assert repeating.shape == rate_hz.shape == (1, 200)
    assert repeating.min() >= 0.0 and repeating.max() <= 1.0 and rate_hz.min() > 0.0
    before = load_file(tmp_path / "run" / "weights.safetensors")
    train_pace(pools, tmp_path / "more", steps=1, batch=2, start=tmp_path / "run" / "weights.safetensors")
    after = load_file(tmp_path / "more" / "weights.safetensors")
    assert set(after) == set(before)
    assert "going on from" in export_pace(tmp_path / "more", tmp_path / "more").read_text(encoding="utf-8")


def test_says_which_pools_are_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="val"):
        train_pace(tmp_path, tmp_path / "run")
