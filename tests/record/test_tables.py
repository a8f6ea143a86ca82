"""Tables, read by pyarrow alone."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from posepipe.errors import InputError
from posepipe.record.tables import joint_names, read_angles, read_poses, write_angles, write_poses
from posepipe.skeleton import BLAZEPOSE33, BODY21, COCO17, HALPE26

from .factory import make_person

CONTRACT = [
    ("frame", pa.int32()),
    ("time_s", pa.float64()),
    ("person", pa.int32()),
    ("joint", pa.string()),
    *((name, pa.float32()) for name in ("x_px", "y_px", "sigma_px", "score")),
    *((name, pa.float32()) for name in ("x_m", "y_m", "z_m", "sigma_m", "root_x_m", "root_y_m", "root_z_m")),
    ("valid", pa.bool_()),
    ("interpolated", pa.bool_()),
    # Schema note: added later; older folders lack them.
    *((name, pa.float32()) for name in ("world_x_m", "world_y_m", "world_z_m")),
]
# fmt: off
H36M = [
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "thorax",
    "nose", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
]
# fmt: on


@pytest.fixture(scope="module")
def person():
    return make_person(50)


@pytest.fixture(scope="module")
def rows(person, tmp_path_factory):
    path = tmp_path_factory.mktemp("t") / "poses.parquet"
    write_poses([person], path)
    return pq.read_table(path)


def test_tables_are_written_without_pandas(tmp_path):
    """It would take longer to import than to write them."""
    code = (
        "import sys; from pathlib import Path; from posepipe.record.tables import write_angles, write_poses;"
        "from record.factory import make_person; one = [make_person(5)]; folder = Path(sys.argv[1]);"
        "write_poses(one, folder / 'p.parquet'); write_angles(one, folder / 'a.parquet');"
        "print(sorted({'pandas', 'pyarrow.compute'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_columns_are_the_contracts(rows):
    assert [(field.name, field.type) for field in rows.schema] == CONTRACT


def test_joint_order_and_number(rows):
    first = rows["joint"].to_pylist()[: 33 + 4]
    assert first[:17] == H36M
    assert first[17:] == [name for name in BLAZEPOSE33.joints if name not in H36M]
    assert first.count("nose") == 1
    assert rows.num_rows == 50 * 37
    assert len(set(zip(rows["frame"].to_pylist(), rows["joint"].to_pylist(), strict=True))) == rows.num_rows


@pytest.mark.parametrize("layout", [COCO17, HALPE26])
def test_other_detectors(layout, tmp_path):
    person = make_person(8, layout=layout)
    write_poses([person], tmp_path / "p.parquet")
    joints = pq.read_table(tmp_path / "p.parquet")["joint"].to_pylist()
    names = joint_names(layout, BODY21)
    assert tuple(joints[: len(names)]) == names
    assert len(set(names)) == len(names)
    # Heels come from the lifter even where the detector has none.
    heel = pq.read_table(tmp_path / "p.parquet", filters=[("joint", "=", "left_heel")])
    assert heel.num_rows == 8
    assert np.isfinite(heel["x_m"].to_numpy()).all()
    assert np.isfinite(heel["x_px"].to_numpy()).all() == ("left_heel" in layout.joints)


def column(rows, joint, name):
    return np.array([row[name] for row in rows.select(["joint", name]).to_pylist() if row["joint"] == joint])


def test_values_stand_in_their_own_rows(rows, person):
    for joint in ("nose", "left_heel", "right_wrist"):
        k, p = BLAZEPOSE33.index(joint), BODY21.index(joint)
        np.testing.assert_array_equal(column(rows, joint, "x_px"), person.keypoints.xy_px[:, k, 0])
        np.testing.assert_array_equal(column(rows, joint, "y_px"), person.keypoints.xy_px[:, k, 1])
        for axis, name in enumerate(("x_m", "y_m", "z_m")):
            np.testing.assert_array_equal(column(rows, joint, name), person.pose.xyz_m[:, p, axis])
            np.testing.assert_array_equal(column(rows, joint, f"root_{name}"), person.pose.root_m[:, axis])
    np.testing.assert_array_equal(column(rows, "left_ear", "frame"), person.keypoints.frame)
    np.testing.assert_array_equal(column(rows, "left_ear", "time_s"), person.keypoints.time_s)


def test_derived_joints_propagate_sigma(rows, person):
    left, right = BLAZEPOSE33.indices("left_hip", "right_hip")
    middle = person.keypoints.xy_px[:, [left, right], 0].mean(axis=1)
    np.testing.assert_allclose(column(rows, "pelvis", "x_px"), middle, rtol=1e-5)
    sigma = np.hypot(person.keypoints.sigma_px[:, left], person.keypoints.sigma_px[:, right]) / 2
    np.testing.assert_allclose(column(rows, "pelvis", "sigma_px"), sigma, rtol=1e-5)


def test_a_hidden_source_makes_only_its_derived_joints_unknown(tmp_path):
    person = make_person(6)
    hip = BLAZEPOSE33.index("left_hip")
    for array in (person.keypoints.xy_px, person.keypoints.sigma_px):
        array[2, hip] = np.nan
    person.keypoints.valid[2, hip] = False
    write_poses([person], tmp_path / "p.parquet")
    rows = pq.read_table(tmp_path / "p.parquet")
    assert np.isnan(column(rows, "pelvis", "x_px")).tolist() == [False, False, True, False, False, False]
    assert np.isnan(column(rows, "spine", "x_px"))[2]
    assert np.isfinite(column(rows, "thorax", "x_px")).all()
    assert np.isfinite(column(rows, "right_hip", "x_px")).all()


def test_missing_is_nan_and_invalid(rows, person):
    valid = column(rows, "left_wrist", "valid")
    np.testing.assert_array_equal(valid, person.pose.valid[:, BODY21.index("left_wrist")])
    assert 0 < valid.sum() < len(valid)
    for name in ("x_px", "sigma_px", "x_m", "z_m", "sigma_m"):
        np.testing.assert_array_equal(np.isnan(column(rows, "left_wrist", name)), ~valid)


def test_a_value_under_an_invalid_flag_is_not_written(tmp_path):
    person = make_person(6)
    wrist = BODY21.index("right_wrist")
    person.pose.valid[3, wrist] = False
    assert np.isfinite(person.pose.xyz_m[3, wrist]).all()
    write_poses([person], tmp_path / "p.parquet")
    rows = pq.read_table(tmp_path / "p.parquet")
    assert np.isnan(column(rows, "right_wrist", "x_m"))[3]
    assert not column(rows, "right_wrist", "valid")[3]


def test_nan_under_a_valid_flag_is_written_as_invalid(tmp_path):
    person = make_person(6)
    person.pose.xyz_m[3, BODY21.index("right_wrist")] = np.nan
    person.keypoints.xy_px[4, BLAZEPOSE33.index("left_ear")] = np.nan
    write_poses([person], tmp_path / "p.parquet")
    rows = pq.read_table(tmp_path / "p.parquet")
    assert column(rows, "right_wrist", "valid").tolist() == [True, True, True, False, True, True]
    assert column(rows, "left_ear", "valid").tolist() == [True, True, True, True, False, True]


def test_unlifted_joints_have_no_3d(rows):
    assert np.isnan(column(rows, "left_ear", "x_m")).all()
    assert column(rows, "left_ear", "valid").all()


def test_interpolated_is_marked(rows, person):
    filled = column(rows, "right_knee", "interpolated")
    np.testing.assert_array_equal(filled, person.keypoints.interpolated[:, BLAZEPOSE33.index("right_knee")])
    assert filled.sum() == 5
    assert not column(rows, "left_knee", "interpolated").any()


def test_file_says_what_it_is(tmp_path, person):
    write_poses([person], tmp_path / "p.parquet")
    metadata = pq.read_schema(tmp_path / "p.parquet").metadata
    assert metadata[b"posepipe_schema"] == b"1"
    assert b"posepipe" in metadata[b"generator"]
    assert b"z away" in metadata[b"axes"]


def test_angles_columns(tmp_path, person):
    write_angles([person], tmp_path / "a.parquet")
    rows = pq.read_table(tmp_path / "a.parquet")
    assert rows.num_rows == 50
    assert rows.schema.names[:3] == ["frame", "time_s", "person"]
    assert [str(rows.schema.field(n).type) for n in ("frame", "time_s", "person", "valid")] == [
        *("int32", "double", "int32", "bool")
    ]
    for position, name in enumerate(person.angles.names):
        np.testing.assert_array_equal(rows[f"{name}_deg"].to_numpy(), person.angles.deg[:, position])
        np.testing.assert_array_equal(rows[f"{name}_sigma_deg"].to_numpy(), person.angles.sigma_deg[:, position])
    np.testing.assert_array_equal(rows["yaw_deg"].to_numpy(), person.yaw_deg)
    np.testing.assert_array_equal(rows["root_sigma_z_m"].to_numpy(), person.pose.root_sigma_m[:, 2])


def test_nobody_gives_empty_tables(tmp_path):
    write_poses([], tmp_path / "p.parquet")
    write_angles([], tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "p.parquet").num_rows == 0
    assert read_poses(tmp_path / "p.parquet") == {}
    assert read_angles(tmp_path / "a.parquet") == {}


def test_row_groups_split_long_tracks(tmp_path):
    person = make_person(4100)
    write_poses([person], tmp_path / "p.parquet")
    file = pq.ParquetFile(tmp_path / "p.parquet")
    assert file.num_row_groups == 3
    (keypoints, _) = read_poses(tmp_path / "p.parquet")[1]
    np.testing.assert_array_equal(keypoints.xy_px, person.keypoints.xy_px)


def test_long_clips_need_little_memory(tmp_path):
    person = make_person(12_000)
    write_poses([make_person(4)], tmp_path / "warm.parquet")
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    tracemalloc.start()
    try:
        write_poses([person], tmp_path / "p.parquet")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The whole table would be 12,000 x 37 rows x 60 bytes = 27 MB.
    assert peak < 12e6
    assert pool.bytes_allocated() - before < 1e6


@pytest.mark.parametrize("content", [b"", b"not parquet at all, but long enough to look at"])
def test_damaged_table(tmp_path, content):
    (tmp_path / "p.parquet").write_bytes(content)
    with pytest.raises(InputError, match="can't be read"):
        read_poses(tmp_path / "p.parquet")


def test_foreign_table(tmp_path):
    pq.write_table(pa.table({"frame": [1]}), tmp_path / "p.parquet")
    with pytest.raises(InputError, match="schema none"):
        read_poses(tmp_path / "p.parquet")
