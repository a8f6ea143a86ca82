"""Small videos with known content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_kit import decoder_threads

MakeVideo = Callable[..., Path]


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Encodes pictures; ticks are presentation times in units of `time_base`."""

    def make(
        name: str,
        images: Sequence[np.ndarray],
        *,
        rate: Fraction | int = 30,
        ticks: Sequence[int] | None = None,
        time_base: Fraction | None = None,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        rotation: int | None = None,
        hflip: bool = False,
        options: dict[str, str] | None = None,
        codec_options: dict[str, str] | None = None,
        metadata: dict[str, str] | None = None,
        transfer: int | None = None,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if codec_options is None:
            codec_options = {"preset": "ultrafast", "crf": "10"} if codec == "libx264" else {}
        with av.open(str(path), "w", options=options or {}) as container:
            container.metadata.update(metadata or {})
            stream = container.add_stream(codec, rate=rate, options=codec_options)
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt = pix_fmt
            if time_base is not None:
                stream.codec_context.time_base = time_base
            if transfer is not None:
                stream.codec_context.color_trc = transfer
            if rotation is not None:
                stream.set_display_rotation(rotation, hflip=hflip)
            for i, image in enumerate(images):
                picture = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pix_fmt)
                if ticks is not None:
                    picture.pts, picture.time_base = ticks[i], time_base
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not decoder_threads()
