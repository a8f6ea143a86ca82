"""The movements posepipe names: the contract's labels."""

from __future__ import annotations

__all__ = ["EXERCISES", "LABELS", "OTHER", "WALKING"]

EXERCISES = (
    "squat", "push_up", "shoulder_press", "bicep_curl", "lunge", "jumping_jack", "deadlift", "sit_up", "pull_up",
    "lateral_raise", "front_raise", "plank",
)  # fmt: skip
WALKING = "walking"
OTHER = "other"
LABELS = (*EXERCISES, WALKING, OTHER)
"""Order of every array with a label axis."""
