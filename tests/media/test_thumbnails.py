"""Pictures for the report, spread over the clip."""

from __future__ import annotations

import numpy as np
import pytest

from posepipe.media.thumbnails import Thumbnails
from posepipe.types import Frame


@pytest.mark.parametrize("frames", [1, 5, 16, 17, 200, 1500])
def test_few_and_evenly_spread(frames: int) -> None:
    thumbnails = Thumbnails(most=16, longer_px=32)
    for index in range(frames):
        thumbnails.add(Frame(index, index / 30, np.zeros((36, 64, 3), np.uint8)))
    kept = thumbnails.pictures()
    assert min(frames, 8) <= len(kept) <= 16
    steps = np.diff([index for index, _, _ in kept])
    assert len(set(steps)) <= 1
    assert kept[0][0] == 0
    assert all(image.shape == (18, 32, 3) for _, _, image in kept)
