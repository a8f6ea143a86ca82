"""BlazePose and the lifter on the bundle's networks, whose graphs hold what the pipeline does around its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporters.edge.runner_models import Models
from posepipe.errors import UsageError
from posepipe.keypoints.blazepose import Person, read_person
from posepipe.keypoints.finder import Area, detect
from posepipe.keypoints.roi import Roi
from posepipe.lifting.lifter import Lifter

__all__ = ["EdgeLifter", "EdgeNetworks", "Settings"]

FloatArray = NDArray[np.float32]

_CROP_PX = 256


@dataclass(frozen=True, slots=True)
class Settings:
    """What `BlazePoseStream` asks of its settings.

    Attributes:
        max_people: follow at most so many.
        min_score, min_presence, min_new_presence, redetect_s: see `posepipe.keypoints.blazepose.BlazePose`.
    """

    max_people: int = 1
    min_score: float = 0.5
    min_presence: float = 0.5
    min_new_presence: float = 0.0
    redetect_s: float = 1.0


class EdgeNetworks:
    """The two networks of the detector, with the pipeline's own decoding; see `posepipe.keypoints.blazepose.Networks`.

    Attributes:
        finder: itself; it is also what `posepipe.keypoints.finder.PersonFinder` is to the pipeline.
    """

    def __init__(self, models: Models) -> None:
        self.finder = self
        self._detector = models.open("detector")
        self._landmarks = models.open("landmarks")

    def detect(
        self, image: NDArray[np.uint8], min_score: float = 0.5, area: Area | None = None
    ) -> tuple[tuple[float, Roi], ...]:
        """People in a picture; see `posepipe.keypoints.finder.detect`."""
        return detect(self._run, image, min_score, area)

    def _run(self, square: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        boxes, logits = self._detector.run(["boxes", "scores"], {"image": square[None]})
        return boxes, logits

    def landmarks(self, image: NDArray[np.uint8], roi: Roi) -> Person:
        """Landmarks of the person in a region of interest, without MediaPipe's own 3D guess."""
        crop = roi.crop(image, _CROP_PX)
        raw, presence, maps = self._landmarks.run(["landmarks", "presence", "heatmaps"], {"image": crop[None]})
        return read_person(raw, float(presence[0, 0]), maps, roi)


class EdgeLifter(Lifter):
    """The lifter; encoding, turning back and calibration are part of its graph."""

    def __init__(self, models: Models) -> None:
        self._session = models.open("lifter")

    def lift_rays(
        self,
        rays: FloatArray,
        ray_sigma: FloatArray,
        valid: NDArray[np.bool_],
        focal_assumed: NDArray[np.bool_],
        *,
        independent: bool = False,
    ) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        """As `posepipe.lifting.lifter.Lifter.lift_rays`; the graph holds sigma for a detector's keypoints only.

        Raises:
            UsageError: sigma for independent keypoints is asked for.
        """
        if independent:
            raise UsageError("the edge lifter knows sigma for a detector's keypoints only")
        feeds = {"rays": np.nan_to_num(rays), "ray_sigma": np.nan_to_num(ray_sigma, nan=1.0), "valid": valid}
        found = [
            self._session.run(
                ["xyz_m", "sigma_m", "usable"],
                {name: value[i : i + 1] for name, value in feeds.items()} | {"focal_assumed": focal_assumed[i : i + 1]},
            )
            for i in range(len(rays))
        ]
        xyz, sigma, usable = (np.concatenate(part) for part in zip(*found, strict=True))
        return xyz, sigma, usable
