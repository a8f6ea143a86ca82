"""What is done again, and what isn't."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from posepipe.batch.jobs import Job
from posepipe.batch.plan import (
    DONE,
    FAILED,
    NOBODY,
    RUNNING,
    Identity,
    Places,
    SourceFile,
    State,
    make_plan,
    read_state,
    write_state,
)
from posepipe.errors import UsageError
from posepipe.pipeline import Config
from posepipe.record.seal import RECORD, sweep, writing


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "a.mp4").write_bytes(b"film")
    return Job("deep/a", tmp_path / "a.mp4")


def _state(job: Job, status: str = DONE) -> State:
    digest = "2a3c54af3dc2e26d1d8ad6a8c2b6b8b8"
    source = SourceFile.of(job.video)
    assert source is not None
    return State(
        job.name,
        str(job.video),
        status,
        Identity.of_this_program().fingerprint(job),
        job.settings(),
        source=replace(source, sha256=digest),
    )


def _done(job: Job, out: Path, status: str = DONE) -> Places:
    places = Places(out)
    write_state(_state(job, status), places.state(job.name))
    if status == DONE:
        with writing(places.results(job.name), "x") as made:
            write_state(_state(job), made / "batch.json")
    return places


def _why(job: Job, out: Path, **more: object) -> str:
    return make_plan([job], out, **more).items[0].why


def test_state_round_trip(job: Job, tmp_path: Path) -> None:
    state = _state(job).failed({"error": "X", "what": "é"})
    write_state(state, tmp_path / "s.json")
    assert read_state(tmp_path / "s.json") == state
    assert read_state(tmp_path / "none.json") is None
    for junk in ("", "[]", '{"schema": 99}', '{"schema": 1}'):
        (tmp_path / "s.json").write_text(junk)
        assert read_state(tmp_path / "s.json") is None


def test_a_state_of_a_later_version_may_hold_more(job: Job, tmp_path: Path) -> None:
    write_state(_state(job), tmp_path / "s.json")
    table = json.loads((tmp_path / "s.json").read_text())
    (tmp_path / "s.json").write_text(json.dumps(table | {"mood": "fine"}))
    assert read_state(tmp_path / "s.json") == _state(job)


def test_done_is_left_alone(job: Job, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert _why(job, out) == "new"
    _done(job, out)
    assert _why(job, out) == "done"
    assert _why(job, out, resume=False) == "asked again"


def test_nobody_is_an_answer_too(job: Job, tmp_path: Path) -> None:
    _done(job, tmp_path / "out", NOBODY)
    assert _why(job, tmp_path / "out") == "done"


def test_failed_and_interrupted_are_done_again(job: Job, tmp_path: Path) -> None:
    _done(job, tmp_path / "out", FAILED)
    assert _why(job, tmp_path / "out") == "failed"
    _done(job, tmp_path / "out", RUNNING)
    assert _why(job, tmp_path / "out") == "interrupted"


def test_other_settings(job: Job, tmp_path: Path) -> None:
    _done(job, tmp_path / "out")
    for other in (
        replace(job, config=Config(height_m=1.8)),
        replace(job, video_out=True),
        replace(job, formats=("trc",)),
    ):
        assert _why(other, tmp_path / "out") == "settings changed"


def test_other_program(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _done(job, tmp_path / "out")
    identity = Identity.of_this_program()
    newer = Identity({**identity.versions, "posepipe": "99"}, identity.models)
    retrained = Identity(identity.versions, {**identity.models, "lifter": "ff"})
    for other in (newer, retrained):
        monkeypatch.setattr(Identity, "of_this_program", classmethod(lambda cls, other=other: other))
        assert _why(job, tmp_path / "out") == "settings changed"


def test_other_video(job: Job, tmp_path: Path) -> None:
    _done(job, tmp_path / "out")
    job.video.write_bytes(b"a longer film")
    assert _why(job, tmp_path / "out") == "video changed"
    job.video.unlink()
    assert _why(job, tmp_path / "out") == "video changed"


def test_touched_but_same_video_is_read_not_redone(job: Job, tmp_path: Path) -> None:
    import hashlib

    places = _done(job, tmp_path / "out")
    state = read_state(places.state(job.name))
    assert state is not None and state.source is not None
    digest = hashlib.sha256(b"film").hexdigest()
    write_state(replace(state, source=replace(state.source, sha256=digest)), places.state(job.name))
    os.utime(job.video, ns=(1, 1))
    assert _why(job, tmp_path / "out") == "done"
    job.video.write_bytes(b"flim")
    os.utime(job.video, ns=(1, 1))
    assert _why(job, tmp_path / "out") == "video changed"


def test_results_gone(job: Job, tmp_path: Path) -> None:
    places = _done(job, tmp_path / "out")
    places.seal(job.name).unlink()
    assert _why(job, tmp_path / "out") == "results missing"


def test_death_between_results_and_state(job: Job, tmp_path: Path) -> None:
    """The results came in one rename and hold their own state: nothing is done twice."""
    places = _done(job, tmp_path / "out")
    write_state(_state(job, RUNNING), places.state(job.name))
    assert _why(job, tmp_path / "out", write=False) == "done"
    running = read_state(places.state(job.name))
    assert running is not None and running.status == RUNNING
    assert _why(job, tmp_path / "out") == "done"
    assert read_state(places.state(job.name)) == _state(job)


def test_limit(job: Job, tmp_path: Path) -> None:
    _done(job, tmp_path / "out")
    others = [replace(job, name=name) for name in "bcd"]
    plan = make_plan([job, *others], tmp_path / "out", limit=2)
    assert [item.why for item in plan.items] == ["done", "new", "new", "beyond the limit"]
    assert [item.job.name for item in plan.todo] == ["b", "c"]


def test_publish_replaces_whole_folders(tmp_path: Path) -> None:
    places = Places(tmp_path)
    for content in ("old", "new"):
        with writing(places.results("x/y"), content, work=places.work) as folder:
            (folder / content).touch()
    assert {path.name for path in places.results("x/y").iterdir()} == {"new", RECORD}
    assert list((tmp_path / ".posepipe" / "work").iterdir()) == []


def test_sweep_spares_the_living(tmp_path: Path) -> None:
    import socket

    work = tmp_path / ".posepipe" / "work"
    mine, dead, far = (
        work / f".posepipe-{socket.gethostname()}@{os.getpid()}@{'a' * 12}",
        work / f".posepipe-{socket.gethostname()}@999999999@{'b' * 12}",
        work / f".posepipe-other-host@1@{'c' * 12}",
    )
    users = work / f".posepipe-{socket.gethostname()}@999999999@notes"
    for folder in (mine, dead, far, users):
        folder.mkdir(parents=True)
    sweep(work)
    assert mine.exists() and far.exists() and users.exists() and not dead.exists()


def test_one_batch_at_a_time(tmp_path: Path) -> None:
    with Places(tmp_path).locked(), pytest.raises(UsageError, match="another batch"), Places(tmp_path).locked():
        pass
    with Places(tmp_path).locked():
        pass
