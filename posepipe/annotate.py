"""What was found, drawn on the video's own pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.media.draw import draw_pose, paint_angles, paint_caption, paint_pose, picture_copy
from posepipe.media.hide import faces_at, hide
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.record.recording import KeyFrame, Person, Recording
from posepipe.reports.exercise import exercise_caption
from posepipe.texts import Texts
from posepipe.texts import load as load_texts
from posepipe.types import Camera, Frame, Keypoints, KeypointTrack
from posepipe.watch import Thumbnail

__all__ = ["key_frames", "keypoints_at", "turned_picture", "write_annotated"]

SHOWN_ANGLES = ("left_knee_flexion", "right_knee_flexion", "left_elbow_flexion", "right_elbow_flexion")


def turned_picture(image: NDArray[np.uint8], turn_deg: int) -> NDArray[np.uint8]:
    """The picture turned counter-clockwise."""
    return np.ascontiguousarray(np.rot90(image, turn_deg // 90)) if turn_deg else image


def keypoints_at(track: KeypointTrack, frame: int) -> Keypoints | None:
    """The person's keypoints in one frame; None outside the track or where nothing is known."""
    row = _row(track, frame)
    if row is None or not track.valid[row].any():
        return None
    return Keypoints(track.layout, track.xy_px[row], track.sigma_px[row], track.score[row])


def _row(track: KeypointTrack, frame: int) -> int | None:
    row = int(np.searchsorted(track.frame, frame))
    return row if row < len(track) and track.frame[row] == frame else None


def key_frames(track: KeypointTrack, thumbnails: Sequence[Thumbnail], camera: Camera) -> tuple[KeyFrame, ...]:
    """The small pictures in which the person is seen, with the skeleton drawn.

    Args:
        track: whom to draw.
        thumbnails: small pictures of the clip.
        camera: for the size the keypoints are in.
    """
    shown = []
    for frame, time_s, image in thumbnails:
        keypoints = keypoints_at(track, frame)
        if keypoints is None:
            continue
        scale = image.shape[1] / camera.width_px
        small = Keypoints(keypoints.layout, keypoints.xy_px * scale, keypoints.sigma_px * scale, keypoints.score)
        shown.append(KeyFrame(frame, time_s, f"{time_s:.1f} s", draw_pose(image, small)))
    return tuple(shown[:: max(1, -(-len(shown) // 8))])


def write_annotated(
    recording: Recording,
    video: str | Path,
    path: Path,
    *,
    language: str = "en",
    anonymise: str = "no",
    seen: Sequence[KeypointTrack] = (),
    on_progress: Callable[[str, int, int | None], None] | None = None,
) -> None:
    """Read the video again and write it with skeletons, halos of sigma, and angles.

    It plays in the time of what was filmed, also where the video is in slow motion: its clock is that of the tables.

    Args:
        recording: what was measured.
        video: the same video.
        path: the file to write, ending in ``.mp4``.
        language: of the words in it; see `posepipe.texts.LANGUAGES`.
        anonymise: see `Config`.
        seen: everybody who was followed, for their faces; those of the recording if empty.
        on_progress: called with ("drawing", frames done, frames in all).

    Raises:
        MediaError: the video can't be read any more.
        OutputError: the file can't be written.
    """
    facts, say = recording.video, load_texts(language)
    followed = tuple(seen) or tuple(person.keypoints for person in recording.people)
    with (
        open_source(video, capture_fps_hz=facts.capture_fps_hz) as source,
        VideoWriter(path, facts.width_px, facts.height_px, facts.fps_hz) as writer,
    ):
        turn_deg = round(facts.rotation_deg - source.info.rotation_deg) % 360
        for frame in source:
            frame = replace(frame, image=turned_picture(frame.image, turn_deg))
            if frame.size_px != (facts.width_px, facts.height_px):
                continue
            if anonymise != "no":
                faces = faces_at(followed, frame.index, facts.fps_hz)
                frame = replace(frame, image=hide(frame.image, anonymise, faces))
            writer.write(_drawn(frame, recording, say), frame.time_s)
            if on_progress is not None:
                on_progress("drawing", frame.index + 1, facts.frames)


def _drawn(frame: Frame, recording: Recording, say: Texts) -> NDArray[np.uint8]:
    # One copy for everything: a picture has megabytes.
    image = picture_copy(frame.image)
    several = len(recording.people) > 1
    for person in recording.people:
        keypoints = keypoints_at(person.keypoints, frame.index)
        if keypoints is None:
            continue
        row = _row(person.keypoints, frame.index)
        assert row is not None
        paint_pose(image, keypoints, person=person.id if several else None)
        joints = {name.rpartition("_")[0]: say(name.rpartition("_")[0].replace("_", " ")) for name in SHOWN_ANGLES}
        paint_angles(image, keypoints, *_angles_at(person, row), joints)
    counts = [text for person in recording.people if (text := exercise_caption(person.exercise, frame.time_s, say))]
    paint_caption(image, [f"{frame.time_s:.2f} s", *counts[:3]])
    return image


def _angles_at(person: Person, row: int) -> tuple[dict[str, float], dict[str, float]]:
    columns = [(name, person.angles.names.index(name)) for name in SHOWN_ANGLES]
    deg = {name: float(person.angles.deg[row, column]) for name, column in columns}
    sigma = {name: float(person.angles.sigma_deg[row, column]) for name, column in columns}
    return deg, sigma
