"""The sample clip, made by ``posepipe train sample``, with its exact truth beside it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SAMPLE_HEIGHT_M", "SAMPLE_TRUTH", "SAMPLE_VIDEO"]

_FOLDER = Path(__file__).resolve().parent

SAMPLE_VIDEO = _FOLDER / "walk_and_squat.mp4"
SAMPLE_TRUTH = _FOLDER / "walk_and_squat_truth.npz"

SAMPLE_HEIGHT_M = 1.75
"""Height of the person in the clip."""
