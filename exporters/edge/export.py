"""The whole export: build, choose, measure."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporters.edge.bundle import Plan, bundle_bytes, write_bundle
from exporters.edge.clips import clip_agreement
from exporters.edge.measure import Seen, sample_frames, time_bundles, time_networks, watch_frames
from exporters.edge.networks import OPTIONAL, Network, float_networks
from exporters.edge.report import (
    Accuracy,
    Budget,
    accuracy,
    machine,
    measure_bundle,
    parse_budget,
    table,
    versions,
    write_report,
)
from exporters.edge.variants import VARIANTS
from posepipe.errors import UsageError

__all__ = ["Exported", "compare_variants", "export_edge"]

Say = Callable[[str], None]


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
        say: takes news of the progress.

    Raises:
        UsageError: no variant keeps the budget and the accuracy limits.
        ModelError: a network is missing or damaged.
        OutputError: the folder can't be written.
    """
    wanted = parse_budget(budget) if budget is not None else None
    networks = float_networks(refiner=refiner)
    plan = Plan(variant, form, refiner, ort_web)
    with tempfile.TemporaryDirectory(prefix="posepipe-edge-") as folder:
        plain = Plan("float32")
        reference = Path(folder) / "float32"
        if report or wanted is not None:
            write_bundle(plain, reference, networks)
        found: Accuracy | None = None
        if wanted is not None:
            say("comparing the variants")
            chosen, found = _choose(Path(folder), networks, wanted, rounds)
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


def compare_variants(*, rounds: int = 3, clips: Path | None = None, say: Say = lambda text: None) -> dict[str, Any]:
    """Every variant beside float32, measured on this machine.

    Args:
        rounds: timed runs of each.
        clips: videos to compare exercises and counts on.
        say: takes news of the progress.

    Returns:
        ``{"metrics": {...}, "rows": [...], "versions": {...}}``, a row for each variant. ``cpu_ms`` is the
        processor time of a frame with one thread, decoding included; other programs on the machine disturb it least.
    """
    networks = float_networks()
    rows = []
    with tempfile.TemporaryDirectory(prefix="posepipe-edge-") as folder:
        places, sizes, errors = _write_all(Path(folder), networks, say)
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
    return {"metrics": metrics, "rows": rows, "versions": versions(), "machine": machine()}


def _write_all(
    folder: Path, networks: dict[str, Network], say: Say = lambda text: None
) -> tuple[dict[str, Path], dict[str, float], dict[str, Accuracy]]:
    """All variants in a folder: their places, sizes in MB and errors."""
    needed = {name: network for name, network in networks.items() if name not in OPTIONAL}
    places, sizes, errors = {}, {}, {}
    seen: Seen | None = None
    for variant in VARIANTS:
        say(f"writing {variant} and comparing it")
        places[variant] = folder / variant
        manifest = write_bundle(Plan(variant), places[variant], needed)
        sizes[variant] = bundle_bytes(manifest, places[variant]) / 1e6
        if seen is None:
            seen = watch_frames(places[variant], sample_frames())
        errors[variant] = accuracy(places[variant], seen)
    return places, sizes, errors


def _choose(folder: Path, networks: dict[str, Network], budget: Budget, rounds: int) -> tuple[str, Accuracy]:
    """The smallest or fastest variant within the accuracy limits."""
    places, sizes, errors = _write_all(folder, networks)
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
