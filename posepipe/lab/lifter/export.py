"""Turn trained weights into what ships: calibrate sigma, write the ONNX file and its card.

posepipe train export-lifter --data ../shared/data/mocap --run runs/lifter --out models
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from posepipe.body.lift import SigmaCalibration, encode, fit_calibration
from posepipe.lab.lifter.data import AugmentConfig, Mocap, load_mocap, make_batch, simulate
from posepipe.lab.lifter.network import FEATURES
from posepipe.lab.lifter.pairs import load_pairs, pair_features
from posepipe.lab.lifter.train import LifterConfig, load_weights, validate, validation_sets
from posepipe.lab.runs import ACKNOWLEDGEMENT, config_from_dict, traced_onnx
from posepipe.skeleton import BODY21
from posepipe.weights import sha256_of, write_card

__all__ = ["calibrate", "export_lifter", "predict", "write_onnx"]

FloatArray = NDArray[np.float32]

_DRAWN, _WHOLE = 1000, 1500
_NOISE_M = (0.0, 0.01, 0.025, 0.05)


def predict(network: nn.Module, features: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Network in batches of 1000: features (N, 21, 6) to pose (N, 21, 3) and log scale (N, 21)."""
    xyz, scale = [], []
    with torch.no_grad():
        for part in np.array_split(features, max(1, len(features) // 1000)):
            one, two = network(torch.from_numpy(part))
            xyz.append(one.numpy())
            scale.append(two.numpy())
    return np.concatenate(xyz), np.concatenate(scale)


def calibrate(
    network: nn.Module, held_out: Mocap, config: AugmentConfig, seed: int = 0, pairs: Path | None = None
) -> tuple[SigmaCalibration, SigmaCalibration]:
    """Fit sigma on subjects that weren't trained on, twice.

    A detector's errors hang together over the joints and don't average out as independent ones do, so the same doubt of
    the network means more error behind a detector.

    Args:
        network: trained, in evaluation mode.
        held_out: frames of held-out subjects.
        config: augmentation; bodies are left as they are.
        seed: of cameras and noise.
        pairs: folder with loop*train*.npz.

    Returns:
        For keypoints from a detector: pairs of the same subjects, or without any the training's own noise. For exact
        and independently noisy keypoints: whole bodies, and exact ones with limbs hidden as in training.
    """
    plain = asdict(config) | {"recombine": 0.0, "borrow": 0.0, "limb_sigma": 0.0, "bone_sigma_deg": 0.0}
    plain |= {"stature_m": 0.0, "lay_down": 0.0, "tip": 0.0}
    rng = np.random.default_rng(seed)

    def drawn(count: int, exact: float) -> tuple[FloatArray, FloatArray]:
        batch = make_batch(held_out, count, AugmentConfig(**plain | {"exact": exact}), rng)
        return batch.features, batch.xyz_m

    simulated = [drawn(_DRAWN, 1.0)]
    for number, noise_m in enumerate(_NOISE_M):
        pick = rng.choice(len(held_out), _WHOLE, p=held_out.weight)
        frames = Mocap(held_out.xyz_m[pick], held_out.subject[pick], held_out.source[pick], held_out.weight[pick])
        seen = simulate(frames, rng, crooked=number % 2 == 1, noise_m=noise_m)
        encoded = encode(seen.rays, seen.sigma, seen.valid, np.zeros(len(pick), dtype=bool))
        simulated.append((encoded.features, seen.xyz_m @ np.swapaxes(encoded.rotation, 1, 2)))
    if pairs is None:
        detected = drawn(6 * _DRAWN, config.exact)
    else:
        loop = load_pairs(sorted(pairs.glob("loop*train*.npz")))
        detected = pair_features(loop.select(np.isin(loop.subject, np.unique(held_out.subject))))

    def fitted(parts: list[tuple[FloatArray, FloatArray]]) -> SigmaCalibration:
        features, target = (np.concatenate(column) for column in zip(*parts, strict=True))
        xyz, log_scale = predict(network, features)
        # Joints that were hidden count too: their intervals must hold as well.
        return fit_calibration(log_scale, np.linalg.norm(xyz - target, axis=-1).astype(np.float32))

    return fitted([detected]), fitted(simulated)


def write_onnx(network: nn.Module, path: Path, metadata: dict[str, str]) -> float:
    """Export with a free batch axis and check it against torch.

    Returns:
        Largest difference of any output over 64 random inputs.

    Raises:
        ModelError: the difference is above 1e-4.
    """
    network = network.eval()
    example, looked_at = (
        torch.randn(count, len(BODY21), FEATURES, generator=torch.Generator().manual_seed(seed))
        for seed, count in enumerate((2, 64))
    )
    axes = {name: {0: "batch"} for name in ("keypoints", "xyz_m", "log_scale")}
    return traced_onnx(network, path, axes, example=example, looked_at=looked_at, metadata=metadata)


def export_lifter(data: Path, run: Path, out: Path, *, pairs: Path | None = None) -> dict[str, Any]:
    """Calibrate, export, and write card and weights.

    Args:
        data: folder with train.npz and val.npz.
        run: folder of the training run.
        out: folder for lifter.onnx, lifter.safetensors and lifter.toml.
        pairs: folder with loop*train*.npz.

    Returns:
        The card's table of metrics.
    """
    state = json.loads((run / "state.json").read_text(encoding="utf-8"))
    config = config_from_dict(LifterConfig, state["config"])
    network = load_weights(config, run / "weights.safetensors")
    mocap = load_mocap(data / "train.npz", cmu_share=config.cmu_share)
    held_out = mocap.select(np.isin(mocap.subject, config.holdout))
    calibration, independent = calibrate(network, held_out, config.augment, pairs=pairs)
    out.mkdir(parents=True, exist_ok=True)
    model = out / "lifter.onnx"
    metadata = {"calibration": calibration.to_json(), "calibration_independent": independent.to_json()}
    difference = write_onnx(network, model, metadata | {"layout": BODY21.name})
    shutil.copyfile(run / "weights.safetensors", out / "lifter.safetensors")
    metrics = {f"val_mpjpe_mm_{k}": round(v, 2) for k, v in validate(network, validation_sets(data, 15030, 0)).items()}
    metrics |= {
        "parameters": sum(p.numel() for p in network.parameters()),
        "steps": int(state["step"]),
        "training_minutes": round(float(state["seconds"]) / 60, 1),
        "onnx_parity_m": float(f"{difference:.1e}"),
    }
    _write_card(out / "lifter.toml", model, config, metrics)
    return metrics


def _write_card(path: Path, model: Path, config: LifterConfig, metrics: dict[str, Any]) -> None:
    content = model.read_bytes()
    pairs = "part of it BlazePose's keypoints on rendered pictures of that motion; " if config.pairs_share else ""
    fields: dict[str, Any] = {
        "name": "lifter",
        "file": model.name,
        "sha256": sha256_of(content),
        "size_bytes": len(content),
        "licence": "Apache-2.0",
        "source": (
            "Trained here on CMU motion capture and UI-PRMD with random cameras: posepipe train lifter --config "
            f"posepipe/lab/configs/lifter.toml (which tells the legs of the run), seed {config.seed}; "
            f"{pairs}subjects held out for calibration: {', '.join(config.holdout) or 'none'}. {ACKNOWLEDGEMENT}"
        ),
        "input": "keypoints (B, 21, 6) float32, made by posepipe.body.lift.encode",
        "output": "xyz_m (B, 21, 3) metres relative to the pelvis in the network's frame; log_scale (B, 21) log of the "
        "expected joint error in metres, calibrated by the constants in the file's metadata",
        "description": "HopFIR-style lifter, 2D keypoints to 3D pose with uncertainty, layout body21",
    }
    write_card(path, fields, metrics)
