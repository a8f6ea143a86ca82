"""Reader of JSON: people are looked for, however OpenPose, AlphaPose, MMPose, MediaPipe, COCO or a person wrapped them.

A file holds frames: in a list, in lines, or in an object by number or name. A frame holds people, a person points, and
a point x, y and perhaps a confidence. Keys are compared by `posepipe.formats.read_values.plain`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.formats.read_people import ALL_JOINTS, FEWEST, ORDERS, Entry, Found, Raw, joint_named
from posepipe.formats.read_values import (
    FRAME_KEYS,
    JOINT_KEYS,
    PERSON_KEYS,
    SCORE_KEYS,
    number,
    person_key,
    plain,
    time_of,
)
from posepipe.media._images import natural_key
from posepipe.skeleton import BLAZEPOSE33

__all__ = ["parse", "read_files"]

Array = NDArray[np.float64]

_POINTS = (
    *("keypoints", "posekeypoints2d", "posekeypoints", "keypoints2d", "poselandmarks", "landmarks", "landmark"),
    *("normalizedlandmarks", "joints", "joints2d", "pose2d", "kpts", "points", "pose"),
)
_PEOPLE = (
    *("people", "persons", "instances", "bodies", "skeletons", "individuals", "detections", "poses", "predictions"),
    *("annotations", "objects", "results", "subjects", "data", "person", "body"),
)
_FRAMES = ("frames", "instanceinfo")
_SPACE = ("posekeypoints3d", "keypoints3d", "poseworldlandmarks", "worldlandmarks", "joints3d", "pose3d")
_SCORES = ("keypointscores", "keypointsscores", "scores", "confidences", "confidence", "visibilities", "visibility")
_FPS = ("fps", "framerate", "fpshz", "videofps", "framespersecond")
_ABOUT = ("metadata", "meta", "info", "video", "videoinfo", "metainfo", "videometadata", "properties", "header")
_SIZES = ("", "canvas", "image", "img", "frame", "video", "picture")
"""Keys of points, of people, of frames and so on, as `plain` gives them."""

_LIST_FROM = 5
"""A list of at least so many points is a person; of fewer, of people."""
_DEEPEST = 12
"""Levels of lists and objects between a frame and its points."""
_MANY = 10
"""A list of so many under a key for one person's points holds frames, not people."""
_FASTEST_HZ = 10_000.0
_PERSON_KEY = re.compile(r"(person|people|track|subject|player|id|p)[ _-]?\d+", re.IGNORECASE)
_NOTHING = ("nan", "null", "none", "na", "n/a")
_WRONG = (ValueError, TypeError, AttributeError, KeyError, IndexError)
"""What reading a part that isn't whole ends in."""
_STILL = 0.3
"""Neighbours in a list that are nearer than this, in body sizes, are one person in following frames."""


def parse(text: str, where: str, bad: list[str]) -> Any:
    """JSON, or one JSON value a line; lines that aren't whole are left out and noted.

    Raises:
        InputError: it is neither.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = [(place, line) for place, line in enumerate(text.split("\n")) if line.strip()]
        values, broken = [], []
        for place, line in lines:
            try:
                # A comma between the lines does no harm.
                values.append(json.loads(line.strip().rstrip(",")))
            except (ValueError, RecursionError):
                broken.append(f"line {place + 1} (isn't JSON)")
        if len(values) < 2 and len(joined := _joined(text)) > 1:
            return joined
        if len(values) < 2 or len(broken) > len(values) or not all(isinstance(v, (Mapping, list)) for v in values):
            cut = isinstance(error, json.JSONDecodeError) and error.pos >= len(text.rstrip()) - 1
            what = "is empty" if not text.strip() else "is cut off: its JSON doesn't end" if cut else "isn't JSON"
            raise InputError(what, where=where, hint="Give a .json, .csv or .h5 file of keypoints") from None
        bad += broken
        return values


def _joined(text: str) -> list[Any]:
    """JSON values one behind the other, each perhaps over several lines; nothing if there is anything else."""
    values, place, decoder = [], 0, json.JSONDecoder()
    while place < len(text):
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return []
        values.append(value)
        while place < len(text) and text[place] in " \t\n,":
            place += 1
    return values


def read_files(files: Sequence[tuple[Path, Any]], raw: Raw) -> Raw:
    """What the parsed files hold: one file with all frames, or one for each frame.

    Raises:
        InputError: it holds no frames, or several pictures' sizes.
    """
    for path, content in files:
        inside = Raw(bad=[] if len(files) > 1 else raw.bad)
        reader = _Reader(inside)
        try:
            entries = reader.frames(content)
        except _WRONG as error:
            if len(files) == 1:
                raise
            raw.bad.append(f"{path.name} ({error})")
            continue
        raw.three_d |= inside.three_d
        raw.fps_hz = raw.fps_hz or inside.fps_hz
        if inside.width_px is not None and inside.height_px is not None:
            raw.set_size(inside.width_px, inside.height_px)
        if len(files) > 1 and all(entry.label is None and entry.time is None for entry in entries):
            # What would be frames in a single file are people of one.
            entries = [Entry(None, [found for entry in entries for found in entry.people])]
        if len(files) == 1:
            raw.entries = entries
            if len(entries) == 1 and entries[0].label is None:
                raw.entries = [Entry(path.stem, entries[0].people, entries[0].time)]
        elif inside.bad or len(entries) != 1 or (content and not (reader.known or entries[0].people)):
            reason = inside.bad[0] if inside.bad else "isn't one frame's"
            raw.bad.append(f"{path.name} ({reason})")
        else:
            raw.entries.append(Entry(path.stem, entries[0].people, entries[0].time))
    return raw


class _Reader:
    """Walks through one file's content.

    Attributes:
        raw: takes sizes, rates and what is bad.
        names: names of the points where the file lists them apart from the people.
        known: something was found that people are kept in.
    """

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.names: Sequence[str] = ()
        self.known = False

    def frames(self, root: Any, depth: int = 0) -> list[Entry]:
        """The frames of a whole file."""
        if isinstance(root, Mapping) and depth < _DEEPEST:
            return self._frames_of_object(root, depth)
        if not isinstance(root, list):
            raise ValueError(f"{str(root)[:20]!r} is no list of frames")
        if _points(root) is not None:
            return [Entry(None, self.people(root))]
        entries = [entry for place, item in enumerate(root) if (entry := self._frame(item, place)) is not None]
        single = all(entry.label is None and entry.time is None for entry in entries)
        if single and all(isinstance(item, Mapping) and "keypoints" in item for item in root) and not _follow(entries):
            return [Entry(None, [found for entry in entries for found in entry.people])]
        return entries

    def _frames_of_object(self, root: Mapping[Any, Any], depth: int) -> list[Entry]:
        fields = _fields(root)
        self.about(fields)
        if isinstance(fields.get("images"), list) and isinstance(fields.get("annotations"), list):
            return self._coco(fields)
        for key in (*_FRAMES, *_PEOPLE, *_POINTS):
            value = fields.get(key)
            if isinstance(value, Mapping) and (key in _FRAMES or _numbered(value)):
                return _with_columns(self._frames_by_key(value), fields)
            if isinstance(value, Mapping):
                bad = len(self.raw.bad)
                if len(inside := self.frames(value, depth + 1)) > 1:
                    return inside
                del self.raw.bad[bad:]
            if isinstance(value, list) and (_are_frames(value, key) if key not in _FRAMES else _holds(value)):
                self.known = True
                entries = _with_columns(self.frames(value, depth + 1), fields)
                return _from_zero(entries) if key == "instanceinfo" else entries
        if not any(key in fields for key in (*_PEOPLE, *_POINTS, *FRAME_KEYS)) and _numbered(root):
            return self._frames_by_key(root)
        entry = self._frame(root, 0)
        return [] if entry is None else [entry]

    def _frames_by_key(self, frames: Mapping[Any, Any]) -> list[Entry]:
        """Frames, or people with their frames, under their numbers or names."""
        self.known = True
        entries = []
        for key, item in frames.items():
            if not any(map(str.isdigit, str(key))):
                continue
            if _PERSON_KEY.fullmatch(str(key)):
                for place, own in enumerate(self.frames(item)):
                    people = [Found(found.points, found.names, str(key)) for found in own.people]
                    entries.append(Entry(place if own.label is None else own.label, people, own.time))
            elif (entry := self._frame(item, key)) is not None:
                entries.append(Entry(key, entry.people, entry.time))
        return entries

    def _frame(self, item: Any, place: object) -> Entry | None:
        """One frame; None for one that can't be read, which is noted."""
        fields = _fields(item) if isinstance(item, Mapping) else {}
        label = _label(fields)
        try:
            self.about(fields)
            return Entry(label, self.people(item), time_of(fields))
        except _WRONG as error:
            self.raw.bad.append(f"frame {place if label is None else label} ({error})")
            return None

    def people(self, node: Any, depth: int = 0) -> list[Found]:
        """Everybody in a frame, however deep.

        Raises:
            ValueError: there is something that is no person.
        """
        if depth > _DEEPEST:
            raise ValueError("too many lists in lists")
        if node is None or (isinstance(node, str) and not node.strip()):
            return []
        if isinstance(node, Mapping):
            return self._people_of_object(node, depth)
        if not isinstance(node, list):
            raise ValueError(f"{str(node)[:20]!r} is no person")
        points = _points(node)
        if points is None:
            return [found for item in node for found in self.people(item, depth + 1)]
        return self._found(points)

    def _people_of_object(self, node: Mapping[Any, Any], depth: int) -> list[Found]:
        fields = _fields(node)
        whose = _id(fields)
        self.raw.three_d |= any(fields.get(key) for key in _SPACE)
        for key in _POINTS:
            if key in fields:
                self.known = True
                points = _points(fields[key])
                if points is None:
                    return self.people(fields[key], depth + 1)
                scores = next((fields[k] for k in _SCORES if isinstance(fields.get(k), list)), None)
                return self._found(points, whose, scores)
        for key in _PEOPLE:
            if key in fields and not isinstance(fields[key], (int, float, str)):
                self.known = True
                return self.people(fields[key], depth + 1)
        points = _points(node)
        if points is not None:
            self.known = True
            return self._found(points, whose)
        found = [
            (key, one)
            for key, value in node.items()
            if isinstance(value, (Mapping, list)) and plain(key) not in (*_SPACE, *_ABOUT)
            for one in (self.people(value, depth + 1) if _holds(value) else ())
        ]
        return [Found(one.points, one.names, person_key(key) if one.id is None else one.id) for key, one in found]

    def _found(self, points: _Points, whose: int | str | None = None, scores: Any = None) -> list[Found]:
        """The person with these points; nobody if there are none."""
        xyc = points.xyc
        if len(xyc) == 0:
            return []
        if scores is not None and len(scores) == len(xyc):
            given, third = np.array([number(score) for score in scores]), xyc[:, 2]
            if np.isnan(third).all():
                third = given
            elif np.isin(third, (0.0, 1.0, 2.0)).all():
                # A score of nothing at a point that is marked as there still leaves it there.
                third = np.where(third > 0.0, np.maximum(np.nan_to_num(given), 1e-3), 0.0)
            elif not np.allclose(third, given, rtol=1e-3, atol=1e-3, equal_nan=True):
                self.raw.three_d = True
                return []
            xyc = np.column_stack([xyc[:, :2], third])
        listed = points.names if points.names is not None else self.names if len(self.names) == len(xyc) else None
        if listed is not None and any(ours := tuple(joint_named(name) for name in listed)):
            if points.names is None:
                return [Found(xyc, ours, whose)]
            # People with names leave joints out: all get one order.
            row = {name: place for place, name in enumerate(ours) if name is not None}
            blank = np.full(3, np.nan)
            return [Found(np.array([xyc[row[j]] if j in row else blank for j in ALL_JOINTS]), ALL_JOINTS, whose)]
        order = ORDERS.get(len(xyc))
        return [Found(xyc if order is None else xyc[: len(order)], order, whose)]

    def about(self, fields: Mapping[str, Any]) -> None:
        """Take the picture's size, the frame rate and the points' names from a file's or a frame's fields."""
        for part in (fields, *(_fields(fields[key]) for key in _ABOUT if isinstance(fields.get(key), Mapping))):
            self.raw.fps_hz = self.raw.fps_hz or next((rate for key in _FPS if (rate := _rate_hz(part.get(key)))), None)
            for prefix in _SIZES:
                self.raw.set_size(number(part.get(prefix + "width")), number(part.get(prefix + "height")))
            kinds = [
                _fields(kind).get("keypoints") for kind in part.get("categories") or () if isinstance(kind, Mapping)
            ]
            self.names = next((names for names in kinds if isinstance(names, list) and names), self.names)
            by_number = part.get("keypointid2name")
            if isinstance(by_number, Mapping) and by_number:
                self.names = [str(name) for _, name in sorted(by_number.items(), key=lambda item: int(item[0]))]

    def _coco(self, fields: Mapping[str, Any]) -> list[Entry]:
        """COCO's pictures in the order of their numbers, with the notes that belong to them."""
        images = [_fields(image) for image in fields["images"] if isinstance(image, Mapping) and "id" in image]
        images.sort(key=lambda image: natural_key(Path(str(person_key(image["id"])))))
        if len({str(image.get("videoid")) for image in images}) > 1:
            raise InputError("holds the pictures of several videos", hint="Give one video's")
        categories = [_fields(category) for category in fields.get("categories") or ()]
        names = {person_key(category.get("id")): category.get("keypoints") or () for category in categories}
        people: dict[object, list[Found]] = {person_key(image["id"]): [] for image in images}
        for place, note in enumerate(fields["annotations"]):
            try:
                own = _fields(note)
                image = person_key(own.get("imageid"))
                if image not in people:
                    raise ValueError(f"of image {image}, which isn't there")
                self.names = names.get(person_key(own.get("categoryid")), ())
                people[image] += self.people(note) if "keypoints" in own else []
            except _WRONG as error:
                self.raw.bad.append(f"annotation {place} ({error})")
        for picture in images:
            self.about(picture)
        return [
            Entry(
                image["id"] if (label := _label(image)) is None else label,
                people[person_key(image["id"])],
                time_of(image),
            )
            for image in images
        ]


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """Points (K, 3) x, y, confidence, and their names where they stand beside them; K = 0 for an absent person."""

    xyc: Array
    names: Sequence[str] | None = None


def _points(value: Any) -> _Points | None:
    """A person's points; None if the value holds none itself.

    Raises:
        ValueError: they are points, but not whole.
    """
    if isinstance(value, Mapping):
        fields = _fields(value)
        if isinstance(fields.get("x"), list) and isinstance(fields.get("y"), list):
            score = next(
                (fields[key] for key in SCORE_KEYS if isinstance(fields.get(key), list)), [None] * len(fields["x"])
            )
            return _Points(
                np.array([[number(v) for v in row] for row in zip(fields["x"], fields["y"], score, strict=True)])
            )
        rows = {str(key): point for key, item in value.items() if (point := _point(item)) is not None}
        if len(rows) < FEWEST:
            return None
        if all(key.isdigit() for key in rows):
            return _Points(_third([rows[key] for key in sorted(rows, key=int)]))
        return _Points(_third(list(rows.values())), list(rows))
    if not isinstance(value, list) or not value:
        return None
    if all(_is_scalar(item) for item in value):
        return _flat(value)
    rows_of = [_point(item) for item in value]
    there = [row for row in rows_of if row is not None]
    if (
        len(value) < _LIST_FROM
        or not there
        or any(item and row is None for item, row in zip(value, rows_of, strict=True))
    ):
        return None
    named = [
        next((str(f[key]) for key in JOINT_KEYS if key in f), "")
        for item in value
        if isinstance(item, Mapping)
        for f in [_fields(item)]
    ]
    names = (
        named
        if len(named) == len(value) and sum(joint_named(name) is not None for name in named) > FEWEST / 2
        else None
    )
    return _Points(_third([row or [] for row in rows_of]), names)


def _flat(values: Sequence[Any]) -> _Points | None:
    """Numbers in a row, two, three or four a point."""
    if all(value is None for value in values):
        return None if len(values) < 2 * FEWEST else _Points(np.zeros((0, 3)))
    row = np.array([value if type(value) is float else number(value) for value in values])
    if len(row) < 2 * FEWEST:
        if not np.nan_to_num(row).any():
            return _Points(np.zeros((0, 3)))
        raise ValueError(f"a person of {len(row)} numbers")
    if not np.nan_to_num(row).any():
        return _Points(np.zeros((0, 3)))
    width = next((w for w in (3, 2, 4) if len(row) % w == 0 and len(row) // w in ORDERS), 3)
    if len(row) % width:
        raise ValueError(f"a person of {len(row)} numbers")
    return _Points(_third(row.reshape(-1, width).tolist()))


def _third(rows: Sequence[Sequence[float]]) -> Array:
    """(K, 3) x, y, confidence from rows of two to five numbers; the third of four, or of MediaPipe's three, is z."""
    width = max(map(len, rows))
    table = np.array([[*row, *[np.nan] * (width - len(row))] for row in rows])
    if width == 2:
        return np.column_stack([table, np.full(len(table), np.nan)])
    if width > 3:
        # Depths without a confidence come to light as such, but for MediaPipe's, which always has them.
        deep = np.isnan(table[:, 3]).all() and len(table) != len(BLAZEPOSE33)
        return table[:, [0, 1, 2 if deep else 3]]
    if len(table) == len(BLAZEPOSE33) and (table[:, 2] < 0.0).any():
        table[:, 2] = np.nan
    return table


def _point(value: Any) -> list[float] | None:
    """x, y and what follows of one point; None if it is none."""
    if isinstance(value, list):
        return [number(v) for v in value] if 2 <= len(value) <= 5 and all(map(_is_scalar, value)) else None
    if not isinstance(value, Mapping):
        return None
    fields = _fields(value)
    for key in ("position", "point", "location"):
        inner = fields.get(key)
        if isinstance(inner, list) and len(inner) > 1:
            inner = {"x": inner[0], "y": inner[1]}
        if isinstance(inner, Mapping):
            fields |= _fields(inner)
    if not ("x" in fields or "y" in fields) or isinstance(fields.get("x"), (list, Mapping)):
        return None
    # Protobuf's JSON leaves zeros out.
    score = next((fields[key] for key in SCORE_KEYS if key in fields), None)
    return [number(fields.get("x", 0.0)), number(fields.get("y", 0.0)), number(fields.get("z")), number(score)]


def _fields(node: Any) -> dict[str, Any]:
    return {plain(key): value for key, value in node.items()}


def _is_scalar(value: Any) -> bool:
    if type(value) is float:
        return True
    if isinstance(value, str):
        return not value.strip() or value.strip().lower() in _NOTHING or bool(np.isfinite(number(value)))
    return value is None or isinstance(value, (int, float))


def _label(fields: Mapping[str, Any]) -> object:
    label = next((fields[key] for key in FRAME_KEYS if isinstance(fields.get(key), (int, float, str))), None)
    return None if isinstance(label, str) and not label.strip() else label


def _id(fields: Mapping[str, Any]) -> int | str | None:
    inner = fields.get("attributes")
    inside = _fields(inner) if isinstance(inner, Mapping) else {}
    return next((key for f in (inside, fields) for k in PERSON_KEYS if (key := person_key(f.get(k))) is not None), None)


def _rate_hz(value: Any) -> float | None:
    """Frames a second, also as ``30000/1001``."""
    over, _, under = str(value).partition("/")
    rate = number(over) / number(under or "1") if number(under or "1") else float("nan")
    return rate if 0.0 < rate < _FASTEST_HZ else None


def _holds(value: Any) -> bool:
    """Whether a list or object can hold people: it isn't one of numbers or words, as boxes and names are."""
    items = list(value.values()) if isinstance(value, Mapping) else value
    return any(isinstance(item, (Mapping, list)) for item in items) or (
        len(items) >= 2 * FEWEST and any(isinstance(item, float) for item in items)
    )


def _numbered(value: Mapping[Any, Any]) -> bool:
    """Whether an object's keys are frames: most hold a number, and its values aren't points."""
    keys = [key for key, item in value.items() if any(map(str.isdigit, str(key))) and _point(item) is None]
    return len(keys) > len(value) / 2 and all(isinstance(value[key], (Mapping, list, type(None))) for key in keys)


def _are_frames(value: Sequence[Any], key: str) -> bool:
    """Whether a list under a key that usually holds people, or one person's points, holds frames."""
    try:
        if _points(value) is not None:
            return False
    except ValueError:
        return False
    fields = [_fields(item) for item in value if isinstance(item, Mapping)]
    if any(_label(f) is not None or time_of(f) is not None or any(k in f for k in _PEOPLE) for f in fields):
        return True
    lists = [item for item in value if isinstance(item, list)]
    if key in _POINTS:
        return len(value) >= _MANY
    return len(lists) > 1 and all(isinstance(item, Mapping) for people in lists for item in people)


def _follow(entries: Sequence[Entry]) -> bool:
    """Whether people in a list without frame numbers are one person in following frames: neighbours hardly differ."""
    people = [entry.people[0].points[:, :2] for entry in entries if entry.people]
    if len(people) < 3 or len({len(points) for points in people}) > 1:
        return False
    track = np.where(np.array(people) == 0.0, np.nan, people)
    step = np.nanmedian(np.abs(np.diff(track, axis=0)))
    return bool(step < _STILL * np.nanmedian(np.nanmax(track, axis=1) - np.nanmin(track, axis=1)))


def _with_columns(entries: list[Entry], fields: Mapping[str, Any]) -> list[Entry]:
    """Entries with the times and labels that stand in lists of their own."""
    for key, values in fields.items():
        if not isinstance(values, list) or len(values) != len(entries) or not all(map(_is_word, values)):
            continue
        if key.removesuffix("s") in FRAME_KEYS:
            entries = [Entry(value, e.people, e.time) for e, value in zip(entries, values, strict=True)]
        else:
            times = [time_of({key: value}) for value in values]
            entries = [Entry(e.label, e.people, e.time or time) for e, time in zip(entries, times, strict=True)]
    return entries


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, (int, float, str))


def _from_zero(entries: list[Entry]) -> list[Entry]:
    """MMPose's frames, which begin at 1, by numbers from 0."""
    numbers = [number(entry.label) for entry in entries]
    if not all(value >= 1.0 for value in numbers):
        return entries
    return [Entry(value - 1.0, entry.people, entry.time) for value, entry in zip(numbers, entries, strict=True)]
