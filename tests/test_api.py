"""posepipe from Python, as docs/python.md and docs/formats.md show it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import posepipe
from posepipe.errors import NobodyFoundError, UsageError
from posepipe.formats.read import SOURCES
from posepipe.formats.registry import FORMATS
from posepipe.media.sources import open_source
from posepipe.media.writer import VideoWriter
from posepipe.types import same
from tests.record.factory import make_recording

DOCS = Path(__file__).resolve().parents[1] / "docs"


FRAMES = 20


@pytest.fixture(scope="session")
def walk(person_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two thirds of a second of somebody walking."""
    path = tmp_path_factory.mktemp("walk") / "walk.mp4"
    with open_source(person_clip) as source:
        frames = [frame for frame in source if frame.index < FRAMES]
    with VideoWriter(path, *frames[0].size_px, 30.0) as writer:
        for frame in frames:
            writer.write(frame.image, frame.time_s)
    return path


def _blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)


def test_public_names() -> None:
    assert set(posepipe.__all__) <= set(dir(posepipe))
    for name in posepipe.__all__:
        assert getattr(posepipe, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = posepipe.nonsense


def test_nothing_loads_before_it_is_asked_for() -> None:
    code = "import posepipe, sys; print([m for m in sys.modules if m.startswith(('posepipe.', 'numpy', 'cv2'))])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "['posepipe._version']"


def test_examples_in_the_documents(
    walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every example of docs/python.md, in order, in one program; its batch runs as a script of its own."""
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    shutil.copy(walk, tmp_path / "walk.mp4")
    program = types.ModuleType("program")
    examples, batch = _blocks("python.md")[:-1], _blocks("python.md")[-1]
    assert len(examples) >= 8 and "run_batch" in batch
    for example in examples:
        exec(compile(example, "docs/python.md", "exec"), program.__dict__)
    said = capfd.readouterr().out
    assert f"({FRAMES}, 21, 3)" in said
    assert "no such file or folder | no-such-file.mp4" in said
    assert said.count("0 people") == 3
    assert len(re.findall(r"person 1  knee -?\d+ ± \d+ deg", said)) > FRAMES // 2
    assert {path.suffix for path in (tmp_path / "results").iterdir()} >= {".trc", ".bvh", ".json", ".html"}
    posepipe.save(posepipe.analyze("walk.mp4"), "walk-posepipe")
    for example in _blocks("formats.md"):
        exec(compile(example, "docs/formats.md", "exec"), program.__dict__)
    assert f"({FRAMES}, 17, 3)" in capfd.readouterr().out


def test_batch_example(walk: Path, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    shutil.copy(walk, tmp_path / "videos" / "a.mp4")
    (tmp_path / "script.py").write_text(_blocks("python.md")[-1], encoding="utf-8")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[('a', 'new')]", "1 done, 0 failed"]
    assert done.stderr == ""


def test_documents_name_every_format_and_source() -> None:
    text = (DOCS / "formats.md").read_text(encoding="utf-8")
    first_column = set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))
    assert set(FORMATS) | set(SOURCES) <= first_column


def test_save_and_load(tmp_path: Path) -> None:
    recording = make_recording(30)
    written = posepipe.save(recording, tmp_path, formats="csv,parquet,npz")
    assert {path.name for path in written} == {
        *("poses.csv", "angles.csv", "h36m.npz"),
        *("poses.parquet", "angles.parquet", "report.html", "summary.json"),
    }
    again = posepipe.load(tmp_path)
    assert same(again.people[0].pose, recording.people[0].pose)
    assert again.video.path == recording.video.path and again.video.frames == 30


def test_to_pandas() -> None:
    pytest.importorskip("pandas")
    recording = make_recording(30)
    poses, angles = posepipe.to_pandas(recording), posepipe.to_pandas(recording, "angles")
    assert len(poses) == 30 * 37 and len(angles) == 30
    person = recording.people[0]
    column = person.angles.names.index("left_knee_flexion")
    assert np.array_equal(angles["left_knee_flexion_deg"], person.angles.deg[:, column], equal_nan=True)
    with pytest.raises(UsageError, match="joints"):
        posepipe.to_pandas(recording, "joints")


def test_arguments_are_checked_before_the_work(tmp_path: Path) -> None:
    for wrong in (
        {"height_m": 17.0},
        {"task": "dance"},
        {"formats": "trc"},
        {"video_out": True},
        {"out": tmp_path, "formats": "fbx"},
    ):
        with pytest.raises(UsageError):
            posepipe.analyze("no-such-file.mp4", **wrong)


def test_nobody(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    with VideoWriter(path, 320, 240, 25.0) as writer:
        for i in range(6):
            writer.write(np.zeros((240, 320, 3), np.uint8), i / 25)
    with pytest.raises(NobodyFoundError):
        posepipe.analyze(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_annotated_video_comes_along(walk: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        posepipe.analyze(walk, tmp_path, video_out=True)
    assert (tmp_path / "annotated.mp4").stat().st_size > 1000
