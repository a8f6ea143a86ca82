"""The report, read by an HTML parser alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from posepipe.body.world import unknown_world
from posepipe.cli.main import run
from posepipe.exercise.types import Bout, ExerciseResult, Repetition
from posepipe.reasons import Reason, explain
from posepipe.record.folder import save, write_report
from posepipe.record.seal import read_record
from posepipe.reports.drawings import thin
from posepipe.reports.motion import render
from posepipe.reports.sections import withheld
from tests.record.factory import make_gait, make_person, make_recording, make_world

VOID = {"meta", "link", "img", "input", "br", "hr", "path", "line", "circle"}
LOADS = {"src", "href", "srcset", "poster", "data", "action", "xlink:href", "background"}


class Page(HTMLParser):
    """Checks nesting; keeps tags, attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words, self.inside = [], [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.inside.setdefault(self.open[-1], []).append(data)
        else:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def page():
    return Page(render(make_recording()))


def test_well_formed_and_titled(page):
    assert page.all("html") == [{"lang": "en"}]
    assert "squat.mp4" in page.text
    assert [name for name, _ in page.tags].count("title") == 1


def loads(page):
    return [value for _, attrs in page.tags for key, value in attrs.items() if key in LOADS]


def test_loads_nothing(page):
    assert all(value.startswith("data:") for value in loads(page))
    text = render(make_recording())
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", text))
    # The name of the SVG namespace isn't fetched.
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", text)


def test_says_what_it_must(page):
    for text in ("240 of 240 frames", "from the front", "3 × squat", "screening aid, not a diagnosis", "90 % error"):
        assert text in page.text
    for heading in ("Key frames", "3D", "Joint angles", "Exercise", "Gait", "withheld, and why", "Data quality"):
        assert heading in page.text


def test_withheld_is_explained(page):
    assert explain("not_walking") in page.text
    assert explain("too_shallow") in page.text


def test_withheld_looks_into_nested_results():
    person = make_person(30, gait=make_gait(), exercise=ExerciseResult(withheld=Reason.NO_EXERCISE))
    found = {item.what: item.why for item in withheld(person)}
    assert found["Gait › Step length (m)"] == explain("scale_assumed")
    assert found["Exercise"] == explain("no_exercise")
    assert "Gait › Cadence (steps/min)" not in found
    text = Page(render(make_recording(30, people=(person,)))).text
    assert "Gait › Walking speed (m/s)" in text


def test_an_angle_without_any_value_is_listed_not_drawn():
    person = make_person(30)
    column = person.angles.names.index("left_knee_flexion")
    person.angles.deg[:, column] = np.nan
    assert [item.what for item in withheld(person) if "Left knee" in item.what] == ["Angle › Left knee flexion"]
    figures = [
        json.loads(f["data-curves"])
        for f in Page(render(make_recording(30, people=(person,)))).all("figure")
        if "data-curves" in f
    ]
    assert [["right", person.angles.names.index("right_knee_flexion")]] in figures


@pytest.mark.parametrize(("hidden", "reason"), [(True, "joint_unseen"), (False, "too_uncertain")])
def test_a_partly_missing_angle_says_how_much_and_why(hidden, reason):
    person = make_person(40)
    person.angles.deg[:10, person.angles.names.index("right_knee_flexion")] = np.nan
    person.pose.valid[:10, person.pose.layout.index("right_ankle")] = not hidden
    (found,) = [item for item in withheld(person) if "Right knee" in item.what]
    assert re.sub(r"\s", " ", found.what) == "Angle › Right knee flexion, in 25 % of the frames"
    assert found.why == explain(reason)


def test_error_bars_are_the_ones_measured():
    text = Page(render(make_recording(people=(make_person(gait=make_gait()),)))).text
    assert "109.1 ± 2.8" in text  # 1.645 x 1.7
    assert "105° ± 7" in text  # 1.645 x 4.1


def test_viewer_data_match_the_pose(page):
    data = page.inside["script"][0]
    (person,) = json.loads(data)
    pose = make_person().pose
    mm = np.array(person["mm"], dtype=float).reshape(len(person["time_s"]), -1, 3)
    np.testing.assert_allclose(mm, 1000 * pose.xyz_m, atol=0.51)
    assert {bone[2] for bone in person["bones"]} == {"left", "right", "middle"}


def _in_the_room(world=None):
    person = make_person(40)
    return replace(person, world=make_world(person.pose) if world is None else world)


def test_the_viewer_stands_on_the_floor():
    made = _in_the_room()
    shown = Page(render(make_recording(40, people=(made,))))
    (data,) = json.loads(shown.inside["script"][0])
    mm = np.array(data["mm"], dtype=float).reshape(40, -1, 3)
    np.testing.assert_allclose(-mm[..., 1], 1000 * made.world.xyz_m[..., 2], atol=0.51)
    way = np.array(data["way_mm"], dtype=float)
    np.testing.assert_allclose(way, mm[:, 0][:, [0, 2]], atol=1.01)
    assert np.nanmax(np.abs(way)) < data["reach_mm"] and data["reach_mm"] % 250 == 0
    assert "level by gravity" in shown.text and "The camera stands 1.2 ± 0.1 m over the floor." in shown.text


def test_a_world_that_is_withheld_says_why():
    blank = unknown_world(40, Reason.NO_GROUND, ("floor", "path"))
    blank = replace(blank, up=np.array([0, -1, 0], np.float32), up_sigma_deg=np.array([2, 4], np.float32))
    text = Page(render(make_recording(40, people=(_in_the_room(blank),)))).text
    assert "The way through the room" in text and explain(Reason.NO_GROUND) in text
    assert "± 3° sideways, ± 7° towards the camera" in text and "level with the camera" in text


def test_pictures_are_inside(page):
    (picture,) = page.all("img")
    assert picture["src"].startswith("data:image/jpeg;base64,/9j/")
    assert picture["alt"]


@pytest.mark.parametrize(
    "evil", ["</script><script>alert(1)</script>.mp4", "<img src=x onerror=alert(1)>", "\"' onload='x"]
)
def test_hostile_names_are_harmless(evil):
    reps = (Repetition(0.1, 0.2, 0.3, faults=(evil,), withheld={evil: Reason.WRONG_VIEW}),)
    person = make_person(20, exercise=ExerciseResult((Bout(evil, 0.9, 0.0, 0.4, reps),)))
    recording = make_recording(
        20, path=evil, people=(person,), warnings=(evil,), versions={evil: evil}, models={evil: evil}
    )
    page = Page(render(recording))
    assert len(page.all("script")) == 3  # Data, words, program.
    assert page.all("img") == [
        {**picture, "alt": picture["alt"]} for picture in page.all("img") if "onerror" not in picture
    ]
    assert not any(key.startswith("on") for _, attrs in page.tags for key in attrs)


def test_nobody_and_empty_tracks():
    assert "Nobody was followed" in Page(render(make_recording(people=()))).text
    blank = make_person(12)
    blank.pose.valid[:] = False
    blank.angles.deg[:] = np.nan
    text = Page(render(make_recording(12, people=(blank,)))).text
    assert "No 3D pose" in text
    assert "No joint angle could be measured" in text


def test_several_people_have_sections_of_their_own():
    page = Page(render(make_recording(40, people=(make_person(40), make_person(40, person=3)))))
    assert [attrs["id"] for attrs in page.all("div") if attrs.get("id", "").startswith("person-")] == [
        *("person-1", "person-3")
    ]


def test_size_is_bounded():
    short = len(render(make_recording(240)))
    long = len(render(make_recording(9_000)))
    assert short < 500_000
    assert long < 1_500_000
    four = make_recording(2_000, people=tuple(make_person(2_000, person=n) for n in range(1, 5)))
    assert len(render(four)) < 2_000_000


def test_thinning_keeps_peaks_and_gaps():
    values = np.zeros(10_000)
    values[1234], values[7777] = 90.0, -40.0
    values[3000:4000] = np.nan
    kept = thin(values, 1500)
    assert len(kept) <= 1500
    assert {1234, 7777} <= set(kept.tolist())
    assert np.isnan(values[kept]).any()
    assert (np.diff(kept) > 0).all()


def test_write_report_again(tmp_path):
    path = write_report(make_recording(20), tmp_path / "again.html")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_report_for_paper_comes_into_the_folder(tmp_path, capsys):
    save(make_recording(20), tmp_path)
    assert run(["report", str(tmp_path), "--pdf"]) == 0
    assert str(tmp_path / "report.pdf") in capsys.readouterr().out
    assert read_record(tmp_path).owns(tmp_path, "report.pdf")


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_tracks(frames):
    page = Page(render(make_recording(frames)))
    assert f"{frames} of {frames} frames" in page.text


def test_policy_forbids_the_network(page):
    (policy,) = [attrs["content"] for attrs in page.all("meta") if "http-equiv" in attrs]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_ids_are_unique(page):
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
