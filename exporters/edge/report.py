"""The parity and latency report that lies beside a bundle."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.edge.clips import clip_agreement
from exporters.edge.measure import Seen, compare, sample_frames, time_bundles, truth_error_mm, watch_frames
from exporters.edge.notes import readme
from posepipe.doctor import package_versions
from posepipe.errors import UsageError
from posepipe.inference import default_threads

__all__ = [
    "LIMITS",
    "Accuracy",
    "Budget",
    "accuracy",
    "machine",
    "measure_bundle",
    "parse_budget",
    "table",
    "versions",
    "write_report",
]

LIMITS: Mapping[str, float] = {"keypoint_pct_median": 1.0, "mpjpe_change_pct": 3.0}
"""A variant is used only within these: keypoints against float32, MPJPE against the truth of the sample clip."""

_DOT = ("avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors of a variant on the sample clip.

    Attributes:
        figures: see `exporters.edge.measure.compare`, with ``mpjpe_mm``, ``mpjpe_float32_mm`` and ``mpjpe_change_pct``.
    """

    figures: Mapping[str, float]

    @property
    def kept(self) -> bool:
        """Whether it is within `LIMITS`."""
        return all(self.figures[name] <= most for name, most in LIMITS.items())


@dataclass(frozen=True, slots=True)
class Budget:
    """What a bundle may cost.

    Attributes:
        most: in the unit.
        unit: "MB" (the bundle's files) or "ms" (a frame's work with one thread).
    """

    most: float
    unit: str


def parse_budget(text: str) -> Budget:
    """``15MB`` or ``25ms``.

    Raises:
        UsageError: neither.
    """
    for unit in ("MB", "ms"):
        if text.lower().endswith(unit.lower()):
            try:
                most = float(text[: -len(unit)])
            except ValueError:
                break
            if most > 0.0:
                return Budget(most, unit)
    raise UsageError(f"budget {text!r}", hint="Give a size or a time, such as 15MB or 25ms")


def accuracy(bundle: Path, reference: Seen) -> Accuracy:
    """Errors of a bundle against what the float32 bundle saw of the sample clip."""
    seen = watch_frames(bundle, sample_frames())
    figures = compare(reference, seen)
    before, after = truth_error_mm(reference), truth_error_mm(seen)
    figures |= {
        "mpjpe_mm": after,
        "mpjpe_float32_mm": before,
        "mpjpe_change_pct": 100.0 * (after - before) / before,
    }
    return Accuracy(figures)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    table = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = (table.get("flags") or table.get("Features") or "").split()
    return {
        "processor": table.get("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": default_threads(),
        "int8_dot_product": [flag for flag in _DOT if flag in flags],
        "system": platform.platform(terse=True),
    }


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    return {k: v for k, v in package_versions(("onnxruntime", "numpy", "opencv-python")).items() if v}


def measure_bundle(
    bundle: Path,
    reference: Path,
    variant: str,
    size_bytes: int,
    *,
    rounds: int = 3,
    clips: Path | None = None,
    found: Accuracy | None = None,
) -> dict[str, Any]:
    """Everything the report says.

    Args:
        bundle: the bundle's folder.
        reference: that of the float32 bundle; the same folder for float32 itself.
        variant: the bundle's.
        size_bytes: of what has to be on the device.
        rounds: timed runs of each.
        clips: folder of videos to compare labels and counts on.
        found: errors, if measured already.
    """
    if found is None:
        found = accuracy(bundle, watch_frames(reference, sample_frames()))
    bundles = {"float32": reference} | {variant: bundle}
    speed = time_bundles(bundles, rounds=rounds)
    one, other = speed["float32"]["1"], speed[variant]["1"]
    report: dict[str, Any] = {
        "variant": variant,
        "size_bytes": size_bytes,
        "accuracy": {name: round(value, 4) for name, value in found.figures.items()},
        "within_limits": found.kept,
        "limits": dict(LIMITS),
        "speed": speed,
        "faster_than_float32": round(one["step_ms_median"] / other["step_ms_median"], 2),
        "machine": machine(),
        "versions": versions(),
    }
    if clips is not None:
        report["clips"] = clip_agreement(reference, bundle, clips)
    return report


def write_report(report: Mapping[str, Any], bundle: Path) -> None:
    """``report.json``, ``report.md`` and the figures in the bundle's README."""
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    (bundle / "report.json").write_text(text, encoding="utf-8")
    shown = table(report)
    (bundle / "report.md").write_text(shown, encoding="utf-8")
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    (bundle / "README.md").write_text(readme(manifest, shown), encoding="utf-8")


def table(report: Mapping[str, Any]) -> str:
    """The report as markdown."""
    found, where = report["accuracy"], report["machine"]
    dot = ", ".join(where["int8_dot_product"]) or "none"
    lines = [
        f"{report['variant']}, {report['size_bytes'] / 1e6:.1f} MB, on {where['processor']} ({where['architecture']}, "
        f"int8 dot products: {dot}). Sample clip, 640x480 for speed.",
        "",
        "| | |",
        "|---|---|",
        f"| keypoints against float32, median (95 %) | {found['keypoint_pct_median']:.2f} % "
        f"({found['keypoint_pct_p95']:.2f} %) of the person's height |",
        f"| MPJPE against the truth | {found['mpjpe_mm']:.1f} mm (float32 {found['mpjpe_float32_mm']:.1f}; "
        f"{found['mpjpe_change_pct']:+.1f} %) |",
    ]
    for count, row in report["speed"][report["variant"]].items():
        figures = (
            f"{row['step_ms_median']:.1f} ms, 95 % {row['step_ms_p95']:.1f} ms",
            f"{row['fps']:.0f} fps with decoding",
            f"first result {row['first_result_s']:.2f} s",
            f"{row['peak_mb']:.0f} MB",
        )
        lines.append(f"| a frame, threads: {count} | {'; '.join(figures)} |")
    lines.append(f"| against float32, 1 thread | {report['faster_than_float32']:.2f} times as fast |")
    if "clips" in report:
        clips = report["clips"]
        lines.append(
            f"| same exercise and count as float32 | {clips['agree']} of {clips['clips']} clips "
            f"({100.0 * clips['agree'] / max(clips['clips'], 1):.1f} %) |"
        )
    return "\n".join(lines) + "\n"
