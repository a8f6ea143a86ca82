"""Pictures of everybody in a video, to click."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from posepipe.pipeline import Detection
from posepipe.texts import Texts
from posepipe.types import KeypointTrack
from posepipe.ui.assets import asset
from posepipe.ui.session import component_key

__all__ = ["choose_person", "places", "portrait"]

_HEIGHT_PX = 150
_AROUND = 0.25
"""Room around the keypoints, as a share of the body's size."""
_QUALITY = 85
_EVERY_S = 0.2
_MOST_PLACES = 3000
"""Of each person in a page; of longer films they are further apart."""


@cache
def _strip() -> Any:
    return st.components.v2.component(
        "posepipe_people", html="<ul></ul>", css=asset("people.css"), js=asset("people.js")
    )


def choose_person(text: Texts, detection: Detection, shown: list[int], key: str) -> int | None:
    """Draw everybody of a video, whoever is shown marked.

    Returns:
        The id of whom the user just clicked; None if nobody.
    """
    people = []
    for track in detection.tracks:
        start_s, end_s = float(track.time_s[0]), float(track.time_s[-1])
        people.append(
            {
                "id": track.person,
                "name": text("result.person", id=track.person),
                "when": text.number(text("analyze.person_seen", start=f"{start_s:.1f}", end=f"{end_s:.1f}")),
                "picture": _data_uri(portrait(detection, track)),
                "here": track.person in shown,
                "click": text("analyze.person_click", id=track.person),
                "places": [] if track.person in shown else places(track),
            }
        )
    st.caption(text("analyze.person_help"))
    size_px = [detection.camera.width_px, detection.camera.height_px]
    data = {"people": people, "size_px": size_px, "near_s": 2.0 * _EVERY_S}
    answer = _strip()(data=data, key=component_key("people", key), on_picked_change=lambda: None)
    return int(answer.picked) if answer.picked is not None else None


def places(track: KeypointTrack) -> list[list[float]]:
    """Where somebody is in the video, now and then: time in seconds, then left, top, right and bottom in pixels."""
    seen = np.flatnonzero(track.valid.any(axis=1))
    if not len(seen):
        return []
    ticks = np.floor(track.time_s[seen] / _EVERY_S)
    seen = seen[np.concatenate([[True], np.diff(ticks) > 0])]
    seen = seen[:: max(1, -(-len(seen) // _MOST_PLACES))]
    found = []
    for row in seen:
        xy = track.xy_px[row][track.valid[row]]
        ends = [*xy.min(axis=0), *xy.max(axis=0)]
        found.append([round(float(track.time_s[row]), 2), *(round(float(one)) for one in ends)])
    return found


def portrait(detection: Detection, track: KeypointTrack) -> NDArray[np.uint8] | None:
    """One person, cut out of the small picture that shows them largest; None if none shows them.

    Args:
        detection: whose pictures.
        track: the person.
    """
    best, most = None, 0.0
    for frame, _, image in detection.thumbnails:
        row = int(np.searchsorted(track.frame, frame))
        if row >= len(track) or track.frame[row] != frame or not track.valid[row].any():
            continue
        xy = track.xy_px[row][track.valid[row]] * image.shape[1] / detection.camera.width_px
        low, high = xy.min(axis=0), xy.max(axis=0)
        room = _AROUND * float((high - low).max())
        left, top = np.maximum(low - room, 0).astype(int)
        right, bottom = np.minimum(high + room, image.shape[1::-1]).astype(int)
        if (right - left) > 4 and (bottom - top) > 4 and (size := float((bottom - top) * (right - left))) > most:
            best, most = image[top:bottom, left:right], size
    return best


def _data_uri(image: NDArray[np.uint8] | None) -> str:
    if image is None:
        return ""
    scale = _HEIGHT_PX / image.shape[0]
    small = cv2.resize(image, (max(1, round(image.shape[1] * scale)), _HEIGHT_PX), interpolation=cv2.INTER_AREA)
    done, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}" if done else ""
