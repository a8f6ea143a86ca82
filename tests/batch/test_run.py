"""Whole batches on real workers, some of which die."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from posepipe.batch import Options, find_jobs, make_plan, run_batch
from posepipe.batch.plan import DONE, FAILED, NOBODY, RUNNING, Identity, State, read_state
from posepipe.batch.run import Watcher
from posepipe.batch.team import Answer, Order, Team, open_team
from posepipe.cli.main import run
from posepipe.errors import InputError
from posepipe.record.folder import load

BATCH = [sys.executable, "-m", "posepipe.cli.main", "batch"]
WHOLE = {"summary.json", "poses.parquet", "angles.parquet", "report.html", "batch.json", ".posepipe.json"}


def _states(out: Path) -> dict[str, State]:
    found = {}
    for path in (out / ".posepipe" / "states").rglob("*.json"):
        state = read_state(path)
        if state is not None:
            found[state.name] = state
    return found


def _rows(out: Path) -> list[dict[str, str]]:
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _wait(condition: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def _many(folder: Path, clip: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        shutil.copy(clip, folder / f"clip_{i:02d}.mp4")
    return folder


def test_batch_and_resume(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Somebody, nobody and nonsense, in one run; then again, with nothing left but the nonsense."""
    out = tmp_path / "out"
    assert run(["batch", str(folder), "--out", str(out), "--workers", "2", "--format", "trc", "--json"]) == 0
    captured = capfd.readouterr()
    outcome = json.loads(captured.out)
    assert (outcome["videos"], outcome["worked"], outcome["skipped"]) == (4, 4, 0)
    assert (outcome["done"], outcome["nobody"], outcome["failed"]) == (2, 1, 1)
    lines = captured.err.strip().splitlines()
    assert len(lines) == 4 and all(line.startswith("[") for line in lines), captured.err
    states = _states(out)
    assert states["anna"].status == states["day 2/bélà"].status == DONE
    assert states["empty"].status == NOBODY and states["empty"].error["exit_code"] == 3
    assert states["broken"].status == FAILED and states["broken"].error["error"] == "MediaError"
    for name in ("anna", "day 2/bélà"):
        assert {path.name for path in (out / name).iterdir()} == WHOLE | {"person-1.trc"}
        assert load(out / name).config["workers"] is None
    table = pq.read_table(out / "summary.parquet").to_pylist()
    assert [row["name"] for row in table] == ["anna", "broken", "day 2/bélà", "empty"]
    assert [row["status"] for row in _rows(out)] == ["done", "failed", "done", "nobody"]
    assert table[0]["frames"] == 10 and table[0]["person"] == 1
    page = (out / "index.html").read_text(encoding="utf-8")
    assert 'href="day%202/b%C3%A9l%C3%A0/report.html"' in page
    assert not list((out / ".posepipe" / "work").iterdir())

    first = (out / "anna" / "summary.json").stat().st_mtime_ns
    assert run(["batch", str(folder), "--out", str(out), "--dry-run", "--format", "trc", "--json"]) == 0
    plan = json.loads(capfd.readouterr().out)
    assert {item["name"]: item["why"] for item in plan["items"]} == {
        "anna": "done",
        "broken": "failed",
        "day 2/bélà": "done",
        "empty": "done",
    }
    (folder / "broken.mp4").unlink()
    assert run(["batch", str(folder), "--out", str(out), "--format", "trc"]) == 0
    assert "3 videos: 0 worked on now, 2 done, 1 without a person, 0 failed" in capfd.readouterr().out
    assert (out / "anna" / "summary.json").stat().st_mtime_ns == first
    assert [row["name"] for row in _rows(out)] == ["anna", "day 2/bélà", "empty"]


def test_killed_in_the_middle(short_clip: Path, tmp_path: Path) -> None:
    """kill -9, then again: every clip is done exactly once, and nothing is half."""
    folder, out = _many(tmp_path / "videos", short_clip, 6), tmp_path / "out"
    command = [*BATCH, str(folder), "--out", str(out), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait(lambda: sum(state.status == DONE for state in _states(out).values()) >= 3)
    process.kill()
    process.wait()
    before = {name: state for name, state in _states(out).items() if state.status == DONE}
    assert 3 <= len(before) < 6
    workers = {int(state.worker.split(":")[1]) for state in _states(out).values()}
    _wait(lambda: not any(_alive(pid) for pid in workers))
    for name in before:
        assert {path.name for path in (out / name).iterdir()} == WHOLE
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    outcome = json.loads(again.stdout)
    states = _states(out)
    assert all(state.status == DONE for state in states.values()) and len(states) == 6
    # A clip may have been finished after the look at the states and before the kill.
    assert outcome["worked"] + outcome["skipped"] == 6 and outcome["skipped"] >= len(before)
    for name, state in before.items():
        assert states[name] == state
    assert len(_rows(out)) == 6
    for name in states:
        assert {path.name for path in (out / name).iterdir()} == WHOLE
        load(out / name)
    assert not list((out / ".posepipe" / "work").iterdir())


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class _Killer(Watcher):
    """Kills the first worker process that is seen at work."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self.victim: tuple[str, int] | None = None

    def tick(self) -> None:
        if self.victim is not None:
            return
        for name, state in _states(self._out).items():
            if state.status != RUNNING:
                continue
            pid = int(state.worker.split(":")[1])
            # Who stands still can't end its video, or begin another one, before it is killed.
            os.kill(pid, signal.SIGSTOP)
            # It takes effect only when a call to the system, as one that renames a file, has ended.
            _wait(lambda pid=pid: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
            if _states(self._out)[name].status == RUNNING:
                self.victim = name, pid
                os.kill(pid, signal.SIGKILL)
                return
            os.kill(pid, signal.SIGCONT)


def test_a_lost_worker_costs_one_video(person_clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With a single attempt the video fails; all others are done, by the worker that took the dead one's place."""
    out = tmp_path / "out"
    killer = _Killer(out)
    plan = make_plan(find_jobs(_many(tmp_path / "videos", person_clip, 3)), out)
    outcome = run_batch(plan, Options(workers=1, attempts=1), killer)
    assert killer.victim is not None
    name, pid = killer.victim
    assert outcome.lost_workers == 1 and outcome.exit_code == 1
    assert (outcome.count(DONE), outcome.count(FAILED)) == (2, 1)
    assert outcome.states[name].error["error"] == "WorkerLost"
    assert {int(s.worker.split(":")[1]) for n, s in outcome.states.items() if n != name}.isdisjoint({pid})
    assert capfd.readouterr().err == ""
    again = run_batch(make_plan(find_jobs(tmp_path / "videos"), out), Options(workers=1))
    assert again.worked == (name,) and again.exit_code == 0


def test_the_others_go_on_when_a_worker_dies(person_clip: Path, tmp_path: Path) -> None:
    """Two at work, one is killed: its video is tried again, and nobody else's is."""
    out = tmp_path / "out"
    killer = _Killer(out)
    plan = make_plan(find_jobs(_many(tmp_path / "videos", person_clip, 4)), out)
    outcome = run_batch(plan, Options(workers=2), killer)
    assert killer.victim is not None
    assert outcome.count(DONE) == 4 and outcome.exit_code == 0 and outcome.lost_workers == 1
    assert {name: state.attempts for name, state in outcome.states.items() if state.attempts > 1} == {
        killer.victim[0]: 2
    }


def test_a_worker_that_dies_idle(short_clip: Path, tmp_path: Path) -> None:
    """Nobody's video is lost with it."""
    (job,) = find_jobs(short_clip)
    identity = Identity.of_this_program()
    out = make_plan([job], tmp_path / "out").places.out
    with open_team(1, None, tmp_path / "log") as team:
        pid = team._seats[0].pid.result()
        os.kill(pid, signal.SIGKILL)
        _wait(lambda: not _alive(pid))
        team.hand(Order(job, str(out), identity, "run", 1))
        (answer,) = _answers(team)
    assert answer.state.status == DONE and not answer.lost and answer.worker != str(pid)


def _answers(team: Team) -> list[Answer]:
    found: list[Answer] = []
    _wait(lambda: found.extend(team.answers(0.1)) or found)
    return found


@pytest.mark.skipif(os.name == "nt", reason="the system sends no Ctrl-C to one process")
def test_ctrl_c(person_clip: Path, tmp_path: Path) -> None:
    """It ends at once, with its workers and without a word from them; what was done is in the overview."""
    folder, out = _many(tmp_path / "videos", person_clip, 6), tmp_path / "out"
    process = subprocess.Popen(
        [*BATCH, str(folder), "--out", str(out), "--workers", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _wait(lambda: len(_states(out)) >= 3)  # so the first was handed back
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to everybody
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1 and "Traceback" not in said, said
    assert not any(_alive(int(state.worker.split(":")[1])) for state in _states(out).values())
    statuses = {row["status"] for row in _rows(out)}
    assert "done" in statuses and statuses <= {"done", "open", "running"}
    again = run_batch(make_plan(find_jobs(folder), out), Options(workers=2))
    assert again.count(DONE) == 6


def test_no_dask_for_workers_here(short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    outcome = run_batch(make_plan(find_jobs(short_clip), tmp_path / "out"), Options(workers=1))
    assert outcome.count(DONE) == 1


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Dask scheduler and two workers, started as a cluster would start them."""
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    program, files = [sys.executable, "-m"], ["--scheduler-file", str(file)]
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"}
    scheduler = subprocess.Popen(
        [*program, "distributed.cli.dask_scheduler", *files, *local, "--port", "0"],
        env=environment,
        **quiet,
    )
    workers = [
        subprocess.Popen(
            [*program, "distributed.cli.dask_worker", *files, *local, "--no-nanny", "--nthreads", "1"],
            env=environment,
            **quiet,
        )
        for _ in range(2)
    ]
    try:
        _wait(lambda: file.exists() and bool(file.read_text()))
        yield json.loads(file.read_text())["address"], workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def test_a_cluster_that_runs_already(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], person_clip: Path, tmp_path: Path
) -> None:
    """Two worker processes, one of which is killed at work: its video is done by the other."""
    address, workers = cluster
    out = tmp_path / "out"
    killer = _Killer(out)
    plan = make_plan(find_jobs(_many(tmp_path / "videos", person_clip, 4)), out)
    outcome = run_batch(plan, Options(scheduler=address), killer)
    assert killer.victim is not None and killer.victim[1] in {worker.pid for worker in workers}
    assert outcome.count(DONE) == 4 and outcome.exit_code == 0
    assert outcome.states[killer.victim[0]].attempts == 2
    assert {int(state.worker.split(":")[1]) for state in outcome.states.values()} <= {w.pid for w in workers}
    assert len(_rows(out)) == 4


def test_no_cluster_there(short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("posepipe.batch.team._CONNECT_S", 1.0)
    plan = make_plan(find_jobs(short_clip), tmp_path / "out")
    with pytest.raises(InputError, match="no Dask scheduler"):
        run_batch(plan, Options(scheduler="tcp://127.0.0.1:1"))


def test_workers_are_renewed(short_clip: Path, tmp_path: Path) -> None:
    plan = make_plan(find_jobs(_many(tmp_path / "videos", short_clip, 2)), tmp_path / "out")
    outcome = run_batch(plan, Options(workers=1, recycle=1))
    assert outcome.count(DONE) == 2 and outcome.lost_workers == 0
    assert len({state.worker for state in outcome.states.values()}) == 2


def _cores_of(_: int) -> tuple[int, ...]:
    from posepipe.inference import default_threads
    from posepipe.system import cores

    return (*sorted(os.sched_getaffinity(0)), cores(), default_threads())


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no processes")
def test_a_core_for_each_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    mine = os.sched_getaffinity(0)
    with open_team(2, None, tmp_path / "log") as team:
        assert team.slots() == 2
        found = [seat.pool.submit(_cores_of, 0).result() for seat in team._seats]
    assert os.sched_getaffinity(0) == mine
    if len(mine) >= 2:
        assert len({row[0] for row in found}) == 2
        assert all(row[1:] == (1, 1) for row in found)
