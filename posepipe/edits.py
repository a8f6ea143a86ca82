"""Corrections by hand: what somebody who watched the video changed, and the result computed again from there.

A folder keeps them in ``edits.json``, and in ``before/`` the result as it was first measured: every correction can be
taken back, and without any the first result comes back to the last digit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from posepipe.errors import InputError, UsageError
from posepipe.exercise.analyse import result_of
from posepipe.exercise.types import Bout, ExerciseResult, Rejected
from posepipe.gait.corrections import Strike
from posepipe.pipeline import Config, Pipeline
from posepipe.reasons import Reason
from posepipe.record.codec import decode, encode
from posepipe.record.folder import key_of, load, save
from posepipe.record.recording import Person, Recording
from posepipe.record.seal import writing
from posepipe.settings import setting
from posepipe.skeleton import Layout
from posepipe.types import KeypointTrack
from posepipe.watch import Thumbnail

__all__ = ["BEFORE", "EDITS", "Edit", "EditSettings", "config_of", "edited", "read_edits", "write_edits"]

EDITS, BEFORE = "edits.json", "before"
_SCHEMA = 1
_ORIGINALS = ("summary.json", "poses.parquet", "angles.parquet", "gait.json")

Kind = Literal["swap", "move", "drop_rep", "drop_strike"]
KINDS: tuple[Kind, ...] = ("swap", "move", "drop_rep", "drop_strike")


@dataclass(frozen=True, slots=True)
class EditSettings:
    """How a correction at one moment reaches its neighbours."""

    fade_s: float = setting(0.25, "a joint's move fades out over so long", unit="s", source="judgement")
    placed_sigma: float = setting(
        0.02, "standard deviation of a joint placed by hand, as a share of the body's size", source="judgement"
    )


EDIT = EditSettings()


@dataclass(frozen=True, slots=True)
class Edit:
    """One correction.

    Attributes:
        kind: "swap" (left and right exchanged from start to end), "move" (a joint put elsewhere at the start),
            "drop_rep" (the repetition from start to end wasn't one) or "drop_strike" (nor was the heel strike at the
            start).
        person: whose.
        start_s, end_s: when; the same for a moment.
        joint: of a move, in the keypoints' layout; of a strike, the foot's side.
        x_px, y_px: of a move, where the joint is; None of others.
    """

    kind: Kind
    person: int
    start_s: float
    end_s: float
    joint: str = ""
    x_px: float | None = None
    y_px: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"edit {self.kind!r}", hint=f"Valid: {', '.join(KINDS)}")
        if not self.start_s <= self.end_s:
            raise UsageError(f"an edit from {self.start_s} to {self.end_s} s", hint="Give the beginning first")
        if self.kind == "move" and (self.x_px is None or self.y_px is None):
            raise UsageError("a move without a place", hint="Give x_px and y_px")


def config_of(recording: Recording) -> Config:
    """What a recording was made with."""
    return Config(**dict(recording.config))  # type: ignore[arg-type]


def edited(recording: Recording, edits: Sequence[Edit], *, thumbnails: Sequence[Thumbnail] = ()) -> Recording:
    """A recording computed again with corrections.

    Keypoints change by swaps and moves; pose, angles, exercise and gait are then measured anew. Dropped repetitions
    stay in the list of movements that weren't counted.

    Args:
        recording: as it was first measured.
        edits: in the order they were made.
        thumbnails: small pictures of the clip, for new key frames.

    Raises:
        UsageError: an edit is of a person or joint that isn't there.
    """
    if not edits:
        return recording
    people = {person.id: person for person in recording.people}
    for edit in edits:
        if edit.person not in people:
            raise UsageError(f"person {edit.person}", where="edits", hint=f"Valid: {', '.join(map(str, people))}")
    pipeline = Pipeline(config_of(recording))
    changed = tuple(_person(pipeline, recording, person, edits, thumbnails) for person in recording.people)
    said = f"Corrected by hand: {len(edits)} changes." if len(edits) > 1 else "Corrected by hand: 1 change."
    return replace(recording, people=changed, warnings=(*recording.warnings, said))


def _person(
    pipeline: Pipeline, recording: Recording, person: Person, edits: Sequence[Edit], thumbnails: Sequence[Thumbnail]
) -> Person:
    mine = [edit for edit in edits if edit.person == person.id]
    moved = [edit for edit in mine if edit.kind in ("swap", "move")]
    strikes: list[Strike] = [
        ("left" if edit.joint == "left" else "right", edit.start_s) for edit in mine if edit.kind == "drop_strike"
    ]
    if moved or strikes:
        track = person.keypoints
        for edit in moved:
            track = _swapped(track, edit) if edit.kind == "swap" else _moved(track, edit)
        person = pipeline.again(recording, person, track if moved else None, strikes=strikes, thumbnails=thumbnails)
    dropped = [edit for edit in mine if edit.kind == "drop_rep"]
    return replace(person, exercise=_without(person.exercise, dropped)) if dropped else person


def _swapped(track: KeypointTrack, edit: Edit) -> KeypointTrack:
    rows = (track.time_s >= edit.start_s - 1e-6) & (track.time_s <= edit.end_s + 1e-6)
    order = _other_side(track.layout)
    arrays = {}
    for name in ("xy_px", "sigma_px", "score", "valid", "interpolated"):
        array = getattr(track, name).copy()
        array[rows] = array[rows][:, order]
        arrays[name] = array
    return replace(track, **arrays)


def _other_side(layout: Layout) -> list[int]:
    """For each joint the one of the other side, itself in the middle."""
    swap = {"left": "right", "right": "left"}
    names = ["_".join(swap.get(word, word) for word in joint.split("_")) for joint in layout.joints]
    return [layout.joints.index(name) if name in layout.joints else place for place, name in enumerate(names)]


def _moved(track: KeypointTrack, edit: Edit) -> KeypointTrack:
    """One joint elsewhere; what it moves by fades out before and after."""
    if edit.joint not in track.layout.joints:
        raise UsageError(f"joint {edit.joint!r}", where="edits", hint="Give one of the keypoints' layout")
    joint = track.layout.joints.index(edit.joint)
    row = int(np.argmin(np.abs(track.time_s - edit.start_s)))
    target = np.array([edit.x_px, edit.y_px], np.float64)
    weight = np.clip(1.0 - np.abs(track.time_s - track.time_s[row]) / EDIT.fade_s, 0.0, 1.0)
    xy, sigma = track.xy_px.copy(), track.sigma_px.copy()
    valid, score = track.valid.copy(), track.score.copy()
    by = target - xy[row, joint]
    if np.isfinite(by).all():
        xy[:, joint] += (weight[:, None] * by).astype(xy.dtype)
    xy[row, joint] = target
    valid[row, joint], score[row, joint] = True, 1.0
    known = xy[row][valid[row]]
    sigma[row, joint] = EDIT.placed_sigma * float(np.ptp(known, axis=0).max())
    return replace(track, xy_px=xy, sigma_px=sigma, valid=valid, score=score)


def _without(result: ExerciseResult, dropped: Sequence[Edit]) -> ExerciseResult:
    if result.withheld is not None:
        return result

    def gone(start_s: float, end_s: float) -> bool:
        middle_s = 0.5 * (start_s + end_s)
        return any(edit.start_s <= middle_s <= edit.end_s for edit in dropped)

    def left(bout: Bout) -> Bout:
        out = [rep for rep in bout.reps if gone(rep.start_s, rep.end_s)]
        rejected = [*bout.rejected, *(Rejected(rep.start_s, rep.end_s, Reason.REMOVED_BY_HAND) for rep in out)]
        reps = tuple(rep for rep in bout.reps if rep not in out)
        return replace(bout, reps=reps, rejected=tuple(sorted(rejected, key=lambda one: one.start_s)))

    return result_of([left(bout) for bout in result.bouts])


def read_edits(folder: Path) -> tuple[Edit, ...]:
    """The corrections of a results folder; none if it has none.

    Raises:
        InputError: its ``edits.json`` is damaged.
    """
    path = folder / EDITS
    if not path.is_file():
        return ()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != _SCHEMA:
            raise ValueError(f"schema {document['schema']!r:.20}")
        return tuple(decode(Edit, row) for row in document["edits"])
    except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
        raise InputError(
            f"the corrections can't be read ({error})", where=str(path), hint="Remove the file to go without them"
        ) from error


def write_edits(
    folder: Path,
    edits: Sequence[Edit],
    *,
    language: str = "en",
    video: Path | None = None,
    thumbnails: Sequence[Thumbnail] = (),
) -> Recording:
    """Give a results folder these corrections, and everything in it that depends on them.

    Args:
        folder: of results; its first state is kept in ``before/``.
        edits: all that shall hold; an empty list takes every correction back.
        language: of the reports.
        video: the film, to draw the annotated video again; without it that shows the skeleton as first measured.
        thumbnails: for new key frames.

    Returns:
        The result as it is now.

    Raises:
        InputError: it isn't a results folder.
        OutputError: the folder can't be written.
        UsageError: see `edited`.
    """
    first = load(folder / BEFORE) if (folder / BEFORE / "summary.json").is_file() else load(folder)
    recording = edited(first, edits, thumbnails=thumbnails)
    document: dict[str, Any] = {"schema": _SCHEMA, "edits": [encode(edit) for edit in edits]}

    def write_list(path: Path) -> None:
        path.write_text(json.dumps(document, allow_nan=False, indent=1) + "\n", encoding="utf-8")

    if not (folder / BEFORE / "summary.json").is_file():
        with writing(folder, key_of(first)) as made:
            (made / BEFORE).mkdir()
            for name in _ORIGINALS:
                if (folder / name).is_file():
                    (made / BEFORE / name).write_bytes((folder / name).read_bytes())
    more: dict[str, Any] = {EDITS: write_list}
    if video is not None and (folder / "annotated.mp4").is_file():
        pipeline = Pipeline(config_of(recording))
        more["annotated.mp4"] = lambda path: pipeline.annotate(recording, video, path, language=language)
    save(recording, folder, language=language, more=more)
    return recording
