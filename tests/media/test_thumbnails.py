"""Pictures for the report, spread over the clip."""

from __future__ import annotations

import numpy as np
import pytest

from posepipe.types import Frame
from posepipe.watch import Thumbnails, shrink

SMALL = np.zeros((18, 32, 3), np.uint8)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("frames", [1, 5, 16, 17, 200, 1500])
def test_few_and_evenly_spread(frames: int, known: bool) -> None:
    thumbnails = Thumbnails(most=16, frames=frames if known else None)
    for index in range(frames):
        if thumbnails.wanted(index):
            thumbnails.keep(index, index / 30, SMALL)
    kept = thumbnails.pictures()
    assert min(frames, 8) <= len(kept) <= 16
    steps = np.diff([index for index, _, _ in kept])
    assert len(set(steps)) <= 1
    assert kept[0][0] == 0


@pytest.mark.parametrize(("size", "small"), [((1280, 720), (480, 270)), ((90, 160), (90, 160)), ((1, 1), (1, 1))])
def test_shrink_keeps_the_shape(size: tuple[int, int], small: tuple[int, int]) -> None:
    image = shrink(Frame(0, 0.0, np.zeros((size[1], size[0], 3), np.uint8)))
    assert image.shape == (small[1], small[0], 3)
