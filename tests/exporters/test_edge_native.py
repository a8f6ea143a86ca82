"""The C++ example says what the runner says. Needs a compiler, ONNX Runtime's headers and nlohmann-json.

Folders of headers that aren't the compiler's own go into POSEPIPE_ORT_INCLUDE, separated as in PATH. The library is the
one in the installed Python package.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from exporters.edge import bundle as bundle_module
from exporters.edge.bundle import Plan, page_facts, write_bundle
from exporters.edge.measure import sample_frames, watch_frames

FRAMES = 4


@pytest.fixture(scope="module")
def library() -> Path:
    spec = find_spec("onnxruntime")
    assert spec is not None and spec.origin is not None
    found = sorted(Path(spec.origin).parent.glob("capi/libonnxruntime.so*"))
    if not found:
        pytest.skip("this ONNX Runtime holds no library for C++")
    return found[0]


def test_the_example_finds_the_runners_pose(library: Path, tmp_path: Path) -> None:
    compiler, bundle = shutil.which("c++"), tmp_path / "bundle"
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    given = [folder for folder in os.environ.get("POSEPIPE_ORT_INCLUDE", "").split(os.pathsep) if folder]
    folders = [f"-I{folder}" for folder in (*given, "/usr/include/onnxruntime")]
    headers = "#include <onnxruntime_cxx_api.h>\n#include <nlohmann/json.hpp>\n"
    there = subprocess.run(
        [compiler, "-std=c++17", "-x", "c++", "-E", "-", *folders], input=headers, capture_output=True, text=True
    )
    if there.returncode:
        pytest.skip("needs POSEPIPE_ORT_INCLUDE: onnxruntime_cxx_api.h and nlohmann/json.hpp")
    write_bundle(Plan("float32"), bundle)
    program = tmp_path / "pose"
    # The program asks for it by the name that it has in an installation.
    (tmp_path / "libonnxruntime.so.1").symlink_to(library)
    link = [str(library), f"-Wl,-rpath,{tmp_path}"]
    build = [compiler, "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", str(bundle / "pose.cpp"), *folders, *link]
    subprocess.run([*build, "-o", str(program)], check=True)
    frames = list(sample_frames(limit=FRAMES))
    width, height = frames[0].size_px
    pictures = b"".join(frame.image.tobytes() for frame in frames)
    done = subprocess.run([str(program), str(bundle), str(width), str(height)], input=pictures, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == FRAMES
    seen = watch_frames(bundle, frames)
    for i, one in enumerate(said):
        off_m = np.linalg.norm(np.reshape(one["xyz_m"], (21, 3)) - seen.xyz_m[i], axis=1)
        # Cropping rounds otherwise; from the second frame on the runner smooths joints, and the region it looks at.
        median_m, most_m = (0.005, 0.015) if i == 0 else (0.03, 0.12)
        assert np.median(off_m) < median_m and off_m.max() < most_m, (i, off_m)
        assert np.median(np.abs(np.array(one["sigma_m"]) / seen.rest["sigma_m"][i] - 1.0)) < 0.1


def test_what_the_example_asks_of_the_manifest_is_there() -> None:
    """Also where nothing can be compiled."""
    text = (Path(bundle_module.__file__).parent / "pose.cpp").read_text(encoding="utf-8")
    facts = page_facts()
    for key in ("body", "sigma"):
        assert f'manifest["{key}"]' in text and key in facts
    for key in facts["sigma"]["first"]:
        assert f'of("{key}")' in text
