"""Nothing of the user's is written over, moved or removed; what posepipe wrote is whole, and its own."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import posepipe
from posepipe.batch import find_jobs, make_plan
from posepipe.batch.plan import DONE, Plan
from posepipe.cli.main import run
from posepipe.errors import MediaError, OutputError, PosePipeError, UsageError
from posepipe.formats.registry import write_formats
from posepipe.record.folder import load, save
from posepipe.ui.storage import delete, keep
from tests.record.factory import make_gait, make_person, make_recording

POSIX = pytest.mark.skipif(os.name == "nt", reason="another system")


class _FakePipeline:
    """An analysis that takes no time."""

    def __init__(self, config: object = None) -> None:
        pass

    def detect(self, video: Path, **_: object) -> Path:
        return video

    def describe(self, video: Path, **_: object):
        return make_recording(10, path=str(video))

    def run(self, video: str, **_: object):
        return make_recording(10, path=str(video))

    def run_with_detection(self, video: str, **_: object):
        return SimpleNamespace(tracks=()), self.run(video)

    def annotate(self, recording: object, video: object, path: Path, **_: object) -> None:
        path.write_bytes(b"annotated")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    import posepipe.batch.work as work_module

    monkeypatch.setattr(work_module, "Pipeline", _FakePipeline)
    monkeypatch.setattr(work_module, "_detector", lambda *_: None)
    monkeypatch.setattr(work_module, "_lifter", lambda: None)
    monkeypatch.setattr("posepipe.api.Pipeline", _FakePipeline)


def _files(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the user's {name}")


def _untouched(root: Path, *names: str) -> bool:
    return all((root / name).read_text() == f"the user's {name}" for name in names)


def _batch(source: Path, out: Path, *, backwards: bool = False) -> Plan:
    """A whole batch, without its worker processes."""
    from posepipe.batch.overview import write_overview
    from posepipe.batch.work import work

    plan = make_plan(find_jobs(source), out)
    states = {}
    for item in sorted(plan.todo, key=lambda item: item.job.name, reverse=backwards):
        states[item.job.name] = state = work(item.job, str(out), plan.identity, "run")
        assert state.status == DONE, state.error
    write_overview(plan, states)
    return plan


@pytest.mark.usefixtures("fake")
def test_a_folder_with_the_video_s_name_stays(tmp_path: Path) -> None:
    mine = ("walk.mp4", "walk/notes.txt", "walk/side/raw.bin")
    _files(tmp_path, *mine)
    plan = _batch(tmp_path, tmp_path)
    assert [item.job.name for item in plan.items] == ["walk-posepipe"]
    assert _untouched(tmp_path, *mine)
    assert (tmp_path / "walk-posepipe" / "summary.json").is_file()
    assert not _batch(tmp_path, tmp_path).todo


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("backwards", [False, True])
def test_results_in_one_another(tmp_path: Path, backwards: bool) -> None:
    _files(tmp_path / "in", "walk.mp4", "walk/side.mp4")
    out = tmp_path / "out"
    _batch(tmp_path / "in", out, backwards=backwards)
    for name in ("walk", "walk/side"):
        assert {"summary.json", "batch.json", "report.html"} <= {path.name for path in (out / name).iterdir()}
    assert not _batch(tmp_path / "in", out).todo
    # Done again, for instance with other settings, each leaves the other alone.
    jobs = [replace(job, formats=("npz",)) for job in find_jobs(tmp_path / "in")]
    from posepipe.batch.work import work

    plan = make_plan(jobs, out)
    for item in plan.todo:
        work(item.job, str(out), plan.identity, "again")
    assert all((out / name / "h36m.npz").is_file() for name in ("walk", "walk/side"))


@pytest.mark.usefixtures("fake")
def test_overview_of_the_user_s(tmp_path: Path) -> None:
    _files(tmp_path, "a.mp4", "index.html")
    with pytest.raises(OutputError, match=r"index\.html"):
        _batch(tmp_path, tmp_path)
    assert _untouched(tmp_path, "index.html")


@pytest.mark.usefixtures("fake")
def test_changed_results_are_the_user_s(tmp_path: Path) -> None:
    _files(tmp_path, "a.mp4")
    out = tmp_path / "out"
    _batch(tmp_path, out)
    (out / "a" / "report.html").write_text("my notes in it")
    assert not _batch(tmp_path, out).todo
    (tmp_path / "a.mp4").write_text("a better film")
    with pytest.raises(OutputError, match=r"report\.html"):
        _batch(tmp_path, out)
    assert (out / "a" / "report.html").read_text() == "my notes in it"


def test_a_second_analysis_leaves_nothing_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "results"
    people = (make_person(60, gait=make_gait()), make_person(40, person=2))
    with monkeypatch.context() as patch:
        # A real walk takes long to make.
        patch.setattr("posepipe.reports.gait.write_gait_reports", lambda _, made, __: (made / "gait.pdf").touch())
        save(make_recording(60, people=people), folder)
    assert (folder / "gait.pdf").is_file()
    assert run(["convert", str(folder), "--format", "trc,csv"]) == 0
    assert (folder / "person-2.trc").is_file()
    _files(folder, "letter.txt", "person-3.trc")
    save(make_recording(10, path="other.mp4"), folder)
    assert load(folder).video.path == "other.mp4"
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == {
        *("summary.json", "report.html", "poses.parquet", "angles.parquet"),
        *("letter.txt", "person-3.trc"),
    }
    assert _untouched(folder, "letter.txt", "person-3.trc")


def test_results_from_before_there_were_records(tmp_path: Path) -> None:
    """They are told by their summary and their names."""
    save(make_recording(10), tmp_path)
    (tmp_path / ".posepipe.json").unlink()
    _files(tmp_path, "gait.pdf", "annotated.mp4", "letter.txt")
    assert run(["convert", str(tmp_path), "--format", "npz"]) == 0
    assert load(tmp_path) and (tmp_path / "gait.pdf").is_file()
    save(make_recording(10, path="other.mp4"), tmp_path)
    assert load(tmp_path).video.path == "other.mp4" and _untouched(tmp_path, "letter.txt")
    assert not (tmp_path / "gait.pdf").exists() and not (tmp_path / "annotated.mp4").exists()


def test_what_convert_wrote_stays_with_its_recording(tmp_path: Path) -> None:
    save(make_recording(10), tmp_path / "r")
    for name in ("trc", "npz"):
        assert run(["convert", str(tmp_path / "r"), "--format", name, "--out", str(tmp_path / "c")]) == 0
    assert {path.name for path in (tmp_path / "c").iterdir()} >= {"person-1.trc", "h36m.npz"}
    assert load(tmp_path / "r")


@pytest.mark.parametrize("name", ["report.html", "summary.json", "angles.parquet"])
def test_save_writes_over_nothing(tmp_path: Path, name: str) -> None:
    _files(tmp_path, name)
    with pytest.raises(OutputError, match=name):
        save(make_recording(10), tmp_path)
    assert _untouched(tmp_path, name) and [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["report.html", "annotated.mp4", "gait.pdf", "coco.json"])
def test_analyze_says_so_before_the_work(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def late(*_: object, **__: object) -> None:
        raise AssertionError("too late")

    monkeypatch.setattr("posepipe.pipeline.Pipeline.run", late)
    _files(tmp_path, name)
    assert run(["analyze", "x.mp4", "--out", str(tmp_path), "--format", "coco"]) == 2
    assert name in capsys.readouterr().err and _untouched(tmp_path, name)
    with pytest.raises(OutputError, match=name):
        posepipe.analyze("x.mp4", tmp_path, formats="coco")


@pytest.mark.usefixtures("fake")
def test_the_input_isn_t_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    _files(tmp_path, "a.mp4")
    assert run(["analyze", str(tmp_path / "a.mp4"), "--out", str(out)]) == 0
    before = (out / "annotated.mp4").read_bytes()
    for source, folder in ((out / "annotated.mp4", out), (tmp_path / "a.mp4", tmp_path / "a.mp4")):
        assert run(["analyze", str(source), "--out", str(folder)]) == 2
    assert "is the input" in capsys.readouterr().err
    assert (out / "annotated.mp4").read_bytes() == before and _untouched(tmp_path, "a.mp4")


def test_convert_writes_over_nothing(tmp_path: Path) -> None:
    save(make_recording(10), tmp_path / "r")
    _files(tmp_path / "mine", "coco.json")
    assert run(["convert", str(tmp_path / "r"), "--format", "coco", "--out", str(tmp_path / "mine")]) == 2
    assert _untouched(tmp_path / "mine", "coco.json")


@POSIX
def test_out_is_a_link(tmp_path: Path) -> None:
    _files(tmp_path, "real/letter.txt")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    save(make_recording(10), tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and _untouched(tmp_path, "real/letter.txt")
    assert load(tmp_path / "real")
    with pytest.raises(OutputError):
        save(make_recording(10), tmp_path / "nowhere")
    assert (tmp_path / "nowhere").is_symlink()


@POSIX
def test_delete_in_the_library_keeps_what_is_the_user_s(tmp_path: Path) -> None:
    save(make_recording(10), tmp_path / "work")
    entry = keep(tmp_path / "work", tmp_path / "shelf", "walk.mp4")
    _files(tmp_path, "shelf/walk/letter.txt", "elsewhere/scan.csv")
    (entry / "poses.csv").symlink_to(tmp_path / "elsewhere" / "scan.csv")
    with pytest.raises(OutputError, match="your own"):
        delete(entry, tmp_path / "shelf")
    assert {path.name for path in entry.iterdir()} - {".posepipe.json"} == {"letter.txt", "poses.csv"}
    assert _untouched(tmp_path, "shelf/walk/letter.txt", "elsewhere/scan.csv")


def test_keep_writes_into_no_folder_of_the_user_s(tmp_path: Path) -> None:
    save(make_recording(10), tmp_path / "work")
    _files(tmp_path, "shelf/.walk.part/letter.txt", "shelf/walk/letter.txt")
    entry = keep(tmp_path / "work", tmp_path / "shelf", "walk.mp4")
    assert entry.name == "walk (2)" and load(entry)
    assert _untouched(tmp_path, "shelf/.walk.part/letter.txt", "shelf/walk/letter.txt")


def test_bundle_goes_over_nothing(tmp_path: Path) -> None:
    bundle = pytest.importorskip("exporters.edge.bundle")
    _files(tmp_path, "page/manifest.json", "page/src/app.js")
    with pytest.raises(UsageError, match="page"):
        bundle.write_bundle(bundle.Plan(), tmp_path / "page", {})
    assert _untouched(tmp_path, "page/manifest.json", "page/src/app.js")
    bundle.write_bundle(bundle.Plan(), tmp_path / "edge", {})
    _files(tmp_path, "edge/models/mine.onnx")
    bundle.write_bundle(bundle.Plan(), tmp_path / "edge", {})
    assert _untouched(tmp_path, "edge/models/mine.onnx")


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("stem", ["x" * 251, "ü" * 125, "日" * 83], ids=["ascii", "latin", "cjk"])
def test_names_near_the_limit(tmp_path: Path, stem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _files(tmp_path, f"in/{stem}.mp4", f"in/{stem[:-1]}y.mp4")
    plan = _batch(tmp_path / "in", tmp_path / "out")
    assert len({item.job.name for item in plan.items}) == 2
    assert not _batch(tmp_path / "in", tmp_path / "out").todo
    monkeypatch.chdir(tmp_path)
    assert run(["analyze", f"in/{stem}.mp4"]) == 0
    assert run(["analyze", f"in/{stem}.mp4", "--out", "z" * 300]) == 2


@pytest.mark.usefixtures("fake")
def test_names_that_our_files_have(tmp_path: Path) -> None:
    names = (
        "index.html.mp4",
        "walk.mp4",
        "walk.json/a.mp4",
        "walk/report.html.mp4",
        "Walk.avi",
        "a\u0301.mp4",
        "á.avi",
    )
    _files(tmp_path / "in", *names)
    plan = _batch(tmp_path / "in", tmp_path / "out")
    assert len({item.job.name.casefold() for item in plan.items}) == len(names)
    assert not _batch(tmp_path / "in", tmp_path / "out").todo
    assert (tmp_path / "out" / "index.html").is_file()


@pytest.mark.usefixtures("fake")
def test_results_are_no_input(tmp_path: Path) -> None:
    _files(tmp_path, "a.mp4")
    assert run(["analyze", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "a")]) == 0
    _files(tmp_path, "a/later.mp4")
    assert {job.video.name for job in find_jobs(tmp_path)} == {"a.mp4", "later.mp4"}


@POSIX
def test_links_in_circles_and_to_one_video(tmp_path: Path) -> None:
    _files(tmp_path, "day/a.mp4", "day/._a.mp4", "__MACOSX/day/a.mp4")
    (tmp_path / "day" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "day")
    (tmp_path / "a link.mp4").symlink_to(tmp_path / "day" / "a.mp4")
    (tmp_path / "self.mp4").symlink_to(tmp_path / "self.mp4")
    assert [job.name for job in find_jobs(tmp_path)] == ["day/a"]


def test_a_folder_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _files(tmp_path, "a.mp4", "closed/b.mp4")
    real = Path.iterdir

    def iterdir(path: Path):
        if path.name == "closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    said: list[str] = []
    assert [job.name for job in find_jobs(tmp_path, say=said.append)] == ["a"]
    assert len(said) == 1 and "closed" in said[0]
    with pytest.raises(MediaError, match="permissions"):
        find_jobs(tmp_path / "closed")


def test_a_video_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _files(tmp_path, "a.mp4")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(MediaError, match="may not be read"):
        posepipe.analyze(tmp_path / "a.mp4")


def test_a_full_disk_ends_the_batch(tmp_path: Path, fake: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker raises, so that no further video is tried; afterwards everything can be done."""
    from posepipe.batch.work import work

    _files(tmp_path / "in", "a.mp4")
    plan = make_plan(find_jobs(tmp_path / "in"), tmp_path / "out")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("posepipe.record.tables.write_poses", full)
        with pytest.raises(OutputError, match="disk is full"):
            work(plan.items[0].job, str(tmp_path / "out"), plan.identity, "run")
    assert _batch(tmp_path / "in", tmp_path / "out").items[0].why == "interrupted"


@POSIX
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    from posepipe.batch.plan import Places

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    with Places(tmp_path / "out").locked() as held:
        assert held is False
    save(make_recording(10), tmp_path)


def test_workers_that_don_t_come_back(tmp_path: Path) -> None:
    from collections import deque

    from posepipe.batch.run import Options, Watcher, _Books, _work_off

    class Team:
        local = False

        def __init__(self) -> None:
            self.looks = 0

        def slots(self) -> int:
            self.looks += 1
            return int(self.looks == 1)

    _files(tmp_path, "a.mp4")
    plan = make_plan(find_jobs(tmp_path), tmp_path / "out")
    books = _Books("run", deque(plan.items), {})
    books.seen_s = 0.0
    team = Team()
    team.looks = 1
    with pytest.raises(PosePipeError, match="no worker is left"):
        _work_off(books, plan, team, Options(patience_s=0.0), Watcher())


@pytest.mark.parametrize(
    ("data", "height_m"),
    [
        (b"\xef\xbb\xbfFile ; Height_m\r\n a.mp4 ;1,62\r\n", 1.62),
        ('sep=;\nVIDEO;HEIGHT\n"a.mp4";1.62\n'.encode("utf-16"), 1.62),
        ('file\theight_m\tGröße\na.mp4\t"1,62"\tx\n'.encode("cp1252"), 1.62),
        (b'file,"height_m "\n"a.mp4","1,62"\n\n,\n', 1.62),
    ],
    ids=["semicolon", "utf-16", "tabs", "quotes"],
)
def test_lists_as_people_write_them(tmp_path: Path, data: bytes, height_m: float) -> None:
    (tmp_path / "list.csv").write_bytes(data)
    (job,) = find_jobs(tmp_path / "list.csv")
    assert (job.video, job.config.height_m) == (tmp_path / "a.mp4", height_m)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("file,height_m\na.mp4,1,62\n", "more cells"),
        ("file,height_m\n,1.62\n", "names no video"),
        ("file,height_m,height_m\na.mp4,1.6,1.7\n", "twice"),
        ("file,name\na.mp4,p\nb.mp4,P\n", "twice"),
        (f"file,name\na.mp4,{'n' * 250}\n", "name"),
    ],
)
def test_lists_that_would_be_misread(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(UsageError, match=word):
        find_jobs(tmp_path / "list.csv")


def test_a_column_that_isn_t_understood_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("file,heigth_m\na.mp4,1.62\n")
    said: list[str] = []
    find_jobs(tmp_path / "list.csv", say=said.append)
    assert len(said) == 1 and "heigth_m" in said[0]


@pytest.mark.usefixtures("fake")
def test_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    _files(tmp_path, "a.mp4")
    (tmp_path / "list.txt").write_text('"~/a.mp4"\n')
    save(make_recording(10), "~/r")
    assert load("~/r") and (tmp_path / "r").is_dir()
    write_formats(make_recording(10), "~/f", "npz")
    assert run(["analyze", "~/a.mp4", "--out=~/s"]) == run(["convert", "~/s", "--format", "npz"]) == 0
    assert run(["convert", "~/s", "--format", "npz", "--out", "~/c"]) == 0
    plan = make_plan(find_jobs("~/list.txt"), "~/b")
    assert plan.items[0].job.video == tmp_path / "a.mp4" and plan.places.out == tmp_path / "b"
    assert list((tmp_path / "here").iterdir()) == []


@POSIX
@pytest.mark.parametrize(("redirection", "code"), [(">&-", 0), ("2>/dev/full", 0), (">/dev/full", 2)])
def test_streams_that_take_nothing(redirection: str, code: int) -> None:
    if "full" in redirection and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    command = f"'{sys.executable}' -m posepipe.cli.main models list {redirection}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr
    if code:
        assert done.stderr.startswith("posepipe: standard output: can't be written")
        assert len(done.stderr.splitlines()) == 1


_STOPPED = """
import os, signal, sys
import posepipe.pipeline, posepipe.record.tables as tables
from posepipe.cli.main import main
from tests.record.factory import make_recording
posepipe.pipeline.Pipeline.run_with_detection = lambda *a, **k: (None, make_recording(10))
def stop(people, path):
    path.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGTERM)
    path.write_bytes(b"more")
tables.write_angles = stop
main(["analyze", "x.mp4", "--no-video", "--out", sys.argv[1]])
"""


@POSIX
def test_sigterm_while_saving(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", _STOPPED, str(out)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1 and "stopped by the user" in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_killed_while_results_come_into_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing half is taken for whole, all of it is known to be ours, and the next analysis tidies up."""
    folder = tmp_path / "r"
    save(make_recording(10), folder, formats="npz")
    _files(folder, "letter.txt")
    real = Path.replace

    def die(path: Path, target: Path) -> Path:
        if Path(target).name == "report.html":
            raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", die)
        save(make_recording(12, path="other.mp4"), folder)
    assert not (folder / "summary.json").exists()
    save(make_recording(12, path="other.mp4"), folder)
    assert load(folder).video.path == "other.mp4" and not (folder / "h36m.npz").exists()
    assert _untouched(folder, "letter.txt")


def test_killed_before_the_record_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes next, be it a conversion, doesn't take the results for another recording's."""
    from posepipe.record import seal

    folder, calls, real = tmp_path / "r", [], seal._write_record
    save(make_recording(10, path="other.mp4"), folder)

    def die(record: seal.Record, path: Path) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(record, path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(seal, "_write_record", die)
        save(make_recording(10), folder)
    assert run(["convert", str(folder), "--format", "npz"]) == 0
    assert load(folder)
