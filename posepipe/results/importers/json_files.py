"""Readers of JSON: OpenPose, AlphaPose, MMPose, MediaPipe, COCO."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.results.importers.joints import ORDERS, joint_named
from posepipe.results.importers.people import Found, Raw
from posepipe.skeleton import BLAZEPOSE33

__all__ = ["read_alphapose", "read_coco", "read_mediapipe", "read_mmpose", "read_openpose"]

Array = NDArray[np.float64]


def read_openpose(files: Sequence[tuple[Path, Any]]) -> Raw:
    """OpenPose's ``--write_json``: a file for each frame, BODY_25 or COCO order."""
    raw = Raw()
    for count, (path, content) in enumerate(files):
        people = []
        for person in content["people"]:
            points = np.array(person["pose_keypoints_2d"], np.float64).reshape(-1, 3)
            number = person.get("person_id") or [-1]
            people.append(Found(points, int(number[0]) if int(number[0]) >= 0 else None))
            raw.names = _order(len(points), str(path))
        raw.frames[_number(path.stem, count)] = people
    return raw


def read_alphapose(content: Sequence[Mapping[str, Any]], where: str) -> Raw:
    """AlphaPose's ``alphapose-results.json``: COCO, Halpe or whole-body order."""
    raw = Raw()
    # Frames are named after their pictures; the names sort only as numbers.
    for entry in content:
        points = np.array(entry["keypoints"], np.float64).reshape(-1, 3)
        raw.names = _order(len(points), where)
        number = entry.get("idx")
        found = Found(points, int(number) if isinstance(number, (int, float)) else None)
        raw.frames.setdefault(_number(str(entry["image_id"]).rsplit(".", 1)[0], 0), []).append(found)
    return raw


def read_mmpose(content: Any, where: str) -> Raw:
    """MMPose's predictions: of a video (``instance_info``), or a list of frames."""
    raw = Raw()
    names: dict[str, str] = {}
    if isinstance(content, Mapping):
        names = content.get("meta_info", {}).get("keypoint_id2name", {})
        frames = content["instance_info"]
    else:
        frames = content if content and isinstance(content[0], list) else [content]
    for count, frame in enumerate(frames):
        instances = frame["instances"] if isinstance(frame, Mapping) else frame
        # Its frame numbers begin at 1.
        index = int(frame["frame_id"]) - 1 if isinstance(frame, Mapping) and "frame_id" in frame else count
        people = []
        for person in instances:
            xy = np.array(person["keypoints"], np.float64)[:, :2]
            score = np.array(person.get("keypoint_scores", np.ones(len(xy))), np.float64)
            number = person.get("track_id", person.get("instance_id"))
            people.append(Found(np.column_stack([xy, score]), None if number is None else int(number)))
            given = tuple(joint_named(names[str(i)]) if str(i) in names else None for i in range(len(xy)))
            raw.names = given if any(given) else _order(len(xy), where)
        raw.frames[index] = people
    return raw


def read_mediapipe(content: Any) -> Raw:
    """MediaPipe's landmarks dumped as JSON: a list of frames, each a person's 33 landmarks, several people's, or none.

    Landmarks are objects with x, y and visibility, or rows of x, y, z, visibility; frames may be objects with
    ``landmarks``, ``pose_landmarks`` or ``landmark``, and a time ``time_s`` or ``timestamp_ms``. Shares of the picture
    unless they are clearly pixels.
    """
    raw = Raw(names=BLAZEPOSE33.joints, normalised=True)
    if isinstance(content, Mapping):
        raw.fps_hz = _number_or_none(content.get("fps"))
        raw.width_px, raw.height_px = _size(content)
        content = content["frames"]
    seen = []
    for count, frame in enumerate(content):
        index = count
        if isinstance(frame, Mapping):
            index = int(frame.get("frame", frame.get("frame_index", count)))
            if (seconds := _seconds(frame)) is not None:
                raw.time_s[index] = seconds
        people = [Found(_landmarks(person)) for person in _mediapipe_people(frame)]
        seen += [found.points[:, :2] for found in people]
        raw.frames[index] = people
    if seen and float(np.median(np.concatenate(seen))) > 2.0:
        raw.normalised = False
    return raw


def _mediapipe_people(frame: Any) -> list[Any]:
    if isinstance(frame, Mapping):
        for key in ("pose_landmarks", "poseLandmarks", "landmarks", "landmark", "people"):
            if key in frame:
                return _mediapipe_people(frame[key])
        return []
    if not frame:
        return []
    first = frame[0]
    if isinstance(first, Mapping) and ("x" in first):
        return [frame]
    if isinstance(first, Sequence) and not isinstance(first[0], (Sequence, Mapping)):
        return [frame]
    return [inner for person in frame for inner in _mediapipe_people(person)]


def _landmarks(person: Sequence[Any]) -> Array:
    rows = []
    for point in person:
        if isinstance(point, Mapping):
            rows.append((point["x"], point["y"], point.get("visibility", 1.0)))
        else:
            rows.append((point[0], point[1], point[3] if len(point) > 3 else 1.0))
    return np.array(rows, np.float64)


def _seconds(frame: Mapping[str, Any]) -> float | None:
    for key, unit in (("time_s", 1.0), ("timestamp_ms", 1e-3), ("timestamp", 1e-3)):
        if isinstance(frame.get(key), (int, float)):
            return float(frame[key]) * unit
    return None


def read_coco(content: Mapping[str, Any], where: str) -> Raw:
    """COCO keypoints: images in the order of their numbers are the frames, unless they have a key ``frame``."""
    raw = Raw()
    images = sorted(content["images"], key=lambda image: (str(type(image["id"])), image["id"]))
    frame_of = {}
    for count, image in enumerate(images):
        frame = frame_of[image["id"]] = int(image.get("frame", image.get("frame_id", count)))
        raw.frames[frame] = []
        if isinstance(image.get("time_s"), (int, float)):
            raw.time_s[frame] = float(image["time_s"])
        raw.width_px, raw.height_px = _size(image)
    names = {category["id"]: category.get("keypoints") for category in content.get("categories", ())}
    for entry in content["annotations"]:
        if "keypoints" not in entry:
            continue
        points = np.array(entry["keypoints"], np.float64).reshape(-1, 3)
        given = names.get(entry.get("category_id"))
        raw.names = tuple(map(joint_named, given)) if given else _order(len(points), where)
        number = entry.get("track_id", entry.get("instance_id"))
        raw.frames[frame_of[entry["image_id"]]].append(
            Found(_coco_points(points, entry.get("keypoint_scores")), None if number is None else int(number))
        )
    return raw


def _coco_points(points: Array, scores: Sequence[float | None] | None) -> Array:
    """The third column as a score: COCO's v is 0 missing, 1 hidden, 2 seen; detectors put a score there."""
    third = points[:, 2]
    if scores is not None and len(scores) == len(points):
        given = np.array([0.0 if score is None else score for score in scores])
        third = np.where(third > 0, np.maximum(given, 1e-3), 0.0)
    elif np.isin(third, (0.0, 1.0, 2.0)).all():
        third = third / 2.0
    return np.column_stack([points[:, :2], third])


def _order(count: int, where: str) -> tuple[str, ...]:
    if count not in ORDERS:
        known = ", ".join(map(str, ORDERS))
        raise InputError(f"{count} points a person", where=where, hint=f"Known without names: {known}")
    return ORDERS[count]


def _number(text: str, fallback: int) -> int:
    numbers = re.findall(r"\d+", text.removesuffix("_keypoints"))
    return int(numbers[-1]) if numbers else fallback


def _number_or_none(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value > 0 else None


def _size(table: Mapping[str, Any]) -> tuple[int | None, int | None]:
    width, height = _number_or_none(table.get("width")), _number_or_none(table.get("height"))
    return (int(width), int(height)) if width and height else (None, None)
