"""Captured walks rendered: the file's form, the comparison of curves, and one film all the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError
from posepipe.gait.analyse import analyse
from posepipe.gait.curves import SAGITTAL
from posepipe.lab.gait import real
from posepipe.lab.gait.norms import join_legs
from posepipe.lab.gait.real import RealWalk, compare_curves, evaluate_real, learnt_legs, real_walks
from posepipe.lab.people.body import TOE_Z_M
from posepipe.lab.people.filmed import FEET
from posepipe.lab.people.gait import SynthWalk, make_walk
from posepipe.skeleton import BODY21, H36M17
from tests.gait.filmed import seen

RATE_HZ = 60.0
LATE_S = 0.3


def _walk(seconds: float = 5.0) -> SynthWalk:
    return make_walk(np.random.default_rng(5), duration_s=seconds, fps_hz=RATE_HZ)


def _written(path: Path, walk: SynthWalk, kind: str = "straight") -> Path:
    toes = BODY21.indices("nose", "head", "left_foot_index", "right_foot_index", "left_heel", "right_heel")
    np.savez(
        path,
        positions=walk.xyz_m[:, : len(H36M17)].astype(np.float32),
        extra=walk.xyz_m[:, list(toes)].astype(np.float32),
        seq_start=np.array([0, len(walk)]),
        seq_name=np.array(["made"]),
        subject=np.array(["one"]),
        fps=np.array([RATE_HZ]),
        walk=np.array([kind]),
        height_m=np.array([walk.shape.height_m]),
    )
    return path


def _real(walk: SynthWalk) -> RealWalk:
    return RealWalk("made", "one", walk.time_s, walk.xyz_m, walk.shape, learnt=False)


def test_a_walk_comes_back_from_its_file(tmp_path: Path) -> None:
    walk = _walk()
    (found,) = real_walks(_written(tmp_path / "made.npz", walk))
    assert found.shape.height_m == pytest.approx(walk.shape.height_m)
    legs = BODY21.indices("left_hip", "left_knee", "left_ankle", "left_heel", "left_foot_index")
    apart = found.xyz_m[:, legs] - walk.xyz_m[:, legs]
    assert np.ptp(apart[..., 2]) < 1e-4
    assert np.abs(apart[..., :2]).max() < 1e-4
    assert np.quantile(found.xyz_m[:, FEET, 2].min(axis=1), 0.1) == pytest.approx(TOE_Z_M)
    assert len(found.at_rate(30.0).time_s) == pytest.approx(0.5 * len(walk), abs=1)


def test_what_is_no_straight_walk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no straight normal walk"):
        evaluate_real(_written(tmp_path / "turn.npz", _walk(), "turn"))
    other = tmp_path / "other.npz"
    np.savez(other, kp=np.zeros(3))
    with pytest.raises(InputError, match="lacks an array"):
        next(real_walks(other))
    with pytest.raises(InputError, match="can't be read"):
        next(real_walks(tmp_path / "none.npz"))


def test_exact_joints_have_small_errors_and_a_shift_shows() -> None:
    walk = _walk()
    found = analyse(seen(walk, 45.0))
    rows = compare_curves(_real(walk), found)
    assert {row["angle"] for row in rows} == set(SAGITTAL)
    assert max(row["absolute_deg"] for row in rows) < 2.0
    later = int(LATE_S * RATE_HZ)
    moved = RealWalk("made", "one", walk.time_s[:-later], walk.xyz_m[later:], walk.shape, learnt=False)
    assert compare_curves(moved, found) == []  # No stride of it is one of those.


def test_films_all_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real, "SEEN_FROM", {"side": (90.0,), "oblique": (45.0,)})
    data, kept = _written(tmp_path / "made.npz", _walk(3.0)), tmp_path / "kept"
    found = evaluate_real(data, results=kept)
    # From the side error bars are learnt on the first of each two people, who is left out.
    assert found["metrics"]["films"] == 1.0
    assert [(row["view"], row["angle"]) for row in found["rows"]] == [("oblique", angle) for angle in SAGITTAL]
    for row in found["rows"]:
        assert row["centred_deg"] <= row["absolute_deg"] < 20.0
        assert 0.0 <= row["coverage_90"] <= 1.0
    assert evaluate_real(data, results=kept) == found  # From what was seen.
    legs = join_legs(learnt_legs([data, tmp_path / "none.npz"], kept))
    assert set(legs.walk) == {0}
    assert np.isfinite(legs.phase).any()
    known = np.isfinite(legs.away_deg).all(axis=1)
    assert known.mean() > 0.5
    assert np.median(np.abs(legs.away_deg[known])) < 15.0
