"""CSV, JSON, COCO, npz, netCDF and Rerun, each read back by a reader that isn't ours."""

from __future__ import annotations

import json
import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from posepipe.errors import OutputError, UsageError
from posepipe.formats.registry import FORMATS, parse_formats, write_formats
from posepipe.record.recording import Recording
from posepipe.skeleton import COCO17, H36M17
from tests.record.factory import make_person, make_recording

from .bodies import truth_y_up, tumbling
from .readers import MOVEMENT, read_by

WITHIN_M = 1e-4


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Two people, the second one with gaps."""
    first = make_recording(40)
    return replace(first, people=(*first.people, tumbling(4, 30).people[0]))


def _same(got: np.ndarray, wanted: np.ndarray, within: float) -> None:
    assert np.array_equal(np.isnan(got), np.isnan(wanted))
    assert np.nanmax(np.abs(got - wanted), initial=0.0) < within


def test_csv_read_by_pandas(recording: Recording, tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    poses_path, angles_path = write_formats(recording, tmp_path, "csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["angles.csv", "poses.csv"]
    poses, angles = pd.read_csv(poses_path), pd.read_csv(angles_path)
    person = recording.people[1]
    wrist = poses[(poses.person == 3) & (poses.joint == "left_wrist")]
    i = person.pose.layout.index("left_wrist")
    xyz = np.where(person.pose.valid[:, i, None], person.pose.xyz_m[:, i], np.nan)
    _same(wrist[["x_m", "y_m", "z_m"]].to_numpy(), xyz, 1e-7)
    _same(wrist["sigma_m"].to_numpy(), np.where(person.pose.valid[:, i], person.pose.sigma_m[:, i], np.nan), 1e-7)
    assert wrist["time_s"].to_numpy() == pytest.approx(person.pose.time_s, abs=1e-12)
    assert poses["valid"].dtype == bool
    column = person.angles.names.index("left_knee_flexion")
    rows = angles[angles.person == 3]
    _same(rows["left_knee_flexion_deg"].to_numpy(), person.angles.deg[:, column], 1e-4)
    _same(rows["left_knee_flexion_sigma_deg"].to_numpy(), person.angles.sigma_deg[:, column], 1e-4)


def test_json(recording: Recording, tmp_path: Path) -> None:
    text = write_formats(recording, tmp_path, "json")[0].read_text(encoding="utf-8")

    def strict(constant: str) -> float:
        raise AssertionError(constant)

    whole = json.loads(text, parse_constant=strict)
    assert whole["schema"] == 1 and len(whole["people"]) == 2
    for person, track in zip(recording.people, whole["tracks"], strict=True):
        assert track["joints"] == list(person.pose.layout.joints)
        assert len(track["frames"]) == len(person.pose)
        row = track["frames"][7]
        assert row["time_s"] == person.pose.time_s[7]
        got = np.array([[math.nan if v is None else v for v in point] for point in row["xyz_m"]])
        _same(got, np.where(person.pose.valid[7, :, None], person.pose.xyz_m[7], np.nan), 1e-6)
        got = np.array([math.nan if v is None else v for v in row["sigma_deg"]])
        _same(got, person.angles.sigma_deg[7], 1e-4)


def test_coco_read_by_pycocotools(recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco_module = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    path = write_formats(recording, tmp_path, "coco")[0]
    coco = coco_module.COCO(str(path))
    category = coco.loadCats(coco.getCatIds(catNms=["person"]))[0]
    assert category["keypoints"] == list(COCO17.joints)
    pairs = {frozenset(category["keypoints"][k - 1] for k in edge) for edge in category["skeleton"]}
    assert frozenset(("left_knee", "left_ankle")) in pairs
    assert coco.imgs[0]["width"] == recording.video.width_px
    person = recording.people[0]
    track = person.keypoints
    found = [a for a in coco.loadAnns(coco.getAnnIds()) if a["track_id"] == person.id]
    assert len(found) == len(track)
    row = 25
    annotation = next(a for a in found if a["image_id"] == int(track.frame[row]))
    points = np.array(annotation["keypoints"]).reshape(17, 3)
    for i, name in enumerate(COCO17.joints):
        j = track.layout.index(name)
        if track.valid[row, j]:
            assert points[i, :2] == pytest.approx(track.xy_px[row, j], abs=1e-3)
            assert points[i, 2] == (1 if track.interpolated[row, j] else 2)
            assert annotation["sigma_px"][i] == pytest.approx(track.sigma_px[row, j], abs=1e-3)
        else:
            assert points[i].tolist() == [0, 0, 0]
    # The annotations, given back as detections, match themselves.
    keys = ("image_id", "category_id", "keypoints")
    results = coco.loadRes([{**{k: a[k] for k in keys}, "score": 1.0} for a in coco.dataset["annotations"]])
    judge = cocoeval.COCOeval(coco, results, "keypoints")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert judge.stats[0] == pytest.approx(1.0)


def test_npz_read_by_numpy(recording: Recording, tmp_path: Path) -> None:
    with np.load(write_formats(recording, tmp_path, "npz")[0], allow_pickle=False) as data:
        assert data["positions"].shape == (70, 17, 3)
        assert data["joint_names"].tolist() == list(H36M17.joints)
        assert data["seq_start"].tolist() == [0, 40, 70]
        assert data["fps"] == pytest.approx([29.97, 29.97], rel=1e-4)
        pose = recording.people[1].pose
        camera = np.where(pose.valid[:, :17, None], pose.xyz_m[:, :17], np.nan)
        _same(data["positions_camera"][40:], camera, 1e-7)
        _same(data["sigma"][40:], np.where(pose.valid[:, :17], pose.sigma_m[:, :17], np.nan), 1e-7)
        up = np.stack([truth_y_up(recording, 1)[name] for name in H36M17.joints], axis=1)
        # z up: x, then what is behind the camera's y-up -z, then up.
        _same(data["positions"][40:], np.stack([up[..., 0], -up[..., 2], up[..., 1]], axis=-1), WITHIN_M)
        track = recording.people[0].keypoints
        hip = (track.xy_px[:, track.layout.index("left_hip")] + track.xy_px[:, track.layout.index("right_hip")]) / 2
        assert data["positions_2d"][:40, 0] == pytest.approx(hip, abs=1e-2)
        assert data["time_s"][:40] == pytest.approx(track.time_s)


def test_netcdf_read_by_xarray(recording: Recording, tmp_path: Path) -> None:
    xr = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    path = write_formats(recording, tmp_path, "netcdf")[0]
    with xr.open_dataset(path, engine="h5netcdf") as data:
        assert data.attrs["ds_type"] == "poses" and data.attrs["time_unit"] == "seconds"
        assert data.attrs["fps"] == pytest.approx(29.97, rel=1e-4)
        person = recording.people[1]
        for name, truth in truth_y_up(recording, 1).items():
            got = data["position"].sel(keypoints=name, individuals="person_3").transpose("time", "space").to_numpy()
            _same(got[:30], truth, WITHIN_M)
            assert np.isnan(got[30:]).all()
        sigma = data["sigma"].sel(keypoints="left_knee", individuals="person_3").to_numpy()[:30]
        i = person.pose.layout.index("left_knee")
        _same(sigma, np.where(person.pose.valid[:, i], person.pose.sigma_m[:, i], np.nan), 1e-7)
        # Frames that both people share carry the first one's times or the other's: here they agree to a frame.
        assert np.diff(data["time"].to_numpy()[:30]).min() > 0


def test_netcdf_opened_by_movement(tmp_path: Path) -> None:
    recording = make_recording(40)
    read = read_by("movement", MOVEMENT, write_formats(recording, tmp_path, "netcdf")[0])
    velocity = np.gradient(truth_y_up(recording)["pelvis"], recording.people[0].pose.time_s, axis=0)
    assert read["speed"] == pytest.approx(velocity, abs=1e-3)


def _rerun_columns(path: Path, entity: str) -> dict[str, list[object]]:
    """Column -> its values in the order of frames, of one entity of a Rerun file."""
    try:
        from rerun import dataframe
    except ImportError:  # It is gone in rerun-sdk 0.41.
        chunk = pytest.importorskip("rerun.chunk", reason="this rerun-sdk reads no files")
        parts = [part for part in chunk.RrdReader(str(path)).stream() if part.entity_path == entity]
        tables = [table for part in parts if "frame" in (table := part.to_record_batch()).schema.names]
        rows = sorted((row for table in tables for row in table.to_pylist()), key=lambda row: row["frame"])
        return {name: [row[name] for row in rows] for name in tables[0].schema.names}
    view = dataframe.load_recording(str(path)).view(index="frame", contents=entity)
    return {name.split(":", 1)[-1]: rows for name, rows in view.select().read_all().to_pydict().items()}


def test_rerun(recording: Recording, tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    path = write_formats(recording, tmp_path, "rrd")[0]
    person, row = recording.people[0], 21
    known = person.pose.valid[row]

    def read(entity: str, word: str) -> list[object]:
        return next(rows for name, rows in _rerun_columns(path, entity).items() if word in name)

    positions = read("/people/1/joints", "osition")
    assert len(positions) == 40
    wanted = (person.pose.xyz_m + person.pose.root_m[:, None])[row][known]
    assert np.abs(np.array(positions[row]) - wanted).max() < WITHIN_M
    sigma = read("/people/1/joints", "sigma_m")[row]
    assert sigma == pytest.approx(person.pose.sigma_m[row][known], abs=1e-7)
    angle = np.asarray(read("/people/1/angles/left_knee_flexion", "calar")[row])
    assert angle == pytest.approx(person.angles.deg[row, person.angles.names.index("left_knee_flexion")], abs=1e-3)


def test_every_format_at_once(recording: Recording, tmp_path: Path) -> None:
    for chosen in FORMATS.values():
        try:
            chosen.require()
        except UsageError:
            pytest.skip(f"a package for {chosen.name} is missing")
    written = write_formats(recording, tmp_path, FORMATS.values())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)
    assert {"person-1.trc", "person-3.bvh", "coco.json", "poses.parquet"} <= {path.name for path in written}


def test_nobody(tmp_path: Path) -> None:
    written = write_formats(make_recording(4, people=()), tmp_path, "csv,json,coco,npz")
    assert len(written) == 5


def test_unknown_format() -> None:
    with pytest.raises(UsageError, match="fbx"):
        parse_formats("trc,fbx")


def test_refusing_folder(tmp_path: Path, recording: Recording) -> None:
    (tmp_path / "file").touch()
    for name in ("csv", "trc"):
        with pytest.raises(OutputError):
            write_formats(recording, tmp_path / "file", name)


def long_recording(frames: int) -> Recording:
    """A recording whose arrays repeat one frame without taking its memory."""
    person = make_person(8)

    def stretched(owner: object) -> object:
        arrays = {}
        for name in owner.__dataclass_fields__:
            value = getattr(owner, name)
            if isinstance(value, np.ndarray):
                arrays[name] = np.broadcast_to(value[:1], (frames, *value.shape[1:]))
        if "time_s" in arrays:
            arrays["time_s"] = np.arange(frames) / 30.0
        if "frame" in arrays:
            arrays["frame"] = np.arange(frames, dtype=np.int32)
        return replace(owner, **arrays)

    yaw = np.broadcast_to(np.float32(0.0), (frames,))
    long = replace(
        person,
        keypoints=stretched(person.keypoints),
        pose=stretched(person.pose),
        angles=stretched(person.angles),
        yaw_deg=yaw,
        yaw_sigma_deg=yaw,
    )
    return make_recording(8, people=(long,))


@pytest.mark.parametrize("name", ["parquet", "csv", "json", "coco", "trc", "mot"])
def test_tables_are_written_in_bounded_memory(tmp_path: Path, name: str) -> None:
    """Four times the frames need hardly more memory: nothing is held but a piece."""

    def peak(frames: int) -> int:
        made = long_recording(frames)
        tracemalloc.start()
        write_formats(made, tmp_path / f"{frames}", name)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    sizes = {"parquet": (2500, 10_000), "csv": (2500, 10_000), "json": (200, 400), "coco": (200, 400)}
    small, big = sizes.get(name, (500, 1000))
    peak(100)
    # A few bytes a frame are the index that COCO's list of images needs.
    assert peak(big) < peak(small) + 400 * (big - small) + 2_000_000
    if name == "parquet":
        with pq.ParquetFile(tmp_path / f"{big}" / "poses.parquet") as table:
            assert table.metadata.num_rows == big * 37
