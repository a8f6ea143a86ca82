"""The gait classifier: solved on a small table, exported, and the same in ONNX Runtime; and how its walks are seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posepipe.gait.features import FEATURES
from posepipe.gait.judge import Classifier
from posepipe.gait.norms import SEEN, SOURCED, WAYS, curve_bands, feature_norms, picture_habits, picture_spread
from posepipe.gait.types import GENERAL
from posepipe.lab.gait import sources
from posepipe.lab.gait.data import NORMAL, Walks, WalkTable, WorldWalk, make_table, measure_films
from posepipe.lab.gait.norms import Rendered, fit_habits, fit_spread, write_habits, write_norms
from posepipe.lab.gait.seen import Film, load_films, save_films, sensed
from posepipe.lab.people.gait import PATTERNS, make_walk
from posepipe.weights import load_card

torch = pytest.importorskip("torch")
from posepipe.lab.gait.train import (  # noqa: E402
    ABSOLUTE,
    TrainConfig,
    _other_skeleton,
    evaluate_table,
    export,
    train,
)

NAMES = [spec.name for spec in FEATURES]


@pytest.fixture(scope="module")
def table() -> WalkTable:
    """Two made-up patterns that differ from normal in one feature each."""
    rng = np.random.default_rng(0)
    count = 600
    z = rng.standard_normal((count, len(FEATURES))).astype(np.float32)
    pattern = rng.choice(np.array([NORMAL, "stiff_knee", "slouched"]), count)
    z[pattern == "stiff_knee", NAMES.index("knee_swing_deg")] -= 5.0
    z[pattern == "slouched", NAMES.index("trunk_flexion_deg")] += 5.0
    split = rng.choice(np.array(["train", "train", "calibrate", "test"]), count)
    seen = rng.choice(np.array(SEEN), count)
    known = np.ones_like(z)
    severity, source = np.ones(count, np.float32), np.full(count, "synthetic")
    return WalkTable(z, known, pattern, split, seen, severity, source, ("stiff_knee", "slouched"))


def test_training_finds_what_was_put_in_and_exports_the_same(table: WalkTable, tmp_path: Path) -> None:
    network = train(table, TrainConfig(copies=1))
    found = evaluate_table(network, table)
    assert found["balanced_accuracy"] > 0.9
    assert found["pattern_accuracy"] > 0.95
    assert float(network.above.min()) >= 0.0
    assert float(network.below.min()) >= 0.0
    path = export(network, table, tmp_path, {"test_auroc": found["auroc"]}, "a test")
    card = load_card(tmp_path / "gait.toml")
    assert card.size_bytes == path.stat().st_size
    z = np.zeros((1, len(FEATURES)), np.float32)
    z[0, NAMES.index("knee_swing_deg")] = -6.0
    classifier = Classifier(path)
    probability, added, names = classifier.run(z, np.ones_like(z), "side")
    assert probability[0] > 0.5
    assert int(added[0].argmax()) == NAMES.index("knee_swing_deg")
    assert classifier.patterns[int(names[0].argmax())] == "stiff_knee"


def test_another_skeleton_moves_angles_and_lengths_only(table: WalkTable) -> None:
    """Ranges, times and what compares the sides stay."""
    assert set(NAMES) >= ABSOLUTE
    rng = np.random.default_rng(1)
    assert not _other_skeleton(table, TrainConfig(), rng).any()
    moved = _other_skeleton(table, TrainConfig(skeleton_deg=6.0, detector_deg=2.0, skeleton_share=0.05), rng)
    stays = [
        NAMES.index(n)
        for n in ("cadence_spm", "stance_pct", "knee_swing_deg", "hip_range_deg", "knee_stance_asymmetry_deg")
    ]
    assert not moved[:, stays].any()
    for name in ("knee_stance_deg", "step_length_ll", "pace_llps"):
        assert np.std(moved[:, NAMES.index(name)]) > 0.05
    wide = np.std(moved[table.seen == "3d", NAMES.index("knee_stance_deg")])
    norms = {way: feature_norms(way)["knee_stance_deg"].sd for way in ("3d", "side")}
    film = np.std(moved[table.seen == "side", NAMES.index("knee_stance_deg")])
    assert wide * norms["3d"] == pytest.approx(6.0, rel=0.25)
    assert film * norms["side"] == pytest.approx(2.0, rel=0.25)


def test_a_lopsided_skeleton_sets_the_sides_apart(table: WalkTable) -> None:
    column = NAMES.index("knee_stance_asymmetry_deg")
    sure = replace(table, z=np.abs(table.z))
    moved = _other_skeleton(sure, TrainConfig(skeleton_deg=8.0, lopsided=0.5), np.random.default_rng(1))
    norm = feature_norms("3d")["knee_stance_asymmetry_deg"]
    at = table.seen == "3d"
    before = norm.mean + sure.z[at, column] * norm.sd_high
    after = norm.mean + (sure.z + moved)[at, column] * np.where(
        (sure.z + moved)[at, column] > 0.0, norm.sd_high, norm.sd_low
    )
    assert (after > -1e-3).all()  # A size.
    assert np.abs(np.abs(after) - np.abs(before)).max() < 20.0
    assert np.std(after - before) > 2.0
    assert not moved[:, NAMES.index("step_time_asymmetry_pct")].any()


def test_a_made_source_holds_both_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_walk(np.random.default_rng(3), duration_s=4.0, fps_hz=30.0)
    walk = WorldWalk(world.time_s, world.xyz_m, NORMAL, 0.0, "left", "train", "more")
    monkeypatch.setattr(sources, "captured_walks", lambda _: [walk])
    monkeypatch.setattr(sources, "more_walks", lambda _: [])
    patterns = ("crouch", GENERAL)
    made = sources.make_source(tmp_path, 0, 16, 31, patterns)
    made.save(tmp_path / "source.npz")
    found = sources.source_table([sources.MadeSource.load(tmp_path / "source.npz")], patterns)
    assert set(found.seen) == {SOURCED}
    assert {NORMAL, GENERAL} <= set(found.pattern) <= {NORMAL, *patterns}
    # On a skeleton of its own, and yet no angle is far off in everybody.
    normal = found.z[found.pattern == NORMAL][:, NAMES.index("knee_stance_deg")]
    assert abs(np.median(normal)) < 2.0
    assert len(found.with_rows(found).z) == 2 * len(found.z)


def _films(count: int) -> list[Film]:
    films = []
    for number in range(count):
        rng = np.random.default_rng(number)
        walk = make_walk(rng, duration_s=4.0, fps_hz=25.0)
        motion = sensed(walk.time_s, walk.xyz_m, rng, noise=0.2, feet=True)
        films.append(Film(motion, "3d", NORMAL, 0.0, "left", "train", "synthetic"))
    return films


def test_films_are_kept_and_measured(tmp_path: Path) -> None:
    films = _films(2)
    save_films(tmp_path / "films.npz", films)
    again = list(load_films([tmp_path / "films.npz"]))
    np.testing.assert_allclose(again[1].motion.xyz_m, films[1].motion.xyz_m)
    assert again[1].motion.keypoints is None
    walks = measure_films(iter(again))
    assert set(walks.seen) == {"3d"}
    assert np.isfinite(walks.values[:, NAMES.index("cadence_spm")]).all()
    walks.save(tmp_path / "walks.npz")
    assert len(Walks.load(tmp_path / "walks.npz").seen) == len(walks.seen)


def test_norms_follow_the_walks(tmp_path: Path) -> None:
    one = measure_films(iter(_films(1)))
    rows = [
        Walks(
            one.values + step,
            one.curves + np.float32(step),
            np.array([seen]),
            one.pattern,
            one.severity,
            one.split,
            one.source,
            one.strides,
            np.ones_like(one.values),
        )
        for seen in SEEN
        for step in np.linspace(-2.0, 2.0, 21)
    ]
    walks = Walks.join(rows)
    write_norms(walks, tmp_path)
    lines = (tmp_path / "features.csv").read_text(encoding="utf-8").splitlines()
    cadence = next(line.split(",") for line in lines if ",side,cadence_spm," in line)
    assert float(cadence[3]) == pytest.approx(float(one.values[0, NAMES.index("cadence_spm")]), abs=0.01)
    assert len(lines) == 1 + len(SEEN) * len(FEATURES)


def test_shipped_norms_are_of_walking() -> None:
    for seen in SEEN:
        knee = curve_bands(seen)["knee_flexion"]
        assert 60 <= int(knee.mean_deg.argmax()) <= 85
        assert 25.0 < float(np.ptp(knee.mean_deg)) < 70.0
        assert (knee.sd_deg > 0).all()


def test_the_table_is_in_the_classifiers_order() -> None:
    walks = measure_films(iter(_films(1)))
    table = make_table(walks, tuple(name for name in PATTERNS if name != NORMAL))
    assert table.z.shape == table.known.shape == (1, len(FEATURES))
    assert table.seen_flags[0].tolist() == [float(way == "3d") for way in WAYS]
    assert (np.abs(table.z) <= 12.0).all()


def test_habits_are_found_and_written(tmp_path: Path) -> None:
    """Least squares finds what was put in, for each place and angle apart."""
    rng = np.random.default_rng(3)
    terms = np.concatenate([np.ones((4000, 1)), rng.random((4000, 3))], axis=1)
    near = rng.random(4000) < 0.5
    weights = rng.normal(0.0, 3.0, (2, 3, 4))
    away = np.where(near[:, None], terms @ weights[0].T, terms @ weights[1].T) + rng.normal(0.0, 0.5, (4000, 3))
    away[:50, 1] = np.nan
    walk, phase = np.arange(4000) // 20, np.tile(np.linspace(0.0, 0.99, 20), 200)
    legs = Rendered(terms, away, np.full((4000, 3), 2.0), phase, near, walk)
    found = fit_habits(legs)
    np.testing.assert_allclose(found, weights, atol=0.3)
    spread = fit_spread(legs, found)
    np.testing.assert_allclose(spread, 0.25, rtol=0.1)  # What is left is 0.5 degrees, 2 were stated.
    write_habits(found, spread, 1, tmp_path / "picture.csv")
    lines = (tmp_path / "picture.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 2 * 3 * (4 + 1)
    assert lines[1].split(",")[:4] == ["rendered", "near", "hip_flexion", "one"]
    assert lines[5].split(",")[:4] == ["rendered", "near", "hip_flexion", "sigma"]


def test_shipped_factors_are_sane() -> None:
    """Keypoints' sigmas allow for more than a picture's angles show, but not for ten times as much."""
    assert len(picture_spread()) == 6
    assert all(0.1 < factor < 1.5 for factor in picture_spread().values())


def test_shipped_habits_are_small() -> None:
    """They correct a detector, they don't make up an angle: a leg out in the open moves by less than 6 degrees."""
    for (_, _), weights in picture_habits().items():
        assert len(weights) == 4
        assert abs(weights[0]) < 6.0
        for own in (0.0, 60.0):
            assert abs(weights @ np.array([1.0, 1.0, 20.0 - own, own])) < 25.0
