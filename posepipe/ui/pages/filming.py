"""Before filming: where the phone goes for each exercise and for a walk, and whether a picture is fit to measure by."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from posepipe.annotate import keypoints_at
from posepipe.body.filming import WALK, Check, Shot, Verdict, Wanted, judge, light_of
from posepipe.exercise.catalogue import load_catalogue
from posepipe.exercise.filming import PLACES, best_views, place, wanted
from posepipe.pipeline import Detection
from posepipe.record.recording import Person, Recording
from posepipe.texts import Texts
from posepipe.ui.session import keep_choices, kept_choice, say
from posepipe.ui.stage import Stage

__all__ = ["before_filming", "checks_of", "how_filmed", "judge_live", "wanted_of"]

_WALK = "walking"
_MARKS = {Verdict.GOOD: "✓", Verdict.MEND: "▶", Verdict.UNKNOWN: "–"}
_LOOK_S = 1.0


def before_filming(text: Texts, key: str, chosen: str | None = None) -> str:
    """Where to put the phone; returns for what.

    Args:
        text: the language.
        key: tells the boxes of several pages apart.
        chosen: an exercise that was chosen elsewhere; None leaves the choice here.
    """
    known = load_catalogue()
    if chosen is None:
        kept_choice(f"filming_{key}", "squat")
        chosen = st.selectbox(
            text("filming.what"),
            [*known.exercises, _WALK],
            format_func=lambda label: text.name("exercise", label),
            key=f"filming_{key}",
        )
        keep_choices(f"filming_{key}")
    lines = [text("filming.walk")] if chosen == _WALK else _lines(text, chosen)
    st.markdown("\n".join(f"- {line}" for line in (*lines, text("filming.always"))))
    return chosen


def _lines(text: Texts, label: str) -> list[str]:
    exercise = load_catalogue()[label]
    where = place(exercise)
    lines = [text(f"filming.place_{where}")]
    # What else can be seen, from elsewhere.
    seen = PLACES[where] if where in PLACES else best_views(exercise)
    missed = [rule for rule in exercise.rules if not rule.views & seen]
    if missed:
        lines.append(text("filming.missed", what=", ".join(text.name("fault", rule.code) for rule in missed)))
    return lines


def wanted_of(label: str) -> Wanted:
    """What a film of an exercise, or of a walk, has to show."""
    known = load_catalogue()
    return WALK if label == _WALK else wanted(known[label]) if label in known else Wanted()


def judge_live(stage: Stage, label: str, *, playing: bool) -> None:
    """What is good about the camera's picture now, and what to mend; looks again every second."""
    st.fragment(_live, run_every=_LOOK_S if playing else None)(stage, label, playing=playing)


def _live(stage: Stage, label: str, *, playing: bool) -> None:
    text = say()
    shot = stage.shot() if playing else None
    if shot is None:
        st.caption(text("filming.start"))
        return
    _show(text, judge(shot, wanted_of(label)))


def how_filmed(text: Texts, recording: Recording, detection: Detection | None) -> None:
    """How a clip was filmed, for what it shows: what to do better the next time."""
    if not recording.people:
        return
    checks = checks_of(recording, recording.people[0], detection)
    mend = sum(check.verdict is Verdict.MEND for check in checks)
    title = text("filming.clip_mend", number=mend) if mend else text("filming.clip_good")
    with st.expander(title, icon=":material/center_focus_strong:"):
        _show(text, checks)


def checks_of(recording: Recording, person: Person, detection: Detection | None) -> tuple[Check, ...]:
    """How a person was filmed, judged by what was found: a walk, or the exercise that was done most.

    Args:
        recording: the result.
        person: one of its people.
        detection: with small pictures, for the light; None leaves it unknown.
    """
    track, video = person.keypoints, recording.video
    counts = person.exercise.reps_by_label
    label = _WALK if person.gait.withheld is None else max(counts, key=counts.__getitem__, default="")
    light = []
    for frame, _, image in detection.thumbnails if detection is not None else ():
        found = keypoints_at(track, frame)
        if found is not None:
            light.append(light_of(image, found.xy_px * (image.shape[1] / video.width_px)))
    known = person.world is not None and person.world.knows("floor")
    shot = Shot(
        track.layout,
        track.time_s,
        np.where(track.valid[..., None] & ~track.interpolated[..., None], track.xy_px, np.float32(np.nan)),
        person.yaw_deg,
        (video.width_px, video.height_px),
        video.fps_hz,
        tuple(light),
        person.world.camera_m if known and person.world is not None else math.nan,
    )
    return judge(shot, wanted_of(label))


def _show(text: Texts, checks: tuple[Check, ...]) -> None:
    """A line for each: a sign, what was looked at, and what to do."""
    lines = []
    for check in checks:
        named = text(f"filming.{check.name}")
        mend = check.verdict is Verdict.MEND
        said = text(f"filming.{check.name}_{check.code}" if mend else f"filming.{check.code}")
        strong = "**" if mend else ""
        lines.append(f"{_MARKS[check.verdict]} {strong}{named}: {said}{strong}")
    st.markdown("  \n".join(lines))
