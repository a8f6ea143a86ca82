"""A laboratory's numbers of the same movement: what is put in comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posepipe.cli.main import run
from posepipe.errors import InputError, MediaError, UsageError
from posepipe.formats.mocap import write_c3d, write_mot, write_trc
from posepipe.formats.reference import read_reference
from posepipe.gait.types import Event, GaitResult, Stride, Walk
from posepipe.record.agree import AgreeSettings, Reference, _icc, _offset, agree
from posepipe.record.folder import save
from posepipe.record.recording import Person
from posepipe.reports.agreement import agreement_page, write_agreement
from posepipe.reports.blocks import page_html
from posepipe.texts import load
from tests.record.factory import make_person, make_recording

KNEE = "left_knee_flexion"


@pytest.fixture(scope="module")
def person() -> Person:
    return make_person()


def knee(person: Person) -> np.ndarray:
    return person.angles.deg[:, person.angles.names.index(KNEE)].astype(float)


def laboratory(person: Person, lag_s: float = 0.0, bias_deg: float = 0.0, rate_hz: float = 100.0) -> Reference:
    """The person's own knees and hips at another rate, on a clock that is `lag_s` behind ours."""
    clock = person.pose.time_s
    time_s = np.arange(clock[0], clock[-1], 1.0 / rate_hz)
    deg = {}
    for name in (KNEE, "right_hip_flexion"):
        values = person.angles.deg[:, person.angles.names.index(name)].astype(float)
        known = np.isfinite(values)
        deg[name] = np.interp(time_s, clock[known], values[known]) - bias_deg
    return Reference("lab.mot", time_s - lag_s, deg)


@given(lag_s=st.floats(-20, 20), bias_deg=st.floats(-15, 15))
@settings(max_examples=12, deadline=None)
def test_offset_and_bias_are_found(lag_s: float, bias_deg: float) -> None:
    person = make_person()
    found = agree(person, laboratory(person, lag_s, bias_deg))
    assert found.offset_s == pytest.approx(lag_s, abs=0.02)
    for angle in found.angles:
        assert angle.bias_deg == pytest.approx(bias_deg, abs=0.2)
        assert angle.centred_rmse_deg < 1.0 and angle.r > 0.99
        assert angle.low_deg < angle.bias_deg < angle.high_deg


def test_numbers_are_the_formulas(person: Person) -> None:
    away = 3.0 + 2.0 * np.sin(np.arange(len(knee(person))))
    reference = Reference("lab", person.pose.time_s, {KNEE: knee(person) - away})
    (found,) = agree(person, reference, offset_s=0.0).angles
    known = np.isfinite(knee(person))
    assert found.bias_deg == pytest.approx(away[known].mean(), abs=1e-3)
    assert found.sd_deg == pytest.approx(away[known].std(ddof=1), abs=1e-3)
    assert found.high_deg - found.low_deg == pytest.approx(2 * 1.96 * away[known].std(ddof=1), abs=1e-2)
    assert found.rmse_deg == pytest.approx(np.sqrt(np.mean(away[known] ** 2)), abs=1e-3)
    sigma = person.angles.sigma_deg[known, person.angles.names.index(KNEE)]
    assert found.coverage_90 == pytest.approx(np.mean(np.abs(away[known]) <= 1.645 * sigma), abs=0.02)


def test_icc_falls_with_a_bias() -> None:
    # Of a and a + c the mean squares are 2 var(a), n c^2 / 2 and 0: ICC(A,1) = 2 var(a) / (2 var(a) + c^2).
    a = np.array([9.0, 6.0, 8.0, 7.0, 10.0, 6.0])
    for c in (0.0, 1.5, -4.0):
        assert _icc(a, a + c) == pytest.approx(2 * a.var(ddof=1) / (2 * a.var(ddof=1) + c**2))
    assert np.isnan(_icc(np.ones(5), np.ones(5)))


def test_a_repeated_movement_has_a_rival(person: Person) -> None:
    # Squats of 2.5 s in a recording three of them longer: which is which can't be told.
    time_s = np.arange(0.0, 30.0, 0.02)
    reference = Reference("lab", time_s, {KNEE: 60.0 * (0.5 - 0.5 * np.cos(2 * np.pi * time_s / 2.5))})
    found = agree(person, reference)
    assert found.rival_s is not None
    assert (
        abs(found.rival_s - found.offset_s) % 2.5 == pytest.approx(0.0, abs=0.2)
        or abs(abs(found.rival_s - found.offset_s) % 2.5 - 2.5) < 0.2
    )


def test_of_offsets_that_fit_as_well_the_longest_is_taken() -> None:
    """A stride off, a walk fits nearly as well; cut at its ends it fits a little better there."""
    time_s = np.arange(0.0, 4.0, 0.02)
    curve = 30.0 * np.sin(2.0 * np.pi * time_s / 1.1)
    curve[-25:] += 6.0
    reference = Reference("lab", time_s + 3.0, {KNEE: 30.0 * np.sin(2.0 * np.pi * time_s / 1.1)})
    offset_s, _, rival_s = _offset(time_s, {KNEE: curve}, reference, AgreeSettings())
    assert offset_s == pytest.approx(-3.0, abs=0.05)
    assert rival_s is not None


def test_another_movement_is_refused(person: Person) -> None:
    rng = np.random.default_rng(0)
    time_s = np.arange(0.0, 9.0, 0.01)
    with pytest.raises(InputError, match="unlike"):
        agree(person, Reference("lab", time_s, {KNEE: rng.normal(size=len(time_s))}))
    with pytest.raises(InputError, match="no angle or event"):
        agree(person, Reference("lab", time_s, {}))


def test_a_gap_of_the_reference_stays_one(person: Person) -> None:
    reference = laboratory(person)
    inside = (reference.time_s > 2.0) & (reference.time_s < 3.0)
    blank = {name: np.where(inside, np.nan, deg) for name, deg in reference.deg.items()}
    found = agree(person, replace(reference, deg=blank), offset_s=0.0)
    assert not any(((angle.time_s > 2.05) & (angle.time_s < 2.95)).any() for angle in found.angles)


def walker(person: Person, lag_s: float = 0.0) -> tuple[Person, Reference]:
    """Strides of 1.1 s, which the laboratory has 20 ms later, but for one that it lacks."""
    events, strides, theirs = [], [], []
    for k in range(6):
        for side, shift in (("left", 0.0), ("right", 0.55)):
            at_s = 0.5 + 1.1 * k + shift
            events += [Event(at_s, 0.01, side, "heel_strike", 0.9), Event(at_s + 0.66, 0.01, side, "toe_off", 0.9)]
            strides.append(Stride(side, at_s, at_s + 0.66, at_s + 1.1, 0))
            if (k, side) != (3, "left"):
                theirs.append(Event(at_s + 0.02 - lag_s, 0.0, side, "heel_strike", 1.0))
    events.sort(key=lambda event: event.time_s)
    walk = Walk(events=tuple(events), strides=tuple(strides))
    gait = GaitResult(walk=walk, withheld=None)
    return replace(person, gait=gait), Reference("lab", np.empty(0), {}, tuple(theirs))


def test_events_are_matched_once_and_the_lost_one_is_told(person: Person) -> None:
    walking, reference = walker(person)
    (found,) = agree(walking, reference, offset_s=0.0).events
    assert (found.type, found.matched, found.ours_alone, found.theirs_alone) == ("heel_strike", 11, 1, 0)
    assert found.bias_ms == pytest.approx(-20.0, abs=0.1)
    assert found.sd_ms == pytest.approx(0.0, abs=0.1)


def test_events_alone_give_the_offset(person: Person) -> None:
    walking, reference = walker(person, lag_s=4.0)
    found = agree(walking, reference)
    assert found.offset_from == "events"
    assert found.offset_s == pytest.approx(4.0 - 0.02, abs=0.01)


def test_cycles_of_strides_and_repetitions(person: Person) -> None:
    walking, _ = walker(person)
    reference = laboratory(person)
    for cycle in agree(walking, reference, offset_s=0.0).cycles:
        assert cycle.angle.startswith(cycle.kind)
        assert cycle.range_deg[0] == pytest.approx(cycle.range_deg[1], abs=2.0)
    kinds = {cycle.kind for cycle in agree(person, reference, offset_s=0.0).cycles}
    assert kinds == {bout.label for bout in person.exercise.bouts if bout.reps}


@pytest.mark.parametrize("write", [write_mot, write_c3d, write_trc])
def test_our_own_files_agree_with_us(write: object, person: Person, tmp_path: Path) -> None:
    if write is write_c3d:
        pytest.importorskip("ezc3d")
    recording = make_recording()
    path = tmp_path / f"a.{write.__name__.removeprefix('write_')}"  # type: ignore[attr-defined]
    write(recording, recording.people[0], path)  # type: ignore[operator]
    found = agree(recording.people[0], read_reference(path))
    names = {angle.angle for angle in found.angles}
    assert {"left_knee_flexion", "right_hip_flexion", "right_elbow_flexion"} <= names
    assert abs(found.offset_s) < 0.02
    for angle in found.angles:
        assert angle.rmse_deg < 1.5, angle.angle


def test_plug_in_gait_and_its_events(tmp_path: Path) -> None:
    ezc3d = pytest.importorskip("ezc3d")
    time_s = np.arange(200) / 100.0
    values = np.zeros((4, 3, 200))
    values[0, 0] = 30 + 30 * np.sin(time_s)  # Knee, x.
    values[1, 1] = 5 * np.sin(time_s)  # Hip's adduction, y.
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["parameters"]["POINT"]["LABELS"]["value"] = ["Anna:LKneeAngles", "Anna:RHipAngles", "Anna:LASI"]
    file["data"]["points"] = values
    file.add_parameter("EVENT", "CONTEXTS", ["Left", "Right"])
    file.add_parameter("EVENT", "LABELS", ["Foot Strike", "Foot Off"])
    file.add_parameter("EVENT", "TIMES", np.array([[0.0, 1.0], [0.7, 2.5]]))
    file.write(str(tmp_path / "lab.c3d"))
    found = read_reference(tmp_path / "lab.c3d")
    assert found.deg["left_knee_flexion"] == pytest.approx(values[0, 0], abs=1e-3)
    assert found.deg["right_hip_abduction"] == pytest.approx(-values[1, 1], abs=1e-3)
    assert [(e.side, e.type, e.time_s) for e in found.events] == [
        ("left", "heel_strike", pytest.approx(0.7)),
        ("right", "toe_off", pytest.approx(62.5)),
    ]


def test_tables_of_angles_and_of_events(tmp_path: Path) -> None:
    path = tmp_path / "lab.csv"
    path.write_text("time_s;left_knee_flexion_deg;KneeR;note\n0,0;10,5;-3,0;\n0,1;11,5;-4,0;\n0,2;;-5,0;\n")
    found = read_reference(path, {"right_knee_flexion": "-KneeR"})
    assert found.deg["left_knee_flexion"] == pytest.approx([10.5, 11.5, np.nan], nan_ok=True)
    assert found.deg["right_knee_flexion"] == pytest.approx([3.0, 4.0, 5.0])
    assert found.left_out == ("note",)
    path.write_text("time,event\n1.5,RTO\n0.5,Left Foot Strike\n2.0,General\n")
    assert [(e.time_s, e.side, e.type) for e in read_reference(path).events] == [
        (0.5, "left", "heel_strike"),
        (1.5, "right", "toe_off"),
    ]


def test_radians_of_opensim(tmp_path: Path) -> None:
    path = tmp_path / "lab.mot"
    rows = "time\tknee_angle_l\tneck_flexion\n0\t0\t1\n1\t3.14159265\t1\n"
    path.write_text(f"x\nversion=1\ninDegrees=no\nendheader\n{rows}")
    found = read_reference(path)
    assert found.deg[KNEE] == pytest.approx([0.0, 180.0])
    # OpenSim's own, against other axes.
    assert set(found.deg) == {KNEE} and found.left_out == ("neck_flexion",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", ""),
        ("a.csv", "frame,left_knee_flexion\n0,1\n1,2\n"),
        ("a.csv", "time,left_knee_flexion\n1,1\n0,2\n"),
        ("a.csv", "time,height\n0,1\n1,2\n"),
        ("a.mot", "time knee_angle_l\n0 1\n"),
        ("a.mot", "endheader\nframe\tknee_angle_l\n0\t1\n1\t1\n"),
        ("a.trc", "PathFileType\n"),
        ("a.c3d", "not one"),
    ],
)
def test_bad_references_say_what_is_wrong(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        read_reference(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and caught.value.hint
    with pytest.raises(MediaError):
        read_reference(tmp_path / "missing.mot")
    with pytest.raises(UsageError):
        read_reference(tmp_path / name, {"left_tail": "x"})


def test_the_page_speaks_german(person: Person) -> None:
    walking, events = walker(person)
    found = agree(walking, replace(laboratory(person), events=events.events), offset_s=0.0)
    page = page_html(agreement_page(found, load("de")))
    assert "Fersenkontakt" in page and "Kniebeugung" in page
    for english in ("Bias", "Cycles", "Found by both", "ours", "Knee flexion"):
        assert english not in page, english


def test_pairs_are_what_poseaudit_reads(person: Person, tmp_path: Path) -> None:
    poseaudit = pytest.importorskip("poseaudit.paired")
    write_agreement(agree(person, laboratory(person, 1.0, 4.0)), tmp_path)
    table = poseaudit.read_table(tmp_path / "agreement-pairs.csv")
    ours = [
        float(a) - float(b) for a, b, m in zip(table["pred"], table["ref"], table["measure"], strict=True) if m == KNEE
    ]
    assert np.mean(ours) == pytest.approx(4.0, abs=0.2)


def test_the_command_writes_and_keeps_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = make_recording()
    save(recording, tmp_path / "results", formats=["mot"])
    (mot,) = (tmp_path / "results").glob("*.mot")
    arguments = ["agree", str(tmp_path / "results"), str(mot), "--out", str(tmp_path / "out"), "--json"]
    assert run(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["offset_from"] == "angles" and told["angles"][0]["rmse_deg"] < 1.0
    assert all(Path(name).is_file() for name in told["files"])
    assert len((tmp_path / "out" / "agreement-pairs.csv").read_text().splitlines()) > 100
    # A page of the user's own of that name stays.
    (tmp_path / "out" / "agreement.html").write_text("mine")
    assert run(arguments) == 2
    assert (tmp_path / "out" / "agreement.html").read_text() == "mine"
    assert run([*arguments[:3], "--columns", "left_knee_flexion"]) == 2
    assert run([*arguments[:3], "--person", "9"]) == 2
