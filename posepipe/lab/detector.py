"""The detector: compared with MediaPipe's own, and the cap on its sigma fitted.

The cap (`posepipe.keypoints.sigma`) tells how large the frozen detector's errors really are, per joint and visibility.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln

from posepipe.doctor import package_versions
from posepipe.errors import InputError, UsageError
from posepipe.keypoints import open_detector
from posepipe.keypoints.sigma import CAP_JOINTS, CapRow, SigmaFeatures, capped_sigma, pixel_sigma
from posepipe.media.sources import open_source
from posepipe.skeleton import BLAZEPOSE33, BODY21
from posepipe.types import Keypoints

__all__ = ["cap_table", "compare_detectors"]

Array = NDArray[np.float64]

_MIN_PRESENCE = 0.5
_MAP_CELLS = 64
_BOUNDS = ((-3.0, 3.0), (0.3, 1.5), (0.0, 3.0), (1.0, 2.0))
_MOST_ROWS = 40_000


def distance_percent(person: Keypoints, reference: Keypoints) -> Array:
    """Distance (J,) of each joint between two answers, in percent of the person's height.

    Height is the longer side of the box around the reference's joints: of a standing person her height in the
    picture, of a lying one her length.

    Raises:
        UsageError: the layouts differ.
    """
    if person.layout is not reference.layout:
        raise UsageError(f"can't compare {person.layout.name} with {reference.layout.name}")
    height_px = float(np.ptp(reference.xy_px, axis=0).max())
    gap: Array = np.linalg.norm(person.xy_px - reference.xy_px, axis=1) / max(height_px, 1.0) * 100.0
    return gap


def compare_detectors(
    videos: Sequence[Path],
    *,
    detector: str = "blazepose",
    reference: str = "mediapipe",
    max_frames: int | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Run two detectors over clips and compare their first person frame by frame.

    Args:
        videos: clips.
        detector: the one to judge; see `posepipe.keypoints.open_detector`.
        reference: the one to judge it by.
        max_frames: look only at the beginning of each clip.
        threads: for the detector's networks.

    Returns:
        ``{"metrics": {...}, "rows": [...], "versions": {...}}``; one row for each clip. Distances are in percent of
        the person's height, over all joints of all frames in which both found somebody; None where there is no such
        frame. ``median_percent`` among the metrics is the median over clips of the clips' medians.

    Raises:
        MediaError: a clip can't be read.
        ModelError: a detector's network can't be found or opened.
    """
    ours, theirs = open_detector(detector, threads=threads), open_detector(reference, threads=threads)
    rows = []
    for video in videos:
        first, second = ours.start(), theirs.start()
        found = reference_found = frames = 0
        gaps = []
        with open_source(video) as source:
            for frame in islice(source, max_frames):
                people, expected = first.step(frame), second.step(frame)
                frames += 1
                found += bool(people)
                reference_found += bool(expected)
                if people and expected:
                    gaps.append(distance_percent(people[0], expected[0]))
        first.close()
        second.close()
        gap = np.concatenate(gaps) if gaps else None
        rows.append(
            {
                "clip": Path(video).stem,
                "frames": frames,
                "found": found,
                "reference_found": reference_found,
                "median_percent": None if gap is None else float(np.median(gap)),
                "p95_percent": None if gap is None else float(np.percentile(gap, 95)),
            }
        )
    return {
        "metrics": _metrics(rows),
        "rows": rows,
        "versions": {"detector": detector, "reference": reference, **package_versions()},
    }


def _metrics(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | int | None]:
    medians = [row["median_percent"] for row in rows if row["median_percent"] is not None]
    tails = [row["p95_percent"] for row in rows if row["p95_percent"] is not None]
    return {
        "clips": len(rows),
        "frames": sum(row["frames"] for row in rows),
        "found": sum(row["found"] for row in rows),
        "reference_found": sum(row["reference_found"] for row in rows),
        "clips_found_less": sum(row["found"] < row["reference_found"] for row in rows),
        "median_percent": float(np.median(medians)) if medians else None,
        "worst_median_percent": float(np.max(medians)) if medians else None,
        "clips_within_half_percent": sum(median <= 0.5 for median in medians),
        "p95_percent": float(np.median(tails)) if tails else None,
    }


@dataclass(frozen=True, slots=True, eq=False)
class CapData:
    """What the detector said about the 17 joints that both skeletons share.

    Attributes:
        joints: their names.
        error: (N, 17, 2) detected minus true position, in crop cells.
        first: (N, 17) the first sigma, in cells.
        visibility: (N, 17).
        shipped: (N, 17) the sigma that `posepipe.keypoints.sigma` states, in cells.
    """

    joints: tuple[str, ...]
    error: Array
    first: Array
    visibility: Array
    shipped: Array


def load_cap_data(files: Sequence[Path], network: str = "full") -> CapData:
    """Read files of `posepipe.lab.rendered`.

    Raises:
        InputError: no files, or one that another network looked at.
    """
    if not files:
        raise InputError("no detector-in-the-loop pairs", hint=f"Make them: posepipe train pairs --network {network}")
    joints = tuple(joint for joint in BODY21.joints if joint in BLAZEPOSE33.joints)
    here, there = list(BLAZEPOSE33.indices(*joints)), list(BODY21.indices(*joints))
    parts: list[tuple[NDArray[np.generic], ...]] = []
    for file in files:
        with np.load(file) as data:
            # Older files were all full's.
            if (other := str(data["network"]) if "network" in data else "full") != network:
                raise InputError(f"seen by {other}, not by {network}", where=str(file))
            seen = data["presence"] >= _MIN_PRESENCE
            cell = data["roi"][seen, 2].astype(np.float64) / _MAP_CELLS
            error = data["xy_px"][seen][:, here] - data["xy_true_px"][seen][:, there]
            peak, spread, visibility, presence = np.moveaxis(data["features"][seen], 2, 0)
            features = SigmaFeatures(peak, spread, visibility, presence, 1.0)
            first, shipped = pixel_sigma(features)[:, here], capped_sigma(features)[:, here]
            parts.append((error / cell[:, None, None], first, visibility[:, here], shipped))
    columns = (np.concatenate(column).astype(float) for column in zip(*parts, strict=True))
    return CapData(joints, *columns)


def _loss(values: Array, error: Array, first: Array, hidden: Array) -> float:
    """Mean negative log-likelihood of a generalised Gaussian, for each coordinate."""
    log_gain, power, veil, shape = values
    log_scale = log_gain + power * np.log(first) + veil * hidden
    residual = np.clip(error * np.exp(-log_scale)[:, None], 1e-4, 1e3)
    constant = np.log(shape) - np.log(2.0) - gammaln(1.0 / shape)
    return float(np.mean(residual**shape) + np.mean(log_scale) - constant)


def fit_row(error: Array, first: Array, visibility: Array) -> CapRow:
    """Maximum likelihood for one joint.

    Args:
        error: (N, 2) in cells.
        first: (N,) first sigma in cells.
        visibility: (N,).
    """
    if len(error) > _MOST_ROWS:
        pick = np.linspace(0, len(error) - 1, _MOST_ROWS).astype(int)
        error, first, visibility = error[pick], first[pick], visibility[pick]
    arguments = (np.abs(error), np.maximum(first, 1e-3), 1.0 - np.clip(visibility, 0.0, 1.0))
    found = minimize(_loss, np.array([0.0, 1.0, 0.1, 1.3]), arguments, method="L-BFGS-B", bounds=_BOUNDS)
    log_gain, power, veil, shape = (float(value) for value in found.x)
    return CapRow(round(float(np.exp(log_gain)), 3), round(power, 3), round(veil, 3), round(shape, 3))


def _kind(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


def fit_cap(data: CapData) -> dict[str, CapRow]:
    """One row for each kind of joint in `CAP_JOINTS`, both sides pooled."""
    rows = {}
    for kind in CAP_JOINTS:
        columns = [i for i, joint in enumerate(data.joints) if _kind(joint) == kind]
        pooled = (data.error[:, columns], data.first[:, columns], data.visibility[:, columns])
        error, first, visibility = (x.reshape(-1, *x.shape[2:]) for x in pooled)
        rows[kind] = fit_row(error, first, visibility)
    return rows


def honesty(error: Array, sigma: Array) -> dict[str, float]:
    """Shares of coordinates within 1, 1.645 and 1.96 sigma (0.68, 0.90, 0.95 if Gaussian) and the mean log loss.

    Args:
        error: (..., 2).
        sigma: (...).
    """
    ratio = np.abs(error) / sigma[..., None]
    loss = np.log(sigma)[..., None] + np.sqrt(2.0) * ratio
    return {
        "within_1": float((ratio < 1.0).mean()),
        "within_1.645": float((ratio < 1.645).mean()),
        "within_1.96": float((ratio < 1.96).mean()),
        "laplace_loss": float(loss.mean()),
    }


def cap_table(pairs: Path, network: str = "full") -> str:
    """The rows that `posepipe.keypoints.sigma` holds, and how true sigma is without, with its rows, and with these.

    Args:
        pairs: folder with loop*train*.npz, and loop_val*.npz.
        network: which of BlazePose's they were seen by.

    Raises:
        InputError: no files, or one that another network looked at.
    """
    rows = fit_cap(load_cap_data(sorted(pairs.glob("loop*train*.npz")), network))
    lines = [f'    "{kind}": CapRow({row.gain}, {row.power}, {row.hidden}, {row.shape}),' for kind, row in rows.items()]
    held_out = load_cap_data(sorted(pairs.glob("loop_val*.npz")), network)
    capped = [
        rows[_kind(joint)].sigma(held_out.first[:, i], held_out.visibility[:, i])
        for i, joint in enumerate(held_out.joints)
    ]
    stages = {"before": held_out.first, "as shipped": held_out.shipped, "after": np.stack(capped, axis=1)}
    for name, sigma in stages.items():
        figures = ", ".join(f"{key} {value:.3f}" for key, value in honesty(held_out.error, sigma).items())
        lines.append(f"{name}: {figures}")
    return "\n".join(lines)
