"""Pictures with what was measured drawn on them: the annotated video and the report's key frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.media.draw import draw_angles, draw_caption, draw_pose
from posepipe.media.sources import open_source
from posepipe.media.thumbnails import Thumbnail
from posepipe.media.writer import VideoWriter
from posepipe.results.exercise_section import exercise_caption
from posepipe.results.recording import KeyFrame, Person, Recording
from posepipe.types import Camera, Frame, Keypoints, KeypointTrack

__all__ = ["key_frames", "keypoints_at", "write_annotated"]

SHOWN_ANGLES = ("left_knee_flexion", "right_knee_flexion", "left_elbow_flexion", "right_elbow_flexion")


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
    on_progress: Callable[[str, int, int | None], None] | None = None,
) -> None:
    """Read the video again and write it with skeletons, halos of sigma, and angles.

    Args:
        recording: what was measured.
        video: the same video.
        path: the file to write, ending in ``.mp4``.
        on_progress: called with ("drawing", frames done, frames in all).

    Raises:
        MediaError: the video can't be read any more.
        OutputError: the file can't be written.
    """
    facts = recording.video
    with (
        open_source(video) as source,
        VideoWriter(path, facts.width_px, facts.height_px, facts.fps_hz) as writer,
    ):
        for frame in source:
            if frame.size_px != (facts.width_px, facts.height_px):
                continue
            writer.write(_drawn(frame, recording), frame.time_s)
            if on_progress is not None:
                on_progress("drawing", frame.index + 1, facts.frames)


def _drawn(frame: Frame, recording: Recording) -> NDArray[np.uint8]:
    image = frame.image
    several = len(recording.people) > 1
    for person in recording.people:
        keypoints = keypoints_at(person.keypoints, frame.index)
        if keypoints is None:
            continue
        row = _row(person.keypoints, frame.index)
        assert row is not None
        image = draw_pose(image, keypoints, person=person.id if several else None)
        image = draw_angles(image, keypoints, *_angles_at(person, row))
    counts = [text for person in recording.people if (text := exercise_caption(person.exercise, frame.time_s))]
    return draw_caption(image, [f"{frame.time_s:.2f} s", *counts[:3]])


def _angles_at(person: Person, row: int) -> tuple[dict[str, float], dict[str, float]]:
    columns = [(name, person.angles.names.index(name)) for name in SHOWN_ANGLES]
    deg = {name: float(person.angles.deg[row, column]) for name, column in columns}
    sigma = {name: float(person.angles.sigma_deg[row, column]) for name, column in columns}
    return deg, sigma
