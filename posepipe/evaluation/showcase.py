"""The README's animation: the sample clip with its skeleton, and the same pose in 3D, turning.

python -m posepipe.evaluation.showcase docs/images/demo.gif
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.annotate import keypoints_at
from posepipe.media.atomic import atomic_path
from posepipe.media.draw import draw_pose
from posepipe.media.sources import open_source
from posepipe.pipeline import Config, Pipeline
from posepipe.results.recording import Person
from posepipe.samples import SAMPLE_HEIGHT_M, SAMPLE_VIDEO

__all__ = ["main", "panel", "write_gif"]

Image = NDArray[np.uint8]

_RATE_HZ = 10
_SIZE_PX = (480, 270)
_PANEL_PX = 270
_LEFT, _RIGHT, _MIDDLE = (178, 114, 0), (0, 94, 213), (90, 90, 90)
_DISC = (225, 225, 225)


def panel(person: Person, row: int, turn_deg: float) -> Image:
    """One pose seen from a camera that goes round it, on a light square; discs are two sigmas wide."""
    image = np.full((_PANEL_PX, _PANEL_PX, 3), 248, np.uint8)
    pose = person.pose
    angle = np.radians(turn_deg)
    x = pose.xyz_m[row, :, 0] * np.cos(angle) + pose.xyz_m[row, :, 2] * np.sin(angle)
    px = np.stack([x, pose.xyz_m[row, :, 1]], axis=1) * 125.0 + (_PANEL_PX / 2, _PANEL_PX / 2)
    for joint in np.flatnonzero(pose.valid[row]):
        cv2.circle(image, _point(px[joint]), max(1, round(2 * 125.0 * float(pose.sigma_m[row, joint]))), _DISC, -1)
    for a, b in pose.layout.edge_indices:
        if pose.valid[row, a] and pose.valid[row, b]:
            names = pose.layout.joints[a] + pose.layout.joints[b]
            color = _LEFT if "left" in names else _RIGHT if "right" in names else _MIDDLE
            cv2.line(image, _point(px[a]), _point(px[b]), color, 3, cv2.LINE_AA)
    return image


def _point(xy: NDArray[np.float32]) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))


def write_gif(images: Iterable[Image], path: Path, rate_hz: int) -> None:
    """Write pictures of one size as an animated GIF with a palette of its own.

    Raises:
        OutputError: the path can't be written.
    """
    frames = [av.VideoFrame.from_ndarray(image, format="bgr24") for image in images]
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frames[0].width, height=frames[0].height, format="bgr24", time_base=Fraction(1, rate_hz)
    )
    split, palette, use, sink = (graph.add(name) for name in ("split", "palettegen", "paletteuse", "buffersink"))
    source.link_to(split)
    split.link_to(palette, 0, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    for i, frame in enumerate(frames):
        frame.pts, frame.time_base = i, Fraction(1, rate_hz)
        source.push(frame)
    source.push(None)
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="gif") as container:
        stream = container.add_stream("gif", rate=rate_hz)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "pal8"
        for _ in frames:
            container.mux(stream.encode(sink.pull()))
        container.mux(stream.encode(None))


def _pictures() -> Iterator[Image]:
    recording = Pipeline(Config(height_m=SAMPLE_HEIGHT_M)).run(SAMPLE_VIDEO)
    person = recording.people[0]
    with open_source(SAMPLE_VIDEO) as source:
        for frame in source:
            keypoints = keypoints_at(person.keypoints, frame.index)
            if frame.index % (30 // _RATE_HZ) or keypoints is None:
                continue
            row = int(np.searchsorted(person.keypoints.frame, frame.index))
            drawn = cv2.resize(draw_pose(frame.image, keypoints), _SIZE_PX, interpolation=cv2.INTER_AREA)
            turned = panel(person, row, 50.0 * np.sin(frame.time_s * 0.8))
            yield np.ascontiguousarray(np.hstack([drawn, turned]), dtype=np.uint8)


def main(path: str) -> None:
    """Make the animation."""
    write_gif(_pictures(), Path(path), _RATE_HZ)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/images/demo.gif")
