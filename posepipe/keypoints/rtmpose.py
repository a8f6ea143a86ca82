"""A pose network of the user's: top-down, with the 17 keypoints of COCO or the 26 of Halpe, as ONNX.

It answers with SimCC (RTMPose: Jiang et al. 2023; SimCC: Li et al., ECCV 2022) or with heat maps (SimpleBaseline: Xiao
et al., ECCV 2018; HRNet, ViTPose). People are found by BlazePose's person detector, then followed by the box around
their own keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import ModelError, UsageError
from posepipe.inference import open_session
from posepipe.keypoints.blazepose_models import blazepose_files
from posepipe.keypoints.finder import PersonFinder
from posepipe.keypoints.roi import Roi
from posepipe.keypoints.sigma import SigmaConstants, SigmaFeatures, pixel_sigma
from posepipe.settings import setting
from posepipe.skeleton import COCO17, HALPE26, Layout
from posepipe.types import Frame, Keypoints

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = [
    "RTMPOSE", "Box", "PoseNetwork", "RTMPose", "RTMPoseSettings", "RTMPoseStream", "read_heatmaps", "read_simcc",
]  # fmt: skip

FloatArray = NDArray[np.float32]

_LAYOUTS = {17: COCO17, 26: HALPE26}
_MEAN = (123.675, 116.28, 103.53)
"""Of ImageNet's colours, as these networks are trained."""
_STD = (58.395, 57.12, 57.375)
"""Their standard deviation."""
_BETA = 10.0
"""Sharpness of the softmax that RTMPose is trained with."""
_CELL_PX = 4.0
"""Input pixels in one cell of the sigma formula, as in BlazePose's heat maps."""
_SIMCC_SIGMA = SigmaConstants(blur=0.25)
_MAP_SIGMA = SigmaConstants(blur=2.0)
"""Heat maps are taught as Gaussians of two cells."""
_MAP_REACH = 6
"""Cells on each side of a heat map's peak that count for its spread: three of those sigmas."""
_PADDING = 1.25
"""A box's side over that of the box around the keypoints; as RTMPose is trained."""
_SMALLEST_PX = 16
"""In a smaller picture nobody is looked for."""


@dataclass(frozen=True, slots=True)
class RTMPoseSettings:
    """Thresholds of following people."""

    min_presence: float = setting(0.3, "mean score from which it is a person", source="judgement")
    min_score: float = setting(0.3, "score of the joints that a person's box is drawn around", source="judgement")
    redetect_s: float = setting(1.0, "time between looks for more than those followed", unit="s", source="judgement")
    same_person: float = setting(0.1, "two answers that are nearer, in box sides, mean one body", source="judgement")


RTMPOSE = RTMPoseSettings()


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


def read_heatmaps(maps: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Decode heat maps: a parabola through the logarithms beside the peak (a Gaussian's middle, exactly).

    Args:
        maps: (K, H, W), about 0 to 1.

    Returns:
        Coordinate (K, 2) in cells, score (K,), and root mean square spread along one axis (K,) in cells.
    """
    joints, height, width = maps.shape
    best = maps.reshape(joints, -1).argmax(axis=1)
    at = np.stack([best % width, best // width], axis=1)
    every = np.arange(joints)
    score = maps[every, at[:, 1], at[:, 0]]
    padded = np.pad(np.log(np.maximum(maps, 1e-6)), ((0, 0), (1, 1), (1, 1)), mode="edge")
    row, column = at[:, 1] + 1, at[:, 0] + 1
    shift = np.zeros((joints, 2), np.float32)
    middle = padded[every, row, column]
    for axis, (down, right) in enumerate(((0, 1), (1, 0))):
        low, high = padded[every, row - down, column - right], padded[every, row + down, column + right]
        bend = low + high - 2.0 * middle
        shift[:, axis] = np.where(bend < -1e-6, np.clip(0.5 * (low - high) / np.minimum(bend, -1e-6), -0.5, 0.5), 0.0)
    xy = at + shift
    offset_x, offset_y = np.arange(width) - xy[:, :1], np.arange(height) - xy[:, 1:]
    near = (np.abs(offset_y) <= _MAP_REACH)[:, :, None] & (np.abs(offset_x) <= _MAP_REACH)[:, None, :]
    heat = np.where(near, np.maximum(maps, 0.0), 0.0)
    square = np.einsum("jyx,jx->j", heat, offset_x**2) + np.einsum("jyx,jy->j", heat, offset_y**2)
    spread = np.sqrt(square / (2.0 * np.maximum(heat.sum(axis=(1, 2)), 1e-6)))
    return xy.astype(np.float32), score.astype(np.float32), spread.astype(np.float32)


class PoseNetwork:
    """The network with its pre- and post-processing; no memory between calls.

    Args:
        path: ONNX file. Input (n, 3, H, W): RGB, with ImageNet's mean and standard deviation. Outputs: SimCC (n, K,
            bins) for x and for y, or heat maps (n, K, h, w); K is 17 or 26.
        threads: see `posepipe.inference.open_session`.

    Raises:
        ModelError: the file can't be used, or isn't such a network.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._session: InferenceSession = open_session(path, threads=threads)
        shape = self._session.get_inputs()[0].shape
        hint = "Name a top-down pose network with 17 (COCO) or 26 (Halpe) keypoints, as SimCC or as heat maps"
        if len(shape) != 4 or shape[1] != 3 or not all(isinstance(side, int) for side in shape[2:]):
            raise ModelError(f"its input {shape} isn't (n, 3, height, width)", where=str(path), hint=hint)
        self.height, self.width = int(shape[2]), int(shape[3])
        self._input = self._session.get_inputs()[0].name
        shapes = self._output_shapes()
        if sorted(map(len, shapes.values())) not in ([3, 3], [4]):
            what = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ModelError(f"its outputs ({what}) are neither SimCC nor heat maps", where=str(path), hint=hint)
        # Exports call them simcc_x and simcc_y; otherwise x comes first.
        self._outputs = sorted(shapes) if set(shapes) == {"simcc_x", "simcc_y"} else list(shapes)
        keypoints = shapes[self._outputs[0]][1]
        if keypoints not in _LAYOUTS:
            raise ModelError(f"it has {keypoints} keypoints", where=str(path), hint=hint)
        self.layout: Layout = _LAYOUTS[keypoints]

    def _output_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every output; where the file leaves sizes free, by asking the network once."""
        outputs = self._session.get_outputs()
        if all(isinstance(side, int) for output in outputs for side in output.shape[1:]):
            return {output.name: tuple(output.shape) for output in outputs}
        blank = np.zeros((1, 3, self.height, self.width), np.float32)
        found: list[NDArray[Any]] = self._session.run(None, {self._input: blank})
        return {output.name: value.shape for output, value in zip(outputs, found, strict=True)}

    @property
    def aspect(self) -> float:
        """Width over height of the input."""
        return self.width / self.height

    def keypoints(self, image: NDArray[np.uint8], box: Box) -> Keypoints:
        """Keypoints of the person in a box of a picture (H, W, 3) BGR; presence is their mean score."""
        crop = box.crop(image, self.width, self.height)
        rgb = (crop[:, :, ::-1] - np.array(_MEAN, np.float32)) / np.array(_STD, np.float32)
        tensor = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32)
        answer = self._session.run(self._outputs, {self._input: tensor})
        scale = box.width_px / self.width
        if len(answer) == 2:
            xy, score, spread = self._simcc(*answer)
            cell_px, constants = _CELL_PX, _SIMCC_SIGMA
        else:
            cells, score, spread = read_heatmaps(answer[0][0])
            cell_px, constants = self.width / answer[0].shape[3], _MAP_SIGMA
            xy = cells * np.array([cell_px, self.height / answer[0].shape[2]], np.float32)
        score = np.clip(score, 0.0, 1.0)
        features = SigmaFeatures(score, spread, score, np.ones_like(score), scale * cell_px)
        corner = np.array([box.x_px - box.width_px / 2.0, box.y_px - box.height_px / 2.0], np.float32)
        xy_px = (xy * np.float32(scale) + corner).astype(np.float32)
        return Keypoints(self.layout, xy_px, pixel_sigma(features, constants), score, float(score.mean()))

    def _simcc(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coordinate (K, 2) in input pixels, score (K,), spread (K,) in cells."""
        column, score_x, spread_x = read_simcc(x[0], self.width)
        row, score_y, spread_y = read_simcc(y[0], self.height)
        spread = np.sqrt((spread_x**2 + spread_y**2) / 2.0) / _CELL_PX
        return np.stack([column, row], axis=1), np.minimum(score_x, score_y), spread


class RTMPose:
    """Detector with a pose network of the user's, such as RTMPose.

    Args:
        path: ONNX file.
        max_people: follow at most so many.
        threads: threads for each network; see `posepipe.inference.open_session`.
        settings: thresholds.

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
        settings: RTMPoseSettings = RTMPOSE,
    ) -> None:
        if max_people < 1:
            raise UsageError(f"max_people is {max_people}", hint="Give 1 or more")
        self.max_people = max_people
        self.threads = threads
        self.settings = settings
        self.network = PoseNetwork(path, threads)
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
            self._finder = PersonFinder(blazepose_files().onnx_detector(), self.threads)
        return RTMPoseStream(self.network, self._finder, self.max_people, self.settings)


class RTMPoseStream:
    """A user's network at work on one clip."""

    def __init__(self, network: PoseNetwork, finder: PersonFinder, max_people: int, settings: RTMPoseSettings) -> None:
        self._network = network
        self._finder = finder
        self._max_people = max_people
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
        most = self._max_people
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
            if np.linalg.norm(person.xy_px - other.xy_px, axis=1).mean() < self._settings.same_person * size_px:
                return
        people.append(person)

    def _box(self, person: Keypoints) -> Box:
        sure = person.score >= self._settings.min_score
        xy_px = person.xy_px[sure] if sure.sum() >= 2 else person.xy_px
        return Box.around(xy_px.min(axis=0), xy_px.max(axis=0), self._network.aspect)

    def _box_of_roi(self, roi: Roi) -> Box:
        half = np.array([self._network.aspect, 1.0], np.float32) * roi.size_px / (2.0 * _PADDING)
        centre = np.array([roi.x_px, roi.y_px], np.float32)
        return Box.around(centre - half, centre + half, self._network.aspect)
