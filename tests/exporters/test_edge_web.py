"""The browser page counts what the runner counts. Needs onnxruntime-web's dist folder in POSEPIPE_ORT_WEB."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporters.edge.bundle import Plan, page_facts, write_bundle
from exporters.edge.measure import clip_result
from posepipe.exercise import features
from posepipe.samples import SAMPLE_VIDEO
from posepipe.skeleton import BLAZEPOSE33, BODY21, conversion


def test_facts_for_other_languages_are_the_codes() -> None:
    facts = page_facts()
    matrix = np.zeros((21, 33), np.float32)
    for row, parts in enumerate(facts["body"]):
        for column, weight in parts:
            matrix[row, column] = weight
    np.testing.assert_array_equal(matrix, conversion(BLAZEPOSE33, BODY21))
    rng = np.random.default_rng(0)
    window = rng.normal(0, 1, (1, features.SAMPLES, len(features.FEATURES))).astype(np.float32)
    mirror = facts["recogniser"]["mirror"]
    np.testing.assert_allclose(window[..., mirror["column"]] * mirror["sign"], features.mirror(window), rtol=1e-6)
    assert facts["recogniser"]["exercises"]["squat"]["triples"][0] == BODY21.indices(
        "left_hip", "left_knee", "left_ankle"
    )


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    dist, chromium = os.environ.get("POSEPIPE_ORT_WEB"), shutil.which("chromium")
    if dist is None or chromium is None:
        pytest.skip("needs POSEPIPE_ORT_WEB and chromium")
    bundle = tmp_path / "bundle"
    write_bundle(Plan("float16", ort_web=Path(dist)), bundle)
    handler = functools.partial(_Quiet, directory=str(bundle))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield bundle, f"http://127.0.0.1:{server.server_address[1]}/web/"
        server.shutdown()


def _watch(address: str) -> Any:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto(f"{address}#sample")
        tab.wait_for_function("window.posepipeResult", timeout=280_000)
        result = tab.evaluate("window.posepipeResult")
        browser.close()
        return result


@pytest.mark.slow
def test_browser_counts_what_the_runner_counts(page: tuple[Path, str]) -> None:
    bundle, address = page
    result = _watch(address)
    wanted = clip_result(bundle, SAMPLE_VIDEO)
    assert result["frames"] > 250
    assert result["exercises"][wanted["exercise"]]["reps"] == wanted["reps"] == 3


@pytest.mark.slow
def test_browser_refuses_a_damaged_network(page: tuple[Path, str]) -> None:
    bundle, address = page
    place = bundle / "models" / "lifter.onnx"
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)
    assert "models/lifter.onnx" in _watch(address)["error"]
