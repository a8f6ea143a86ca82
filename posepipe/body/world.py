"""Where a person is in the room: which way is up, the floor, and the path, from one camera that stands still.

The lifter sees a body before a camera. Over a clip more is known: gravity points one way, there is one floor, feet
stand on it without sliding, who stands keeps their weight over their feet, bones keep their length, and a body doesn't
jump about. All that and the picture go into a least-squares problem for gravity, floor and path
(`posepipe.body.world_solve`), then one for the joints (`posepipe.body.world_joints`). What can't be told is withheld
with a reason, and the pose that the lifter made stays as it is beside it. docs/world.md says what is assumed.

World axes: x to the camera's right, y away from it, z up, all level; the origin is the floor right below the camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from posepipe.body.lift import OWN_JOINTS, Rays, chunks
from posepipe.body.room_lines import LINES, LineSettings, level_of_lines
from posepipe.body.steady import hold_back
from posepipe.body.world_bias import without_bias
from posepipe.body.world_joints import GENTLE, JOINTS, Joints, JointSettings, solve_joints
from posepipe.body.world_solve import SOLVE, Clip, Solution, SolveSettings, solve
from posepipe.errors import UsageError
from posepipe.geometry import from_rotation_vector, tangents
from posepipe.reasons import Reason
from posepipe.settings import setting
from posepipe.skeleton import BODY21
from posepipe.types import BoolArray, Camera, FloatArray, PoseTrack

__all__ = ["FEET", "PARTS", "WORLD", "World", "WorldSettings", "find_world", "level_axes"]

Array = NDArray[np.float64]

PARTS = ("gravity", "floor", "path")
"""What may be known or withheld, each resting on the one before."""

FEET: tuple[str, ...] = ("left_heel", "left_foot_index", "right_heel", "right_foot_index")
"""Points of the feet that stand on the floor, in the order of `World.contact`."""

_FOOT = BODY21.indices(*FEET)
_PELVIS = BODY21.index("pelvis")
_MADE = "chosen on made clips, docs/world.md"
_CHUNK = 2048
"""Frames brought into world axes at a time, to bound memory."""

# Shares of body mass, at a point between two joints: Winter, Biomechanics and Motor Control of Human Movement, 4.1.
_MASS = (
    (0.081, "head", "head", 0.0),
    (0.497, "pelvis", "thorax", 0.5),
    *((0.028, f"{side}_shoulder", f"{side}_elbow", 0.436) for side in ("left", "right")),
    *((0.022, f"{side}_elbow", f"{side}_wrist", 0.682) for side in ("left", "right")),
    *((0.100, f"{side}_hip", f"{side}_knee", 0.433) for side in ("left", "right")),
    *((0.0465, f"{side}_knee", f"{side}_ankle", 0.433) for side in ("left", "right")),
    *((0.0145, f"{side}_heel", f"{side}_foot_index", 0.5) for side in ("left", "right")),
)


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """When the world is told, and how sure it is."""

    least_s: float = setting(1.0, "a shorter track tells no world", unit="s", source="judgement")
    least_frames: int = setting(12, "nor does one of fewer frames", source="judgement")
    feet_share: float = setting(0.6, "share of frames in which both feet must be seen", source="judgement")
    tilt_deg: float = setting(
        50.0, "a body further from the camera's own up isn't taken to stand", unit="deg", source="judgement"
    )
    bent_deg: float = setting(80.0, "knees bent by more for most of the time: seated", unit="deg", source="judgement")
    overhead_share: float = setting(
        0.7, "share of frames with both hands over the head from which on they may hang", source="judgement"
    )
    stand_share: float = setting(0.3, "share of frames with a standing foot, at least, for a floor", source=_MADE)
    stands: float = setting(0.4, "a point surer than this to stand is said to", source=_MADE)
    slide_mps: float = setting(0.3, "standing feet that slide faster tell no path", unit="m/s", source=_MADE)
    adrift: float = setting(
        2.0, "factor on gravity's sigma without standing feet: it rests on balance alone", source="judgement"
    )
    path_doubt: float = setting(1.35, "factor on the path's sigma that makes 90 % intervals true", source=_MADE)
    pelvis_m: float = setting(0.015, "a detector's pelvis is so far off for good", unit="m", source=_MADE)
    sole_m: float = setting(0.025, "height of heel's and toe's joint over the floor", unit="m", source=_MADE)
    axis_deg: tuple[float, float] = setting(
        (2.0, 3.0),
        "how far a walker's weight is off their feet, across the picture and in depth",
        unit="deg",
        source=_MADE,
    )
    lean_deg: tuple[float, float] = setting(
        (1.5, 4.0), "how much more or less a walker leans than the lifter sees, the same all over the clip", unit="deg",
        source=_MADE,
    )  # fmt: skip
    spot_axis_deg: tuple[float, float] = setting((3.0, 4.0), "the weight of who stays on the spot", unit="deg",
                                                 source=_MADE)  # fmt: skip
    spot_lean_deg: tuple[float, float] = setting((4.0, 5.0), "and their lean: few poses don't average out", unit="deg",
                                                 source=_MADE)  # fmt: skip
    spot_away_deg: float = setting(
        1.0, "the lifter leans who stays on the spot so far away from the camera", unit="deg", source=_MADE
    )
    spot_away: float = setting(
        0.3, "and by this share of the angle at which the camera looks down on them", source=_MADE
    )
    sure_deg: float = setting(4.0, "gravity with more doubt than this is told roughly only", unit="deg",
                              source="judgement: a walk has 1 to 3, who stays on the spot 4 to 8")  # fmt: skip
    least_doubt_deg: float = setting(1.5, "edges are looked for at least so far around what people say", unit="deg",
                                     source="judgement")  # fmt: skip
    lens_known: float = setting(0.08, "a lens told better than this is taken for known", source="judgement")
    spot_turn: float = setting(
        0.7, "share of the lifter's lean that is taken out of the pose on the spot, where edges of the room tell it",
        source=_MADE,
    )  # fmt: skip
    spot_bias: float = setting(
        0.7,
        "share of what the lifter has wrong by their mean pose that is taken out, where edges don't tell the lean",
        source=_MADE,
    )
    goes_m: float = setting(0.9, "who stays within less is on the spot", unit="m", source="judgement")
    steps_m: float = setting(
        0.25,
        "and who keeps their feet within less across the picture, at the body's mean distance: depth wavers",
        unit="m",
        source="judgement: a squat's waver by 0.1, of who walks straight towards the camera they move by 0.35",
    )
    piece_frames: int = setting(1800, "frames solved at a time, to bound memory", source="judgement")
    overlap_frames: int = setting(60, "and on each side of them", source="judgement")


WORLD = WorldSettings()


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """One person in the room, over the F frames of their track.

    Attributes:
        up: (3,) unit vector against gravity in the camera frame; NaN where withheld.
        up_sigma_deg: (2,) its standard deviation across the picture (roll) and in depth (pitch).
        camera_m: height of the camera over the floor; NaN where withheld.
        camera_sigma_m: its standard deviation.
        xyz_m: (F, 21, 3) joints (Body21) in world axes; NaN where withheld or not seen.
        root_sigma_m: (F, 3) standard deviation of the pelvis, with what an assumed body size and focal length add.
        contact: (F, 4) whether each of `FEET` stands on the floor; False where not known.
        withheld: part of `PARTS` -> why it isn't known.
        sigma_m: (F, 21) standard deviation of each coordinate of a joint relative to the pelvis; None where it wasn't
            kept.
        lens: logarithm of the true focal length over the assumed one, as far as it is told; 0 before a known lens.
        lens_sigma: its standard deviation.
    """

    up: FloatArray
    up_sigma_deg: FloatArray
    camera_m: float
    camera_sigma_m: float
    xyz_m: FloatArray
    root_sigma_m: FloatArray
    contact: BoolArray
    withheld: Mapping[str, Reason] = field(default_factory=lambda: MappingProxyType({}))
    sigma_m: FloatArray | None = None
    lens: float = 0.0
    lens_sigma: float = 0.0

    def __post_init__(self) -> None:
        frames = len(self.xyz_m)
        shapes = {"up": (3,), "up_sigma_deg": (2,), "xyz_m": (frames, len(BODY21), 3)}
        shapes |= {"root_sigma_m": (frames, 3), "contact": (frames, len(FEET))}
        for name, expected in shapes.items():
            got = np.shape(getattr(self, name))
            if got != expected:
                raise UsageError(f"World.{name}: expected shape {expected}, got {got}")

    def __len__(self) -> int:
        return len(self.xyz_m)

    def knows(self, part: str) -> bool:
        """Whether a part of `PARTS` is known."""
        return part not in self.withheld

    @property
    def rough(self) -> bool:
        """Whether gravity is known, but roughly only."""
        return self.knows("gravity") and bool(np.max(self.up_sigma_deg) > WORLD.sure_deg)

    @property
    def rotation(self) -> Array:
        """(3, 3) camera frame to world axes; the camera's own level where gravity isn't known."""
        return level_axes(self.up.astype(np.float64) if self.knows("gravity") else np.array([0.0, -1.0, 0.0]))

    @property
    def root_m(self) -> FloatArray:
        """(F, 3) pelvis in world axes."""
        return self.xyz_m[:, _PELVIS]


def level_axes(up: Array) -> Array:
    """(3, 3) rotation from the camera frame to level axes: x to the camera's right, y away, z along `up`."""
    across = tangents(up)[0]
    return np.stack([across, np.cross(up, across), up])


def unknown_world(frames: int, reason: Reason, parts: tuple[str, ...] = PARTS) -> World:
    """A world of which nothing is known."""
    blank = np.full((frames, 3), np.nan, np.float32)
    joints = np.full((frames, len(BODY21), 3), np.nan, np.float32)
    nothing = np.zeros((frames, len(FEET)), np.bool_)
    three, two = np.full(3, np.nan, np.float32), np.full(2, np.nan, np.float32)
    return World(three, two, float("nan"), float("nan"), joints, blank, nothing, dict.fromkeys(parts, reason))


def find_world(
    pose: PoseTrack,
    rays: Rays,
    camera: Camera,
    *,
    scale_sigma: float = 0.0,
    focal_sigma: float = 0.0,
    lines: Array | None = None,
    fixed: tuple[Array, float, float] | None = None,
    settings: WorldSettings = WORLD,
    firmness: SolveSettings = SOLVE,
    edges: LineSettings = LINES,
    joints: tuple[JointSettings, JointSettings] | None = (JOINTS, GENTLE),
) -> World:
    """Gravity, floor and path of one person.

    Args:
        pose: Body21, F frames; isn't changed.
        rays: what it was lifted from, same frames.
        camera: for the picture's edges.
        scale_sigma: relative error of the metric scale, where it is assumed.
        focal_sigma: relative error of the focal length, where it is assumed.
        lines: (M, 3) straight edges behind the people, see `posepipe.body.camera_motion.CameraMotion`.
        fixed: up (3,), the camera's height and the lens (see `World`), where they are known already; their sigma is
            left out then.
        settings: when it is told.
        firmness: what the clip is held to.
        edges: when edges say which way is up.
        joints: what joints are held to, of who goes somewhere before a known lens and of all others; None leaves them
            as the lifter has them.
    """
    frames = len(pose)
    why = _why_not(pose, rays, camera, settings)
    if why is not None:
        return unknown_world(frames, why)
    known = np.flatnonzero(np.isfinite(pose.root_m).all(axis=1) & pose.valid[:, _PELVIS])
    first, after = int(known[0]), int(known[-1]) + 1
    clips = [_clip(pose, rays, part, focal_sigma, settings) for part in _pieces(first, after, settings)]
    if fixed is None:
        found = _common(clips, np.zeros((0, 3)) if lines is None else lines, firmness, edges, settings)
        held, lens = (found.up, found.camera_m), found.lens
    else:
        held, lens = (fixed[0], fixed[1] - settings.sole_m), fixed[2]
    alone = fixed is None and len(clips) == 1
    solutions = [found] if alone else [solve(clip, firmness, fixed=held, lens=lens) for clip in clips]
    found = found if fixed is None else replace(solutions[0], lens_sigma=focal_sigma)
    root, sigma, contact = _joined(solutions, first, after, frames, settings)
    if not alone:
        sigma[:, 2] = np.hypot(sigma[:, 2], found.lens_sigma * np.abs(root[:, 2]))
    goes = _goes(root[first:after], rays.part(slice(first, after)), settings)
    how = None if joints is None else joints[0 if goes and found.lens_sigma < settings.lens_known else 1]
    spot = (0.0, 0.0) if goes else (settings.spot_turn, settings.spot_bias)
    moved = _moved(pose, rays, found, root, contact, slice(first, after), how, spot)
    return _world(found, root, sigma, contact, pose, moved, scale_sigma, settings)


def _moved(
    pose: PoseTrack,
    rays: Rays,
    found: Solution,
    root: Array,
    contact: Array,
    part: slice,
    how: JointSettings | None,
    spot: tuple[float, float],
) -> Joints:
    """Joints of all frames, camera frame, and what is left of their sigma; the pose's own where none are sought.

    They move by a tenth of a sigma or two; a clip that would move by more than one is held back. Shares `spot` of how
    much the lifter has the body lean too far, and of what it has wrong by the mean pose, are taken out before.
    """
    back = -spot[0] * (found.lean_told * found.lean) @ np.cross(found.up, tangents(found.up))
    level = from_rotation_vector(back).T
    lifted = np.empty_like(pose.xyz_m)
    for rows in chunks(len(lifted), _CHUNK):
        lifted[rows] = pose.xyz_m[rows].astype(np.float64) @ level
    share = np.ones(lifted.shape[:2], np.float32)
    if how is not None:
        shrink = np.float32(np.exp(-found.lens))
        view = rays.part(part)
        view = view._replace(xy=view.xy * shrink, sigma=view.sigma * shrink)
        lifted[part] = without_bias(lifted[part], root[part], spot[1] * (1.0 - float(found.lean_told.max())))
        some = solve_joints(
            pose.time_s[part], lifted[part], pose.sigma_m[part], view, root[part], found.up, found.camera_m,
            contact[part], how,
        )  # fmt: skip
        pelvis = some.xyz_m[:, [_PELVIS]].copy()
        usable: BoolArray = np.all(np.isfinite(lifted[part]), axis=(1, 2))
        some.xyz_m[...] -= pelvis
        held = hold_back(lifted[part], some.xyz_m, pose.sigma_m[part], usable)
        lifted += root[:, None]
        lifted[part] = held + pelvis
        share[part] = some.share
    else:
        lifted += root[:, None]
    lifted[~pose.valid] = np.nan
    return Joints(lifted, share)


def _pieces(first: int, after: int, settings: WorldSettings) -> list[slice]:
    """Overlapping parts of the frames; one where they fit."""
    most, reach = settings.piece_frames, settings.overlap_frames
    if after - first <= most + 2 * reach:
        return [slice(first, after)]
    parts = []
    for part in chunks(after - first, most):
        parts.append(slice(max(first, first + part.start - reach), min(after, first + part.stop + reach)))
    return [part for part in parts if part.stop - part.start > 2]


def _joined(
    solutions: list[Solution], first: int, after: int, frames: int, settings: WorldSettings
) -> tuple[Array, Array, Array]:
    """Path, sigma and contacts of pieces over all frames; a piece's own part of each overlap."""
    root, sigma = np.full((frames, 3), np.nan), np.full((frames, 3), np.nan)
    contact = np.zeros((frames, len(FEET)))
    parts = _pieces(first, after, settings)
    for i, (part, one) in enumerate(zip(parts, solutions, strict=True)):
        begin = part.start if i == 0 else part.start + settings.overlap_frames
        rows = slice(begin, part.stop)
        inner = slice(begin - part.start, part.stop - part.start)
        root[rows], sigma[rows], contact[rows] = one.root_m[inner], one.root_sigma_m[inner], one.contact[inner]
    return root, sigma, contact


def _common(
    clips: list[Clip], lines: Array, firmness: SolveSettings, edges: LineSettings, settings: WorldSettings
) -> Solution:
    """Up and floor that all pieces share: each piece's, weighted by what it knows."""
    found = []
    for clip in clips:
        first = solve(clip, firmness)
        better = _over_standing(clip, first.contact, settings)
        doubt = np.maximum(np.degrees(np.sqrt(np.diag(first.up_cov))), settings.least_doubt_deg)
        level = level_of_lines(lines, first.up, doubt, clip.lens_sigma, edges)
        found.append(solve(replace(better, level=level), firmness))
    if len(found) == 1:
        return found[0]
    weight = np.array([1.0 / max(one.camera_sigma_m, 1e-3) ** 2 for one in found])
    height = float((weight * [one.camera_m for one in found]).sum() / weight.sum())
    firm = np.array([1.0 / max(float(np.trace(one.up_cov)), 1e-8) for one in found])
    up = (firm[:, None] * np.stack([one.up for one in found])).sum(axis=0)
    best = found[int(np.argmax(firm))]
    return Solution(
        best.root_m, best.root_sigma_m, up / np.linalg.norm(up), best.up_cov, best.lean, height,
        best.camera_sigma_m, best.contact, float(np.nanmedian([one.slide_mps for one in found])),
        float(np.nanmedian([one.off_floor_m for one in found])), best.lens, best.lens_sigma, best.lean_told,
    )  # fmt: skip


def _why_not(pose: PoseTrack, rays: Rays, camera: Camera, settings: WorldSettings) -> Reason | None:
    """Why nothing can be told; None if something may be."""
    rooted = np.isfinite(pose.root_m).all(axis=1) & pose.valid[:, _PELVIS]
    if rooted.sum() < settings.least_frames:
        return Reason.TOO_FEW_FRAMES
    time_s = pose.time_s[rooted]
    if time_s[-1] - time_s[0] < settings.least_s:
        return Reason.TOO_SHORT
    feet = rays.valid[:, _FOOT] & pose.valid[:, _FOOT]
    if feet[rooted].all(axis=1).mean() < settings.feet_share:
        return Reason.JOINT_UNSEEN
    edge = 0.5 * np.array([camera.width_px, camera.height_px]) / camera.focal_px
    center = (np.array(camera.principal_px) - 0.5 * np.array([camera.width_px, camera.height_px])) / camera.focal_px
    inside: BoolArray = np.all(np.abs(rays.xy[:, _FOOT] + center) < edge, axis=(1, 2))
    if inside[rooted].mean() < settings.feet_share:
        return Reason.OUT_OF_FRAME
    return None if _stands(pose, rooted, settings) else Reason.NOT_STANDING


def _stands(pose: PoseTrack, rooted: BoolArray, settings: WorldSettings) -> bool:
    """Whether the person is on their feet: not lying, seated or hanging."""
    names = ("thorax", "left_ankle", "right_ankle", "left_knee", "right_knee", "left_hip", "right_hip")
    at = {name: pose.xyz_m[rooted, BODY21.index(name)].astype(np.float64) for name in names}
    line = at["thorax"] - 0.5 * (at["left_ankle"] + at["right_ankle"])
    length = np.linalg.norm(line, axis=1)
    cosine = -line[:, 1] / np.maximum(length, 1e-9)
    if not np.nanmedian(cosine) > np.cos(np.radians(settings.tilt_deg)):
        return False
    bends = []
    for side in ("left", "right"):
        thigh, shank = at[f"{side}_knee"] - at[f"{side}_hip"], at[f"{side}_ankle"] - at[f"{side}_knee"]
        size = np.maximum(np.linalg.norm(thigh, axis=1) * np.linalg.norm(shank, axis=1), 1e-9)
        bends.append(np.degrees(np.arccos(np.clip((thigh * shank).sum(axis=1) / size, -1.0, 1.0))))
    if np.nanmedian(np.minimum(*bends)) > settings.bent_deg:
        return False
    along = line / np.maximum(length, 1e-9)[:, None]
    head = (pose.xyz_m[rooted, BODY21.index("head")] * along).sum(axis=1)
    over = [
        (pose.xyz_m[rooted, BODY21.index(f"{side}_wrist")] * along).sum(axis=1) > head for side in ("left", "right")
    ]
    return float((over[0] & over[1]).mean()) < settings.overhead_share


def _clip(pose: PoseTrack, rays: Rays, part: slice, focal_sigma: float, settings: WorldSettings) -> Clip:
    """The solver's view of some frames."""
    xyz, sigma = pose.xyz_m[part].astype(np.float64), pose.sigma_m[part].astype(np.float64)
    view = rays.part(part)
    root = _bridged(pose.root_m[part].astype(np.float64))
    use = pose.valid[part] & view.valid & OWN_JOINTS & np.isfinite(sigma)
    stiff, pull = _normal(np.where(use[..., None], xyz, 0.0), np.where(use, sigma, 1.0), view, use, root[:, 2])
    seen = pose.valid[part][:, _FOOT] & view.valid[:, _FOOT]
    feet = np.where(seen[..., None], xyz[:, _FOOT], 0.0)
    stand = np.ones(len(xyz))
    center = _mass_center(xyz)
    axis = _axis(center - xyz[:, _FOOT].mean(axis=1))
    off, lean, away = settings.axis_deg, settings.lean_deg, (0.0, 0.0)
    if not _goes(root, view, settings):
        off, lean = settings.spot_axis_deg, settings.spot_lean_deg
        away = (float(np.radians(settings.spot_away_deg)), settings.spot_away)
    return Clip(
        pose.time_s[part], stiff, pull, feet, seen, stand, center, axis, _radians(off), _radians(lean), root,
        focal_sigma, lean_away=away,
    )  # fmt: skip


def _goes(root: Array, rays: Rays, settings: WorldSettings) -> bool:
    """Whether a path (F, 3) leads anywhere, and the feet with it."""
    if _spread_m(root[:, [0, 2]]) <= settings.goes_m:
        return False
    feet = np.where(rays.valid[:, _FOOT, None], rays.xy[:, _FOOT], np.nan).mean(axis=1) * np.median(root[:, 2])
    feet = feet[np.isfinite(feet).all(axis=1)]
    return not len(feet) or _spread_m(feet) > settings.steps_m


def _spread_m(place_m: Array) -> float:
    """How far places (F, 2) lie apart, but for the last few."""
    return float(np.linalg.norm(np.ptp(np.percentile(place_m, [5.0, 95.0], axis=0), axis=0)))


def _radians(deg: tuple[float, float]) -> tuple[float, float]:
    return float(np.radians(deg[0])), float(np.radians(deg[1]))


def _bridged(root: Array) -> Array:
    """A path without gaps: linear between what is known."""
    frames = np.arange(len(root))
    there = np.isfinite(root).all(axis=1)
    return np.stack([np.interp(frames, frames[there], root[there, axis]) for axis in range(3)], axis=1)


def _normal(xyz: Array, sigma: Array, rays: Rays, use: BoolArray, depth: Array) -> tuple[Array, Array]:
    """Information (F, 3, 3) about the pelvis and its right-hand side; see `posepipe.body.lift.estimate_root`."""
    xy = np.where(use[..., None], rays.xy, 0.0).astype(np.float64)
    noise = np.where(use, np.nan_to_num(rays.sigma, nan=1.0), 1.0).astype(np.float64)
    spread = sigma[..., None] ** 2 * (1.0 + xy**2) + (noise * depth[:, None])[..., None] ** 2 + 1e-8
    weight = np.where(use[..., None], 1.0 / spread, 0.0)
    right = xy * xyz[..., 2:] - xyz[..., :2]
    stiff, pull = np.zeros((len(xyz), 3, 3)), np.zeros((len(xyz), 3))
    for axis in range(2):
        w, x = weight[..., axis], xy[..., axis]
        stiff[:, axis, axis] = w.sum(axis=1)
        stiff[:, axis, 2] = stiff[:, 2, axis] = -(w * x).sum(axis=1)
        stiff[:, 2, 2] += (w * x**2).sum(axis=1)
        pull[:, axis] = (w * right[..., axis]).sum(axis=1)
        pull[:, 2] -= (w * x * right[..., axis]).sum(axis=1)
    return stiff, pull


def _mass_center(xyz: Array) -> Array:
    """(F, 3) centre of mass of (F, 21, 3) joints."""
    mass = sum(share for share, *_ in _MASS)
    center = np.zeros((len(xyz), 3))
    for share, a, b, at in _MASS:
        start, end = xyz[:, BODY21.index(a)], xyz[:, BODY21.index(b)]
        center += share / mass * (start + at * (end - start))
    return center


def _axis(line: Array) -> Array:
    """(3,) mean direction of (F, 3) lines from the feet to the centre of mass."""
    mean = line[np.isfinite(line).all(axis=1)].mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9))


def _over_standing(clip: Clip, contact: Array, settings: WorldSettings) -> Clip:
    """The clip with the axis from what stands: over steady steps the weight is over the standing feet."""
    point = np.where(contact > settings.stands, contact, 0.0).reshape(len(contact), 2, 2)
    foot = point.sum(axis=2)
    feet_m = clip.feet_m.reshape(len(contact), 2, 2, 3)
    middle = (point[..., None] * feet_m).sum(axis=2) / np.maximum(foot, 1e-9)[..., None]
    stands = foot > 0.0
    there = stands.any(axis=1)
    if there.mean() < 0.5:
        return clip
    base = (stands[..., None] * middle).sum(axis=1)[there] / stands.sum(axis=1)[there, None]
    return replace(clip, axis=_axis(clip.mass_m[there] - base))


def _world(
    found: Solution,
    root: Array,
    sigma: Array,
    contact: Array,
    pose: PoseTrack,
    moved: Joints,
    scale_sigma: float,
    settings: WorldSettings,
) -> World:
    """The solution in world axes, and what of it is withheld."""
    axes = level_axes(found.up)
    firm = contact > settings.stands
    standing = float(firm.any(axis=1).mean())
    withheld: dict[str, Reason] = {}
    if standing < settings.stand_share or not found.slide_mps < settings.slide_mps:
        withheld = dict.fromkeys(("floor", "path"), Reason.NO_GROUND)
    doubt = np.sqrt(np.diag(found.up_cov)) * (settings.adrift if withheld else 1.0)
    floor_m = found.camera_m + settings.sole_m
    spread = np.hypot(settings.path_doubt * np.sqrt(np.einsum("ij,fj->fi", axes**2, sigma**2)), settings.pelvis_m)
    # What every frame shares: body size moves all along the ray.
    spread = np.hypot(spread, scale_sigma * np.abs(root @ axes.T))
    known: BoolArray = pose.valid[:, _PELVIS] & np.isfinite(pose.root_m).all(axis=1)
    if "path" in withheld:
        known = np.zeros_like(known)
    joints = np.empty(moved.xyz_m.shape, np.float32)
    for some in chunks(len(joints), _CHUNK):
        joints[some] = moved.xyz_m[some] @ axes.T + np.array([0.0, 0.0, floor_m])
    joints[~known], spread[~known] = np.nan, np.nan
    firm = firm & known[:, None]
    blank = "floor" in withheld
    return World(
        found.up.astype(np.float32),
        np.degrees(doubt).astype(np.float32),
        float("nan") if blank else floor_m,
        float("nan") if blank else float(np.hypot(found.camera_sigma_m, scale_sigma * floor_m)),
        joints,
        spread.astype(np.float32),
        firm & (not blank),
        withheld,
        np.where(known[:, None], pose.sigma_m * moved.share, np.nan).astype(np.float32),
        found.lens,
        found.lens_sigma,
    )
