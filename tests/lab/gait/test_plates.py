"""Events against force plates: the file's form, the measures, and the plates themselves where they are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posepipe.errors import InputError
from posepipe.gait.events import EVENT
from posepipe.lab.gait.plates import evaluate_events, plate_walks
from posepipe.lab.people.gait import make_walk
from posepipe.skeleton import BODY21, H36M17


def _written(path: Path, *, late_s: float = 0.0, source: str = "plate1") -> Path:
    """A made walk in the form of the file, whose plate feels everything somewhat later than it should."""
    walk = make_walk(np.random.default_rng(5), duration_s=4.0, fps_hz=100.0)
    toes = BODY21.indices("nose", "head", "left_foot_index", "right_foot_index", "left_heel", "right_heel")
    inside = [e for e in walk.events if 0.5 < e.time_s < 3.5]
    np.savez(
        path,
        positions=walk.xyz_m[:, : len(H36M17)].astype(np.float32),
        extra=walk.xyz_m[:, list(toes)].astype(np.float32),
        seq_start=np.array([0, len(walk)]),
        seq_name=np.array(["made"]),
        subject=np.array(["one"]),
        fps=np.array([100.0]),
        walk=np.array(["straight"]),
        event_seq=np.zeros(len(inside), np.int32),
        event_time_s=np.array([e.time_s + late_s for e in inside]),
        event_side=np.array([e.side[0].upper() for e in inside]),
        event_kind=np.array(["strike" if e.kind == "heel_strike" else "off" for e in inside]),
        event_source=np.array([source] * len(inside)),
    )
    return path


@pytest.mark.parametrize("late_s", [0.0, 0.03])
def test_made_walkers_feel_as_plates_do(tmp_path: Path, late_s: float) -> None:
    found = evaluate_events(_written(tmp_path / "made.npz", late_s=late_s))["metrics"]
    assert found["found_pct"] == 100.0
    for name in ("strike", "off"):
        assert found[f"{name}_bias_ms"] == pytest.approx(-1000.0 * late_s, abs=8.0)
        assert found[f"{name}_sd_ms"] < 10.0
    assert "turn_found_pct" not in found


def test_only_plates_count(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no events of a plate"):
        evaluate_events(_written(tmp_path / "lab.npz", source="lab"))


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, kp=np.zeros(3))
    with pytest.raises(InputError, match="lacks an array"):
        next(plate_walks(path))
    with pytest.raises(InputError, match="can't be read"):
        next(plate_walks(tmp_path / "none.npz"))


def test_the_plate_feels_it_later_than_it_moves() -> None:
    walk = make_walk(np.random.default_rng(6), duration_s=4.0)
    moved = {(p.side, p.strike_s) for p in walk.prints}
    for event in walk.events:
        if event.kind == "heel_strike":
            assert any(
                side == event.side and event.time_s - at == pytest.approx(EVENT.plate_strike_s) for side, at in moved
            )


def test_real_plates(shared_data: Path) -> None:
    found = evaluate_events(shared_data / "gait" / "force_plate_walks.npz")["metrics"]
    assert found["found_pct"] >= 98.0
    assert found["turn_found_pct"] >= 90.0
    for name in ("strike", "off"):
        assert abs(found[f"{name}_bias_ms"]) < 8.0
        assert found[f"{name}_sd_ms"] < 15.0
        assert abs(found[f"turn_{name}_bias_ms"]) < 8.0
    assert 0.75 < found["coverage_90"] <= 1.0
