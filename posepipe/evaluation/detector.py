"""How close one keypoint detector comes to another on the same clips.

BlazePose on ONNX Runtime is measured against MediaPipe's own graph with the same networks. They can't agree to the
last digit: MediaPipe's Python solution steadies its crop as if every clip had 30 frames a second, ours takes the
container's times; and where a limb is hidden, a difference of a hundredth of a pixel in the crop grows from frame to
frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posepipe.doctor import package_versions
from posepipe.errors import UsageError
from posepipe.keypoints import open_detector
from posepipe.media.sources import open_source
from posepipe.types import Keypoints

__all__ = ["compare_detectors", "distance_percent"]


def distance_percent(person: Keypoints, reference: Keypoints) -> NDArray[np.float64]:
    """Distance (J,) of each joint between two answers, in percent of the person's height.

    Height is the longer side of the box around the reference's joints: of a standing person her height in the
    picture, of a lying one her length.

    Raises:
        UsageError: the layouts differ.
    """
    if person.layout is not reference.layout:
        raise UsageError(f"can't compare {person.layout.name} with {reference.layout.name}")
    height_px = float(np.ptp(reference.xy_px, axis=0).max())
    gap: NDArray[np.float64] = np.linalg.norm(person.xy_px - reference.xy_px, axis=1) / max(height_px, 1.0) * 100.0
    return gap


def compare_detectors(
    videos: Sequence[Path],
    *,
    detector: str = "blazepose",
    reference: str = "mediapipe",
    max_frames: int | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Run two detectors over clips and compare their first person frame by frame.

    Args:
        videos: clips.
        detector: the one to judge; see `posepipe.keypoints.open_detector`.
        reference: the one to judge it by.
        max_frames: look only at the beginning of each clip.
        threads: for the detector's networks.

    Returns:
        ``{"metrics": {...}, "rows": [...], "versions": {...}}``; one row for each clip. Distances are in percent of
        the person's height, over all joints of all frames in which both found somebody; None where there is no such
        frame. ``median_percent`` among the metrics is the median over clips of the clips' medians.

    Raises:
        MediaError: a clip can't be read.
        ModelError: a detector's network can't be found or opened.
    """
    ours, theirs = open_detector(detector, threads=threads), open_detector(reference, threads=threads)
    rows = []
    for video in videos:
        first, second = ours.start(), theirs.start()
        found = reference_found = frames = 0
        gaps = []
        with open_source(video) as source:
            for frame in islice(source, max_frames):
                people, expected = first.step(frame), second.step(frame)
                frames += 1
                found += bool(people)
                reference_found += bool(expected)
                if people and expected:
                    gaps.append(distance_percent(people[0], expected[0]))
        first.close()
        second.close()
        gap = np.concatenate(gaps) if gaps else None
        rows.append(
            {
                "clip": Path(video).stem,
                "frames": frames,
                "found": found,
                "reference_found": reference_found,
                "median_percent": None if gap is None else float(np.median(gap)),
                "p95_percent": None if gap is None else float(np.percentile(gap, 95)),
            }
        )
    return {
        "metrics": _metrics(rows),
        "rows": rows,
        "versions": {"detector": detector, "reference": reference, **package_versions()},
    }


def _metrics(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | int | None]:
    medians = [row["median_percent"] for row in rows if row["median_percent"] is not None]
    tails = [row["p95_percent"] for row in rows if row["p95_percent"] is not None]
    return {
        "clips": len(rows),
        "frames": sum(row["frames"] for row in rows),
        "found": sum(row["found"] for row in rows),
        "reference_found": sum(row["reference_found"] for row in rows),
        "clips_found_less": sum(row["found"] < row["reference_found"] for row in rows),
        "median_percent": float(np.median(medians)) if medians else None,
        "worst_median_percent": float(np.max(medians)) if medians else None,
        "clips_within_half_percent": sum(median <= 0.5 for median in medians),
        "p95_percent": float(np.median(tails)) if tails else None,
    }
