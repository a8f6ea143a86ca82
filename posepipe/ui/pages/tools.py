"""Tools beside the annotated video: single frames, speeds, jumps, angles at a joint, and corrections by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from posepipe.body.angles import ANGLES
from posepipe.edits import Edit
from posepipe.record.recording import Person, Recording
from posepipe.reports.drawings import BAND
from posepipe.reports.exercise import exercise_name
from posepipe.texts import Texts
from posepipe.ui.assets import asset
from posepipe.ui.session import component_key, remembered

__all__ = ["Span", "Wish", "tools"]

_MOST_FRAMES = 6000
"""Of longer films every second (third ...) frame has its joints here; each is some hundred bytes in the page."""
_JOINTS = (
    *("nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    *("left_heel", "right_heel", "left_foot_index", "right_foot_index"),
)
"""Joints that can be dragged; the others are too close together to be taken hold of."""
_WORDS = (
    "at", "frame", "back", "on", "speed", "angle", "no_angle", "picture", "remove", "swap_from", "swap_to",
    "swap_begun", "correct", "drag", "undo", "undo_all", "point", "clip_from", "clip_to", "clip_begun",
    "video", "joint", "no_joint", "move", "left", "up", "down", "right", "put", "choose_joint", "unseen",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the video that shall be a clip of its own; times in seconds."""

    start_s: float
    end_s: float


Wish = Edit | str
"""A correction that was made, or "undo" or "undo_all"."""


@cache
def _component() -> Any:
    css, js = asset("tools.css"), asset("tools.js")
    return st.components.v2.component("posepipe_tools", html='<div class="tools"></div>', css=css, js=js)


def tools(
    text: Texts, recording: Recording, person: Person, *, edits: int, correctable: bool, key: str
) -> Wish | Span | None:
    """Draw them.

    Args:
        text: the language.
        recording: what the video shows.
        person: whose joints, angles and events.
        edits: how many corrections hold.
        correctable: whether the result may be changed.
        key: of the component.

    Returns:
        What the user just corrected, took back, or cut out.
    """
    known = ("tools", key, recording.created, edits, correctable, text.language)
    data = remembered(known, lambda: _data(text, recording, person, edits, correctable))
    answer = _component()(data=data, key=component_key("tools", key), on_edit_change=lambda: None)
    return _wish(answer.edit) if answer.edit else None


def _wish(row: Mapping[str, Any]) -> Wish | Span:
    if row["kind"] == "clip":
        return Span(float(row["start_s"]), float(row["end_s"]))
    if row["kind"] in ("undo", "undo_all"):
        return str(row["kind"])
    place = {name: float(row[name]) for name in ("x_px", "y_px") if name in row}
    return Edit(row["kind"], int(row["person"]), float(row["start_s"]), float(row["end_s"]), str(row["joint"]), **place)


def _data(text: Texts, recording: Recording, person: Person, edits: int, correctable: bool) -> dict[str, Any]:
    track = person.keypoints
    rows = np.arange(0, len(track), max(1, -(-len(track) // _MOST_FRAMES)))
    joints = [name for name in _JOINTS if name in track.layout.joints]
    columns = [track.layout.joints.index(name) for name in joints]
    xy, valid = track.xy_px[rows][:, columns], track.valid[rows][:, columns]
    places = [
        [[round(float(x), 1), round(float(y), 1)] if known else None for (x, y), known in zip(frame, mask, strict=True)]
        for frame, mask in zip(xy, valid, strict=True)
    ]
    return {
        "words": {name: text(f"tools.{name}") for name in _WORDS},
        "fps_hz": recording.video.fps_hz,
        "width_px": recording.video.width_px,
        "height_px": recording.video.height_px,
        "stem": Path(recording.video.path).stem,
        "person": {
            "id": int(person.id),
            "time_s": [round(float(moment), 4) for moment in track.time_s[rows]],
            "frame": track.frame[rows].tolist(),
            "joints": joints,
            "joint_names": [text(f"joint.{name}") for name in joints],
            "xy_px": places,
        },
        "angles": [
            {
                "name": name,
                "label": text(next((spec.label for spec in ANGLES if spec.name == name), name)),
                "joint": name.rpartition("_")[0],
                "deg": _whole(person.angles.deg[rows, column]),
                "half_deg": _whole(BAND * person.angles.sigma_deg[rows, column]),
            }
            for column, name in enumerate(person.angles.names)
        ],
        "marks": _marks(text, person),
        "correctable": correctable,
        "edits": edits,
    }


def _marks(text: Texts, person: Person) -> list[dict[str, Any]]:
    """Repetitions, movements that weren't counted, and heel strikes: moments to jump to."""
    found: list[dict[str, Any]] = []
    for bout in person.exercise.bouts:
        called = text(exercise_name(bout.label))
        called = f"{called[:1].upper()}{called[1:]}"
        for number, rep in enumerate(bout.reps, 1):
            label = f"{called} {number}"
            found.append({"label": label, "start_s": rep.start_s, "end_s": rep.end_s, "kind": "drop_rep"})
        for item in bout.rejected:
            label = text("tools.not_counted", start=text.number(f"{item.start_s:.1f}"))
            found.append({"label": label, "start_s": item.start_s, "end_s": item.end_s, "kind": ""})
    for event in person.gait.walk.events:
        said = text(f"{event.side} {event.type.replace('_', ' ')}")
        label = f"{said} {text.number(f'{event.time_s:.1f}')} s"
        kind = "drop_strike" if event.type == "heel_strike" else ""
        found.append(
            {"label": label, "start_s": event.time_s, "end_s": event.time_s, "kind": kind, "joint": event.side}
        )
    return sorted(found, key=lambda mark: float(mark["start_s"]))


def _whole(values: NDArray[Any]) -> list[int | None]:
    return [round(float(value)) if np.isfinite(value) else None for value in values]
