"""Heavy looks closer than MediaPipe's graph does; the others look where it does."""

from types import SimpleNamespace

import numpy as np
import pytest

from posepipe.keypoints import blazepose
from posepipe.keypoints.blazepose import BLAZEPOSE, BlazePose, Networks
from posepipe.keypoints.roi import Roi


class Session:
    """Finds every landmark a quarter of the crop right of its middle; keeps what it was shown."""

    shown: np.ndarray

    def run(self, names, feeds):
        self.shown = feeds["image"][0]
        raw = np.zeros((1, 39, 5), np.float32)
        raw[..., 0], raw[..., 1] = 192.0, 128.0
        return (
            raw.reshape(1, -1),
            np.ones((1, 1), np.float32),
            np.full((1, 39, 64, 64), -20.0, np.float32),
            raw[..., :3],
        )


@pytest.mark.parametrize("closer", [1.0, 1.25])
def test_a_closer_look_is_told_in_pixels_of_the_picture(monkeypatch, closer):
    session = Session()
    monkeypatch.setattr(blazepose, "open_session", lambda *_, **__: session)
    monkeypatch.setattr(blazepose, "PersonFinder", lambda *_: None)
    image = np.zeros((400, 400, 3), np.uint8)
    image[:, 310:] = 255
    person = Networks(b"", b"", 1, closer).landmarks(image, Roi(200.0, 200.0, 256.0, 0.0))
    side = 256.0 / closer
    assert person.roi.size_px == pytest.approx(side)
    assert person.features.cell_px == pytest.approx(side / 64)
    np.testing.assert_allclose(person.keypoints.xy_px, np.tile([200.0 + side / 4, 200.0], (33, 1)), rtol=1e-5)
    # The edge at 310 px lies at the same share of the way from the middle, or beyond the closer crop.
    edge = 128.0 + 110.0 * 256.0 / side
    assert (session.shown[0, 128] > 0.5).sum() == pytest.approx(max(256.0 - edge, 0.0), abs=1.5)


def test_only_heavy_looks_closer(monkeypatch):
    opened = []
    monkeypatch.setattr(blazepose, "Networks", lambda *args: opened.append(args[-1]))
    files = SimpleNamespace(onnx_detector=lambda: b"", onnx_landmarks=lambda: b"")
    monkeypatch.setattr(BlazePose, "files", lambda self: files)
    for network in ("lite", "full", "heavy"):
        BlazePose(network=network).networks()
    assert opened == [1.0, 1.0, BLAZEPOSE.closer] and BLAZEPOSE.closer > 1.0
