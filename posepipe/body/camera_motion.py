"""How the camera moved: still, turning on the spot, or walking through the room, from what lies behind the people.

Corners outside the people's boxes are followed through small grey pictures, some of them a second. A camera that only
turns moves all of them by one rotation, however far they are; one that goes along moves near ones by more. A zoom does
neither, and is taken for walking. A plain wall has no corners, and a single flat one square to the way hides it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import Rays, chunks
from posepipe.body.room_lines import LINES, LineSettings, find_edges, planes_of
from posepipe.errors import UsageError
from posepipe.geometry import from_rotation_vector, rays_from_pixels, to_rotation_vector
from posepipe.settings import setting
from posepipe.types import BoolArray, Camera, FloatArray, Frame, Keypoints, PoseTrack

__all__ = [
    "KINDS",
    "MOTION",
    "Background",
    "CameraMotion",
    "MotionSettings",
    "Shift",
    "camera_motion",
    "steadied",
    "steady_pose",
]

Array = NDArray[np.float64]

KINDS = ("still", "turning", "walking", "unknown")
"""What a camera does; unknown where too little was behind the people."""

_MADE = "chosen on made rooms, tests/body/test_camera_motion.py"


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """How the background is followed, and what is made of it."""

    rate_hz: float = setting(6.0, "pictures a second that are compared", unit="Hz", source="judgement")
    longer_px: int = setting(320, "longer side of the small pictures", unit="px", source="judgement")
    keep_s: float = setting(1.0, "how long the same corners are followed", unit="s", source="judgement")
    corners: int = setting(80, "at most", source="judgement")
    strength: float = setting(
        1e-4, "least eigenvalue of a corner: weaker ones are noise in the dark", source="judgement"
    )
    back_px: float = setting(0.5, "a corner followed there and back must come so near", unit="px",
                             source="Kalal et al. 2010, Forward-Backward Error")  # fmt: skip
    least: int = setting(12, "fewer corners tell nothing", source="judgement")
    beside: float = setting(0.15, "a box is wider than its keypoints by this share of their extent", source="judgement")
    still_px: float = setting(0.75, "a corner that moved less in the small picture stood", unit="px", source=_MADE)
    miss_px: float = setting(0.8, "a corner further from where a rotation brings it isn't explained", unit="px",
                             source=_MADE)  # fmt: skip
    stand_share: float = setting(0.5, "share of the corners that must stand", source="judgement: others may walk there")
    doubt_share: float = setting(
        0.25, "where so many stand and no rotation explains the rest, shadows or people move, and nothing is told",
        source="judgement, after a filmed walk beside its shadow",
    )  # fmt: skip
    turn_share: float = setting(0.6, "share that one rotation must explain", source=_MADE)
    apart_s: float = setting(0.6, "pictures less apart don't tell walking from turning", unit="s", source=_MADE)
    least_apart: int = setting(3, "comparisons of such that it takes", source="judgement")
    walks: float = setting(0.3, "share of the comparisons without one from which the camera walks", source=_MADE)
    known: float = setting(0.5, "share of the comparisons that must tell something", source="judgement")
    turns_deg: float = setting(0.7, "a camera that turns by less stands still", unit="deg", source=_MADE)
    widest_deg: float = setting(70.0, "what is seen further from the middle of a turn isn't placed", unit="deg",
                                source="judgement: rays end at 90")  # fmt: skip


MOTION = MotionSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """Corners of the background in two pictures.

    Attributes:
        from_s, to_s: times of both.
        before_px, after_px: (N, 2) places in the upright picture as filmed; N may be 0.
        small: size of the small picture's pixel, in pixels.
        edges_px: (M, 4) ends of straight edges in the later picture; None where they weren't looked for.
    """

    from_s: float
    to_s: float
    before_px: FloatArray
    after_px: FloatArray
    small: float
    edges_px: FloatArray | None = None

    def enlarged(self, times: float) -> Shift:
        """The same in pixels of a picture so many times as large."""
        edges = None if self.edges_px is None else self.edges_px * np.float32(times)
        before, after = self.before_px * np.float32(times), self.after_px * np.float32(times)
        return Shift(self.from_s, self.to_s, before, after, self.small * times, edges)


class Background:
    """Follows what lies behind the people of one input, frame by frame.

    Times are cut into slots by the film's own clock, so that parts of a film watched side by side fit together.

    Args:
        settings: how.
        lines: how straight edges are looked for.
    """

    def __init__(self, settings: MotionSettings = MOTION, lines: LineSettings = LINES) -> None:
        self._settings, self._lines = settings, lines
        self._edges_s = -math.inf
        self._slot = -1
        self._last: NDArray[np.uint8] | None = None
        self._from_s = 0.0
        self._before = np.zeros((0, 2), np.float32)
        self._now = np.zeros((0, 2), np.float32)

    def step(self, frame: Frame, people: Sequence[Keypoints]) -> Shift | None:
        """The shift since the corners were found; None for a frame that isn't compared.

        Args:
            frame: the next one.
            people: everyone in it; their boxes are left out.
        """
        import cv2

        slot = math.floor(frame.time_s * self._settings.rate_hz + 0.13)
        if slot <= self._slot:
            return None
        self._slot = slot
        grey, small = _small(frame, self._settings.longer_px)
        free = _free(grey.shape, people, small, self._settings.beside)
        shift = None
        if self._last is not None and self._last.shape == grey.shape:
            if len(self._now):
                there, found = _tracked(self._last, grey, self._now)
                back, again = _tracked(grey, self._last, there)
                # What isn't found back where it came from was lost.
                kept = np.linalg.norm(back - self._now, axis=1) < self._settings.back_px
                self._follow(there, kept & found & again, free)
            edges = self._edges(grey, free, frame.time_s)
            edges = None if edges is None else edges * small
            shift = Shift(self._from_s, frame.time_s, self._before * small, self._now * small, small, edges)
        self._last = grey
        if len(self._now) < self._settings.least or frame.time_s - self._from_s > self._settings.keep_s - 1e-6:
            found_px = cv2.goodFeaturesToTrack(grey, self._settings.corners, 0.01, 8.0, mask=free)
            self._now = np.zeros((0, 2), np.float32) if found_px is None else found_px[:, 0].astype(np.float32)
            column, row = self._now.astype(np.intp).T
            self._now = self._now[cv2.cornerMinEigenVal(grey, 3)[row, column] > self._settings.strength]
            self._before, self._from_s = self._now, frame.time_s
        return shift

    def _edges(self, grey: NDArray[np.uint8], free: NDArray[np.uint8], time_s: float) -> FloatArray | None:
        """Straight edges, now and then."""
        if time_s - self._edges_s < self._lines.every_s:
            return None
        self._edges_s = time_s
        return find_edges(grey, free, self._lines)

    def _follow(self, now: FloatArray, found: BoolArray, free: NDArray[np.uint8]) -> None:
        """Keep corners that were found again, in the picture and behind nobody."""
        cell = np.round(now).astype(np.int64)
        height, width = free.shape
        inside = found & (cell >= 0).all(axis=1) & (cell[:, 0] < width) & (cell[:, 1] < height)
        inside[inside] = free[cell[inside, 1], cell[inside, 0]] > 0
        self._before, self._now = self._before[inside], now[inside]


def _tracked(before: NDArray[np.uint8], after: NDArray[np.uint8], corners: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Where corners (N, 2) of one picture are in another, and which were found (Lucas and Kanade 1981)."""
    import cv2

    there, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, corners[:, None], np.empty(0, np.float32), winSize=(15, 15), maxLevel=3, criteria=(3, 15, 0.03)
    )
    return np.asarray(there[:, 0], np.float32), np.asarray(found[:, 0] > 0)


def _small(frame: Frame, longer_px: int) -> tuple[NDArray[np.uint8], float]:
    """A small grey picture and the size of its pixels."""
    import cv2

    width, height = frame.size_px
    small = max(1.0, max(width, height) / longer_px)
    # The green of the picture is nearly its grey, and costs less.
    green = cv2.extractChannel(frame.image, 1)
    size = (max(1, round(width / small)), max(1, round(height / small)))
    return np.asarray(cv2.resize(green, size, interpolation=cv2.INTER_AREA), np.uint8), small


def _free(shape: tuple[int, ...], people: Sequence[Keypoints], small: float, beside: float) -> NDArray[np.uint8]:
    """255 where nobody is."""
    free = np.full(shape, 255, np.uint8)
    for person in people:
        xy = person.xy_px[np.isfinite(person.xy_px).all(axis=1)] / small
        if not len(xy):
            continue
        low, high = xy.min(axis=0), xy.max(axis=0)
        margin = beside * float((high - low).max()) + 2.0
        (left, top), (right, bottom) = np.maximum(low - margin, 0.0).astype(int), (high + margin).astype(int)
        free[top : max(bottom, 0), left : max(right, 0)] = 0
    return free


@dataclass(frozen=True, slots=True, eq=False)
class CameraMotion:
    """What the camera did.

    Attributes:
        kind: one of `KINDS`.
        time_s: (S,) when it was told; empty unless it turned.
        turn_rad: (S, 3) rotation vector from the camera frame then to that in the middle of the turn.
        swing_deg: the largest of those angles; 0 unless it turned.
        lines: (M, 3) normals of the planes in which straight edges behind the people lie, in the camera frame (of the
            middle of a turn), as long as each counts; none before a camera that walks.
    """

    kind: str
    time_s: Array
    turn_rad: Array
    swing_deg: float = 0.0
    lines: Array = field(default_factory=lambda: np.zeros((0, 3)))

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"CameraMotion.kind {self.kind!r}", hint=f"Valid: {', '.join(KINDS)}")
        if self.turn_rad.shape != (len(self.time_s), 3):
            raise UsageError(f"CameraMotion.turn_rad: expected shape ({len(self.time_s)}, 3)")
        if self.lines.ndim != 2 or self.lines.shape[1] != 3:
            raise UsageError("CameraMotion.lines: expected shape (M, 3)")

    def rotation_vector(self, time_s: Array) -> Array:
        """(F, 3) from the camera frame at times (F,) to that in the middle of the turn."""
        if not len(self.time_s):
            return np.zeros((len(time_s), 3))
        return np.stack([np.interp(time_s, self.time_s, self.turn_rad[:, axis]) for axis in range(3)], axis=1)

    def at(self, time_s: Array) -> Array:
        """The same as matrices (F, 3, 3)."""
        return from_rotation_vector(self.rotation_vector(time_s))


def _standing(kind: str) -> CameraMotion:
    return CameraMotion(kind, np.zeros(0), np.zeros((0, 3)))


def camera_motion(
    shifts: Sequence[Shift],
    camera: Camera,
    *,
    turned_deg: int = 0,
    settings: MotionSettings = MOTION,
    lines: LineSettings = LINES,
) -> CameraMotion:
    """What the camera did over a film, and the straight edges that it saw.

    Args:
        shifts: from `Background.step`, in order of time.
        camera: of the upright picture.
        turned_deg: by how much that was turned counter-clockwise after the corners were followed.
        settings: thresholds.
        lines: which edges count.
    """
    motion = _moved(shifts, camera, turned_deg, settings)
    return (
        motion if motion.kind == "walking" else replace(motion, lines=_lines(shifts, camera, turned_deg, motion, lines))
    )


def _lines(
    shifts: Sequence[Shift], camera: Camera, turned_deg: int, motion: CameraMotion, settings: LineSettings
) -> Array:
    """(M, 3) planes of the edges of some pictures."""
    looked = [shift for shift in shifts if shift.edges_px is not None]
    some = [
        looked[i] for i in np.unique(np.linspace(0, len(looked) - 1, min(len(looked), settings.pictures)).astype(int))
    ]
    found = [np.zeros((0, 3))]
    for shift in some:
        assert shift.edges_px is not None
        ends = shift.edges_px.reshape(-1, 2)
        length = np.hypot(*(ends[1::2] - ends[::2]).T) / max(camera.width_px, camera.height_px)
        rays = rays_from_pixels(_upright(ends, camera, turned_deg), camera).reshape(-1, 2, 2).astype(np.float64)
        found.append(planes_of(rays, length, settings) @ motion.at(np.array([shift.to_s]))[0].T)
    return np.concatenate(found)


def _moved(shifts: Sequence[Shift], camera: Camera, turned_deg: int, settings: MotionSettings) -> CameraMotion:
    lenses = [camera]
    if camera.focal_guessed:
        lenses += [replace(camera, focal_px=factor * camera.focal_px) for factor in _LENSES]
    # An assumed lens bends a turn: of some the one that explains most.
    every = [[_explained(shift, lens, turned_deg, settings) for shift in shifts] for lens in lenses]
    some = min(([item for item in told if item is not None] for told in every), key=lambda told: _lost(told, settings))
    if len(some) < 2 or len(some) < settings.known * len(shifts):
        return _standing("unknown")
    if _lost(some, settings) > settings.walks:
        return _standing("walking")
    time_s, turn = _chained(some)
    vector = to_rotation_vector(turn)
    # The middle of the turn: where the furthest is nearest.
    middle = int(np.argmin(_reach(vector)))
    vector = to_rotation_vector(turn[middle] @ np.swapaxes(turn, -1, -2))
    swing_deg = float(np.degrees(np.linalg.norm(vector, axis=1).max()))
    if swing_deg < settings.turns_deg:
        return _standing("still")
    return CameraMotion("turning", time_s, vector, swing_deg)


def _reach(vector: Array) -> Array:
    """(S,) distance of each of (S, 3) points from the furthest other."""
    # Some rows at a time: all pairs of a long film would take gigabytes.
    parts = [np.linalg.norm(vector[part, None] - vector[None], axis=-1).max(axis=1) for part in chunks(len(vector), 64)]
    return np.concatenate(parts)


_LENSES = (0.75, 0.87, 1.15, 1.3)
"""Focal lengths that are tried beside an assumed one."""

_Told = tuple[float, float, "Array | None"]
"""From when, to when, and the rotation (3, 3) between; None if none explains what was seen."""


def _explained(shift: Shift, camera: Camera, turned_deg: int, settings: MotionSettings) -> _Told | None:
    """What a comparison says; None if nothing."""
    if len(shift.before_px) < settings.least:
        return None
    moved = np.linalg.norm(shift.after_px - shift.before_px, axis=1)
    stood = float((moved < settings.still_px * shift.small).mean())
    if stood > settings.stand_share:
        return shift.from_s, shift.to_s, np.eye(3)
    before, after = (_directions(_upright(px, camera, turned_deg), camera) for px in (shift.before_px, shift.after_px))
    rotation, share = _rotation(before, after, settings.miss_px * shift.small / camera.focal_px)
    if share > settings.turn_share:
        return shift.from_s, shift.to_s, rotation
    return None if stood > settings.doubt_share else (shift.from_s, shift.to_s, None)


def _lost(told: Sequence[_Told], settings: MotionSettings) -> float:
    """Share of the comparisons that no rotation explains, of those far enough apart; 0 where those are too few."""
    lost = [rotation is None for from_s, to_s, rotation in told if to_s - from_s > settings.apart_s]
    return sum(lost) / len(lost) if len(lost) >= settings.least_apart else 0.0


def _upright(xy_px: FloatArray, camera: Camera, turned_deg: int) -> FloatArray:
    """Places in the picture after it was turned counter-clockwise."""
    x, y = xy_px[:, 0], xy_px[:, 1]
    if turned_deg == 90:
        return np.stack([y, camera.height_px - x], axis=1)
    if turned_deg == 180:
        return np.stack([camera.width_px - x, camera.height_px - y], axis=1)
    return np.stack([camera.width_px - y, x], axis=1) if turned_deg == 270 else xy_px


def _directions(xy_px: FloatArray, camera: Camera) -> Array:
    rays = rays_from_pixels(xy_px, camera).astype(np.float64)
    line = np.concatenate([rays, np.ones((len(rays), 1))], axis=1)
    return np.asarray(line / np.linalg.norm(line, axis=1, keepdims=True))


def _rotation(before: Array, after: Array, miss_rad: float) -> tuple[Array, float]:
    """The rotation (3, 3) that most directions (N, 3) agree with, and their share: RANSAC, then a fit to those."""
    rng = np.random.default_rng(len(before))
    pair = rng.integers(len(before), size=(60, 2))
    pair = pair[np.linalg.norm(before[pair[:, 0]] - before[pair[:, 1]], axis=1) > 0.05]
    if not len(pair):
        return np.eye(3), 0.0
    tries = _frame(after, pair) @ np.swapaxes(_frame(before, pair), -1, -2)
    miss = np.linalg.norm(np.einsum("tij,nj->tni", tries, before) - after, axis=-1)
    near = miss[int(np.argmax((miss < miss_rad).sum(axis=1)))] < miss_rad
    rotation = np.eye(3)
    for _ in range(3):
        u, _, vt = np.linalg.svd(after[near].T @ before[near])
        rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
        near = np.linalg.norm(before @ rotation.T - after, axis=1) < miss_rad
        if near.sum() < 3:
            return rotation, 0.0
    return rotation, float(near.mean())


def _frame(lines: Array, pair: NDArray[np.int64]) -> Array:
    """(T, 3, 3) axes of pairs of directions, in columns (TRIAD: Black 1964)."""
    first = lines[pair[:, 0]]
    third = np.cross(first, lines[pair[:, 1]])
    third = third / np.maximum(np.linalg.norm(third, axis=1, keepdims=True), 1e-12)
    return np.stack([first, np.cross(third, first), third], axis=-1)


def _chained(told: Sequence[_Told]) -> tuple[Array, Array]:
    """Times (S,) and rotations (S, 3, 3) from the first camera frame to that of each."""
    time_s, turn = [told[0][0]], [np.eye(3)]
    for from_s, to_s, rotation in told:
        if to_s <= time_s[-1]:
            continue
        # A part of a film that is watched alone may begin between two of the others' times.
        row = int(np.clip(np.searchsorted(time_s, from_s), 1, max(len(time_s) - 1, 1)))
        base = turn[row - 1]
        if row < len(time_s):
            share = float(np.clip((from_s - time_s[row - 1]) / (time_s[row] - time_s[row - 1]), 0.0, 1.0))
            base = from_rotation_vector(share * to_rotation_vector(turn[row] @ base.T)) @ base
        time_s.append(to_s)
        # What nothing explains is taken to go on as it was.
        turn.append(turn[-1] if rotation is None else rotation @ base)
    return np.array(time_s), np.stack(turn)


def steady_pose(pose: PoseTrack, motion: CameraMotion) -> PoseTrack:
    """A pose in the camera frame of the middle of the camera's turn; as it is before any other camera."""
    if motion.kind != "turning":
        return pose
    turn = motion.at(pose.time_s)
    return replace(
        pose,
        xyz_m=np.einsum("fij,fnj->fni", turn, pose.xyz_m).astype(np.float32),
        root_m=np.einsum("fij,fj->fi", turn, pose.root_m).astype(np.float32),
        root_sigma_m=np.sqrt(np.einsum("fij,fj->fi", turn**2, pose.root_sigma_m**2)).astype(np.float32),
    )


def steadied(
    pose: PoseTrack, rays: Rays, camera: Camera, motion: CameraMotion, settings: MotionSettings = MOTION
) -> tuple[PoseTrack, Rays, Camera]:
    """Pose and rays as the camera would have seen them had it not turned, in a picture as wide as that takes.

    Args:
        pose: Body21, F frames.
        rays: what it was lifted from, same frames.
        camera: its picture.
        motion: a turning camera's; any other leaves everything as it is.
        settings: `MotionSettings.widest_deg` matters.
    """
    if motion.kind != "turning":
        return pose, rays, camera
    turn = motion.at(pose.time_s)
    edge = np.array([camera.width_px, camera.height_px]) / camera.focal_px
    center = np.array(camera.principal_px) / camera.focal_px
    inside = ((rays.xy + center > 0.0) & (rays.xy + center < edge)).all(axis=-1)
    line = np.concatenate([rays.xy, np.ones((*rays.xy.shape[:-1], 1))], axis=-1) @ np.swapaxes(turn, -1, -2)
    ahead = line[..., 2] > np.cos(np.radians(settings.widest_deg)) * np.linalg.norm(line, axis=-1)
    xy = np.where(ahead[..., None], line[..., :2] / np.where(ahead, line[..., 2], 1.0)[..., None], 0.0)
    # Sigma of a ray grows with its slant.
    sigma = rays.sigma * np.where(ahead, 1.0 + (xy**2).sum(axis=-1), 1.0) / (1.0 + (rays.xy**2).sum(axis=-1))
    valid = rays.valid & ahead & inside
    placed = steady_pose(pose, motion)
    placed = replace(placed, valid=placed.valid & ahead)
    wide = round(2.0 * camera.focal_px * math.tan(math.radians(settings.widest_deg)))
    return (
        placed,
        rays._replace(xy=xy.astype(np.float32), sigma=sigma.astype(np.float32), valid=valid),
        replace(camera, width_px=wide, height_px=wide, center_px=None),
    )
