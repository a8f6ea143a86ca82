"""The texts in a bundle: NOTICE, README and what they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["notice", "readme"]

_NOTICE = """\
posepipe edge bundle
Copyright the posepipe authors. Apache License, Version 2.0.

detector, landmarks: BlazePose, from the mediapipe 0.10.21 wheel, Copyright The MediaPipe Authors, Apache License,
Version 2.0 (https://www.apache.org/licenses/LICENSE-2.0). Changed: translated from TFLite to ONNX; segmentation and
world outputs cut off; pre- and post-processing added to the graphs; in the variants float16 and int8, weights stored in
float16 or quantised to 8 bits.
Bazarevsky, Grishchenko, Raveendran, Zhu, Zhang, Grundmann: BlazePose: On-device Real-time Body Pose Tracking (2020).

"""


def notice(manifest: Mapping[str, Any]) -> str:
    """NOTICE: whose work each network is."""
    own = [
        f"{name}: {entry['licence']}. {entry['source']}\n"
        for name, entry in manifest["models"].items()
        if name not in ("detector", "landmarks") and not name.endswith("_decode")
    ]
    return _NOTICE + "\n".join(own)


def readme(manifest: Mapping[str, Any], report: str) -> str:
    """README of the bundle."""
    rows = [
        f"| `{entry['file']}` | {entry['size_bytes'] / 1e6:.2f} MB | {entry['does']} |"
        for entry in manifest["models"].values()
    ]
    web = (
        "\n## Browser\n\nServe this folder and open `web/`:\n\n    python -m http.server 8000\n"
        if manifest["web"]
        else ""
    )
    return f"""# posepipe edge bundle, {manifest["variant"]}

Pixels in, 3D motion, exercise and gait out. Needs Python 3.10 or newer and nothing of posepipe:

    pip install numpy opencv-python-headless onnxruntime
    python run_edge.py clip.mp4          # a file
    python run_edge.py 0                 # a camera
    python run_edge.py clip.mp4 --no-frames --height-m 1.78

One JSON object a line: each frame's people, then the results. Joints, angles and labels are listed in
`manifest.json`, in the order of the arrays; missing numbers are null. Lengths are in metres; the camera frame is x
right, y down, z away.
Not a medical device.

| file | size | what it does |
|---|---|---|
{chr(10).join(rows)}

`run_edge.py` checks every file's sha256 against `manifest.json` before it opens it, and stops with exit code 4 naming
the file that is damaged, cut short or swapped.
{web}
## Measured

{report}
"""
