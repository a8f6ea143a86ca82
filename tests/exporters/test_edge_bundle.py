"""The bundle: one folder, one runner, the pipeline's numbers, and no other file under a network's name."""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporters.edge import export
from exporters.edge.amalgamate import amalgamate
from exporters.edge.bundle import Plan, bundle_bytes, runner_text, write_bundle
from exporters.edge.export import Accuracy, Budget, parse_budget, table
from exporters.edge.measure import (
    compare,
    gathered,
    load_runner,
    numbers_of,
    sample_frames,
    truth_error_mm,
    watch_frames,
)
from exporters.edge.networks import Network, build, float_networks
from posepipe.body.lift import Lifter, assumed_camera
from posepipe.cli.main import run as run_posepipe
from posepipe.errors import InputError, UsageError
from posepipe.inference import open_session
from posepipe.keypoints.blazepose import BlazePose
from posepipe.keypoints.blazepose_models import NETWORKS, get_command, have_blazepose
from posepipe.live import LiveSession
from posepipe.samples import SAMPLE_VIDEO

FRAMES = 30


@pytest.fixture(scope="module")
def networks() -> dict[str, Network]:
    return float_networks()


@pytest.fixture(scope="module")
def bundle(networks: dict[str, Network], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edge") / "bundle"
    write_bundle(Plan("float32"), folder, networks)
    return folder


@pytest.fixture(scope="module")
def manifest(bundle: Path) -> dict[str, Any]:
    return dict(json.loads((bundle / "manifest.json").read_text(encoding="utf-8")))


def run(bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # -I: nothing of this checkout is on the path; posepipe, if installed, is not to be found.
    code = (
        "import sys, runpy; sys.modules['posepipe'] = None; sys.modules['scipy'] = None; sys.modules['onnx'] = None;"
        f"sys.argv = {['run_edge.py', *arguments]!r};"
        f"runpy.run_path({str(bundle / 'run_edge.py')!r}, run_name='__main__')"
    )
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)


def test_runner_imports_nothing_but_its_three_libraries() -> None:
    tree = ast.parse(runner_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    assert found - set(sys.stdlib_module_names) == {"numpy", "cv2", "onnxruntime"}


def test_one_file_keeps_what_is_reached_and_renames_what_clashes() -> None:
    text = amalgamate("posepipe.live")
    names = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    assert len(names) == len(set(names))
    assert {"LiveSession", "SwapGuard", "OneEuro", "Tracker"} <= set(names)
    assert "repair_swaps" not in names and "zero_phase" not in names
    compile(text, "one", "exec")
    # Two rooms have a Cycle; each carries its module's name.
    assert {"UsageError", "count_Cycle", "gait_types_Cycle"} <= {
        node.name for node in ast.parse(runner_text()).body if isinstance(node, ast.ClassDef)
    }


def test_small_networks_run_in_every_variant(networks: dict[str, Network]) -> None:
    kinds = {"tensor(float)": np.float32, "tensor(bool)": np.bool_}
    for name in set(networks) - {"detector", "landmarks", "detector_decode", "landmarks_decode"}:
        wanted: list[Any] = []
        for variant in ("float32", "float16", "int8"):
            session = open_session(build(networks[name], variant).SerializeToString(), threads=1)
            rng = np.random.default_rng(0)
            feeds = {
                port.name: rng.uniform(0.2, 1.0, [n if isinstance(n, int) else 3 for n in port.shape]).astype(
                    kinds[port.type]
                )
                for port in session.get_inputs()
            }
            got = session.run(None, feeds)
            wanted = wanted or got
            for a, b in zip(wanted, got, strict=True):
                assert np.isfinite(b).all()
                assert np.mean(np.abs(a.astype(float) - b.astype(float))) < 0.1 * (0.1 + np.abs(a.astype(float)).mean())


def test_manifest_is_true(bundle: Path, manifest: dict[str, Any]) -> None:
    assert {"detector", "landmarks", "lifter"} <= set(manifest["models"])
    for entry in manifest["models"].values():
        data = (bundle / entry["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
        assert len(data) == entry["size_bytes"]
        assert entry["licence"] == "Apache-2.0" and entry["source"] and entry["normalisation"]
        assert all(port["shape"] and port["type"] for port in entry["inputs"] + entry["outputs"])
    assert manifest["models"]["landmarks"]["inputs"] == [{"name": "image", "type": "uint8", "shape": [1, 256, 256, 3]}]
    assert len(manifest["keypoints"]) == 33 and len(manifest["joints"]) == 21
    assert "Apache" in (bundle / "NOTICE").read_text(encoding="utf-8")
    assert "MediaPipe Authors" in (bundle / "NOTICE").read_text(encoding="utf-8")
    assert 20e6 < bundle_bytes(manifest, bundle) < 40e6
    assert not any(path.suffix == ".pyc" for path in bundle.rglob("*"))


@pytest.mark.parametrize("network", NETWORKS)
def test_float32_gives_the_pipelines_numbers(bundle: Path, network: str, tmp_path: Path) -> None:
    if not have_blazepose(network):
        pytest.skip(f"needs BlazePose's network {network}: {get_command(network)}")
    if network != "full":
        bundle = tmp_path / "bundle"
        manifest = write_bundle(Plan("float32", network=network), bundle)
        assert manifest["network"] == network and "npm" in manifest["models"]["landmarks"]["source"]
    frames = list(sample_frames(limit=FRAMES))
    session = LiveSession(BlazePose(threads=1, network=network).start(), Lifter(), assumed_camera(*frames[0].size_px))
    rows = []
    for frame in frames:
        people = session.step(frame)
        rows.append({"time_s": frame.time_s} | (numbers_of(people[0]) if people else {}))
    wanted, got = gathered(rows), watch_frames(bundle, frames)
    width, height = frames[0].size_px
    np.testing.assert_allclose(got.xy_px / [width, height], wanted.xy_px / [width, height], atol=1e-3)
    np.testing.assert_allclose(got.xyz_m, wanted.xyz_m, atol=1e-3)
    np.testing.assert_allclose(got.score, wanted.score, atol=1e-3)
    for name in ("sigma_m", "root_m", "presence"):
        np.testing.assert_allclose(got.rest[name], wanted.rest[name], atol=1e-3)
    same = compare(wanted, got)
    assert same["keypoint_pct_median"] < 0.01 and same["frames_seen_by_one"] == 0.0
    assert 10.0 < truth_error_mm(got) < 150.0


def test_runner_prints_json_lines(bundle: Path) -> None:
    done = run(bundle, str(SAMPLE_VIDEO), "--max-frames", "40")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["frame"] for row in rows[:-2]] == list(range(40))
    person = rows[39]["people"][0]
    assert np.shape(person["xy_px"]) == (33, 2) and np.shape(person["xyz_m"]) == (21, 3)
    assert rows[-2]["people"][0]["frames"] > 30
    assert rows[-1]["done"]["frames"] == 40 and rows[-1]["done"]["peak_mb"] > 20


def copied(bundle: Path, folder: Path) -> Path:
    return Path(shutil.copytree(bundle, folder / "copy"))


def test_damaged_short_swapped_and_missing_networks_are_refused(
    bundle: Path, manifest: dict[str, Any], tmp_path: Path
) -> None:
    copy = copied(bundle, tmp_path)
    runner = load_runner(copy)
    place = copy / "models" / "lifter.onnx"
    whole = place.read_bytes()
    middle = len(whole) // 2
    wrong = {
        "damaged": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "short": whole[:-100],
        "swapped": (copy / "models" / "landmarks_decode.onnx").read_bytes(),
        "empty": b"",
    }
    for kind, data in wrong.items():
        place.write_bytes(data)
        with pytest.raises(runner.ModelError, match=r"lifter\.onnx") as caught:
            runner.Models(copy).open("lifter")
        assert caught.value.exit_code == 4, kind
    place.unlink()
    done = run(copy, str(SAMPLE_VIDEO), "--max-frames", "2")
    assert done.returncode == 4 and "lifter.onnx" in done.stderr and "Traceback" not in done.stderr
    # A manifest that was changed along with the file doesn't help.
    place.write_bytes(wrong["swapped"])
    lie = json.loads(json.dumps(manifest))
    lie["models"]["lifter"] |= {
        "sha256": hashlib.sha256(wrong["swapped"]).hexdigest(),
        "size_bytes": len(wrong["swapped"]),
    }
    (copy / "manifest.json").write_text(json.dumps(lie), encoding="utf-8")
    with pytest.raises(runner.ModelError, match="holds landmarks_decode, expected lifter"):
        runner.Models(copy).open("lifter")
    (copy / "manifest.json").write_text("{}", encoding="utf-8")
    assert run(copy, str(SAMPLE_VIDEO)).returncode == 4


def test_wrong_inputs_are_said_plainly(bundle: Path, tmp_path: Path) -> None:
    assert run(bundle, str(tmp_path / "none.mp4")).returncode == 3
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    done = run(bundle, str(tmp_path / "text.mp4"))
    assert done.returncode == 3 and "text.mp4" in done.stderr
    assert run(bundle, str(SAMPLE_VIDEO), "--threads", "0").returncode == 2


def test_mobile_format_runs(networks: dict[str, Network], tmp_path: Path) -> None:
    few = {name: networks[name] for name in ("detector_decode", "landmarks_decode", "lifter")}
    manifest = write_bundle(Plan("float16", "ort"), tmp_path / "mobile", few)
    assert all(entry["file"].endswith(".ort") for entry in manifest["models"].values())
    # The weights stay small.
    assert manifest["models"]["lifter"]["size_bytes"] < 6e6
    runner = load_runner(tmp_path / "mobile")
    lifter = runner.EdgeLifter(runner.Models(tmp_path / "mobile"))
    rng = np.random.default_rng(0)
    rays, sigma = rng.normal(0, 0.1, (2, 21, 2)).astype(np.float32), np.full((2, 21), 0.01, np.float32)
    xyz, _, usable = lifter.lift_rays(rays, sigma, np.ones((2, 21), bool), np.ones(2, bool))
    wanted, _, _ = Lifter().lift_rays(rays, sigma, np.ones((2, 21), bool), np.ones(2, bool))
    assert usable.all() and np.abs(xyz - wanted).mean() < 2e-3


def test_a_folder_of_something_else_is_left_alone(networks: dict[str, Network], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="holds no bundle"):
        write_bundle(Plan("float32"), tmp_path, networks)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_browser_page_needs_its_files(networks: dict[str, Network], tmp_path: Path) -> None:
    few = {"lifter": networks["lifter"]}
    with pytest.raises(InputError, match="onnxruntime-web"):
        write_bundle(Plan("float32", ort_web=tmp_path), tmp_path / "web", few)
    assert not (tmp_path / "web").exists()


@pytest.mark.parametrize(("text", "budget"), [("15MB", Budget(15.0, "MB")), ("2.5ms", Budget(2.5, "ms"))])
def test_budgets(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize("text", ["15", "MB", "0ms", "-3MB", "fastms"])
def test_budgets_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="budget"):
        parse_budget(text)


def test_budget_takes_the_cheapest_accurate_variant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good = {"keypoint_pct_median": 0.1, "mpjpe_change_pct": 1.0}
    errors = {"float32": good, "float16": good, "int8": good | {"mpjpe_change_pct": 9.0}}
    size = {"float32": 34e6, "float16": 17e6, "int8": 10e6}
    monkeypatch.setattr(export, "write_bundle", lambda plan, out, networks: {"variant": plan.variant})
    monkeypatch.setattr(export, "bundle_bytes", lambda manifest, folder: size[manifest["variant"]])
    monkeypatch.setattr(export, "watch_frames", lambda bundle, frames: None)
    monkeypatch.setattr(export, "accuracy", lambda place, seen: Accuracy(errors[place.name]))
    speed = {name: {"1": {"step_ms_median": ms}} for name, ms in (("float32", 30.0), ("float16", 28.0), ("int8", 9.0))}
    monkeypatch.setattr(export, "time_bundles", lambda bundles, threads, rounds: speed)
    assert export._choose(tmp_path, {}, Budget(20.0, "MB"), 1)[0] == "float16"
    assert export._choose(tmp_path, {}, Budget(29.0, "ms"), 1)[0] == "float16"
    with pytest.raises(UsageError, match="no variant within 15 MB"):
        export._choose(tmp_path, {}, Budget(15.0, "MB"), 1)


def test_installation_without_exporters_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("posepipe.cli.export.find_spec", lambda name: None)
    assert run_posepipe(["export", "edge", "--out", str(tmp_path / "bundle")]) == 2
    assert "without the exporters" in capsys.readouterr().err


def test_a_missing_parent_folder_is_made(networks: dict[str, Network], tmp_path: Path) -> None:
    few = {"lifter": networks["lifter"]}
    write_bundle(Plan("float32"), tmp_path / "new" / "bundle", few)
    assert (tmp_path / "new" / "bundle" / "manifest.json").is_file()


def test_report_reads_well() -> None:
    row = {
        "step_ms_median": 9.0,
        "step_ms_p95": 12.0,
        "fps": 60.0,
        "first_result_s": 0.8,
        "peak_mb": 180.0,
        "cpu_ms": 10.0,
    }
    text = table(
        {
            "variant": "int8",
            "size_bytes": 10_400_000,
            "accuracy": {
                "keypoint_pct_median": 0.35,
                "keypoint_pct_p95": 1.0,
                "mpjpe_mm": 60.0,
                "mpjpe_float32_mm": 61.0,
                "mpjpe_change_pct": -1.6,
            },
            "speed": {"float32": {"1": row}, "int8": {"1": row, "2": row}},
            "faster_than_float32": 1.0,
            "machine": {"processor": "X", "architecture": "aarch64", "int8_dot_product": []},
            "clips": {"clips": 20, "agree": 19, "different": []},
        }
    )
    assert "10.4 MB" in text and "-1.6 %" in text and "19 of 20" in text


def test_frames_of_the_sample_come_in_order() -> None:
    frames = list(islice(sample_frames(every=3), 4))
    assert [frame.index for frame in frames] == [0, 3, 6, 9]
