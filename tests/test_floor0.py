"""Errors, skeletons and the values between stages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posepipe import errors
from posepipe.skeleton import BLAZEPOSE33, BODY21, COCO17, H36M17, HALPE26, LAYOUTS, Layout, conversion, mirror_name
from posepipe.types import Camera, Frame, Keypoints, same

CONTRACT_NAMES = (
    *("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("spine", "thorax", "nose", "head", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_shoulder", "right_elbow", "right_wrist"),
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PosePipeError, 1),
        (errors.UsageError, 2),
        (errors.OutputError, 2),
        (errors.InputError, 3),
        (errors.MediaError, 3),
        (errors.NobodyFoundError, 3),
        (errors.ModelError, 4),
    ],
)
def test_exit_codes(error: type[errors.PosePipeError], code: int) -> None:
    raised = error("it broke", where="a.mp4", hint="Mend it")
    assert raised.exit_code == code
    assert str(raised) == "a.mp4: it broke. Mend it."
    assert raised.as_dict()["exit_code"] == code


def test_error_message_keeps_a_question_mark() -> None:
    assert str(errors.UsageError("did you mean x?", hint="Try")) == "did you mean x? Try."


def test_every_error_is_in_the_drawing() -> None:
    assert errors.__doc__ is not None
    for name in errors.__all__:
        assert name in errors.__doc__


def test_human36m_names_are_the_contracts() -> None:
    assert H36M17.joints == CONTRACT_NAMES
    assert H36M17.joints == BODY21.joints[:17]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_layout_is_sound(layout: Layout) -> None:
    assert len(set(layout.joints)) == len(layout)
    mirror = layout.mirror
    assert np.array_equal(mirror[mirror], np.arange(len(layout)))
    sided = [("left" in joint) != ("right" in joint) for joint in layout.joints]
    assert np.array_equal(mirror != np.arange(len(layout)), sided)
    # Every edge has its mirror image, and the skeleton hangs together.
    edges = {frozenset(edge) for edge in layout.edges}
    assert {frozenset(map(mirror_name, edge)) for edge in layout.edges} == edges
    assert layout.edge_indices.max() < len(layout)


def test_unknown_joint_names_the_valid_ones() -> None:
    with pytest.raises(errors.UsageError, match="left_wrist"):
        H36M17.index("left_pinky")


@pytest.mark.parametrize("source", [BLAZEPOSE33, COCO17, HALPE26, H36M17, BODY21], ids=lambda layout: layout.name)
@given(shift=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)))
def test_conversion_moves_with_the_person(source: Layout, shift: tuple[float, float]) -> None:
    matrix = conversion(source, BODY21)
    rows = matrix.sum(axis=1)
    assert np.all((np.abs(rows - 1) < 1e-6) | (rows == 0))
    xy = np.random.default_rng(0).normal(size=(len(source), 2)) * 100
    present = rows > 0.5
    moved = matrix @ (xy + shift)
    assert np.allclose(moved[present], (matrix @ xy + shift)[present], atol=1e-2)


def test_conversion_keeps_left_and_right() -> None:
    matrix = conversion(BLAZEPOSE33, BODY21)
    mirrored = matrix[np.ix_(BODY21.mirror, BLAZEPOSE33.mirror)]
    assert np.array_equal(mirrored, matrix)


def test_coco_has_no_feet() -> None:
    matrix = conversion(COCO17, BODY21)
    assert not matrix[BODY21.indices("left_heel", "right_foot_index")].any()


def test_values_say_what_shape_they_want() -> None:
    j = len(COCO17)
    with pytest.raises(errors.UsageError, match=r"expected shape \(17, 2\), got \(16, 2\)"):
        Keypoints(COCO17, np.zeros((16, 2), np.float32), np.zeros(j, np.float32), np.zeros(j, np.float32))
    with pytest.raises(errors.UsageError, match="uint8"):
        Frame(0, 0.0, np.zeros((4, 4, 3), np.float32))  # type: ignore[arg-type]


def test_same_treats_missing_as_equal() -> None:
    j = len(COCO17)
    values = [np.full((j, 2), np.nan, np.float32), np.ones(j, np.float32), np.ones(j, np.float32)]
    a, b = Keypoints(COCO17, *values), Keypoints(COCO17, *[v.copy() for v in values])
    assert same(a, b)
    assert not same(a, Keypoints(COCO17, values[0], values[1] * 2, values[2]))


def test_field_of_view_is_along_the_longer_side() -> None:
    wide, tall = Camera.from_fov(1920, 1080, 60.0), Camera.from_fov(1080, 1920, 60.0)
    assert wide.focal_px == tall.focal_px == pytest.approx(960 / np.tan(np.radians(30)))
    with pytest.raises(errors.UsageError):
        Camera.from_fov(640, 480, 0.0)
