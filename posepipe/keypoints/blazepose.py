"""BlazePose on ONNX Runtime: person detector, landmark network, tracking by region of interest.

Follows MediaPipe's graph ``pose_landmark_cpu`` (0.10.21, smoothing off), and adds several people, a fresh look in the
same frame when a person is lost, and a pixel sigma for each keypoint.
Bazarevsky et al., BlazePose: On-device Real-time Body Pose Tracking (2020).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from posepipe.errors import UsageError
from posepipe.inference import open_session
from posepipe.keypoints.blazepose_models import NETWORKS, BlazePoseFiles, blazepose_files, from_task
from posepipe.keypoints.finder import Area, PersonFinder, areas, sigmoid, tiles
from posepipe.keypoints.roi import Roi, Steady, steady
from posepipe.keypoints.sigma import SigmaFeatures, capped_sigma
from posepipe.settings import setting
from posepipe.skeleton import BLAZEPOSE33, Layout
from posepipe.types import Frame, Keypoints

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = [
    "BLAZEPOSE", "BlazePose", "BlazePoseSettings", "BlazePoseStream", "Networks", "Person", "closer_for", "read_person",
    "refine",
]  # fmt: skip

FloatArray = NDArray[np.float32]

_CROP_PX = 256
"""Side of the landmark network's input."""
_MAP_CELLS = 64
"""Side of a heat map."""
_LANDMARKS = 39
"""33 joints, 2 points for the next region of interest, 4 unused."""
_HIPS, _BODY_END = 33, 34
"""The two points for the next region of interest, among the landmarks."""
_SMALLEST_PX = 16
"""In a smaller picture nobody is looked for."""
_REFINE_REACH = 4
"""Cells on each side of a landmark: a window of 9, MediaPipe's."""
_SPREAD_REACH = 8
"""Wide enough for a second hypothesis of the same joint."""
_MIN_PEAK = 0.5
"""Heat from which a landmark is moved; MediaPipe's."""
_TORSO = np.array(BLAZEPOSE33.indices("left_shoulder", "right_shoulder", "left_hip", "right_hip"))

_MEDIAPIPE = "MediaPipe's pose_landmark_cpu 0.10.21"


@dataclass(frozen=True, slots=True)
class BlazePoseSettings:
    """Thresholds of finding and following people. Lengths are in sides of a region of interest."""

    min_score: float = setting(0.5, "the detector's score from which a candidate is looked at", source=_MEDIAPIPE)
    min_presence: float = setting(0.5, "the landmark network's presence from which it is a person", source=_MEDIAPIPE)
    min_new_presence: float = setting(
        0.0,
        "presence of the keypoints from which somebody is begun with",
        source="none in MediaPipe; 0.5 takes a third of the false people out of an empty scene, "
        "and a few frames of people half hidden",
    )
    redetect_s: float = setting(0.5, "time between looks for more than those followed", unit="s", source="judgement")
    missed_s: float = setting(1.0, "somebody lost is looked for oftener for so long", unit="s", source="judgement")
    again_s: float = setting(0.1, "time between those looks", unit="s", source="judgement")
    trail_s: float = setting(
        0.5,
        "way and speed of somebody lost are those of so long before: at last the look had strayed to whoever hid them",
        unit="s",
        source="judgement: two who meet cover each other for half a second",
    )
    sure_presence: float = setting(0.9, "presence to begin with somebody in a part of the picture", source="judgement")
    sure_score: float = setting(0.7, "and the mean score of the joints", source="judgement")
    same_place: float = setting(0.1, "two regions whose hips are nearer stand on one body", source="judgement")
    same_person: float = setting(0.05, "two answers whose trunks are nearer mean one body", source="judgement")
    closer: float = setting(
        1.1,
        "how much closer than MediaPipe's graph does heavy looks",
        source="rendered people: keypoints 6, 6 and 1 % nearer in three batches, each within chance; 1.2 gains none, "
        "1.35 loses a third, a second look besides gains no more; with full 2 % on training subjects, and no 3D",
    )
    nobody_new: float = setting(
        0.1, "who is found nearer to somebody followed is nobody new", source="set on a filmed squat with two answers"
    )


BLAZEPOSE = BlazePoseSettings()


def closer_for(network: str, settings: BlazePoseSettings = BLAZEPOSE) -> float:
    """How much smaller than the region of interest the square is that a landmark network looks at."""
    return settings.closer if network == "heavy" else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """All that the landmark network says about one region of interest.

    Attributes:
        keypoints: the 33 landmarks in the picture; their presence is `presence` times the mean score of the surer half
            of the joints. It separates people from furniture better, and a body half out of the picture doesn't suffer.
        presence: the landmark network's own.
        features: what the sigmas were made of.
        roi: where it looked.
        body_px: (2, 2) hips and end of the body's circle, which the next region of interest stands on.
        world_m: (33, 3) MediaPipe's own guess in metres: hips at the origin, x right, y down, z away; None if the
            network wasn't asked for it.
    """

    keypoints: Keypoints
    presence: float
    features: SigmaFeatures
    roi: Roi
    body_px: FloatArray
    world_m: FloatArray | None = None


class Networks:
    """The two networks with their pre- and post-processing; no memory between calls.

    Attributes:
        finder: the person detector.

    Args:
        detector: ONNX content of the person detector.
        landmarks: ONNX content of the landmark network.
        threads: see `posepipe.inference.open_session`.
        closer: the landmark network looks at a square so much smaller than the region of interest.

    Raises:
        ModelError: ONNX Runtime can't use a network.
    """

    def __init__(self, detector: bytes, landmarks: bytes, threads: int | None = None, closer: float = 1.0) -> None:
        self._closer = closer
        # Side by side: opening takes as long as a dozen pictures, and nothing can be watched before.
        with ThreadPoolExecutor(1) as aside:
            finder = aside.submit(PersonFinder, detector, threads)
            self._landmarks: InferenceSession = open_session(landmarks, threads=threads)
            self.finder = finder.result()

    def landmarks(self, image: NDArray[np.uint8], roi: Roi) -> Person:
        """Landmarks of the person in a region of interest of a picture (H, W, 3) BGR.

        There is always an answer; its presence tells whether there was a person.
        """
        roi = replace(roi, size_px=roi.size_px / self._closer)
        crop = roi.crop(image, _CROP_PX)
        tensor = cv2.dnn.blobFromImage(crop, 1.0 / 255.0, swapRB=True)
        raw, presence, maps, world = self._landmarks.run(
            ["landmarks", "presence", "heatmaps", "world"], {"image": tensor}
        )
        person = read_person(raw, float(presence[0, 0]), maps, roi)
        return replace(person, world_m=_upright(world.reshape(_LANDMARKS, 3)[:33], roi.angle_rad))


def read_person(raw: FloatArray, presence: float, maps: FloatArray, roi: Roi) -> Person:
    """What the landmark network's outputs say.

    Args:
        raw: (1, 195) landmarks.
        presence: the network's.
        maps: (1, 39, 64, 64) heat maps.
        roi: where it looked.
    """
    table = raw.reshape(_LANDMARKS, 5)
    points, peak, spread = refine(table[:, :2] / np.float32(_CROP_PX), maps[0])
    xy_px = roi.to_picture(points)
    confidence = sigmoid(table[:33, 3:5])
    score = confidence[:, 0] * confidence[:, 1]
    features = SigmaFeatures(peak[:33], spread[:33], confidence[:, 0], confidence[:, 1], roi.size_px / _MAP_CELLS)
    keypoints = Keypoints(BLAZEPOSE33, xy_px[:33], capped_sigma(features), score, presence * _clear_half(score))
    return Person(keypoints, presence, features, roi, xy_px[[_HIPS, _BODY_END]])


def refine(points: FloatArray, logits: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Move landmarks to the centre of gravity of their heat map's neighbourhood.

    As MediaPipe does it: mean over a 9 by 9 window around the landmark, only if the window's peak reaches one half;
    a cell's coordinate is its upper left corner; a landmark outside the map stays.

    Args:
        points: (J, 2) as fractions of the crop.
        logits: (J, H, W) heat maps before the sigmoid.

    Returns:
        The refined points (J, 2); the peak (J,) of the window in [0, 1]; and the spread (J,): root mean square distance
        along one axis, in cells, of the heat within 8 cells from the refined point. The spread is NaN, the peak 0,
        for a landmark outside the map.
    """
    joints, height, width = logits.shape
    size = np.array([width, height])
    cell = np.trunc(np.nan_to_num(points, nan=-1.0) * size).astype(np.intp)
    inside = ((cell >= 0) & (cell < size)).all(axis=1)
    heat = _heat_around(logits, cell[:, 0], cell[:, 1])
    far, near = _SPREAD_REACH - _REFINE_REACH, _SPREAD_REACH + _REFINE_REACH + 1
    peak = np.where(inside, heat[:, far:near, far:near].max(axis=(1, 2)), 0.0).astype(np.float32)
    moments = heat.reshape(joints, -1) @ _MOMENTS
    mass, square = moments[:, 3], moments[:, 6]
    centre = moments[:, 1:3] / np.where(moments[:, :1] > 0.0, moments[:, :1], 1.0)
    better = inside & (peak >= _MIN_PEAK)
    refined = np.where(better[:, None], (centre + cell) / size, points).astype(np.float32)

    # About the refined point, from the moments about the cell.
    away = refined * size - cell
    square = square - 2.0 * (away * moments[:, 4:6]).sum(axis=1) + (away**2).sum(axis=1) * mass
    known = inside & (mass > 0.0)
    spread = np.full(joints, np.nan, dtype=np.float32)
    spread[known] = np.sqrt(np.maximum(square[known], 0.0) / (2.0 * mass[known]))
    return refined, peak, spread


def _moment_weights() -> FloatArray:
    """(S * S, 7) weights of a window's cells: mass, x and y of the core, then mass, x, y and squares of the whole.

    One product with them takes a tenth of the time of sums along the axes.
    """
    y, x = np.mgrid[-_SPREAD_REACH : _SPREAD_REACH + 1, -_SPREAD_REACH : _SPREAD_REACH + 1].astype(np.float32)
    core = (np.maximum(np.abs(x), np.abs(y)) <= _REFINE_REACH).astype(np.float32)
    return np.stack([core, core * x, core * y, np.ones_like(x), x, y, x**2 + y**2], axis=-1).reshape(-1, 7)


_MOMENTS = _moment_weights()


def _heat_around(logits: FloatArray, column: NDArray[np.intp], row: NDArray[np.intp]) -> FloatArray:
    """Heat (J, S, S) around a cell of each map (J, H, W), zero outside the map."""
    joints, height, width = logits.shape
    offset = np.arange(-_SPREAD_REACH, _SPREAD_REACH + 1)
    columns, rows = column[:, None] + offset, row[:, None] + offset
    across, down = np.clip(columns, 0, width - 1), np.clip(rows, 0, height - 1)
    line = (np.arange(joints) * height)[:, None] + down
    heat: FloatArray = logits.reshape(-1)[(line * width)[:, :, None] + across[:, None, :]]
    # In place: a logistic function whose steps take no memory of their own.
    np.clip(heat, -80.0, 80.0, out=heat)
    np.exp(np.negative(heat, out=heat), out=heat)
    heat += 1.0
    np.reciprocal(heat, out=heat)
    heat *= (down == rows)[:, :, None]
    heat *= (across == columns)[:, None, :]
    return heat


def _clear_half(score: FloatArray) -> float:
    """Mean score of the surer half of the joints."""
    return float(np.sort(score)[len(score) // 2 :].mean())


def _upright(world_m: FloatArray, angle_rad: float) -> FloatArray:
    """Turn world landmarks from the crop's axes to the picture's."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    turned = world_m.astype(np.float32, copy=True)
    turned[:, 0] = cos * world_m[:, 0] - sin * world_m[:, 1]
    turned[:, 1] = sin * world_m[:, 0] + cos * world_m[:, 1]
    return turned


class BlazePose:
    """BlazePose detector.

    Args:
        max_people: follow at most so many. With more than one, free places are looked for now and then.
        threads: threads for each network; see `posepipe.inference.open_session`.
        network: "lite", "full" or "heavy", of those fetched.
        task: a ``pose_landmarker_*.task`` bundle to take the networks from instead.
        settings: thresholds.

    Raises:
        UsageError: fewer than one person, or no network of that name.
    """

    name = "blazepose"
    layout: Layout = BLAZEPOSE33

    def __init__(
        self,
        *,
        max_people: int = 1,
        threads: int | None = None,
        network: str = "full",
        task: Path | None = None,
        settings: BlazePoseSettings = BLAZEPOSE,
    ) -> None:
        if max_people < 1:
            raise UsageError(f"max_people is {max_people}", hint="Give 1 or more")
        if network not in NETWORKS:
            raise UsageError(f"no network {network!r}", where="blazepose", hint=f"Valid: {', '.join(NETWORKS)}")
        self.max_people = max_people
        self.threads = threads
        self.network = network
        self.task = task
        self.settings = settings
        self._networks: Networks | None = None
        self._opening = threading.Lock()

    def files(self) -> BlazePoseFiles:
        """The source networks.

        Raises:
            ModelError: they can't be found.
        """
        return blazepose_files(self.network) if self.task is None else from_task(self.task)

    def networks(self) -> Networks:
        """The networks, opened at the first call and shared by all streams.

        Raises:
            ModelError: they can't be found, translated or opened.
        """
        with self._opening:
            if self._networks is None:
                files = self.files()
                closer = closer_for(self.network if self.task is None else "", self.settings)
                self._networks = Networks(files.onnx_detector(), files.onnx_landmarks(), self.threads, closer)
            return self._networks

    def start(self) -> BlazePoseStream:
        """A fresh stream.

        Raises:
            ModelError: the networks can't be found, translated or opened.
        """
        return BlazePoseStream(self.networks(), self.max_people, self.settings)


@dataclass(frozen=True, slots=True, eq=False)
class _Followed:
    """One person, the steadied points that tell where to look for it in the next frame, and where that was lately."""

    person: Person
    steady: Steady
    trail: tuple[tuple[float, Roi], ...] = ()

    @property
    def next_roi(self) -> Roi:
        return Roi.around_body(*self.steady.points_px)

    def later(self, time_s: float) -> Roi:
        """Where they would be if they had gone on as at the beginning of their trail."""
        (first_s, first), (middle_s, middle) = self.trail[0], self.trail[len(self.trail) // 2]
        ahead = (time_s - first_s) / (middle_s - first_s) if middle_s > first_s else 0.0
        x_px = first.x_px + ahead * (middle.x_px - first.x_px)
        return replace(first, x_px=x_px, y_px=first.y_px + ahead * (middle.y_px - first.y_px))


def _one_of(a: _Followed, b: _Followed, time_s: float) -> _Followed:
    """Of two answers for one body the surer, with the way of whoever should be here now: the other one is hidden."""

    def astray(one: _Followed) -> float:
        place, found = one.later(time_s), one.trail[-1][1]
        return float(np.hypot(place.x_px - found.x_px, place.y_px - found.y_px))

    surer = a if a.person.keypoints.presence > b.person.keypoints.presence else b
    return replace(surer, trail=min(a, b, key=astray).trail)


class BlazePoseStream:
    """BlazePose at work on one clip.

    Attributes:
        looks: how often the person detector ran.

    Args:
        networks: opened.
        max_people: follow at most so many.
        settings: thresholds.
    """

    def __init__(self, networks: Networks, max_people: int = 1, settings: BlazePoseSettings = BLAZEPOSE) -> None:
        self._networks = networks
        self._max_people = max_people
        self._settings = settings
        self._followed: tuple[_Followed, ...] = ()
        self._looked_s = -np.inf
        self._lost_s = -np.inf
        self._lost: _Followed | None = None
        self._turn = 0
        self._tile = 0
        self.looks = 0

    @property
    def people(self) -> tuple[Person, ...]:
        """What the last frame held, in the order of `step`'s result."""
        return tuple(followed.person for followed in self._followed)

    def step(self, frame: Frame) -> tuple[Keypoints, ...]:
        """People in the next frame, the surest first."""
        self._followed = self._find(frame) if min(frame.size_px) >= _SMALLEST_PX else ()
        return tuple(followed.person.keypoints for followed in self._followed)

    def close(self) -> None:
        """Forget the clip; the networks stay with the detector."""
        self._followed = ()

    def _find(self, frame: Frame) -> tuple[_Followed, ...]:
        places: list[tuple[Roi, _Followed | None]] = [(before.next_roi, before) for before in self._followed]
        people = self._look_at(frame, places, ())
        parts = areas(*frame.size_px)
        if not people:
            people = self._search(frame, parts) or self._look_closer(frame)
        elif len(people) < self._max_people and self._due(frame.time_s, self._who_is_lost(people)):
            people = self._look_for_more(frame, self._next_part(parts, frame.time_s), self._look_ahead(frame, people))
        return tuple(sorted(people, key=lambda followed: -followed.person.keypoints.presence))

    def _who_is_lost(self, people: tuple[_Followed, ...]) -> _Followed | None:
        """Of those followed until now who isn't any more: the one whose way is farthest from all who are."""
        if len(people) >= len(self._followed):
            return None

        def apart(before: _Followed) -> float:
            was = before.trail[0][1]
            ways = [after.trail[0][1] for after in people]
            return min((float(np.hypot(was.x_px - way.x_px, was.y_px - way.y_px)) for way in ways), default=np.inf)

        return max(self._followed, key=apart)

    def _look_ahead(self, frame: Frame, people: tuple[_Followed, ...]) -> tuple[_Followed, ...]:
        """The same people, and whoever was lost lately if they stand where their way would have taken them."""
        if self._lost is None or not self._missing(frame.time_s):
            return people
        place = self._lost.later(frame.time_s)
        if not (place.usable and place.inside(*frame.size_px)):
            return people
        return people + self._look_at(frame, [(place, None)], people)

    def _due(self, time_s: float, lost: _Followed | None) -> bool:
        """Whether to look for more: now and then, and oftener after somebody was lost, as when people cross."""
        if lost is not None:
            self._lost_s, self._lost = time_s, lost
        wait_s = self._settings.again_s if self._missing(time_s) else self._settings.redetect_s
        return time_s - self._looked_s >= wait_s

    def _missing(self, time_s: float) -> bool:
        return time_s - self._lost_s < self._settings.missed_s

    def _next_part(self, parts: tuple[Area, ...], time_s: float) -> Area:
        """The whole picture for whoever was lost, and every second time; its parts in turn between."""
        if self._missing(time_s) or len(parts) == 1:
            return parts[0]
        self._turn += 1
        return parts[0] if self._turn % 2 else parts[1 + self._turn // 2 % (len(parts) - 1)]

    def _search(self, frame: Frame, parts: tuple[Area, ...]) -> tuple[_Followed, ...]:
        """Look in the whole picture as MediaPipe does; once somebody is there, in its parts for company."""
        people = self._look_for_more(frame, parts[0], ())
        for part in parts[1:]:
            if 0 < len(people) < self._max_people:
                people = self._look_for_more(frame, part, people)
        return people

    def _look_closer(self, frame: Frame) -> tuple[_Followed, ...]:
        """Somebody small in one tile of a picture in which nobody was found; each frame looks at the next tile."""
        squares = tiles(*frame.size_px)
        self._tile = (self._tile + 1) % len(squares)
        return self._look_for_more(frame, squares[self._tile - 1], ())

    def _look_for_more(self, frame: Frame, part: Area, people: tuple[_Followed, ...]) -> tuple[_Followed, ...]:
        """The same people, and those that the person detector finds besides in a part of the picture."""
        self._looked_s = frame.time_s
        self.looks += 1
        found = self._networks.finder.detect(frame.image, self._settings.min_score, part)
        fresh = [roi for _, roi in found if not any(self._same_place(roi, old.person.roi) for old in people)]
        free = self._max_people - len(people)
        more = self._look_at(frame, [(roi, None) for roi in fresh[:free]], people)
        whole = part == (0, 0, *frame.size_px)
        return people + tuple(new for new in more if whole or self._beyond_doubt(new.person))

    def _look_at(
        self, frame: Frame, places: Sequence[tuple[Roi, _Followed | None]], known: tuple[_Followed, ...]
    ) -> tuple[_Followed, ...]:
        """People in these regions; of two answers that mean the same person the surer stays."""
        people: list[_Followed] = []
        for roi, before in places:
            person = self._networks.landmarks(frame.image, roi)
            if person.presence < self._settings.min_presence:
                continue
            if before is None and person.keypoints.presence < self._settings.min_new_presence:
                continue
            now = self._followed_on(person, roi, before, frame.time_s)
            if not (now.next_roi.usable and now.next_roi.inside(*frame.size_px)):
                continue
            if any(self._same_person(person, other.person, self._settings.nobody_new) for other in known):
                continue
            twin = next(
                (
                    i
                    for i, other in enumerate(people)
                    if self._same_person(person, other.person, self._settings.same_person)
                ),
                None,
            )
            if twin is None:
                people.append(now)
            else:
                people[twin] = _one_of(now, people[twin], frame.time_s)
        return tuple(people)

    def _followed_on(self, person: Person, place: Roi, before: _Followed | None, time_s: float) -> _Followed:
        """Somebody as seen now in a place, after how they were seen before."""
        trail = () if before is None else before.trail
        recent = tuple(place for place in trail if time_s - place[0] <= self._settings.trail_s)
        now = steady(None if before is None else before.steady, time_s, person.body_px)
        return _Followed(person, now, (*recent, (time_s, place)))

    def _beyond_doubt(self, person: Person) -> bool:
        """Whether to begin with somebody found in a part of the picture.

        Looking closer finds more people, and more bottles and chairs: in these the network believes in a person, but
        sees few of its joints.
        """
        score = float(person.keypoints.score.mean())
        return person.presence >= self._settings.sure_presence and score >= self._settings.sure_score

    def _same_place(self, a: Roi, b: Roi) -> bool:
        side = max(a.size_px, b.size_px)
        return float(np.hypot(a.x_px - b.x_px, a.y_px - b.y_px)) < self._settings.same_place * side

    def _same_person(self, a: Person, b: Person, nearness: float) -> bool:
        gap = np.linalg.norm(a.keypoints.xy_px[_TORSO] - b.keypoints.xy_px[_TORSO], axis=1).mean()
        return bool(gap < nearness * max(a.roi.size_px, b.roi.size_px))
