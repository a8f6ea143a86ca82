"""Finding videos, in folders and lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from posepipe.batch.jobs import Job, find_jobs
from posepipe.errors import InputError, MediaError, UsageError
from posepipe.pipeline import Config
from posepipe.record.seal import writing


def _touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _names(jobs: tuple[Job, ...]) -> list[str]:
    return [job.name for job in jobs]


def test_folder(tmp_path: Path) -> None:
    _touch(tmp_path, "b.mp4", "a.MOV", "c/b.mp4", "c/d/e.avi", "notes.txt", ".hidden/x.mp4", ".y.mp4")
    jobs = find_jobs(tmp_path)
    assert _names(jobs) == ["a", "b", "c/b", "c/d/e"]
    assert all(job.video.is_absolute() and job.video.exists() for job in jobs)
    assert _names(find_jobs(tmp_path, recursive=False)) == ["a", "b"]
    assert _names(find_jobs(tmp_path, patterns=["c/*", "a.*"])) == ["a", "c/b", "c/d/e"]
    assert _names(find_jobs(tmp_path, patterns=["*.txt"])) == ["notes"]


def test_results_folders_are_no_input(tmp_path: Path) -> None:
    """Nor is anything left out that isn't ours: a stranger's summary.json hides nothing."""
    _touch(tmp_path, "a.mp4", "day/b.mp4", "day/summary.json", "out/a/c.mp4")
    with writing(tmp_path / "out" / "a", "x") as made:
        _touch(made, "annotated.mp4", "summary.json")
    (tmp_path / "out" / "a" / "c.mp4").touch()
    assert _names(find_jobs(tmp_path)) == ["a", "day/b", "out/a/c"]


def test_same_stem_keeps_its_suffix(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp4", "a.mov", "b.mp4", "A.avi")
    assert sorted(_names(find_jobs(tmp_path))) == ["A.avi", "a.mov", "a.mp4", "b"]


def test_list_with_options(tmp_path: Path) -> None:
    _touch(tmp_path, "x/a.mp4", "x/b.mp4")
    (tmp_path / "x" / "list.csv").write_text(
        "file,height_m,task,subject,name,colour\na.mp4,1.62,gait,,first,red\nb.mp4,,,all,,\n", encoding="utf-8-sig"
    )
    wanted = Job("", Path(), Config(height_m=1.8, fov_deg=60.0), True, ("trc",))
    first, second = find_jobs(tmp_path / "x" / "list.csv", wanted)
    assert (first.name, first.config.height_m, first.config.task, first.config.fov_deg) == ("first", 1.62, "gait", 60.0)
    assert (second.name, second.config.height_m, second.config.subject) == ("b", 1.8, "all")
    assert first.video_out and first.formats == ("trc",)
    assert first.video == tmp_path / "x" / "a.mp4"


def test_list_of_slow_films_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "a.mp4", "b.mp4")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "list.csv").write_text("file,capture_fps\n~/a.mp4,240\nb.mp4,\n")
    slow, ordinary = find_jobs(tmp_path / "list.csv")
    assert slow.video == tmp_path / "a.mp4" and slow.config.capture_fps_hz == 240.0
    assert ordinary.config.capture_fps_hz is None


def test_list_with_qualities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What auto means is decided once, in the plan."""
    _touch(tmp_path, "a.mp4", "b.mp4")
    monkeypatch.setenv("POSEPIPE_QUALITY", "fast")
    (tmp_path / "list.csv").write_text("file,Quality\na.mp4,Best\nb.mp4,\n")
    assert [job.config.quality for job in find_jobs(tmp_path / "list.csv")] == ["best", "fast"]


def test_text_list_and_single_file(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "list.txt").write_text("# mine\nb.mp4\n\na.mp4\n")
    assert _names(find_jobs(tmp_path / "list.txt")) == ["b", "a"]
    assert _names(find_jobs(tmp_path / "a.mp4")) == ["a"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("video_name,height\na.mp4,1.8\n", "no column"),
        ("file,height_m\na.mp4,tall\n", "tall"),
        ("file,height_m\na.mp4,17\n", "17"),
        ("file,task\na.mp4,dance\n", "dance"),
        ("file,quality\na.mp4,good\n", "good"),
        ("file,quality,detector\na.mp4,best,mediapipe\n", "mediapipe"),
        ("file,name\na.mp4,x\nb.mp4,x\n", "twice"),
        ("file,name\na.mp4,../x\n", "name"),
    ],
)
def test_lists_that_cannot_be(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(UsageError, match=word):
        find_jobs(tmp_path / "list.csv")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no video"):
        find_jobs(tmp_path)
    with pytest.raises(MediaError, match="no such"):
        find_jobs(tmp_path / "nowhere")


def test_settings_leave_out_what_changes_nothing() -> None:
    job = Job("a", Path("a.mp4"), Config(workers=1))
    assert job.settings() == Job("b", Path("b.mp4"), Config(workers=2)).settings()
    assert job.settings() != Job("a", Path("a.mp4"), Config(height_m=1.8)).settings()
