"""The whole export: build, choose, measure, and say how near a bundle comes to the pipeline."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporters.edge.bundle import Plan, bundle_bytes, check_folder, readme, write_bundle
from exporters.edge.measure import (
    Seen,
    clip_agreement,
    compare,
    sample_frames,
    time_bundles,
    time_networks,
    truth_error_mm,
    watch_frames,
)
from exporters.edge.networks import OPTIONAL, VARIANTS, Network, float_networks
from posepipe.doctor import installed
from posepipe.errors import UsageError
from posepipe.inference import default_threads
from posepipe.record.seal import read_record, writing
from posepipe.system import processor_name

__all__ = [
    "Accuracy", "Budget", "accuracy", "compare_variants", "export_edge", "machine", "parse_budget", "table",
    "write_report",
]  # fmt: skip

LIMITS: Mapping[str, float] = {"keypoint_pct_median": 1.0, "mpjpe_change_pct": 3.0}
"""A variant is used only within these: keypoints against float32, MPJPE against the truth of the sample clip."""

_PACKAGES = ("onnxruntime", "numpy", "opencv-python")
"""What the figures depend on."""
_DOT = ("avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")

Say = Callable[[str], None]


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
    figures |= {"mpjpe_mm": after, "mpjpe_float32_mm": before, "mpjpe_change_pct": 100.0 * (after - before) / before}
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
        "processor": processor_name(),
        "architecture": platform.machine(),
        "cores": default_threads(),
        "int8_dot_product": [flag for flag in _DOT if flag in flags],
        "system": platform.platform(terse=True),
    }


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
        "versions": installed(_PACKAGES),
    }
    if clips is not None:
        report["clips"] = clip_agreement(reference, bundle, clips)
    return report


def write_report(report: Mapping[str, Any], bundle: Path) -> None:
    """``report.json``, ``report.md`` and the figures in the bundle's README."""
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    shown = table(report)
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    with writing(bundle, read_record(bundle).of) as made:
        (made / "report.json").write_text(text, encoding="utf-8")
        (made / "report.md").write_text(shown, encoding="utf-8")
        (made / "README.md").write_text(readme(manifest, shown), encoding="utf-8")


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


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was written.

    Attributes:
        folder: where.
        manifest: its manifest.
        report: what was measured; only variant and size without a report.
    """

    folder: Path
    manifest: dict[str, Any]
    report: dict[str, Any]

    def text(self) -> str:
        """A few lines for a person."""
        size = f"{self.report['variant']}, {self.report['size_bytes'] / 1e6:.1f} MB in {self.folder}"
        return f"{size}\n\n{table(self.report)}" if "accuracy" in self.report else size


def export_edge(
    out: Path,
    *,
    variant: str = "int8",
    budget: str | None = None,
    form: str = "onnx",
    refiner: bool = False,
    ort_web: Path | None = None,
    clips: Path | None = None,
    report: bool = True,
    rounds: int = 3,
    network: str = "full",
    say: Say = lambda text: None,
) -> Exported:
    """Write a bundle.

    Args:
        out: folder.
        variant: "float32", "float16" or "int8"; with a budget, the choice is made by measuring.
        budget: "15MB" or "25ms".
        form: "onnx" or "ort".
        refiner: add the test-time optimisation.
        ort_web: folder with onnxruntime-web's dist files.
        clips: videos to compare on.
        report: measure it.
        rounds: timed runs.
        network: BlazePose's landmark network, "lite", "full" or "heavy", of those fetched.
        say: takes news of the progress.

    Raises:
        UsageError: no such landmark network; or no variant keeps the budget and the accuracy limits.
        ModelError: a network is missing or damaged.
        OutputError: the folder can't be written.
    """
    wanted = parse_budget(budget) if budget is not None else None
    check_folder(out)
    networks = float_networks(network=network, refiner=refiner)
    plan = Plan(variant, form, refiner, ort_web, network)
    with tempfile.TemporaryDirectory(prefix="posepipe-edge-") as folder:
        plain = Plan("float32", network=network)
        reference = Path(folder) / "float32"
        if report or wanted is not None:
            write_bundle(plain, reference, networks)
        found: Accuracy | None = None
        if wanted is not None:
            say("comparing the variants")
            chosen, found = _choose(Path(folder), networks, wanted, rounds, network)
            plan = replace(plan, variant=chosen)
            say(f"chosen: {chosen}")
        say(f"writing {plan.variant}")
        manifest = write_bundle(plan, out, networks)
        size = bundle_bytes(manifest, out)
        if not report:
            return Exported(out, manifest, {"variant": plan.variant, "size_bytes": size})
        say("measuring accuracy and speed")
        measured = measure_bundle(out, reference, plan.variant, size, rounds=rounds, clips=clips, found=found)
        write_report(measured, out)
    return Exported(out, manifest, measured)


def compare_variants(
    *, rounds: int = 3, clips: Path | None = None, network: str = "full", say: Say = lambda text: None
) -> dict[str, Any]:
    """Every variant beside float32, measured on this machine.

    Args:
        rounds: timed runs of each.
        clips: videos to compare exercises and counts on.
        network: BlazePose's landmark network.
        say: takes news of the progress.

    Returns:
        ``{"metrics": {...}, "rows": [...], "versions": {...}}``, a row for each variant. ``cpu_ms`` is the
        processor time of a frame with one thread, decoding included; other programs on the machine disturb it least.
    """
    networks = float_networks(network=network)
    rows = []
    with tempfile.TemporaryDirectory(prefix="posepipe-edge-") as folder:
        places, sizes, errors = _write_all(Path(folder), networks, network, say)
        say("measuring speed")
        speed = time_bundles(places, rounds=rounds)
        networks_ms = time_networks(places)
        for variant, place in places.items():
            one, two = speed[variant]["1"], speed[variant]["2"]
            figures = errors[variant].figures
            row: dict[str, Any] = {
                "variant": variant,
                "size_mb": round(sizes[variant], 2),
                "keypoint_pct_median": round(figures["keypoint_pct_median"], 3),
                "keypoint_pct_p95": round(figures["keypoint_pct_p95"], 3),
                "mpjpe_mm": round(figures["mpjpe_mm"], 2),
                "mpjpe_change_pct": round(figures["mpjpe_change_pct"], 2),
                "step_ms": one["step_ms_median"],
                "step_ms_p95": one["step_ms_p95"],
                "step_ms_2_threads": two["step_ms_median"],
                "cpu_ms": one["cpu_ms"],
                "networks_cpu_ms": networks_ms[variant],
                "fps": one["fps"],
                "first_result_s": one["first_result_s"],
                "peak_mb": one["peak_mb"],
            }
            if clips is not None and variant != "float32":
                say(f"comparing {variant} on the clips")
                found = clip_agreement(places["float32"], place, clips)
                row |= {"clips": found["clips"], "clips_agree": found["agree"]}
            rows.append(row)
    by_name = {str(row["variant"]): row for row in rows}
    metrics = {
        "int8_speed_up": round(by_name["float32"]["step_ms"] / by_name["int8"]["step_ms"], 2),
        "int8_networks_speed_up": round(networks_ms["float32"] / networks_ms["int8"], 2),
        "int8_cpu_speed_up": round(by_name["float32"]["cpu_ms"] / by_name["int8"]["cpu_ms"], 2),
        "int8_size_mb": by_name["int8"]["size_mb"],
    }
    return {"metrics": metrics, "rows": rows, "versions": installed(_PACKAGES), "machine": machine()}


def _write_all(
    folder: Path, networks: dict[str, Network], network: str, say: Say = lambda text: None
) -> tuple[dict[str, Path], dict[str, float], dict[str, Accuracy]]:
    """All variants in a folder: their places, sizes in MB and errors."""
    needed = {name: network for name, network in networks.items() if name not in OPTIONAL}
    places, sizes, errors = {}, {}, {}
    seen: Seen | None = None
    for variant in VARIANTS:
        say(f"writing {variant} and comparing it")
        places[variant] = folder / variant
        manifest = write_bundle(Plan(variant, network=network), places[variant], needed)
        sizes[variant] = bundle_bytes(manifest, places[variant]) / 1e6
        if seen is None:
            seen = watch_frames(places[variant], sample_frames())
        errors[variant] = accuracy(places[variant], seen)
    return places, sizes, errors


def _choose(
    folder: Path, networks: dict[str, Network], budget: Budget, rounds: int, network: str = "full"
) -> tuple[str, Accuracy]:
    """The smallest or fastest variant within the accuracy limits."""
    places, sizes, errors = _write_all(folder, networks, network)
    cost = sizes
    if budget.unit == "ms":
        speed = time_bundles(places, threads=(1,), rounds=rounds)
        cost = {variant: speed[variant]["1"]["step_ms_median"] for variant in VARIANTS}
    good = [variant for variant in VARIANTS if errors[variant].kept]
    best = min(good, key=lambda variant: cost[variant])
    if cost[best] > budget.most:
        listed = ", ".join(f"{variant} {cost[variant]:.1f} {budget.unit}" for variant in good)
        raise UsageError(
            f"no variant within {budget.most:g} {budget.unit}", where="budget", hint=f"There are: {listed}"
        )
    return best, errors[best]
