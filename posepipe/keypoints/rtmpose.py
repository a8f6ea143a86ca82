"""RTMPose, for users who bring the weights: any SimCC network with 17 (COCO) or 26 (Halpe) keypoints.

Jiang et al., RTMPose (2023); SimCC: Li et al. (ECCV 2022). People are found by BlazePose's person detector, then
followed by the box around their own keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError, UsageError
from posepipe.inference import open_session
from posepipe.keypoints.blazepose_models import from_wheel
from posepipe.keypoints.finder import PersonFinder
from posepipe.keypoints.roi import Roi
from posepipe.keypoints.sigma import SigmaConstants, SigmaFeatures, pixel_sigma
from posepipe.skeleton import COCO17, HALPE26, Layout
from posepipe.types import Frame, Keypoints

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["Box", "RTMPose", "RTMPoseStream", "SimCC", "read_simcc"]

FloatArray = NDArray[np.float32]

_LAYOUTS = {17: COCO17, 26: HALPE26}
_MEAN = (123.675, 116.28, 103.53)
_STD = (58.395, 57.12, 57.375)
_BETA = 10.0  # sharpness of the softmax that RTMPose is trained with
_CELL_PX = 4.0  # input pixels in one cell of the sigma formula, as in BlazePose's heat maps
_SIMCC_SIGMA = SigmaConstants(blur=0.25)
_PADDING = 1.25
_MIN_SCORE = 0.3
_SMALLEST_PX = 16


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle in the picture, with the network's aspect ratio."""

    x_px: float
    y_px: float
    width_px: float
    height_px: float

    @classmethod
    def around(cls, low_px: FloatArray, high_px: FloatArray, aspect: float) -> Box:
        """Box with a margin around corners (2,), widened or heightened to width / height = `aspect`."""
        width, height = (float(side) for side in np.maximum(high_px - low_px, 1.0) * _PADDING)
        width, height = max(width, height * aspect), max(height, width / aspect)
        x, y = (float(middle) for middle in (low_px + high_px) / 2.0)
        return cls(x, y, width, height)

    def crop(self, image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
        """Cut the box out of a picture (H, W, 3); black outside."""
        scale = self.width_px / width
        matrix = np.array(
            [
                [scale, 0.0, self.x_px - self.width_px / 2.0],
                [0.0, scale, self.y_px - self.height_px / 2.0],
            ]
        )
        return cv2.warpAffine(  # type: ignore[return-value]
            image, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )


def read_simcc(simcc: FloatArray, size: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Decode one axis.

    Args:
        simcc: (K, B) scores of B bins along the axis.
        size: pixels along the axis.

    Returns:
        Coordinate (K,) in input pixels, score (K,), and root mean square spread (K,) in input pixels.
    """
    bins_per_px = simcc.shape[1] / size
    best = simcc.argmax(axis=1)
    score = np.take_along_axis(simcc, best[:, None], axis=1)[:, 0]
    # Rivals of the best bin count, the flat floor of hundreds of bins doesn't.
    weight = np.exp(_BETA * (simcc - score[:, None])) * (simcc >= 0.5 * score[:, None])
    weight[np.arange(len(best)), best] = 1.0
    offset = np.arange(simcc.shape[1]) - best[:, None]
    spread = np.sqrt((weight * offset**2).sum(axis=1) / weight.sum(axis=1))
    return (
        (best / bins_per_px).astype(np.float32),
        score.astype(np.float32),
        (spread / bins_per_px).astype(np.float32),
    )


class SimCC:
    """The network with its pre- and post-processing; no memory between calls.

    Args:
        path: ONNX file, input (n, 3, H, W), outputs (n, K, bins) for x and for y.
        threads: see `posepipe.inference.open_session`.

    Raises:
        ModelError: the file can't be used, or isn't such a network.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._session: InferenceSession = open_session(path, threads=threads)
        shape = self._session.get_inputs()[0].shape
        outputs = self._session.get_outputs()
        hint = "Name an RTMPose network with SimCC outputs and 17 or 26 keypoints"
        if len(shape) != 4 or shape[1] != 3 or not all(isinstance(side, int) for side in shape[2:]):
            raise ModelError(f"its input {shape} isn't (n, 3, height, width)", where=str(path), hint=hint)
        if len(outputs) != 2 or any(len(output.shape) != 3 for output in outputs):
            raise ModelError("it has no two SimCC outputs", where=str(path), hint=hint)
        keypoints = outputs[0].shape[1]
        if keypoints not in _LAYOUTS:
            raise ModelError(f"it has {keypoints} keypoints", where=str(path), hint=hint)
        self.layout: Layout = _LAYOUTS[keypoints]
        self.height, self.width = int(shape[2]), int(shape[3])
        self._input = self._session.get_inputs()[0].name
        names = [output.name for output in outputs]
        # Exports call them simcc_x and simcc_y; otherwise x comes first.
        self._outputs = sorted(names) if set(names) == {"simcc_x", "simcc_y"} else names

    @property
    def aspect(self) -> float:
        """Width over height of the input."""
        return self.width / self.height

    def keypoints(self, image: NDArray[np.uint8], box: Box) -> Keypoints:
        """Keypoints of the person in a box of a picture (H, W, 3) BGR; presence is their mean score."""
        crop = box.crop(image, self.width, self.height)
        rgb = (crop[:, :, ::-1] - np.array(_MEAN, np.float32)) / np.array(_STD, np.float32)
        tensor = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32)
        simcc_x, simcc_y = self._session.run(self._outputs, {self._input: tensor})
        x, score_x, spread_x = read_simcc(simcc_x[0], self.width)
        y, score_y, spread_y = read_simcc(simcc_y[0], self.height)
        scale = box.width_px / self.width
        corner = np.array([box.x_px - box.width_px / 2.0, box.y_px - box.height_px / 2.0], np.float32)
        score = np.clip(np.minimum(score_x, score_y), 0.0, 1.0)
        spread = np.sqrt((spread_x**2 + spread_y**2) / 2.0) / _CELL_PX
        features = SigmaFeatures(score, spread, score, np.ones_like(score), scale * _CELL_PX)
        xy_px = np.stack([x, y], axis=1) * np.float32(scale) + corner
        return Keypoints(
            self.layout,
            xy_px.astype(np.float32),
            pixel_sigma(features, _SIMCC_SIGMA),
            score,
            float(score.mean()),
        )


class RTMPose:
    """RTMPose detector with a network of the user's.

    Args:
        path: ONNX file.
        max_people: follow at most so many.
        threads: threads for each network; see `posepipe.inference.open_session`.
        min_presence: mean score from which it is a person.
        redetect_s: time between looks for further people while at least one is followed.

    Raises:
        UsageError: fewer than one person.
        ModelError: the file isn't such a network.
    """

    name = "rtmpose"

    def __init__(
        self,
        path: Path,
        *,
        max_people: int = 1,
        threads: int | None = None,
        min_presence: float = _MIN_SCORE,
        redetect_s: float = 1.0,
    ) -> None:
        if max_people < 1:
            raise UsageError(f"max_people is {max_people}", hint="Give 1 or more")
        self.max_people = max_people
        self.threads = threads
        self.min_presence = min_presence
        self.redetect_s = redetect_s
        self.network = SimCC(path, threads)
        self._finder: PersonFinder | None = None

    @property
    def layout(self) -> Layout:
        """COCO17 or HALPE26, as the network has it."""
        return self.network.layout

    def start(self) -> RTMPoseStream:
        """A fresh stream.

        Raises:
            ModelError: BlazePose's person detector can't be found or translated.
        """
        if self._finder is None:
            self._finder = PersonFinder(from_wheel().onnx_detector(), self.threads)
        return RTMPoseStream(self.network, self._finder, self)


class RTMPoseStream:
    """RTMPose at work on one clip."""

    def __init__(self, network: SimCC, finder: PersonFinder, settings: RTMPose) -> None:
        self._network = network
        self._finder = finder
        self._settings = settings
        self._people: tuple[Keypoints, ...] = ()
        self._looked_s = -np.inf

    def step(self, frame: Frame) -> tuple[Keypoints, ...]:
        """People in the next frame, the surest first."""
        self._people = self._find(frame) if min(frame.size_px) >= _SMALLEST_PX else ()
        return self._people

    def close(self) -> None:
        """Forget the clip."""
        self._people = ()

    def _find(self, frame: Frame) -> tuple[Keypoints, ...]:
        people: list[Keypoints] = []
        for before in self._people:
            self._keep(people, self._network.keypoints(frame.image, self._box(before)))
        most = self._settings.max_people
        waited = frame.time_s - self._looked_s >= self._settings.redetect_s
        if not people or (len(people) < most and waited):
            self._looked_s = frame.time_s
            for _, roi in self._finder.detect(frame.image):
                if len(people) >= most:
                    break
                # A second look, at the box around the keypoints of the first, which is tighter.
                first = self._network.keypoints(frame.image, self._box_of_roi(roi))
                self._keep(people, self._network.keypoints(frame.image, self._box(first)))
        return tuple(sorted(people, key=lambda person: -person.presence))

    def _keep(self, people: list[Keypoints], person: Keypoints) -> None:
        """Add a person, unless it is none or one that is there already."""
        if person.presence < self._settings.min_presence:
            return
        size_px = float(np.ptp(person.xy_px, axis=0).max())
        for other in people:
            if np.linalg.norm(person.xy_px - other.xy_px, axis=1).mean() < 0.1 * size_px:
                return
        people.append(person)

    def _box(self, person: Keypoints) -> Box:
        sure = person.score >= _MIN_SCORE
        xy_px = person.xy_px[sure] if sure.sum() >= 2 else person.xy_px
        return Box.around(xy_px.min(axis=0), xy_px.max(axis=0), self._network.aspect)

    def _box_of_roi(self, roi: Roi) -> Box:
        half = np.array([self._network.aspect, 1.0], np.float32) * roi.size_px / (2.0 * _PADDING)
        centre = np.array([roi.x_px, roi.y_px], np.float32)
        return Box.around(centre - half, centre + half, self._network.aspect)
