"""One least-squares problem over a clip: the pelvis' path, which way is up, and where the floor is.

Unknown are the pelvis T (3 in each frame), the direction `up`, the camera's height over the floor, by how much more the
lifter sees the body lean than it does, the same all over the clip, and the focal length where it was assumed. Known are
the lifted joints and where the picture shows them. A foot that stands neither moves nor leaves the floor, a body has
mass, who stands keeps their weight over their feet, and edges of the room may say which way is up. Nearly everything
but `up` is linear, so that a few Gauss-Newton steps suffice; each is a banded system (three neighbouring frames hang
together) with a border of six columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posepipe.body.room_lines import Level
from posepipe.geometry import tangents
from posepipe.settings import setting

__all__ = ["SOLVE", "Clip", "Solution", "SolveSettings", "solve"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_BAND = 8
"""Unknowns of a frame reach those of the second next: three frames of three, less one."""
_GLOBALS = 6
"""Up (2), the camera's height, the lifter's lean (2), the logarithm of the true focal length over the assumed one."""
_TINY = 1e-9
"""No length or weight is taken for smaller."""
_MADE = "chosen on made clips, docs/world.md"


@dataclass(frozen=True, slots=True)
class SolveSettings:
    """What the clip is held to, and how firmly."""

    acceleration_mps2: float = setting(5.0, "standard deviation of the pelvis' acceleration", unit="m/s²", source=_MADE)
    slide_mps: float = setting(
        0.1, "standard deviation of a standing foot's speed across the line of sight", unit="m/s", source=_MADE
    )
    slide_depth_mps: float = setting(4.0, "and along it, by the lifter's error", unit="m/s", source=_MADE)
    floor_m: float = setting(0.03, "standard deviation of a standing foot's height", unit="m", source=_MADE)
    lasting_s: float = setting(0.3, "how long a lifter's error stays the same", unit="s", source="judgement")
    shared: float = setting(3.0, "joints that err as one", source="judgement")
    swing_mps: float = setting(0.25, "a foot faster than this by far isn't standing", unit="m/s", source=_MADE)
    lifted_m: float = setting(0.08, "nor is one higher than this by far", unit="m", source=_MADE)
    place_m: float = setting(0.3, "a foot within so much of where it stood stands there again", unit="m",
                             source="judgement")  # fmt: skip
    rounds: int = setting(10, "steps of Gauss-Newton, contacts told anew before each", source="judgement")
    pitch_deg: float = setting(20.0, "standard deviation of the camera's pitch", unit="deg", source=_MADE)
    roll_deg: float = setting(20.0, "and of its roll", unit="deg", source=_MADE)
    stand_m: float = setting(1.4, "cameras stand about so high", unit="m", source="judgement: hand, table, tripod")
    stand_sigma_m: float = setting(0.7, "standard deviation of that", unit="m", source=_MADE)


SOLVE = SolveSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What the solver takes of F frames and C points of the feet.

    Attributes:
        time_s: (F,).
        stiff: (F, 3, 3) information about the pelvis from picture and lifter; zero where the body wasn't seen.
        pull: (F, 3) its right-hand side: ``stiff @ T = pull``.
        feet_m: (F, C, 3) points of the feet relative to the pelvis, camera frame; zero where missing.
        seen: (F, C) those that count.
        stand: (F,) share in [0, 1] by which the body may be taken to stand on its feet.
        mass_m: (F, 3) centre of mass relative to the pelvis; NaN where a joint is missing.
        axis: (3,) unit vector from the middle of the feet to the centre of mass, over the clip.
        axis_sigma: (2,) in radians, across the picture and in depth: how far that truly is off up.
        lean_sigma: (2,) in radians: how much more or less the lifted body leans than the true one.
        lean_away: in radians, and a share of how steeply the camera looks down on the body: so much further away from
            the camera the lifted body leans in the mean.
        start_m: (F, 3) first guess of the pelvis.
        lens_sigma: relative error of the focal length; 0 where it is known.
        level: what edges of the room say of up; None if nothing.
    """

    time_s: Array
    stiff: Array
    pull: Array
    feet_m: Array
    seen: BoolArray
    stand: Array
    mass_m: Array
    axis: Array
    axis_sigma: tuple[float, float]
    lean_sigma: tuple[float, float]
    start_m: Array
    lens_sigma: float = 0.0
    level: Level | None = None
    lean_away: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """What came out.

    Attributes:
        root_m: (F, 3) the pelvis, camera frame.
        root_sigma_m: (F, 3) its standard deviation, up and floor not known better than they are.
        up: (3,) unit vector against gravity, camera frame.
        up_cov: (2, 2) covariance in radians² along `tangents(up)`.
        lean: (2,) in radians along `tangents(up)`: the lifted body leans so much more than the true one.
        camera_m: height of the camera over the plane of the standing feet's joints.
        camera_sigma_m: its standard deviation.
        contact: (F, C) in [0, 1] how surely each point stands.
        slide_mps: median speed of standing points across the line of sight; NaN without any.
        off_floor_m: median distance of standing points from the floor; NaN without any.
        lens: logarithm of the true focal length over the assumed one.
        lens_sigma: its standard deviation.
        lean_told: (2,) share in [0, 1] of the lean's variance that edges of the room took away, along `tangents(up)`;
            zeros where they say nothing.
    """

    root_m: Array
    root_sigma_m: Array
    up: Array
    up_cov: Array
    lean: Array
    camera_m: float
    camera_sigma_m: float
    contact: Array
    slide_mps: float
    off_floor_m: float
    lens: float = 0.0
    lens_sigma: float = 0.0
    lean_told: Array = field(default_factory=lambda: np.zeros(2))


def solve(
    clip: Clip, settings: SolveSettings = SOLVE, *, fixed: tuple[Array, float] | None = None, lens: float = 0.0
) -> Solution:
    """Solve a clip.

    Args:
        clip: F frames, at least three.
        settings: how firmly.
        fixed: up (3,) and the camera's height, where they are known already; then only the path is sought.
        lens: as in `Solution`, where `fixed` is given.
    """
    root = clip.start_m * [1.0, 1.0, np.exp(lens)]
    up = np.array(clip.axis if fixed is None else fixed[0], np.float64)
    common = _Common(up, 0.0, np.zeros(2), lens)
    nothing = np.zeros(clip.seen.shape)
    root = root + _System(clip, root, common, nothing, nothing, settings).step(True)[0]
    # Speeds are taken before feet are held: what is held looks still.
    speed, off = _residuals(clip, root, up, None)
    contact = _contacts(clip, speed, off, settings)
    height = _height(clip, root, up, contact) if fixed is None else fixed[1]
    common = _Common(up, float(height), np.zeros(2), lens)
    system = None
    for _ in range(settings.rounds):
        places = _places(root[:, None] + clip.feet_m, contact, settings)
        system = _System(clip, root, common, contact, places, settings)
        step, turn = system.step(fixed is not None)
        root = root + step
        if fixed is None:
            common = common.moved(turn)
        contact = _contacts(clip, speed, _residuals(clip, root, common.up, common.height, common.lean)[1], settings)
    assert system is not None
    cov, sigma = system.doubt(fixed is not None)
    speed, off = _residuals(clip, root, common.up, common.height, common.lean)
    firm, assumed = contact > 0.5, clip.lens_sigma > 0.0
    return Solution(
        root, sigma, common.up, cov[:2, :2], common.lean, common.height, float(np.sqrt(cov[2, 2])), contact,
        _middle(speed[firm]), _middle(np.abs(off[firm])), common.lens if assumed else 0.0,
        float(np.sqrt(cov[5, 5])) if assumed else 0.0,
        np.zeros(2) if clip.level is None else _gone(np.diag(cov)[3:5], clip.lean_sigma),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Common:
    """What all frames share: see `Solution`."""

    up: Array
    height: float
    lean: Array
    lens: float

    def moved(self, by: Array) -> _Common:
        """After a step of `_GLOBALS`."""
        up = self.up + by[:2] @ tangents(self.up)
        return _Common(
            up / np.linalg.norm(up), self.height + float(by[2]), self.lean + by[3:5], self.lens + float(by[5])
        )


def _gone(variance: Array, before: tuple[float, float]) -> Array:
    return np.asarray(np.clip(1.0 - variance / np.array(before) ** 2, 0.0, 1.0))


def _middle(values: Array) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _height(clip: Clip, root: Array, up: Array, contact: Array) -> float:
    low = -((root[:, None] + clip.feet_m) @ up)
    weight = contact * clip.seen
    return float((weight * low).sum() / max(float(weight.sum()), _TINY)) if weight.sum() > 0 else float(-np.median(low))


def _residuals(
    clip: Clip, root: Array, up: Array, height: float | None, lean: Array | None = None
) -> tuple[Array, Array]:
    """Speed (F, C) of the feet's points across the line of sight, and height over the floor (or the lowest one)."""
    place = root[:, None] + clip.feet_m
    width = max(1, round(0.05 / max(float(np.median(np.diff(clip.time_s))), 1e-3)))
    before = np.maximum(np.arange(len(root)) - width, 0)
    after = np.minimum(np.arange(len(root)) + width, len(root) - 1)
    span = np.maximum(clip.time_s[after] - clip.time_s[before], 1e-3)
    sight = place / np.maximum(np.linalg.norm(place, axis=-1, keepdims=True), _TINY)
    moved = place[after] - place[before]
    moved = moved - (moved * sight).sum(axis=-1, keepdims=True) * sight
    speed = np.linalg.norm(moved, axis=-1) / span[:, None]
    level = place @ up
    if height is None:
        lowest = np.where(clip.seen, level, np.inf).min(axis=1, keepdims=True)
        return speed, np.where(np.isfinite(lowest), level - lowest, 0.0)
    if lean is not None:
        level = level + clip.feet_m @ (lean @ tangents(up))
    return speed, level + height


def _contacts(clip: Clip, speed: Array, off: Array, settings: SolveSettings) -> Array:
    """How surely each point stands: slow, and on the floor (Geman-McClure's weight of both)."""
    miss = (speed / settings.swing_mps) ** 2 + (off / settings.lifted_m) ** 2
    return np.where(clip.seen, clip.stand[:, None] / (1.0 + miss) ** 2, 0.0)


def _places(feet_m: Array, contact: Array, settings: SolveSettings) -> Array:
    """(F, C) how long in frames each point stood, in all, where it stands: there the lifter's error stays the same."""
    out = np.ones(contact.shape)
    cells = np.floor(feet_m / settings.place_m + 0.5).astype(np.int64)
    # One number for each cell: sorting rows takes ten times as long.
    cells = cells - cells.min(axis=(0, 1))
    many = cells.max(axis=(0, 1)) + 1
    number = (cells[..., 0] * many[1] + cells[..., 1]) * many[2] + cells[..., 2]
    for point in range(contact.shape[1]):
        _, where = np.unique(number[:, point], return_inverse=True)
        out[:, point] = np.bincount(where, weights=contact[:, point])[where]
    return out


class _System:
    """Normal equations at one point: a band of 3 F, and a border of `_GLOBALS`."""

    def __init__(
        self, clip: Clip, root: Array, common: _Common, contact: Array, places: Array, settings: SolveSettings
    ) -> None:
        frames = len(root)
        step_s = np.diff(clip.time_s)
        usual_s = float(np.median(step_s))
        keep = max(1.0, settings.lasting_s / usual_s)
        # The picture knows the path as the assumed lens has it: nearer or further than it is.
        squeeze = np.array([1.0, 1.0, np.exp(-common.lens)])
        diagonal = clip.stiff * np.outer(squeeze, squeeze) / (settings.shared * keep)
        miss = (clip.pull - np.einsum("fij,fj->fi", clip.stiff, squeeze * root)) / (settings.shared * keep)
        gradient = squeeze * miss
        near, far = np.zeros((frames, 3, 3)), np.zeros((frames, 3, 3))
        eye = np.eye(3)
        # Steady motion. White acceleration: its weight grows with the step.
        mean_s = 0.5 * (step_s[1:] + step_s[:-1])
        even = (step_s[1:] < 4.0 * usual_s) & (step_s[:-1] < 4.0 * usual_s)
        weight = np.where(even, 1.0, 1e-3) * (30.0 * mean_s) / settings.acceleration_mps2**2
        early, late = 1.0 / (step_s[:-1] * mean_s), 1.0 / (step_s[1:] * mean_s)
        parts = np.stack([early, -(early + late), late])
        bend = parts[0, :, None] * root[:-2] + parts[1, :, None] * root[1:-1] + parts[2, :, None] * root[2:]
        for i in range(3):
            rows = slice(i, frames - 2 + i)
            diagonal[rows] += (weight * parts[i] ** 2)[:, None, None] * eye
            gradient[rows] -= (weight * parts[i])[:, None] * bend
        near[: frames - 2] += (weight * parts[0] * parts[1])[:, None, None] * eye
        near[1 : frames - 1] += (weight * parts[1] * parts[2])[:, None, None] * eye
        far[: frames - 2] += (weight * parts[0] * parts[2])[:, None, None] * eye
        # Standing points don't move.
        place = root[:, None] + clip.feet_m
        pair = np.sqrt(contact[1:] * contact[:-1]) / step_s[:, None] ** 2 / keep
        sight = root[1:] / np.maximum(np.linalg.norm(root[1:], axis=1, keepdims=True), _TINY)
        along = sight[:, :, None] * sight[:, None, :]
        firm = (eye - along) / settings.slide_mps**2 + along / settings.slide_depth_mps**2
        moved = np.einsum("fij,fj->fi", firm, (pair[..., None] * (place[1:] - place[:-1])).sum(axis=1))
        total = pair.sum(axis=1)[:, None, None] * firm
        diagonal[1:] += total
        diagonal[:-1] += total
        near[:-1] -= total
        gradient[1:] -= moved
        gradient[:-1] += moved
        self._diagonal, self._near, self._far, self._gradient = diagonal, near, far, gradient
        self._frames = frames
        self._corner, self._corner_gradient = np.zeros((_GLOBALS, _GLOBALS)), np.zeros(_GLOBALS)
        # A longer lens puts the path further away.
        stretched = squeeze[2] * root[:, 2]
        self._border = np.zeros((3 * frames, _GLOBALS))
        self._border[:, 5] = (-squeeze * clip.stiff[:, 2] * stretched[:, None] / (settings.shared * keep)).ravel()
        self._corner[5, 5] = (clip.stiff[:, 2, 2] * stretched**2).sum() / (settings.shared * keep)
        self._corner_gradient[5] = -(stretched * miss[:, 2]).sum()
        self._floor(clip, place, common, contact / settings.floor_m**2 / np.maximum(places, keep))
        _balance(clip, common.up, common.lean, self._corner, self._corner_gradient, settings)
        _lean(clip, common.up, common.lean, self._corner, self._corner_gradient)
        _camera(clip, common, self._corner, self._corner_gradient, settings)

    def _floor(self, clip: Clip, place: Array, common: _Common, hold: Array) -> None:
        """Standing points (F, C, 3) don't leave the floor, each as firmly as `hold` (F, C)."""
        up, across = common.up, tangents(common.up)
        off = place @ up + common.height + clip.feet_m @ (common.lean @ across)
        self._diagonal += hold.sum(axis=1)[:, None, None] * np.outer(up, up)
        self._gradient -= (hold * off).sum(axis=1)[:, None] * up
        one = np.ones((*off.shape, 1))
        tilt = np.concatenate([place @ across.T, one, clip.feet_m @ across.T, 0.0 * one], axis=-1)
        self._border += np.einsum("fc,fck,i->fik", hold, tilt, up).reshape(-1, _GLOBALS)
        self._corner += np.einsum("fc,fck,fcl->kl", hold, tilt, tilt)
        self._corner_gradient -= np.einsum("fc,fck->k", hold * off, tilt)

    def _factor(self) -> Array:
        """The band, factored (lower form)."""
        from scipy.linalg import cholesky_banded

        band = np.zeros((_BAND + 1, 3 * self._frames))
        diagonal = self._diagonal + 1e-6 * np.eye(3)
        for i in range(3):
            for j in range(i + 1):
                band[i - j, j::3] = diagonal[:, i, j]
            for j in range(3):
                # Row 3 f + 3 + i, column 3 f + j.
                band[3 + i - j, j : 3 * self._frames - 3 : 3] = self._near[:-1, j, i]
                band[6 + i - j, j : 3 * self._frames - 6 : 3] = self._far[:-2, j, i]
        factor: Array = cholesky_banded(band, lower=True, check_finite=False)
        return factor

    def step(self, path_only: bool) -> tuple[Array, Array]:
        """Change of the path (F, 3), and (6,) of up along its tangents, of height, lean and lens."""
        from scipy.linalg import cho_solve_banded

        factor = self._factor()
        right = np.concatenate([self._gradient.reshape(-1, 1), self._border], axis=1)
        solved = cho_solve_banded((factor, True), right, check_finite=False)
        if path_only:
            return solved[:, 0].reshape(-1, 3), np.zeros(_GLOBALS)
        corner = self._corner - self._border.T @ solved[:, 1:]
        globals_ = np.linalg.solve(corner, self._corner_gradient - self._border.T @ solved[:, 0])
        path = solved[:, 0] - solved[:, 1:] @ globals_
        return path.reshape(-1, 3), globals_

    def doubt(self, path_only: bool) -> tuple[Array, Array]:
        """Covariance (6, 6) of what is common, and sigma (F, 3) of the path, between some frames by interpolation."""
        from scipy.linalg import cho_solve_banded

        factor = self._factor()
        solved = cho_solve_banded((factor, True), self._border, check_finite=False)
        cov = np.linalg.inv(self._corner - self._border.T @ solved) if not path_only else np.zeros((_GLOBALS, _GLOBALS))
        some = np.unique(np.linspace(0, self._frames - 1, min(self._frames, 12)).round().astype(int))
        rows = (3 * some[:, None] + np.arange(3)).ravel()
        unit = np.zeros((3 * self._frames, len(rows)))
        unit[rows, np.arange(len(rows))] = 1.0
        own = cho_solve_banded((factor, True), unit, check_finite=False)[rows, np.arange(len(rows))]
        shared = np.einsum("ri,ij,rj->r", solved[rows], cov, solved[rows])
        sigma = np.sqrt(np.maximum(own + shared, 0.0)).reshape(-1, 3)
        every = np.arange(self._frames)
        return cov, np.stack([np.interp(every, some, sigma[:, axis]) for axis in range(3)], axis=1)


def _camera(clip: Clip, common: _Common, corner: Array, gradient: Array, settings: SolveSettings) -> None:
    """Cameras stand as high as people hold them, lenses are about as assumed, edges say what is up; in place."""
    firm = 1.0 / settings.stand_sigma_m**2
    corner[2, 2] += firm
    gradient[2] += firm * (settings.stand_m - common.height)
    firm = 1.0 / max(clip.lens_sigma, 1e-6) ** 2
    corner[5, 5] += firm
    gradient[5] -= firm * common.lens
    if clip.level is not None:
        told = [0, 1, 5]
        off = np.array([*tangents(common.up) @ clip.level.up, clip.level.lens - common.lens])
        corner[np.ix_(told, told)] += clip.level.information
        gradient[told] += clip.level.information @ off


def _balance(clip: Clip, up: Array, lean: Array, corner: Array, gradient: Array, settings: SolveSettings) -> None:
    """Weight over the feet, but for the lifter's lean, and cameras that are mostly level; in place."""
    across = tangents(up)
    tipped, level = across @ clip.axis - lean, across @ np.array([0.0, -1.0, 0.0])
    held = 1.0 / np.radians([settings.roll_deg, settings.pitch_deg]) ** 2
    for k in range(2):
        firm = 1.0 / clip.axis_sigma[k] ** 2
        both = [k, 3 + k]
        corner[np.ix_(both, both)] += firm
        gradient[both] += firm * tipped[k]
        corner[k, k] += held[k]
        gradient[k] += held[k] * level[k]


def _lean(clip: Clip, up: Array, lean: Array, corner: Array, gradient: Array) -> None:
    """How far the lifter leans a body, and away from the camera the more the steeper it looks down; in place."""
    sight = clip.start_m.mean(axis=0)
    sight = sight / max(float(np.linalg.norm(sight)), _TINY)
    away = tangents(up) @ sight
    away /= max(float(np.linalg.norm(away)), _TINY)
    always, share = clip.lean_away
    miss = lean - (always - share * np.arcsin(np.clip(up @ sight, -1.0, 1.0))) * away
    # Along up's tangents the angle at which the camera looks down changes by -away.
    turn = np.concatenate([share * np.outer(away, away), np.eye(2)], axis=1)
    firm = 1.0 / np.array(clip.lean_sigma) ** 2
    rows = [0, 1, 3, 4]
    corner[np.ix_(rows, rows)] += turn.T @ (firm[:, None] * turn)
    gradient[rows] -= turn.T @ (firm * miss)
