"""COCO keypoints JSON: one image for each frame, one annotation for each person in it.

Format: cocodataset.org, "Data format", keypoint detection. ``v`` is 2 for a seen point, 1 for one that was filled in, 0
for a missing one. Further keys, which readers ignore: ``track_id``, ``sigma_px`` and ``keypoint_scores``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from posepipe import __version__
from posepipe.results.recording import Person, Recording
from posepipe.skeleton import COCO17

__all__ = ["write_coco"]

Array = NDArray[np.float64]

_CATEGORY = 1
_FRAMES = 100
_MISSING: Any = None


def write_coco(recording: Recording, path: Path) -> None:
    """Everybody's 2D keypoints; written a frame at a time."""
    video = recording.video
    frames = {
        int(frame): float(time_s)
        for person in recording.people
        for frame, time_s in zip(person.keypoints.frame, person.keypoints.time_s, strict=True)
    }
    head = {
        "info": {"description": f"posepipe {__version__}", "video": video.path, "date_created": recording.created},
        "licenses": [],
        "categories": [
            {
                "id": _CATEGORY,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(COCO17.joints),
                "skeleton": [[int(a) + 1, int(b) + 1] for a, b in COCO17.edge_indices],
            }
        ],
    }
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(json.dumps(head, ensure_ascii=False)[:-1])
        file.write(',\n"images": [')
        for count, (frame, time_s) in enumerate(sorted(frames.items())):
            image = {
                "id": frame,
                "file_name": f"{frame:06d}.jpg",
                "width": video.width_px,
                "height": video.height_px,
                "frame": frame,
                "time_s": time_s,
            }
            file.write((",\n" if count else "\n") + json.dumps(image))
        file.write('\n],\n"annotations": [')
        number = 0
        for person in recording.people:
            number = _annotations(person, number, file)
        file.write("\n]}\n")


def _annotations(person: Person, number: int, file: TextIO) -> int:
    """Write one person's annotations; returns the last number given."""
    track = person.keypoints
    columns = [track.layout.joints.index(name) for name in COCO17.joints if name in track.layout.joints]
    places = [i for i, name in enumerate(COCO17.joints) if name in track.layout.joints]
    for start in range(0, len(track), _FRAMES):
        part = slice(start, start + _FRAMES)
        seen = np.zeros((len(track.frame[part]), len(COCO17)), np.int64)
        numbers = np.full((*seen.shape, 4), np.nan)
        seen[:, places] = np.where(track.interpolated[part][:, columns], 1, 2) * track.valid[part][:, columns]
        for i, values in enumerate((track.xy_px[..., 0], track.xy_px[..., 1], track.sigma_px, track.score)):
            numbers[:, places, i] = values[part][:, columns]
        for row in np.flatnonzero(seen.any(axis=1)):
            number += 1
            record = _record(number, int(track.frame[start + row]), person.id, numbers[row], seen[row])
            file.write((",\n" if number > 1 else "\n") + json.dumps(record, allow_nan=False))
    return number


def _record(number: int, frame: int, person: int, numbers: Array, seen: NDArray[np.int64]) -> dict[str, Any]:
    """One annotation from (17, 4) x, y, sigma, score."""
    there = seen > 0
    low = numbers[there, :2].min(axis=0)
    size = np.ptp(numbers[there, :2], axis=0)
    points = np.column_stack([np.round(np.where(there[:, None], numbers[:, :2], 0.0), 4), seen])
    known = there[:, None] & np.isfinite(numbers[:, 2:])
    sigma, score = np.where(known, np.round(numbers[:, 2:], 4), _MISSING).T.tolist()
    return {
        "id": number,
        "image_id": frame,
        "category_id": _CATEGORY,
        "track_id": person,
        "keypoints": points.ravel().tolist(),
        "num_keypoints": int(there.sum()),
        "bbox": np.round([*low, *size], 4).tolist(),
        "area": round(float(size[0] * size[1]), 4),
        "iscrowd": 0,
        "sigma_px": sigma,
        "keypoint_scores": score,
    }
