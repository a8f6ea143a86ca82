"""The joints of a clip in the room: one least-squares problem in which each moves as far as the lifter's doubt allows.

Unknown are 18 joints in each frame and one length of each bone. They are held by what the lifter said, by the picture,
by bones that keep their length and are alike on both sides, by standing feet that neither slide nor leave the floor,
and by mass. Gauss-Newton; three neighbouring frames hang together, so that each step is a banded system.

A lifter's errors hang together: along the limbs, for a knee that is too near takes its foot along, and over time, for
the next frame looks almost alike. They are taken for a Gaussian tree over the skeleton times a first-order
autoregression in time: a clip's frames count for as many as they are worth, and what a joint was off by a moment ago
it is off by now.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import OWN_JOINTS, Rays, chunks
from posepipe.settings import setting
from posepipe.skeleton import BODY21
from posepipe.types import FloatArray

__all__ = ["GENTLE", "JOINTS", "MEANS", "JointSettings", "Joints", "solve_joints"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_OWN = np.flatnonzero(OWN_JOINTS)
_AT = {BODY21.joints[joint]: i for i, joint in enumerate(_OWN)}
_COUNT = len(_AT)
_SIZE = 3 * _COUNT
_EACH = np.arange(_SIZE)
_HIPS = (_AT["left_hip"], _AT["right_hip"])
_FEET = np.array([_AT[f"{side}_{part}"] for side in ("left", "right") for part in ("heel", "foot_index")])
_TRUNK = np.array([any(part in name for part in ("hip", "shoulder", "head", "nose")) for name in _AT])
MEANS = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
}
"""Joints made of others."""

_SIDED = (
    ("hip", "knee"), ("knee", "ankle"), ("ankle", "heel"), ("ankle", "foot_index"), ("heel", "foot_index"),
    ("shoulder", "elbow"), ("elbow", "wrist"),
)  # fmt: skip
_SINGLE = (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"), ("nose", "head"))
_BONES = np.array(
    [[_AT[f"{side}_{end}"] for end in pair] for side in ("left", "right") for pair in _SIDED]
    + [[_AT[end] for end in pair] for pair in _SINGLE]
)
"""(E, 2) ends of the bones that keep their length."""
_KIND = np.array([*range(len(_SIDED)), *range(len(_SIDED)), *range(len(_SIDED), len(_SIDED) + len(_SINGLE))])
"""(E,) which length each has: the same on both sides."""

_TREE: tuple[tuple[str, str | None, float, float], ...] = (
    *((f"{side}_knee", None, 0.0, 0.0) for side in ("left", "right")),
    *((f"{side}_ankle", f"{side}_knee", 0.5, 0.7) for side in ("left", "right")),
    *((f"{side}_heel", f"{side}_ankle", 0.9, 0.98) for side in ("left", "right")),
    *((f"{side}_foot_index", f"{side}_ankle", 0.55, 0.9) for side in ("left", "right")),
    ("head", None, 0.0, 0.0),
    ("nose", "head", 0.85, 0.98),
    *((f"{side}_shoulder", "head", 0.5, 0.8) for side in ("left", "right")),
    *((f"{side}_elbow", f"{side}_shoulder", 0.5, 0.7) for side in ("left", "right")),
    *((f"{side}_wrist", f"{side}_elbow", 0.6, 0.85) for side in ("left", "right")),
    ("left_hip", None, 0.0, 0.0),
)
"""Correlation of each joint's error with that of the joint before it, across the picture and in depth, as measured on
48 rendered clips. The right hip is off by as much as the left one, the other way."""

_MADE = "chosen on made clips, docs/world.md"
_TINY = 1e-9
"""No length is taken for less."""
_MIN_SIGMA_M, _UNSEEN_SIGMA_M = 0.01, 0.5
"""No lifted joint is taken for surer, and what one that is never seen gets."""
_FRAMES = 64
"""Frames whose blocks are made at a time, to bound memory."""
_MIN_RAY = 1e-4
"""No ray is taken for surer."""


@dataclass(frozen=True, slots=True)
class JointSettings:
    """What joints are held to, and how firmly."""

    across: float = setting(0.6, "a lifted joint's error across the line of sight, in its sigmas", source=_MADE)
    depth: float = setting(0.8, "and along it", source=_MADE)
    lasting_s: float = setting(0.2, "how long a lifter's error stays the same", unit="s", source=_MADE)
    seen_s: float = setting(1.2, "and a detector's", unit="s", source=_MADE)
    root_across_m: float = setting(0.02, "how far the pelvis may leave its path across the line of sight", unit="m",
                                   source=_MADE)  # fmt: skip
    root_depth_m: float = setting(0.03, "and along it", unit="m", source=_MADE)
    root_s: float = setting(0.3, "how long it does", unit="s", source=_MADE)
    freedom: float = setting(4.0, "degrees of freedom of Student's t: detectors jump", source="judgement")
    bone_m: float = setting(0.02, "how much a bone's length may differ", unit="m", source=_MADE)
    bone_s: float = setting(0.5, "how long it does", unit="s", source=_MADE)
    length: float = setting(0.04, "relative doubt of a bone's length as the lifter has it", source=_MADE)
    slide_mps: float = setting(0.05, "standard deviation of a standing foot's speed", unit="m/s", source=_MADE)
    swing_mps: float = setting(0.3, "a foot faster than this by far isn't held", unit="m/s", source=_MADE)
    floor_m: float = setting(0.02, "standard deviation of a standing foot's height", unit="m", source=_MADE)
    floor_s: float = setting(0.3, "how long it stays the same", unit="s", source="judgement")
    lifted_m: float = setting(0.03, "a foot further off the floor than this by far isn't held", unit="m", source=_MADE)
    trunk_mps2: float = setting(5.0, "standard deviation of the trunk's acceleration at 30 fps", unit="m/s²",
                                source=_MADE)  # fmt: skip
    limb_mps2: float = setting(
        500.0, "and of the limbs', which are smoothed before: nearly free", unit="m/s²", source=_MADE
    )
    rounds: int = setting(5, "steps of Gauss-Newton", source=_MADE)
    piece_frames: int = setting(600, "frames solved at a time, to bound memory", source="judgement")
    overlap_frames: int = setting(60, "and on each side of them", source="judgement")


JOINTS = JointSettings()
"""Of who goes somewhere before a lens that is known."""

GENTLE = JointSettings(across=0.55, depth=0.55, slide_mps=0.12, swing_mps=0.17)
"""Of who stays on the spot, where what the lifter has wrong about a foot stays so, or whose path rests on an assumed
lens; chosen on made clips, docs/world.md."""


@dataclass(frozen=True, slots=True, eq=False)
class Joints:
    """What came out.

    Attributes:
        xyz_m: (F, 21, 3) Body21 in the camera frame; missing joints are made up.
        share: (F, 21) what is left of a joint's sigma, in (0, 1], by the curvature of the problem (Laplace).
    """

    xyz_m: FloatArray
    share: FloatArray


def solve_joints(
    time_s: Array,
    pose_m: FloatArray,
    sigma_m: FloatArray,
    rays: Rays,
    root_m: Array,
    up: Array,
    camera_m: float,
    contact: Array,
    settings: JointSettings = JOINTS,
) -> Joints:
    """Solve a clip of F frames, at least three; a long one in overlapping pieces.

    Args:
        time_s: (F,).
        pose_m: (F, 21, 3) the lifter's Body21 relative to the pelvis, camera frame; NaN where missing.
        sigma_m: (F, 21) standard deviation of each coordinate; NaN where missing.
        rays: what was lifted.
        root_m: (F, 3) the pelvis, camera frame.
        up: (3,) against gravity, camera frame.
        camera_m: height of the camera over the plane of the standing feet's joints.
        contact: (F, 4) in [0, 1] how surely left heel and toe, right heel and toe stand.
        settings: how firmly.
    """
    frames, reach = len(time_s), settings.overlap_frames
    # Of a long clip these would take as much memory in double as everything else.
    xyz, share = np.zeros((frames, len(BODY21), 3), np.float32), np.zeros((frames, len(BODY21)), np.float32)
    total = np.zeros(frames, np.float32)
    most = frames if frames <= settings.piece_frames + 2 * reach else settings.piece_frames
    for part in chunks(frames, most):
        wide = slice(max(part.start - reach, 0), min(part.stop + reach, frames))
        feet = _Feet(up, camera_m, contact[wide])
        problem = _Problem(time_s[wide], pose_m[wide], sigma_m[wide], rays.part(wide), root_m[wide], feet, settings)
        found = problem.solve()
        del problem  # Some 40 MB, let go before the next.
        # From one piece to the next over all that they have in common.
        frame = np.arange(wide.start, wide.stop)
        inside = np.minimum(frame - part.start, part.stop - 1 - frame)
        weight = np.clip((inside + reach + 0.5) / (2.0 * reach), 0.0, 1.0).astype(np.float32)
        xyz[wide] += weight[:, None, None] * found.xyz_m
        share[wide] += weight[:, None] * found.share
        total[wide] += weight
    xyz /= total[:, None, None]
    share /= total[:, None]
    return Joints(xyz, share)


@dataclass(frozen=True, slots=True, eq=False)
class _Feet:
    """What feet stand on, and when."""

    up: Array
    camera_m: float
    contact: Array


def _hang_together() -> tuple[Array, NDArray[np.intp]]:
    """Square root (51, 51) of the inverse correlation of the errors of 17 joints, and which of the 54 they are."""
    names = [name for name, *_ in _TREE]
    whole = np.zeros((len(names), 3, len(names), 3))
    for axis, which in enumerate((2, 2, 3)):
        corr = np.eye(len(names))
        for i, entry in enumerate(_TREE):
            if entry[1] is not None:
                corr[i, :i] = corr[:i, i] = float(entry[which]) * corr[names.index(entry[1]), :i]  # type: ignore[arg-type]
        whole[:, axis, :, axis] = np.linalg.inv(corr)
    rows = (3 * np.array([_AT[name] for name in names])[:, None] + np.arange(3)).ravel()
    return np.asarray(np.linalg.cholesky(whole.reshape(len(rows), len(rows))).T, np.float64), rows


_ROOT, _ROWS = _hang_together()
_TO_PELVIS = np.eye(_COUNT) - 0.5 * np.isin(np.arange(_COUNT), _HIPS)
"""(18, 18) joints to joints relative to the pelvis."""


class _Problem:
    """Normal equations of a piece: blocks of each frame and towards the next one, and a diagonal to the second next."""

    def __init__(
        self, time_s: Array, pose_m: FloatArray, sigma_m: FloatArray, rays: Rays, root_m: Array, feet: _Feet,
        settings: JointSettings,
    ) -> None:  # fmt: skip
        self._settings, self._feet = settings, feet
        own, known = _filled(pose_m[:, _OWN].astype(np.float64))
        sigma, sure = _filled(np.where(known, sigma_m[:, _OWN], np.nan)[..., None].astype(np.float64))
        sigma = np.where(sure.any(axis=0), np.maximum(sigma[..., 0], _MIN_SIGMA_M), _UNSEEN_SIGMA_M)
        self._start = own + root_m[:, None]
        self._step_s = np.diff(time_s)
        self._usual_s = float(np.median(self._step_s))
        ahead = root_m / np.maximum(np.linalg.norm(root_m, axis=1, keepdims=True), _TINY)
        across = np.cross([0.0, 1.0, 0.0], ahead)
        across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), _TINY)
        axes = np.stack([across, np.cross(ahead, across), ahead], axis=1)
        self._lifted(sigma, axes)
        self._path(root_m, axes)
        self._mass()
        seen = rays.valid[:, _OWN] & known
        self._ray = np.where(seen[..., None], rays.xy[:, _OWN], 0.0).astype(np.float64)
        noise = np.maximum(np.nan_to_num(rays.sigma[:, _OWN], nan=1.0), _MIN_RAY).astype(np.float64)
        self._sure = np.where(seen, 1.0 / noise**2, 0.0)
        self._whole: BoolArray = np.all(known[:, _BONES], axis=2)
        self._length_m = _lengths(self._start, self._whole)

    def _times(self, lasting_s: float) -> float:
        """How many frames count for one where errors last."""
        return max(1.0, lasting_s / self._usual_s)

    def _path(self, root_m: Array, axes: Array) -> None:
        """The pelvis stays near the path that was found before."""
        settings = self._settings
        sigma = np.array([settings.root_across_m, settings.root_across_m, settings.root_depth_m])
        firm = np.einsum("fai,a,faj->fij", axes, 1.0 / sigma**2 / self._times(settings.root_s), axes)
        blocks = self._diagonal.reshape(len(root_m), _COUNT, 3, _COUNT, 3)
        for one in _HIPS:
            for other in _HIPS:
                blocks[:, one, :, other, :] += 0.25 * firm
            self._right[:, 3 * one : 3 * one + 3] += 0.5 * np.einsum("fij,fj->fi", firm, root_m)

    def _lifted(self, sigma: Array, axes: Array) -> None:
        """The lifter's answer; whitened, its errors follow ``u[t] = rho u[t-1] + sqrt(1 - rho^2) noise``."""
        settings, frames = self._settings, len(sigma)
        scale = np.array([settings.across, settings.across, settings.depth])
        rho = np.exp(-self._step_s / settings.lasting_s)
        gain = 1.0 / (1.0 - rho**2)
        weight = np.zeros(frames)
        weight[0] = 1.0
        weight[1:] += gain
        weight[:-1] += gain * rho**2
        self._diagonal, self._next = np.empty((frames, _SIZE, _SIZE)), np.empty((frames - 1, _SIZE, _SIZE))
        self._right = np.zeros((frames, _SIZE))
        start = self._start.reshape(frames, -1)
        for part in chunks(frames, _FRAMES):
            # With the first frame of the next part.
            rows = slice(part.start, min(part.stop + 1, frames))
            white = axes[rows, None] / (sigma[rows, :, None] * scale)[..., None]
            white = np.einsum("fjac,jk->fjakc", white, _TO_PELVIS).reshape(-1, _SIZE, _SIZE)[:, _ROWS]
            if rows.start <= frames // 2 < part.stop:
                self._white = white[frames // 2 - rows.start].copy()
            turn = _ROOT @ white
            back = np.swapaxes(turn, 1, 2)
            flat = np.einsum("fij,fj->fi", turn, start[rows])
            if rows.start == 0:
                self._right[0] = flat[0] @ turn[0]
            own, steps = part.stop - part.start, slice(rows.start, rows.stop - 1)
            firm = gain[steps] * rho[steps]
            self._diagonal[part] = weight[part, None, None] * (back[:own] @ turn[:own])
            self._next[steps] = -firm[:, None, None] * (back[1:] @ turn[:-1])
            miss = flat[1:] - rho[steps, None] * flat[:-1]
            self._right[rows][1:] += np.einsum("fij,fi->fj", turn[1:], gain[steps, None] * miss)
            self._right[rows][:-1] -= np.einsum("fij,fi->fj", turn[:-1], firm[:, None] * miss)

    def _mass(self) -> None:
        """White acceleration of each joint: its weight grows with the step, and it is let go across gaps."""
        settings, step_s, frames = self._settings, self._step_s, len(self._start)
        mean_s = 0.5 * (step_s[1:] + step_s[:-1])
        even = (step_s[1:] < 4.0 * self._usual_s) & (step_s[:-1] < 4.0 * self._usual_s)
        firm = 1.0 / np.repeat(np.where(_TRUNK, settings.trunk_mps2, settings.limb_mps2), 3) ** 2
        weight = (np.where(even, 1.0, 1e-3) * (30.0 * mean_s))[:, None] * firm
        early, late = 1.0 / (step_s[:-1] * mean_s), 1.0 / (step_s[1:] * mean_s)
        parts = np.stack([early, -(early + late), late])[..., None]
        for i in range(3):
            self._diagonal[i : frames - 2 + i, _EACH, _EACH] += weight * parts[i] ** 2
        self._next[:-1, _EACH, _EACH] += weight * parts[0] * parts[1]
        self._next[1:, _EACH, _EACH] += weight * parts[1] * parts[2]
        self._second = weight * parts[0] * parts[2]

    def solve(self) -> Joints:
        """Steps of Gauss-Newton, and what they leave in doubt."""
        from scipy.linalg import cho_solve_banded

        xyz, factor = self._start, None
        for _ in range(self._settings.rounds):
            factor = None  # Some 30 MB, let go before the next.
            diagonal, following, gradient = self._at(xyz)
            factor = _factor(diagonal, following, self._second)
            del diagonal, following
            step = cho_solve_banded((factor, True), gradient.ravel(), check_finite=False)
            xyz = xyz + step.reshape(xyz.shape)
        assert factor is not None
        return Joints(_whole(xyz).astype(np.float32), self._share(factor).astype(np.float32))

    def _at(self, xyz: Array) -> tuple[Array, Array, Array]:
        """Blocks of the matrix, and the right-hand side, at some joints (F, 18, 3)."""
        frames = len(xyz)
        flat = xyz.reshape(frames, -1)
        right = self._right - np.einsum("fij,fj->fi", self._diagonal, flat)
        right[1:] -= np.einsum("fij,fj->fi", self._next, flat[:-1])
        right[:-1] -= np.einsum("fij,fi->fj", self._next, flat[1:])
        right[2:] -= self._second * flat[:-2]
        right[:-2] -= self._second * flat[2:]
        diagonal, following = self._diagonal.copy(), self._next.copy()
        blocks = diagonal.reshape(frames, _COUNT, 3, _COUNT, 3)
        pull = right.reshape(frames, _COUNT, 3)
        own, force = self._seen(xyz)
        pull += force
        joint = np.arange(_COUNT)
        blocks[:, joint, :, joint, :] += np.moveaxis(own, 1, 0)
        self._stand(xyz, blocks, following.reshape(frames - 1, _COUNT, 3, _COUNT, 3), pull)
        self._hold_bones(xyz, blocks, pull)
        return diagonal, following, right

    def _seen(self, xyz: Array) -> tuple[Array, Array]:
        """The picture: information (F, 18, 3, 3) about each joint, and where it pulls it (F, 18, 3)."""
        depth = np.maximum(xyz[..., 2], 0.2)
        at = xyz[..., :2] / depth[..., None]
        off = self._ray - at
        freedom = self._settings.freedom
        jump = (freedom + 2.0) / (freedom + (off**2).sum(axis=-1) * self._sure)
        weight = self._sure * np.minimum(jump, 1.0) / depth**2 / self._times(self._settings.seen_s)
        own = np.zeros((*weight.shape, 3, 3))
        own[..., 0, 0] = own[..., 1, 1] = weight
        own[..., :2, 2] = own[..., 2, :2] = -weight[..., None] * at
        own[..., 2, 2] = weight * (at**2).sum(axis=-1)
        push = (weight * depth)[..., None] * off
        return own, np.concatenate([push, -(at * push).sum(axis=-1, keepdims=True)], axis=-1)

    def _stand(self, xyz: Array, blocks: Array, following: Array, pull: Array) -> None:
        """Standing feet neither slide nor leave the floor; those that would have to do much for it don't stand."""
        settings, feet, contact = self._settings, self._feet, self._feet.contact
        point = xyz[:, _FEET]
        moved = (point[1:] - point[:-1]) / self._step_s[:, None, None]
        fast = 1.0 + (moved**2).sum(axis=-1) / settings.swing_mps**2
        # White over time: its weight grows with the step, like that of mass.
        still = np.sqrt(contact[1:] * contact[:-1]) / fast**2 * 30.0 / settings.slide_mps**2 / self._step_s[:, None]
        off = point @ feet.up + feet.camera_m
        held = contact / (1.0 + (off / settings.lifted_m) ** 2) ** 2
        held = held / settings.floor_m**2 / self._times(settings.floor_s)
        upright = np.outer(feet.up, feet.up)
        force = still[..., None] * (point[1:] - point[:-1])
        for i, foot in enumerate(_FEET):
            blocks[:, foot, :, foot, :] += held[:, i, None, None] * upright
            for axis in range(3):
                blocks[1:, foot, axis, foot, axis] += still[:, i]
                blocks[:-1, foot, axis, foot, axis] += still[:, i]
                following[:, foot, axis, foot, axis] -= still[:, i]
            pull[:, foot] -= (held * off)[:, i, None] * feet.up
            pull[1:, foot] -= force[:, i]
            pull[:-1, foot] += force[:, i]

    def _hold_bones(self, xyz: Array, blocks: Array, pull: Array) -> None:
        """Bones have the clip's lengths, which are what the lifter said and what they are now."""
        settings, (start, end) = self._settings, _BONES.T
        way = xyz[:, start] - xyz[:, end]
        length = np.maximum(np.linalg.norm(way, axis=-1), _TINY)
        way = way / length[..., None]
        firm = np.where(self._whole, 1.0 / settings.bone_m**2 / self._times(settings.bone_s), 0.0)
        weight = 1.0 / (settings.length * self._length_m + _TINY) ** 2
        total, sure = weight * self._length_m, weight.copy()
        np.add.at(total, _KIND, (firm * length).sum(axis=0))
        np.add.at(sure, _KIND, firm.sum(axis=0))
        force = (firm * ((total / sure)[_KIND] - length))[..., None] * way
        along = firm[..., None, None] * way[..., :, None] * way[..., None, :]
        for i, (a, b) in enumerate(_BONES):
            for one, other, sign in ((a, a, 1.0), (b, b, 1.0), (a, b, -1.0), (b, a, -1.0)):
                blocks[:, one, :, other, :] += sign * along[:, i]
            pull[:, a] += force[:, i]
            pull[:, b] -= force[:, i]

    def _share(self, factor: Array) -> Array:
        """(F, 21) what is left of each joint's sigma, told in the middle of the piece."""
        from scipy.linalg import cho_solve_banded

        frames = len(self._start)
        turn = np.kron(_TO_PELVIS, np.eye(3))
        # What stands before the middle is zero on the way down and isn't asked for on the way up.
        rest = factor[:, _SIZE * (frames // 2) :]
        unit = np.zeros((rest.shape[1], _SIZE))
        unit[:_SIZE] = turn.T
        after = cho_solve_banded((rest, True), unit, overwrite_b=True, check_finite=False)[:_SIZE]
        left = np.einsum("ij,ji->i", turn, after).reshape(_COUNT, 3).sum(axis=1)
        # The lifter's own: of a whitened joint relative to the pelvis, one.
        white = self._white.reshape(len(_ROWS) // 3, 3, _COUNT, 3)
        before = np.zeros(_COUNT)
        for row, joint in enumerate(_ROWS[::3] // 3):
            square = (white[row, :, joint] ** 2).sum(axis=1) / _TO_PELVIS[joint, joint] ** 2
            before[joint] = (1.0 / square).sum()
        before[_HIPS[1]] = before[_HIPS[0]]
        share = np.sqrt(np.clip(left / np.maximum(before, _TINY), 1e-4, 1.0))
        out = np.ones(len(BODY21))
        out[_OWN] = share
        for name, parents in MEANS.items():
            out[BODY21.index(name)] = share[[_AT[parent] for parent in parents]].mean()
        return np.broadcast_to(out, (frames, len(BODY21)))


def _filled(values: Array) -> tuple[Array, BoolArray]:
    """Values (F, 18, N) without gaps, linear between what is known, and which were (F, 18)."""
    known: BoolArray = np.all(np.isfinite(values), axis=-1)
    out, frames = np.nan_to_num(values), np.arange(len(values))
    for joint in np.flatnonzero(~known.all(axis=0) & known.any(axis=0)):
        rows = np.flatnonzero(known[:, joint])
        for axis in range(values.shape[2]):
            out[:, joint, axis] = np.interp(frames, rows, values[rows, joint, axis])
    return out, known


def _lengths(xyz_m: Array, whole: BoolArray) -> Array:
    """Median length of each kind of bone where both ends are known; zero where none is."""
    length = np.linalg.norm(xyz_m[:, _BONES[:, 0]] - xyz_m[:, _BONES[:, 1]], axis=-1)
    out = np.zeros(len(set(_KIND)))
    for kind in range(len(out)):
        alike = np.flatnonzero(kind == _KIND)
        if whole[:, alike].any():
            out[kind] = np.median(length[:, alike][whole[:, alike]])
    return out


def _whole(xyz_m: Array) -> Array:
    """Joints (F, 18, 3) to Body21, derived ones made."""
    out = np.empty((len(xyz_m), len(BODY21), 3))
    out[:, _OWN] = xyz_m
    for name, parents in MEANS.items():
        out[:, BODY21.index(name)] = xyz_m[:, [_AT[parent] for parent in parents]].mean(axis=1)
    return out


def _factor(diagonal: Array, following: Array, second: Array) -> Array:
    """Banded Cholesky factor (109, 54 F), lower form, of blocks of each frame, to the next, and to the second next."""
    from scipy.linalg import cholesky_banded

    frames, band = len(diagonal), 2 * _SIZE
    flat = np.zeros((frames + 3) * _SIZE * (band + 1))
    size = flat.itemsize
    # Element (row, column) of the matrix lies at ``column * band + row`` of LAPACK's lower band, column after column:
    # seen with these strides, the band is the matrix itself, three frames of rows under each frame of columns.
    strides = (_SIZE * (band + 1) * size, band * size, size)
    seen = np.lib.stride_tricks.as_strided(flat, (frames, _SIZE, 3 * _SIZE), strides)
    row, column = np.tril_indices(_SIZE)
    seen[:, column, row] = diagonal[:, row, column]
    seen[: frames - 1, :, _SIZE : 2 * _SIZE] = np.swapaxes(following, 1, 2)
    seen[: frames - 2, _EACH, 2 * _SIZE + _EACH] = second
    lower = flat[: frames * _SIZE * (band + 1)].reshape(frames * _SIZE, band + 1).T
    factor: Array = cholesky_banded(lower, overwrite_ab=True, lower=True, check_finite=False)
    return factor
