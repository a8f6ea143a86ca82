"""The browser page of a bundle, and what it needs to know that is code elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from posepipe.errors import InputError
from posepipe.exercise import features
from posepipe.exercise.catalogue import Exercise, load_catalogue
from posepipe.exercise.signal import _TRIPLES
from posepipe.keypoints.sigma import _CAP33, SigmaConstants
from posepipe.samples import SAMPLE_VIDEO
from posepipe.skeleton import BLAZEPOSE33, BODY21, conversion

__all__ = ["ORT_WEB_FILES", "page_facts", "write_web"]

ORT_WEB_FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""What the page takes from onnxruntime-web's ``dist`` folder."""

_PAGE = Path(__file__).resolve().parent / "web_page" / "index.html"


def write_web(ort_web: Path, folder: Path) -> None:
    """Write the page, the sample clip and onnxruntime-web's files.

    Args:
        ort_web: the ``dist`` folder of the npm package onnxruntime-web.
        folder: where to.

    Raises:
        InputError: a file of onnxruntime-web isn't there.
    """
    (folder / "ort").mkdir(parents=True)
    for name in ORT_WEB_FILES:
        if not (ort_web / name).is_file():
            raise InputError(
                "no such file of onnxruntime-web",
                where=str(ort_web / name),
                hint="npm pack onnxruntime-web, unpack it, and name its package/dist folder",
            )
        shutil.copyfile(ort_web / name, folder / "ort" / name)
    shutil.copyfile(_PAGE, folder / "index.html")
    shutil.copyfile(SAMPLE_VIDEO, folder / "sample.mp4")


def page_facts() -> dict[str, Any]:
    """Parts of the manifest for programs that aren't Python: conversions and constants, by position."""
    matrix = conversion(BLAZEPOSE33, BODY21)
    body = [[[int(k), float(row[k])] for k in np.flatnonzero(row)] for row in matrix]
    return {
        "body": body,
        "edges": BLAZEPOSE33.edge_indices.tolist(),
        "sigma": {"first": asdict(SigmaConstants()), "cap": np.round(_CAP33, 9).tolist()},
        "recogniser": _recogniser(),
    }


def _recogniser() -> dict[str, Any]:
    of = {name: i for i, name in enumerate(features.JOINTS)}

    def places(*names: str) -> list[int]:
        return [of[name] for name in names]

    catalogue = load_catalogue()
    return {
        "window_s": features.WINDOW_S,
        "samples": features.SAMPLES,
        "joints": BODY21.indices(*features.JOINTS),
        "at": of,
        "angles": [places(*names) for names in features.ANGLES],
        "distances": [places(*names) for names in features.DISTANCES],
        "heights": [places(*names) for names in features._HEIGHTS],
        "bones": [[*places(a, b), length] for a, b, length in features._BONES],
        "trunk_m": features._TRUNK_M,
        "mirror": _mirror(),
        "exercises": {name: _exercise(item) for name, item in catalogue.exercises.items() if item.counted},
    }


def _mirror() -> dict[str, list[int]]:
    """The mirror image of a window's columns: which column each takes, and with which sign."""
    count = len(features.FEATURES)
    numbered = np.tile(np.arange(1, count + 1, dtype=np.float32), (1, 1, 1))
    image = features.mirror(numbered)[0, 0]
    return {"column": [int(abs(v)) - 1 for v in image], "sign": [int(np.sign(v)) for v in image]}


def _exercise(item: Exercise) -> Mapping[str, Any]:
    """A catalogue entry by positions in Body21; no triples where its measure isn't an angle of three joints."""
    names = _TRIPLES.get(item.signal)
    triples = [BODY21.indices(*(f"{side}_{n}" for n in names)) for side in ("left", "right")] if names else []
    return {
        "signal": item.signal,
        "triples": triples,
        "flip": item.signal == "arm_raise",
        "sides": item.sides,
        "start": item.start,
        "min_range_deg": item.min_range_deg,
    }
