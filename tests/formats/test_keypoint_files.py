"""Keypoint files as programs and people really leave them: read rightly, with what was assumed said, or refused.

One person stands in a picture of 1280 x 720; only the packing differs.
"""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posepipe.cli.main import run
from posepipe.errors import InputError
from posepipe.formats.read import read_keypoints
from posepipe.formats.read_people import ORDERS
from posepipe.formats.read_values import decode, frame_numbers, number, table
from posepipe.skeleton import COCO17

FRAMES = 40
SIZE = (1280, 720)
JOINTS = {
    "nose": (640, 200), "left_eye": (650, 190), "right_eye": (630, 190),
    "left_ear": (660, 200), "right_ear": (620, 200),
    "left_shoulder": (690, 260), "right_shoulder": (590, 260), "left_elbow": (710, 350), "right_elbow": (570, 350),
    "left_wrist": (720, 430), "right_wrist": (560, 430), "left_hip": (670, 440), "right_hip": (610, 440),
    "left_knee": (675, 560), "right_knee": (605, 560), "left_ankle": (680, 680), "right_ankle": (600, 680),
    "neck": (640, 260), "pelvis": (640, 440),
}  # fmt: skip


def person(
    count: int = 17, frame: int = 0, score: object = 0.9, scale: object = 1.0, shift: object = 0.0
) -> list[list]:
    """`count` points [x, y, score], each moved by up to half a pixel; points we give no place are zeros."""
    noise = np.random.default_rng(frame).uniform(-0.5, 0.5, (count, 2))
    rows = []
    for i in range(count):
        place = JOINTS.get(ORDERS[count][i]) if i < len(ORDERS[count]) else None
        xy = (np.array(place) + noise[i]) * scale + shift if place else np.zeros(2)
        rows.append([*np.round(xy, 4).tolist(), score if place else 0.0])
    return rows


def flat(rows: list[list], columns: int = 3) -> list:
    return [value for row in rows for value in row[:columns]]


def landmarks(frame: int = 0, **fields: Any) -> list[dict]:
    rows = person(33, frame, scale=1 / np.array(SIZE))
    return [{"x": x, "y": y, "z": -0.1, **(fields or {"visibility": c})} for x, y, c in rows]


def each(make: Callable[[int], Any], frames: int = FRAMES) -> list:
    return [make(frame) for frame in range(frames)]


@dataclass(frozen=True)
class Case:
    """A file and what must come out of it.

    Attributes:
        content: JSON value, text or bytes of a file; or name -> such, for a folder.
        name: the file's.
        source: as in `read_keypoints`.
        seen: frames in which the left hip is seen.
        last: number of the last of them.
        rate_hz, people: frames a second, how many persons.
        says: what a warning holds.
        refused: what the error holds.
        given_hz: as if the user said so.
        exact: places needn't be right within 3 px (None for a test of something else).
    """

    content: Any
    name: str = "clip.json"
    source: str = "auto"
    seen: int | None = FRAMES
    last: int | None = None
    rate_hz: float | None = None
    people: int = 1
    says: str = ""
    refused: str = ""
    given_hz: float | None = None


def write(case: Case, folder: Path) -> Path:
    path = folder / case.name
    many = case.name == "folder"
    if many:
        path.mkdir()
    for name, content in (case.content if many else {"": case.content}).items():
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        (path / name if many else path).write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def op(*people: Any) -> dict:
    return {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": flat(p)} for p in people]}


def op_folder(name: Callable[[int], str], make: Callable[[int], Any] | None = None) -> dict[str, Any]:
    return {name(i): make(i) if make else op(person(25, i)) for i in range(FRAMES)}


def usual(i: int) -> str:
    return f"clip_{i:012d}_keypoints.json"


def coco(**changes: Any) -> dict:
    images = each(lambda i: {"id": i + 1, "file_name": f"{i}.jpg", "width": 1280, "height": 720})
    notes = each(lambda i: {"id": i, "image_id": i + 1, "category_id": 1, "keypoints": flat(person(17, i, 2))})
    names = [{"id": 1, "name": "person", "keypoints": list(COCO17.joints)}]
    return {"images": images, "annotations": notes, "categories": names} | changes


def notes(**changes: Any) -> list[dict]:
    return [note | changes for note in coco()["annotations"]]


def text(rows: list[list], separator: str = ",", decimal: str = ".") -> str:
    def cell(value: object) -> str:
        return str(value).replace(".", decimal) if isinstance(value, float) else str(value)

    return "\n".join(separator.join(map(cell, row)) for row in rows) + "\n"


def dlc(label: Callable[[int], object] = lambda i: i, coords: str = "x y likelihood", scale: float = 1.0) -> list[list]:
    axes = coords.split()
    columns = [(joint, axis) for joint in COCO17.joints for axis in axes]
    heads = [
        ["scorer", *["DLC"] * len(columns)],
        ["bodyparts", *(c[0] for c in columns)],
        ["coords", *(c[1] for c in columns)],
    ]
    return heads + each(lambda i: [label(i), *flat(person(17, i, scale=scale), len(axes))])


def sleap(label: Callable[[int], object] = lambda i: i, joint: str = "{}.{}", axes: str = "x y score") -> list[list]:
    names = axes.split()
    head = ["track", "frame_idx", "instance.score", *(joint.format(j, a) for j in COCO17.joints for a in names)]
    return [head, *each(lambda i: ["t0", label(i), 0.9, *flat(person(17, i), len(names))])]


def wide33(style: str, first: int = 0) -> list[list]:
    head = [
        "frame",
        *(style.format(i=i + first, n=ORDERS[33][i], a=a) for i in range(33) for a in ("x", "y", "z", "v")),
    ]
    rows = each(lambda i: [i, *(v for p in landmarks(i) for v in (p["x"], p["y"], p["z"], p["visibility"]))])
    return [head, *rows]


def mmpose(i: int) -> dict:
    rows = person(17, i)
    return {
        "frame_id": i + 1,
        "instances": [{"keypoints": [r[:2] for r in rows], "keypoint_scores": [r[2] for r in rows]}],
    }


def alpha(i: int, count: int = 26, **changes: Any) -> dict:
    return {
        "image_id": f"{i}.jpg",
        "category_id": 1,
        "keypoints": flat(person(count, i)),
        "score": 2.5,
        "idx": 1,
    } | changes


def folder(name: Callable[[int], str], make: Callable[[int], Any] | None = None, *args: Any, **expect: Any) -> Case:
    """A file a frame, OpenPose's unless `make` says otherwise."""
    return Case(op_folder(name, make), "folder", *args, **expect)


def with_file(name: str, content: Any, **expect: Any) -> Case:
    """OpenPose's folder with one file instead of what it was, or beside the others."""
    return Case(op_folder(usual) | {name: content}, "folder", **expect)


def timed(key: str, time: Callable[[int], Any], **expect: Any) -> Case:
    return Case(each(lambda i: {key: time(i), "landmarks": landmarks(i)}), **expect)


def alphas(points: Callable[[int], list], **expect: Any) -> Case:
    return Case(each(lambda i: alpha(i, keypoints=flat(points(i)))), **expect)


def instead(frame: int, entry: dict, **expect: Any) -> Case:
    """AlphaPose's list with another entry for one frame."""
    return Case(each(lambda i: entry if i == frame else alpha(i)), **expect)


def csv(rows: list[list], separator: str = ",", decimal: str = ".", **expect: Any) -> Case:
    return Case(text(rows, separator, decimal), "clip.csv", **expect)


def named(frame: int) -> list[tuple[str, list]]:
    return list(zip(COCO17.joints, person(17, frame), strict=True))


BAD = {"pose_keypoints_2d": [1.0, 2.0, 3.0]}
CASES = {
    # Frame numbers, wherever they stand.
    "number before camera": folder(lambda i: f"img_{i:05d}_cam2_keypoints.json", last=39),
    "number between dashes": folder(lambda i: f"clip-{i}-keypoints.json", last=39),
    "number first": folder(lambda i: f"{i}_video2_keypoints.json", last=39),
    "number after a date": folder(lambda i: f"2024-03-12_101500_{i:04d}_keypoints.json", last=39),
    "number of all": folder(lambda i: f"frame{i + 1}of40.json", last=40),
    "clock in the name": folder(lambda i: f"cam1_{1690000000000 + 33 * i}.json", last=39, says="clock"),
    "time of day in the name": folder(
        lambda i: f"10-15-{i // 30:02d}-{1000 * (i % 30) // 30:03d}_keypoints.json", last=39, says="clock"
    ),
    "every fifth": folder(lambda i: usual(5 * i), last=195, given_hz=30.0, rate_hz=30.0),
    "every third": folder(lambda i: usual(3 * i), last=117),
    "every 3000th": folder(lambda i: usual(3000 * i), last=117000, given_hz=30.0, rate_hz=30.0),
    "no number": Case(
        [alpha(i, image_id="abcdefghij"[i // 10] + "abcdefghij"[i % 10] + ".png") for i in range(FRAMES)],
        says="counted",
    ),
    "two cameras": folder(lambda i: f"cam{i % 2}_{i // 2:04d}.json", refused="several files for each"),
    "upper case suffix": folder(lambda i: usual(i).replace(".json", ".JSON")),
    "copies of some": with_file("clip_000000000003_keypoints (1).json", op(person(25)), says="(1)"),
    "resource forks": Case(op_folder(usual) | {"._" + usual(i): b"\x00\x05" for i in range(FRAMES)}, "folder"),
    "huge numbers": csv(sleap(lambda i: 2000000000 + i), last=2000000039),
    "one far away": csv(sleap(lambda i: i if i < 39 else 1900000000), seen=None),
    "more digits than fit": Case([alpha(i, image_id=10**12 + i) for i in range(FRAMES)], last=39, says="counted"),
    "frame numbers as text": timed("frame", lambda i: f"{i:06d}", last=39),
    "paths": csv(dlc(lambda i: f"labeled-data/clip2/img{5 * i:03d}.png", "x y"), last=195, says="confidences"),
    "path in three columns": csv(
        [
            [r[0] if k < 3 else "labeled-data", *(("", "") if k < 3 else ("clip", f"img{2 * r[0]:03d}.png")), *r[1:]]
            for k, r in enumerate(dlc())
        ],
        last=78,
    ),
    # Places.
    "shares": folder(usual, lambda i: op(person(25, i, scale=1 / np.array(SIZE))), says="shares"),
    "from -1 to 1": folder(usual, lambda i: op(person(25, i, scale=2 / np.array(SIZE), shift=-1)), says="-1 to 1"),
    "from the middle": alphas(lambda i: person(26, i, shift=[-640, -360]), says="middle"),
    "y up": alphas(lambda i: person(17, i, scale=[1, -1], shift=[0, 720]), says="y is taken"),
    "y negative": alphas(lambda i: person(17, i, scale=[1, -1]), says="negative"),
    "y up from -1 to 1": alphas(lambda i: person(17, i, scale=[2 / 1280, -2 / 720], shift=[-1, 1]), says="y is taken"),
    "canvas of half the size": Case(
        each(lambda i: op(person(18, i, scale=0.5)) | {"canvas_width": 640, "canvas_height": 360}), says="640 x 360"
    ),
    "landmarks in pixels": Case(each(lambda i: [{"x": x, "y": y, "visibility": c} for x, y, c in person(33, i)])),
    "hips at the origin": Case(
        each(lambda i: flat(person(17, i, shift=[-640, -440], scale=1))), refused="from the hips"
    ),
    "coordinates as text": Case(each(lambda i: {"keypoints": [str(v) for v in flat(person(17, i))], "frame": i})),
    "one wild point": instead(7, alpha(7, keypoints=[1e30, *flat(person(26))[1:]]), says="left out"),
    # Confidences.
    "visibility null": Case(each(lambda i: landmarks(i, visibility=None)), says="confidences"),
    "visibility missing": Case(each(lambda i: [{"x": p["x"], "y": p["y"]} for p in landmarks(i)]), says="confidences"),
    "visibility empty text": Case(each(lambda i: landmarks(i, visibility="")), says="confidences"),
    "visibility zero throughout": Case(each(lambda i: landmarks(i, visibility=0)), says="confidences"),
    "confidence NaN": alphas(lambda i: person(26, i, float("nan")), says="confidence"),
    "some confidences null": alphas(lambda i: person(26, i, None if i % 4 else 0.8), says="median"),
    "confidence up to 100": folder(usual, lambda i: op(person(25, i, 87.5)), says="100"),
    "only x and y": Case(
        [{"image_id": i, "keypoints": flat(person(17, i), 2)} for i in range(FRAMES)], says="confidences"
    ),
    "flags 0 and 1": Case(
        coco(annotations=each(lambda i: {"image_id": i + 1, "category_id": 1, "keypoints": flat(person(17, i, 1))}))
    ),
    "a little above 1": alphas(lambda i: person(26, i, 1.04)),
    "visibility up to 100": Case(each(lambda i: landmarks(i, visibility=95)), says="100"),
    # One bad part among many.
    "frame cut off": with_file(usual(20), json.dumps(op(person(25)))[:80], seen=39, says="000020"),
    "frame empty": with_file(usual(20), "", seen=39, says="000020"),
    "frame of other JSON": with_file(usual(20), [1, 2], seen=39, says="000020"),
    "person cut off": with_file(usual(20), {"people": [BAD]}, seen=39, says="000020"),
    "stray JSON": with_file("config.json", {"camera": [1, 2]}, says="config"),
    "stray text": with_file("notes.txt", "hello"),
    "people in another layout in one frame": with_file(usual(9), op(person(18)), seen=39, says="layout"),
    "line cut off": Case(
        "\n".join(json.dumps(landmarks(i)) for i in range(FRAMES))[:-300], "clip.jsonl", seen=39, says="line 40"
    ),
    "unknown image": Case(
        coco(annotations=[*notes(), {"image_id": 999, "keypoints": flat(person())}]), seen=None, says="999"
    ),
    "row cut off": Case(text(dlc())[:-150], "clip.csv", seen=39, says="row 43"),
    "frame that is a word": Case([*each(lambda i: alpha(i)), "the end"], says="the end"),
    # Nobody.
    "absent: empty list": with_file(usual(5), op(), seen=39),
    "absent: null": with_file(usual(5), {"people": None}, seen=39),
    "absent: no key": with_file(usual(5), {"version": 1.3}, seen=39),
    "absent: no points": with_file(usual(5), {"people": [{"pose_keypoints_2d": []}]}, seen=39),
    "absent: zeros": with_file(usual(5), {"people": [{"pose_keypoints_2d": [0] * 75}]}, seen=39),
    "absent: few zeros": with_file(usual(5), {"people": [{"pose_keypoints_2d": [0, 0, 0]}]}, seen=39),
    "absent: NaN": instead(5, alpha(5, keypoints=[float("nan")] * 78), seen=39),
    "absent: nulls": instead(5, alpha(5, keypoints=[None] * 78), seen=39),
    "absent: landmarks null": Case(
        each(lambda i: {"frame": i, "landmarks": landmarks(i) if i != 5 else None}), seen=39
    ),
    "absent: frame null": Case(each(lambda i: landmarks(i) if i != 5 else None), seen=39),
    "absent: -1": instead(5, alpha(5, keypoints=[-1] * 78), seen=39),
    "absent: empty cells": csv([*dlc()[:8], [5, *[""] * 51], *dlc()[9:]], seen=39),
    "absent: nan cells": csv([*dlc()[:8], [5, *["nan"] * 51], *dlc()[9:]], seen=39),
    "absent: no row": csv([*sleap()[:6], *sleap()[7:]], seen=39, last=39),
    # Encodings and dialects.
    "UTF-8 with mark": Case(b"\xef\xbb\xbf" + json.dumps(each(landmarks)).encode()),
    "UTF-16": Case(json.dumps(each(landmarks)).encode("utf-16")),
    "UTF-16 without mark": Case(text(sleap()).encode("utf-16-le"), "clip.csv"),
    "Latin 1": Case(text(sleap()).replace("t0", "Jürgen").encode("cp1252"), "clip.csv"),
    "UTF-16 folder": folder(usual, lambda i: json.dumps(op(person(25, i))).encode("utf-16")),
    "semicolons, decimal commas": csv(dlc(), ";", ","),
    "semicolons, points": csv(sleap(), ";"),
    "tabs": Case(text(dlc(), "\t"), "clip.tsv"),
    "tabs, decimal commas": Case(text(sleap(), "\t", ","), "clip.txt"),
    "quoted decimal commas": csv(
        [[f'"{v}"'.replace(".", ",") if isinstance(v, float) else v for v in row] for row in dlc()]
    ),
    "thousands": csv([[f'"{v + 0.001:,.3f}"' if isinstance(v, float) else v for v in row] for row in dlc()]),
    "CRLF and quotes": Case(text([[f'"{cell}"' for cell in row] for row in sleap()]).replace("\n", "\r\n"), "clip.csv"),
    "CR alone": Case(text(dlc()).replace("\n", "\r"), "clip.csv"),
    "Excel's sep": Case("sep=;\n" + text(dlc(), ";"), "clip.csv"),
    "decimal commas between commas": csv(dlc(), ",", ",", refused="cells"),
    # Times.
    "equal times": timed("timestamp_ms", lambda i: 66.67 * (i // 2), rate_hz=30.0, says="stand still"),
    "falling time": timed("timestamp_ms", lambda i: 40 * i if i != 9 else 3, rate_hz=25.0, says="fall"),
    "milliseconds by name": timed("timestampMs", lambda i: 20 * i, rate_hz=50.0),
    "microseconds": timed("timestamp_us", lambda i: 20000 * i, rate_hz=50.0),
    "nanoseconds by size": timed("timestamp", lambda i: 20000000 * i, rate_hz=50.0, says="nanoseconds"),
    "seconds by size": timed("timestamp", lambda i: 0.04 * i, rate_hz=25.0, says="taken as seconds"),
    "one frame a second": timed("time", lambda i: 1000 * i, rate_hz=1.0, says="milli"),
    "seconds called ms": timed("timestamp_ms", lambda i: 0.04 * i, rate_hz=25.0, says="only be seconds"),
    "time since 1970": timed("time", lambda i: 1700000000.0 + 0.04 * i, rate_hz=25.0, says="counted from"),
    "clock text": timed("time", lambda i: f"00:00:0{i // 25}.{40 * (i % 25):03d}", rate_hz=25.0),
    "times as text": timed("time_s", lambda i: f"{0.04 * i:.2f}", rate_hz=25.0),
    "some times null": timed("time_s", lambda i: 0.04 * i if i % 3 else None, rate_hz=25.0),
    "time is a frame count": timed("time", lambda i: i, rate_hz=30.0, says="aren't used"),
    "times in a list": Case({"timestamps": each(lambda i: 0.04 * i), "landmarks": each(landmarks)}, rate_hz=25.0),
    "rate as a fraction": Case({"fps": "30000/1001", "frames": each(landmarks)}, rate_hz=29.97),
    "rate in the head": Case(
        {
            "metadata": {"frame_rate": 50, "width": 1280, "height": 720},
            "data": each(lambda i: {"frame": i, "landmarks": landmarks(i)}),
        },
        rate_hz=50.0,
    ),
    "time column": csv([[*row, "time_ms" if k == 0 else 40 * (k - 1)] for k, row in enumerate(sleap())], rate_hz=25.0),
    # Wrappings.
    "frames by number": Case({str(i): landmarks(i) for i in range(FRAMES)}, last=39),
    "frames by name": Case(
        {"frames": {f"frame_{i:04d}.png": {"pose_landmarks": landmarks(i)} for i in range(FRAMES)}}, last=39
    ),
    "protobuf's JSON": Case(
        each(lambda i: {"poseLandmarks": {"landmark": landmarks(i)}, "poseWorldLandmarks": {"landmark": landmarks(i)}})
    ),
    "people of people": Case(
        each(lambda i: {"pose_landmarks": [landmarks(i)], "pose_world_landmarks": [landmarks(i)]})
    ),
    "rows of arrays": Case(each(lambda i: [[p["x"], p["y"], p["z"], p["visibility"]] for p in landmarks(i)])),
    "frames, people, points": Case(each(lambda i: [person(17, i), person(17, i, shift=300)]), people=2),
    "keypoints in one array": Case({"keypoints": each(lambda i: person(17, i))}),
    "points by name": Case(
        each(
            lambda i: {
                "frame": i,
                "keypoints": {n: r for n, r in named(i) if n != "nose" or i % 2},
            }
        )
    ),
    "points with names": Case(
        each(
            lambda i: {
                "score": 0.9,
                "keypoints": [{"x": r[0], "y": r[1], "score": r[2], "name": n} for n, r in named(i)][::-1],
            }
        )
    ),
    "PoseNet's parts": Case(
        each(
            lambda i: {
                "keypoints": [{"part": n, "position": {"x": r[0], "y": r[1]}, "score": r[2]} for n, r in named(i)]
            }
        )
    ),
    "columns of a person": Case(
        each(
            lambda i: [
                {
                    "name": "person",
                    "box": {"x1": 1.0, "y1": 2.0},
                    "keypoints": dict(
                        zip(("x", "y", "visible"), map(list, zip(*person(17, i), strict=True)), strict=True)
                    ),
                }
            ]
        )
    ),
    "AlphaPose by picture": Case({f"{i}.jpg": op(person(18, i)) for i in range(FRAMES)}, source="alphapose", last=39),
    "AlphaPose's bodies": Case(
        {f"{i}.jpg": {"version": 0.1, "bodies": [{"joints": flat(person(18, i))}]} for i in range(FRAMES)}, last=39
    ),
    "AlphaPose's folder": folder(lambda i: f"{i}.json", lambda i: op(person(18, i)), "alphapose", last=39),
    "AlphaPose, idx in lists": Case(each(lambda i: alpha(i, idx=[3.0]))),
    "AlphaPose, two without idx": Case(
        each(lambda i: alpha(i, idx=0)) + each(lambda i: alpha(i, idx=0, keypoints=flat(person(26, i, shift=300)))),
        people=2,
    ),
    "a person a line": Case(
        "\n".join(json.dumps({"frame": i, "person": "a", "keypoints": person(17, i)}) for i in range(FRAMES)),
        "clip.jsonl",
        last=39,
    ),
    "MMPose": Case(
        {
            "meta_info": {"keypoint_id2name": {str(i): n for i, n in enumerate(COCO17.joints)}},
            "instance_info": each(mmpose),
        },
        source="mmpose",
        last=39,
    ),
    "MMPose's inferencer": Case(each(lambda i: {"predictions": [[mmpose(i)["instances"][0]]], "visualization": []})),
    "MMPose's predictions": Case({"predictions": each(lambda i: mmpose(i)["instances"])}),
    "MMPose's folder": folder(lambda i: f"{i:06d}.json", lambda i: mmpose(i)["instances"], "mmpose", last=39),
    "a list of single people": Case(each(lambda i: mmpose(i)["instances"][0]), last=39),
    "COCO's results": Case(
        [{"image_id": i, "category_id": 1, "keypoints": flat(person(17, i)), "score": 0.9} for i in range(FRAMES)],
        source="coco",
        last=39,
    ),
    "track id as text": Case(coco(annotations=notes(track_id="p1"))),
    "track id of CVAT": Case(coco(annotations=notes(attributes={"track_id": "7", "occluded": False}))),
    "ids of annotations": Case(coco(annotations=[n | {"instance_id": n["id"]} for n in notes()])),
    "image ids as text": Case(coco(images=[i | {"id": str(i["id"])} for i in coco()["images"]])),
    "boxes without keypoints": Case(coco(annotations=[*notes(), {"image_id": 3, "bbox": [1, 2, 3, 4]}])),
    "people by name": Case({"person_1": each(landmarks)}),
    "landmark columns by name": csv(wide33("{n}_{a}"), source="mediapipe", last=39),
    "landmark columns by number": csv(wide33("{a}{i}", 1), source="mediapipe"),
    "landmark columns, number first": csv(wide33("landmark_{i}_{a}")),
    "capital columns": csv(sleap(joint="{0}_{1}", axes="X Y Confidence")),
    "a row a landmark": csv(
        [
            ["frame", "id", "x", "y", "z", "visibility"],
            *(
                [i, k, p["x"], p["y"], p["z"], p["visibility"]]
                for i in range(FRAMES)
                for k, p in enumerate(landmarks(i))
            ),
        ],
        source="mediapipe",
        last=39,
    ),
    "a row a joint": csv(
        [
            ["frame", "joint", "x", "y", "confidence"],
            *([i, n, *r] for i in range(FRAMES) for n, r in named(i)),
        ],
        last=39,
    ),
    "percent of the picture": alphas(lambda i: person(26, i, scale=[100 / 1280, 100 / 720]), says="percent"),
    "twice the same": Case(each(alpha) + each(alpha), last=39),
    "images without names, every fifth": Case(
        coco(
            images=each(lambda i: {"id": 5 * i}),
            annotations=each(lambda i: {"image_id": 5 * i, "category_id": 1, "keypoints": flat(person(17, i))}),
        ),
        last=195,
    ),
    "image ids with points": Case(coco(annotations=[n | {"image_id": float(n["image_id"])} for n in notes()])),
    "categories and results": Case(
        {
            "categories": [{"id": 1, "keypoints": list(COCO17.joints)}],
            "annotations": each(lambda i: {"image_id": i, "keypoints": flat(person(17, i))}),
        },
        last=39,
    ),
    "frame names in a list": Case(
        {"frames": each(lambda i: f"{5 * i}.jpg"), "keypoints": each(lambda i: person(17, i))}, last=195
    ),
    "pretty objects one behind the other": Case(
        "\n".join(json.dumps({"frame": i, "landmarks": landmarks(i)}, indent=1) for i in range(FRAMES)), last=39
    ),
    "separators at the ends": Case(
        "".join(line + ";;\n" for line in text(dlc(), ";").split("\n") if line), "clip.csv", last=39
    ),
    "separators behind rows": csv([row + [""] * (k > 0) for k, row in enumerate(sleap())], last=39),
    "index column": csv([["" if k == 0 else k, *row[1:]] for k, row in enumerate(wide33("{n}.{a}"))], last=40),
    "Holistic": Case(
        each(
            lambda i: {
                "pose_landmarks": landmarks(i),
                "face_landmarks": [{"x": 0.1, "y": 0.1}] * 468,
                "left_hand_landmarks": None,
            }
        )
    ),
    "box of nobody": instead(5, {"image_id": "5.jpg", "box": [1.0, 2.0, 3.0, 4.0], "score": 0.1}, seen=39),
    "one frame": Case({usual(7): op(person(25))}, "folder", seen=1, last=7),
    "a file of one picture": Case(op(person(25)), usual(7), seen=1, last=7),
    "lower case joints of any style": Case(text(dlc()).replace("left_", "L").replace("right_", "R"), "clip.csv"),
    "likelihood empty": csv(
        [
            [*row] if k < 3 else [row[0], *("" if j % 3 == 2 else v for j, v in enumerate(row[1:]))]
            for k, row in enumerate(dlc())
        ],
        says="confidences",
    ),
    "a file of landmarks for each frame": folder(usual, landmarks, last=39),
    "two people in each file": folder(usual, lambda i: [person(17, i), person(17, i, shift=300)], people=2),
    "one frame of shares": with_file(usual(5), op(person(25, scale=1 / np.array(SIZE))), seen=39, says="shares"),
    "frames far inside": Case(
        {"video": {"fps": 25}, "results": {"poses": each(lambda i: {"frame": i, "landmarks": landmarks(i)})}},
        rate_hz=25.0,
    ),
    # What can't be meant.
    "two videos in a table": csv(
        [["video", *sleap()[0]], *([f"v{i % 2}", *row] for i, row in enumerate(sleap()[1:]))], refused="several videos"
    ),
    "pixels and shares": folder(
        usual, lambda i: op(person(25, i, scale=1 if i % 2 else 1 / np.array(SIZE))), refused="mixes pixels"
    ),
    "named, but no ankles": Case(
        each(lambda i: {"frame": i, "keypoints": dict(zip(COCO17.joints[:15], person(17, i), strict=False))}),
        refused="left_ankle",
    ),
    "Human3.6M's order": Case(
        [
            {
                "image_id": i,
                "keypoints": flat(
                    [person(19 - 2, i)[j] for j in (11, 12, 14, 16, 11, 13, 15, 0, 5, 0, 0, 5, 7, 9, 6, 8, 10)]
                ),
            }
            for i in range(FRAMES)
        ],
        refused="another order",
    ),
    "Kinect's metres": Case(
        each(
            lambda i: {
                "frame": i,
                "joints": {n: {"x": r[0] / 1000 - 0.64, "y": 0.5 - r[1] / 1000, "z": 2.7} for n, r in named(i)},
            }
        ),
        refused="go up to 2.7",
    ),
    "only words": Case({"frames": ["a", "b"]}, refused="."),
    "half of each layout": folder(usual, lambda i: op(person(25 if i % 2 else 18, i)), refused="layouts"),
    "pictures of several sizes": Case(
        coco(images=[i | {"width": 1000 + i["id"]} for i in coco()["images"]]), refused="several sizes"
    ),
    "world landmarks alone": Case(each(lambda i: {"pose_world_landmarks": landmarks(i)}), refused="three dimensions"),
    "OpenPose in space": folder(
        usual, lambda i: {"people": [{"pose_keypoints_3d": [1.0] * 100}]}, refused="three dimensions"
    ),
    "third values are depths": Case(
        each(lambda i: [[x, y, -1.5 if k % 2 else 2.5] for k, (x, y, _) in enumerate(person(17, i))]), refused="depths"
    ),
    "depths in millimetres": Case(
        each(lambda i: [[x, y, 3000 + x] for x, y, _ in person(17, i)]), refused="no confidences"
    ),
    "MMPose in space": Case(
        each(
            lambda i: {
                "frame": i,
                "keypoints": [[x, y, x / 7] for x, y, _ in person(17, i)],
                "keypoint_scores": [0.9] * 17,
            }
        ),
        refused="three dimensions",
    ),
    "DeepLabCut in space": csv(dlc(coords="x y z"), refused="three-dimensional"),
    "Anipose": csv(sleap(joint="{0}_{1}", axes="x y z"), refused="three-dimensional"),
    "cut in the middle": Case(json.dumps(each(landmarks))[:5000], refused="cut off"),
    "empty": Case(b"", refused="empty"),
    "a pickle": Case(b"\x80\x04\x95", "clip.pkl", refused="pickle"),
    "an array": Case(b"\x93NUMPY\x01", "clip.npy", refused="NumPy"),
    "motion capture": Case("PathFileType\t4\n", "clip.trc", refused="motion capture"),
    "video": Case(b"\x00\x00\x00\x18ftypmp42" * 9, "clip.mp4", refused="isn't JSON"),
    "unknown count": Case([{"image_id": i, "keypoints": [1.5] * 60} for i in range(FRAMES)], refused="20 points"),
}


@pytest.mark.parametrize("name", CASES)
def test_wild_file(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    path = write(case, tmp_path)
    if case.refused:
        with pytest.raises(InputError, match=r"^.*" + case.refused):
            read_keypoints(path, case.source, width_px=SIZE[0], height_px=SIZE[1])
        return
    found = read_keypoints(path, case.source, fps_hz=case.given_hz, width_px=SIZE[0], height_px=SIZE[1])
    assert case.says in " ".join(found.warnings)
    assert len(found.tracks) == case.people
    track = min(found.tracks, key=lambda one: float(np.nanmean(one.xy_px[..., 0])))
    hip = track.layout.index("left_hip")
    seen = track.valid[:, hip]
    assert track.xy_px[seen, hip][0] == pytest.approx((670, 440), abs=3), found.warnings
    assert case.seen is None or seen.sum() == case.seen
    assert case.last is None or track.frame[seen][-1] == case.last
    assert case.rate_hz is None or found.fps_hz == pytest.approx(case.rate_hz, rel=0.01)
    assert (track.score[seen, hip] > 0.1).all() and (track.score[seen, hip] <= 1.0).all()


def test_far_too_large_places(tmp_path: Path) -> None:
    """They are left out, and said to be; nothing overflows."""
    people = [person(25, i) for i in range(12)]
    people[3][9][0], people[3][12][0], people[5][12][1] = 1e308, 1.7e308, -1e308
    path = tmp_path / "clip.json"
    path.write_text(json.dumps({str(i): op(points) for i, points in enumerate(people)}))
    found = read_keypoints(path, width_px=SIZE[0], height_px=SIZE[1])
    assert any("3 points lie more than" in sentence for sentence in found.warnings)


def test_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    xyc = np.array(each(lambda i: person(17, i)))
    joints = np.array([joint.encode() for joint in COCO17.joints])
    path = tmp_path / "clip.h5"

    def save(tracks: np.ndarray) -> Path:
        with h5py.File(path, "w") as file:
            file["tracks"], file["node_names"] = tracks, joints
        return path

    for tracks in (xyc[None, :, :, :2].transpose(0, 3, 2, 1), xyc[:, :, :2, None]):
        found = read_keypoints(save(tracks), width_px=SIZE[0], height_px=SIZE[1])
        assert len(found.tracks) == 1 and len(found.tracks[0]) == FRAMES and "confidences" in found.warnings[0]
    for tracks in (xyc[:, None], xyc[:5]):
        with pytest.raises(InputError, match=r"three-dimensional|shape"):
            read_keypoints(save(tracks), width_px=SIZE[0], height_px=SIZE[1])
    with h5py.File(path, "w") as file:
        file["instances"] = np.zeros(3)
    with pytest.raises(InputError, match="SLEAP project"):
        read_keypoints(path, width_px=SIZE[0], height_px=SIZE[1])
    columns = [("DLC", joint, axis) for joint in COCO17.joints for axis in ("x", "y", "likelihood")]
    rows = np.zeros(FRAMES, [("index", "S40"), ("values_block_0", "<f8", (51,))])
    rows["index"] = [f"labeled-data/clip/img{5 * i:04d}.png".encode() for i in range(FRAMES)]
    rows["values_block_0"] = xyc.reshape(FRAMES, -1)
    with h5py.File(path, "w") as file:
        made = file.create_dataset("keypoints/table", data=rows)
        made.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(columns, 0))
    track = read_keypoints(path, width_px=SIZE[0], height_px=SIZE[1]).tracks[0]
    assert track.frame.tolist() == list(range(0, 5 * FRAMES, 5))


def test_lift_says_what_was_assumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(CASES["frame cut off"], tmp_path)
    out = tmp_path / "out"
    assert run(["lift", str(path), "--size", "1280x720", "--task", "pose", "--out", str(out)]) == 0
    said = json.loads((out / "summary.json").read_text())["warnings"]
    assert any("000020" in sentence for sentence in said)
    assert all(f"warning: {sentence}" in capsys.readouterr().err for sentence in said[:1])


def test_numbers_and_texts() -> None:
    assert [number(v) for v in ("1,5", " -2.5e1 ", "\u22123", True, [4])] == [1.5, -25.0, -3.0, 1.0, 4.0]
    assert np.isnan([number(v) for v in (None, "", "n/a", {}, [], "1,2,3", 10**400)]).all()
    assert decode("é".encode("cp1252")) == decode("é".encode("utf-16")) == decode("é".encode("utf-8-sig")) == "é"
    assert table("a;b\n1.234,5;2,25\n")[1] == ["1234.5", "2.25"]
    assert table('a,b\n"1,234.5","2.25"\n')[1] == ["1234.5", "2.25"]
    assert frame_numbers(["b_2_x.png", "b_10_x.png"], [], "") == [2, 10]


_ODD = st.sampled_from(
    [
        None,
        "",
        "x",
        -1,
        0,
        1e300,
        float("nan"),
        float("inf"),
        10**30,
        True,
        [],
        {},
        [[]],
        [None],
        {"x": 1},
        "9" * 5000,
        "\u00b2",
    ]
)


def _walk(value: Any, moves: list[int], odd: Any) -> Any:
    """The value with one part, found by `moves`, replaced, left out or doubled."""
    if not moves or not isinstance(value, (dict, list)) or not value:
        return odd
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[moves[0] % len(keys)]
    if len(moves) == 1 and odd == "x":
        del value[key]
    else:
        value[key] = _walk(value[key], moves[1:], odd)
    return value


def _survives(path: Path) -> None:
    try:
        found = read_keypoints(path, width_px=SIZE[0], height_px=SIZE[1])
    except InputError as error:
        assert error.what
        return
    for track in found.tracks:
        assert (np.diff(track.time_s) > 0).all() and np.isfinite(track.time_s).all()
        assert np.isfinite(track.xy_px[track.valid]).all()


_JSONS = (
    each(landmarks, 12),
    [alpha(i) for i in range(12)],
    each(lambda i: {"time": i / 30, "frame": i, "people": [{"keypoints": person(17, i), "track_id": 1}]}, 12),
    {"instance_info": each(mmpose, 12)},
    {**coco(), "images": coco()["images"][:12], "annotations": notes()[:12]},
    {str(i): op(person(25, i)) for i in range(12)},
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, len(_JSONS) - 1), moves=st.lists(st.integers(0, 99), max_size=6), odd=_ODD)
def test_no_json_is_a_defect(which: int, moves: list[int], odd: Any, tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    path.write_text(json.dumps(_walk(copy.deepcopy(_JSONS[which]), moves, copy.deepcopy(odd))))
    _survives(path)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dlc_rows=st.booleans(), row=st.integers(0, 14), column=st.integers(0, 60), odd=_ODD, cut=st.integers(0, 300))
def test_no_table_is_a_defect(dlc_rows: bool, row: int, column: int, odd: Any, cut: int, tmp_path: Path) -> None:
    rows = copy.deepcopy((dlc if dlc_rows else sleap)()[:15])
    rows[row % len(rows)][column % len(rows[0])] = odd
    path = tmp_path / "clip.csv"
    path.write_text(text(rows)[: -cut or None])
    _survives(path)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=60),
    start=st.sampled_from([b"", b"[", b"{", b"\xff\xfe", b"[" * 5000, b"\x89HDF\r\n\x1a\n"]),
)
def test_no_bytes_are_a_defect(data: bytes, start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "clip.csv"
    path.write_bytes(start + data)
    _survives(path)
