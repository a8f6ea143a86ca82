"""Motion capture as BODY21 poses for training: z up, metres, pelvis at the middle of the hips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posepipe.errors import InputError
from posepipe.skeleton import BODY21, H36M17

__all__ = ["Mocap", "body21_from_h36m", "load_mocap"]

FloatArray = NDArray[np.float32]

_HEEL = (-0.394, -0.155)
"""Heel from the ankle, in foot lengths: along the ankle-toe line and up the shank. Least squares on UI-PRMD (17 mm)."""


@dataclass(frozen=True, slots=True, eq=False)
class Mocap:
    """Frames of motion capture.

    Attributes:
        xyz_m: (N, 21, 3) world, z up, pelvis over the origin; z keeps the height over the floor.
        subject: (N,) subject names.
        source: (N,) "ui" or "cmu".
        weight: (N,) sampling probability.
    """

    xyz_m: FloatArray
    subject: NDArray[np.str_]
    source: NDArray[np.str_]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.xyz_m)

    def select(self, mask: NDArray[np.bool_]) -> Mocap:
        """The frames where the mask (N,) is true, their weights summing to one again."""
        weight = self.weight[mask]
        return Mocap(self.xyz_m[mask], self.subject[mask], self.source[mask], weight / max(weight.sum(), 1e-12))


def body21_from_h36m(positions: FloatArray, extra: FloatArray) -> FloatArray:
    """Human3.6M joints and extra points to BODY21, as the keypoint conversions define its joints.

    Args:
        positions: (N, 17, 3) in Human3.6M order.
        extra: (N, 6, 3) nose, head top, left toe, right toe, left heel, right heel; NaN where unknown.

    Returns:
        (N, 21, 3). Pelvis, spine and thorax are made from hips and shoulders. Unknown heels are placed from the shank
        and the toe.
    """
    out = np.full((len(positions), len(BODY21), 3), np.nan, dtype=np.float32)
    out[:, : len(H36M17)] = positions
    i = BODY21.index
    out[:, i("nose")] = extra[:, 0]
    out[:, i("pelvis")] = (out[:, i("left_hip")] + out[:, i("right_hip")]) / 2
    out[:, i("thorax")] = (out[:, i("left_shoulder")] + out[:, i("right_shoulder")]) / 2
    out[:, i("spine")] = (out[:, i("pelvis")] + out[:, i("thorax")]) / 2
    for side, toe, heel in (("left", 2, 4), ("right", 3, 5)):
        out[:, i(f"{side}_foot_index")] = extra[:, toe]
        derived = heel_point(out[:, i(f"{side}_knee")], out[:, i(f"{side}_ankle")], extra[:, toe])
        out[:, i(f"{side}_heel")] = np.where(np.isnan(extra[:, heel]), derived, extra[:, heel])
    return out


def heel_point(knee: FloatArray, ankle: FloatArray, toe: FloatArray) -> FloatArray:
    """Heel (N, 3) from knee, ankle and toe, each (N, 3)."""
    foot = toe - ankle
    length = np.linalg.norm(foot, axis=1, keepdims=True)
    shank = knee - ankle
    shank = shank / np.maximum(np.linalg.norm(shank, axis=1, keepdims=True), 1e-6)
    return np.asarray(ankle + _HEEL[0] * foot + _HEEL[1] * length * shank, dtype=np.float32)


def load_mocap(path: Path, *, cmu_share: float = 0.63) -> Mocap:
    """Read an npz of motion capture.

    Args:
        path: file with `positions extra seq_start seq_name subject`.
        cmu_share: part of the samples drawn from the varied CMU sequences; UI-PRMD's repetitions make up the rest.

    Raises:
        InputError: the file is missing or lacks a key.
    """
    if not path.is_file():
        raise InputError("no such file", where=str(path), hint="Give the folder that holds train.npz and val.npz")
    with np.load(path) as data:
        missing = {"positions", "extra", "seq_start", "seq_name", "subject"} - set(data.files)
        if missing:
            raise InputError(f"lacks {', '.join(sorted(missing))}", where=str(path))
        xyz = body21_from_h36m(data["positions"], data["extra"])
        length = np.diff(data["seq_start"])
        name, subject = data["seq_name"], data["subject"]
    source = np.where(np.char.startswith(name, "ui_"), "ui", "cmu")
    # Long takes repeat themselves: a sequence counts as the 0.7th power of its length.
    per_frame = length**0.7 / length
    share = {"cmu": cmu_share, "ui": 1.0 - cmu_share}
    for kind, part in share.items():
        mask = source == kind
        total = (per_frame * length)[mask].sum()
        per_frame = np.where(mask, per_frame * part / max(total, 1e-12), per_frame)
    weight = np.repeat(per_frame, length)
    weight /= weight.sum()
    xyz[..., :2] -= xyz[:, :1, :2].copy()
    return Mocap(xyz, np.repeat(subject, length), np.repeat(source, length), weight)
