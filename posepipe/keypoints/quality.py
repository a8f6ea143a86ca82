"""Quality as one choice: which of BlazePose's landmark networks looks, and how often."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

from posepipe.errors import ModelError, UsageError
from posepipe.keypoints.blazepose_models import get_command, have_blazepose

__all__ = ["QUALITIES", "decided_quality", "detector_of", "looks_hz"]

_DETECTOR: Mapping[str, str] = {"fast": "blazepose", "standard": "blazepose", "best": "blazepose:heavy"}
_LOOKS_HZ: Mapping[str, float] = {"fast": 15.0, "best": 15.0}
"""So many looks a second will do in a film: movement above 6 Hz is smoothed away, and twice that has to be seen.
Measured in `docs/accuracy.md`, Quality."""
QUALITIES = ("auto", *_DETECTOR)
"""From what is at hand, then from fast to sharp."""


def decided_quality(quality: str, *, live: bool = False) -> str:
    """A quality with "auto" decided.

    It is what ``POSEPIPE_QUALITY`` says; else "best" where the heavy network has been fetched and nobody waits for the
    next picture, "standard" elsewhere.

    Args:
        quality: one of `QUALITIES`.
        live: whether pictures have to be kept up with.

    Raises:
        UsageError: no quality of that name.
    """
    if quality == "auto":
        quality = os.environ.get("POSEPIPE_QUALITY") or "auto"
    if quality not in QUALITIES:
        raise UsageError(f"quality {quality!r}", hint=f"Valid: {', '.join(QUALITIES)}")
    if quality != "auto":
        return quality
    return "best" if not live and have_blazepose("heavy") else "standard"


def detector_of(quality: str) -> str:
    """The detector, as `posepipe.keypoints.open_detector` takes it, of a quality that isn't "auto".

    Raises:
        ModelError: its network hasn't been fetched; the hint names the command that does it.
    """
    name = _DETECTOR[quality]
    _, _, network = name.partition(":")
    if network and not have_blazepose(network):
        raise ModelError(
            f"quality {quality!r} needs BlazePose's network {network!r}, which isn't on this machine yet",
            where="quality",
            hint=f"Fetch it once: {get_command(network)}; or choose standard",
        )
    return name


def looks_hz(quality: str) -> float:
    """How many looks a second will do in a film; infinite where every frame is looked at."""
    return _LOOKS_HZ.get(quality, math.inf)
