r"""Human3.6M and MPI-INF-3DHP for users who hold their licences: loading, training, the usual protocols.

The files that researchers pass around hold pickled dictionaries, which posepipe doesn't open. Unpack each once, where
you trust it; every array gets its own name:

    python -c "import numpy as np; d = np.load('data_3d_h36m.npz', allow_pickle=True)['positions_3d'].item();
    np.savez('h36m_3d.npz', **{f'{s}/{a}': x for s, v in d.items() for a, x in v.items()})"

    python -c "import numpy as np; d = np.load('data_2d_h36m_gt.npz', allow_pickle=True)['positions_2d'].item();
    np.savez('h36m_2d.npz', **{f'{s}/{a}/{c}': x for s, v in d.items() for a, y in v.items() for c, x in enumerate(y)})"

Human3.6M, a folder with
    h36m_3d.npz        ``S1/Directions 1`` (F, 32 or 17, 3) world, metres
    h36m_2d.npz        ``S1/Directions 1/0`` (F, 17, 2) pixels, the last part the camera
    h36m_cameras.json  ``{"S1": [{"orientation": [w, x, y, z], "translation": [mm], "focal_length": [fx, fy],
                       "center": [cx, cy]}, ...]}`` as in VideoPose3D's h36m_dataset.py

MPI-INF-3DHP, a folder with
    3dhp_train.npz     ``S1 Seq1/0/data_3d`` (F, 17, 3) camera frame, mm; ``S1 Seq1/0/data_2d`` (F, 17, 2) pixels
    3dhp_test.npz      ``TS1/data_3d``, ``TS1/data_2d``, ``TS1/valid`` (F,)

Both in the joint order of their files. Train, then measure:

    posepipe evaluate benchmarks h36m FOLDER --config CONFIG.toml --out runs/h36m
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.lab.lifter.export import predict
from posepipe.lab.lifter.pairs import Pairs, pair_features
from posepipe.lab.lifter.train import LifterConfig, load_weights, train_on_pairs
from posepipe.lab.metrics import joint_errors_m
from posepipe.lab.runs import read_config
from posepipe.skeleton import BODY21, H36M17

__all__ = ["train_and_measure"]

Array = NDArray[np.float64]

H36M_TRAIN, H36M_TEST = ("S1", "S5", "S6", "S7", "S8"), ("S9", "S11")
"""The usual split by subject."""

# Of the 32 recorded points those that move and aren't doubled.
_MOVING = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
# Order of MPI-INF-3DHP's 17 joints. Its head top stands for Human3.6M's head, its head for the nose.
_3DHP = (
    "head", "thorax", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "nose",
)  # fmt: skip
_PCK_MM, _AUC_MM = 150.0, np.arange(0.0, 151.0, 5.0)
_SIGMA = 0.003


def _open(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise InputError("no such file", where=str(path), hint="See posepipe/lab/lifter/benchmarks.py for the form")
    try:
        with np.load(path, allow_pickle=False) as data:
            return {key: data[key] for key in data.files}
    except ValueError as error:
        hint = "Unpack it first: posepipe/lab/lifter/benchmarks.py has the command"
        raise InputError("holds pickled objects", where=str(path), hint=hint) from error


def _camera_matrix(camera: Mapping[str, Any]) -> tuple[Array, Array]:
    """World to camera rotation (3, 3) and camera position (3,) in metres from a table of VideoPose3D's form."""
    w, x, y, z = np.asarray(camera["orientation"], dtype=np.float64) / np.linalg.norm(camera["orientation"])
    to_world = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return to_world, np.asarray(camera["translation"], dtype=np.float64) / 1000.0


def _pairs(parts: list[tuple[Array, Array, str, str]], names: tuple[str, ...], where: Path) -> Pairs:
    """Rays (F, J, 2), camera-frame joints (F, J, 3) in metres, subject and action of each sequence, as pairs."""
    if not parts:
        raise InputError("no sequence of these subjects", where=str(where))
    places = BODY21.indices(*names)
    count = sum(len(rays) for rays, *_ in parts)
    rays = np.full((count, len(BODY21), 2), np.nan, dtype=np.float32)
    xyz = np.full((count, len(BODY21), 3), np.nan, dtype=np.float32)
    rays[:, places] = np.concatenate([part[0] for part in parts])
    xyz[:, places] = np.concatenate([part[1] for part in parts])
    root = xyz[:, BODY21.index("pelvis")].copy()
    subject, action = (np.concatenate([np.full(len(p[0]), p[k]) for p in parts]) for k in (2, 3))
    return Pairs(
        rays,
        np.full(rays.shape[:2], _SIGMA, dtype=np.float32),
        xyz - root[:, None],
        root,
        np.zeros((count, 33, 3), dtype=np.float32),
        subject,
        action,
    )


def load_h36m(folder: Path, subjects: tuple[str, ...], *, every: int = 1) -> Pairs:
    """Human3.6M as pairs of 2D keypoints and camera-frame poses; `source` holds the action without its number.

    Args:
        folder: see the module.
        subjects: `H36M_TRAIN`, `H36M_TEST`, or others.
        every: take one frame in so many.

    Raises:
        InputError: a file is missing, still pickled, or of another form.
    """
    poses, keypoints = _open(folder / "h36m_3d.npz"), _open(folder / "h36m_2d.npz")
    cameras_file = folder / "h36m_cameras.json"
    if not cameras_file.is_file():
        raise InputError("no such file", where=str(cameras_file), hint="See posepipe/lab/lifter/benchmarks.py")
    cameras = json.loads(cameras_file.read_text(encoding="utf-8"))
    parts = []
    for name, xy_px in keypoints.items():
        subject, action, number = name.split("/")
        if subject not in subjects:
            continue
        if f"{subject}/{action}" not in poses or subject not in cameras:
            raise InputError(f"no poses or no cameras of {subject}/{action}", where=str(folder))
        world = poses[f"{subject}/{action}"].astype(np.float64)
        world = world[:, list(_MOVING)] if world.shape[1] == 32 else world
        # Detections and capture may differ by a frame or two at the end.
        frames = min(len(world), len(xy_px))
        camera = cameras[subject][int(number)]
        to_world, position = _camera_matrix(camera)
        xyz = (world[:frames:every] - position) @ to_world
        focal, center = (np.asarray(camera[key], dtype=np.float64) for key in ("focal_length", "center"))
        rays = (xy_px[:frames:every].astype(np.float64) - center) / focal
        parts.append((rays, xyz, subject, action.split(" ")[0]))
    return _pairs(parts, H36M17.joints, folder)


def _fitted_rays(xy_px: Array, xyz: Array) -> Array:
    """Rays (F, J, 2) of pixels whose lens is fitted to exact pairs: ``u = f X / Z + c`` in both directions."""
    ideal = xyz[..., :2] / xyz[..., 2:]
    rays = np.empty_like(ideal)
    for axis in (0, 1):
        table = np.stack([ideal[..., axis].ravel(), np.ones(ideal[..., axis].size)], axis=1)
        (focal, center), *_ = np.linalg.lstsq(table, xy_px[..., axis].ravel(), rcond=None)
        rays[..., axis] = (xy_px[..., axis] - center) / focal
    return rays


def _sequences_3dhp(file: Path) -> Iterator[tuple[str, Array, Array]]:
    table = _open(file)
    for key, xyz_mm in table.items():
        if not key.endswith("/data_3d"):
            continue
        name = key.removesuffix("/data_3d")
        if f"{name}/data_2d" not in table:
            raise InputError(f"no {name}/data_2d", where=str(file))
        valid = table.get(f"{name}/valid", np.ones(len(xyz_mm))).astype(bool).ravel()
        yield name, xyz_mm[valid].astype(np.float64) / 1000.0, table[f"{name}/data_2d"][valid].astype(np.float64)


def load_3dhp(folder: Path, *, test: bool = False, every: int = 1) -> Pairs:
    """MPI-INF-3DHP as pairs. Its 2D is the projection of its 3D, so the lens of each sequence is fitted to both.

    Args:
        folder: see the module.
        test: the test set (frames marked valid) instead of the training set.
        every: take one frame in so many.

    Raises:
        InputError: the file is missing, still pickled, or of another form.
    """
    file = folder / ("3dhp_test.npz" if test else "3dhp_train.npz")
    parts = []
    for name, xyz, xy_px in _sequences_3dhp(file):
        rays = _fitted_rays(xy_px, xyz)
        parts.append((rays[::every], xyz[::every], name.split("/")[0].split(" ")[0], name))
    return _pairs(parts, _3DHP, folder)


def protocol(predicted: NDArray[np.floating[Any]], pairs: Pairs) -> dict[str, Any]:
    """The usual figures over Human3.6M's 17 joints: means over frames of each action, then over actions.

    Args:
        predicted: (N, 21, 3) metres relative to the pelvis, in the same frame as ``pairs.xyz_m``.
        pairs: the test set.

    Returns:
        ``{"metrics", "rows", "versions"}``: `mpjpe_mm` (protocol 1), `pa_mpjpe_mm` (protocol 2), `n_mpjpe_mm`,
        `pck_150` and `auc` (share of joints within 150 mm, mean over 0 to 150 mm).
    """
    body = slice(0, len(H36M17))
    ours, truth = predicted[:, body], pairs.xyz_m[:, body]
    error = {kind: 1000.0 * joint_errors_m(ours, truth, kind) for kind in ("root", "procrustes", "scale")}
    rows: list[dict[str, Any]] = []
    for action in np.unique(pairs.source):
        mine = pairs.source == action
        distance = error["root"][mine]
        row: dict[str, Any] = {"action": str(action), "frames": int(mine.sum()), "mpjpe_mm": float(distance.mean())}
        row |= {"pa_mpjpe_mm": float(error["procrustes"][mine].mean())}
        row |= {"n_mpjpe_mm": float(error["scale"][mine].mean())}
        row |= {"pck_150": float((distance < _PCK_MM).mean())}
        row |= {"auc": float(np.mean([(distance < limit).mean() for limit in _AUC_MM]))}
        rows.append(row)
    keys = ("mpjpe_mm", "pa_mpjpe_mm", "n_mpjpe_mm", "pck_150", "auc")
    return {"metrics": {key: float(np.mean([row[key] for row in rows])) for key in keys}, "rows": rows, "versions": {}}


def train_and_measure(
    data: Literal["h36m", "3dhp"], folder: Path, config: Path, out: Path, start: Path | None = None
) -> dict[str, Any]:
    """Train on a set's training part and measure on its test part.

    Args:
        data: which set.
        folder: see the module.
        config: TOML file of `posepipe.lab.lifter.train.LifterConfig`.
        out: folder for weights.
        start: weights to go on from.
    """
    if data == "h36m":
        train, test = load_h36m(folder, H36M_TRAIN), load_h36m(folder, H36M_TEST)
    else:
        train, test = load_3dhp(folder), load_3dhp(folder, test=True)
    settings = replace(read_config(LifterConfig, config), pairs_share=1.0, transfer_share=0.0)
    train_on_pairs(settings, train, out, start=start)
    features, target = pair_features(test)
    xyz, _ = predict(load_weights(settings, out / "weights.safetensors"), features)
    # Both in the network's frame: distances are the same there.
    return protocol(xyz, replace(test, xyz_m=target))
