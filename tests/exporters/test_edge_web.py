"""The browser page counts what the runner counts. Needs onnxruntime-web's dist folder in POSEPIPE_ORT_WEB."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from exporters.edge.bundle import Plan, page_facts, write_bundle
from exporters.edge.counts import coached, open_page, page_count, runner_frames
from posepipe.exercise import features
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
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


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    dist = os.environ.get("POSEPIPE_ORT_WEB")
    if dist is None or shutil.which("chromium") is None:
        pytest.skip("needs POSEPIPE_ORT_WEB and chromium")
    write_bundle(Plan("float16", ort_web=Path(dist)), tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.mark.slow
def test_browser_counts_what_the_runner_counts(bundle: Path) -> None:
    with open_page(bundle, wait_s=280.0) as watch:
        found = watch(SAMPLE_VIDEO)
    assert found["frames"] > 250
    assert page_count(found) == coached(runner_frames(bundle, SAMPLE_VIDEO)) == ("squat", 3)
    # The sample walks before it squats.
    assert found["people"][0]["gait"]["steps"] >= 3


@pytest.mark.slow
def test_browser_follows_several_people(bundle: Path, tmp_path: Path) -> None:
    with open_source(SAMPLE_VIDEO) as source:
        pictures = [frame.image for frame in source if frame.time_s < 1.5]
    height, width = pictures[0].shape[:2]
    with VideoWriter(tmp_path / "two.mp4", width, height, 30.0) as writer:
        for i, picture in enumerate(pictures):
            # The middle of the picture twice, side by side.
            part = picture[:, width // 4 : width // 4 + width // 2]
            writer.write(np.hstack([part, part]), i / 30.0)
    with open_page(bundle, wait_s=280.0, people=2) as watch:
        people = watch(tmp_path / "two.mp4")["people"]
    assert len(people) == 2 and min(person["frames"] for person in people) > 25


@pytest.mark.slow
def test_browser_refuses_a_damaged_network(bundle: Path) -> None:
    place = bundle / "models" / "lifter.onnx"
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)
    with open_page(bundle, wait_s=280.0) as watch:
        assert "models/lifter.onnx" in watch(SAMPLE_VIDEO)["error"]
