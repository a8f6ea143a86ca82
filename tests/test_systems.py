"""Windows, macOS and Linux: no call that one of them lacks, no letter that can't be printed, no name that can't be."""

from __future__ import annotations

import ast
import ctypes
import gc
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest

from posepipe.batch.jobs import Job, find_jobs
from posepipe.cli.main import main
from posepipe.errors import MediaError, UsageError
from posepipe.media import atomic
from posepipe.media._camera import CameraReader
from posepipe.pipeline import Config
from posepipe.system import portable_name, process_alive, try_lock, wait_usage

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for folder in ("posepipe", "exporters") for path in (ROOT / folder).rglob("*.py"))
TWINS = "posepipe/system.py"
POSIX_CALLS = {
    *("os." + name for name in ("chown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getloadavg", "getpgid")),
    *("os." + name for name in ("getuid", "kill", "killpg", "link", "mkfifo", "nice", "openpty", "sched_getaffinity")),
    *("os." + name for name in ("sched_setaffinity", "setpgid", "setsid", "statvfs", "symlink", "sysconf", "uname")),
    *("os." + name for name in ("wait", "wait3", "wait4", "waitpid", "rename", "renames", "replace")),
    *("signal." + name for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGALRM", "alarm", "pause")),
    *("shutil.move", "os.startfile"),
}
POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
# (file, what it uses): why that is right there.
KNOWN = {
    ("posepipe/batch/measure.py", "os.getloadavg"): "asks with hasattr",
    ("posepipe/batch/work.py", "os.sched_getaffinity"): "asks with hasattr",
    ("posepipe/batch/work.py", "os.sched_setaffinity"): "asks with hasattr",
    ("posepipe/batch/work.py", "path /proc"): "only after sched_setaffinity",
    ("posepipe/doctor.py", "os.sysconf"): "asks with hasattr",
    ("posepipe/lab/fuzz.py", "resource"): "only on Linux",
    ("posepipe/lab/fuzz.py", "path /proc"): "only on Linux",
    ("posepipe/lab/soak.py", "os.getloadavg"): "refuses where there is no /proc",
    ("posepipe/lab/soak.py", "os.sysconf"): "refuses where there is no /proc",
    ("posepipe/lab/soak.py", "path /proc"): "refuses where there is no /proc",
    ("posepipe/media/atomic.py", "rename"): "the one place that renames",
    ("exporters/edge/export.py", "path /proc"): "an OSError is caught",
    ("exporters/edge/runner.py", "path /proc"): "asks whether it is there",
    ("exporters/edge/runner.py", "resource"): "an ImportError is caught",
}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


_LOOKED_AT = {ast.Import, ast.ImportFrom, ast.Attribute, ast.Constant, ast.Call}


def _uses(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that could break on Windows, and what it is."""
    for node in ast.walk(_tree(path)):
        if type(node) not in _LOOKED_AT:
            continue
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            yield from ((line, alias.name) for alias in node.names if alias.name in POSIX_MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in POSIX_MODULES:
            yield line, node.module or ""
        elif isinstance(node, ast.ImportFrom) and node.module in {"os", "signal", "shutil"}:
            named = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from ((line, name) for name in named if name in POSIX_CALLS)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (name := f"{node.value.id}.{node.attr}") in POSIX_CALLS:
                yield line, name
        elif isinstance(node, ast.Constant) and str(node.value).startswith(("/proc", "/dev/", "/tmp", "/etc")):
            yield line, f"path /{str(node.value).split('/')[1]}"
        if isinstance(node, ast.Call):
            yield from ((line, what) for what in _calls(node))


def _calls(node: ast.Call) -> Iterator[str]:
    keywords = {item.arg: item.value for item in node.keywords}
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    method = isinstance(node.func, ast.Attribute)
    if method and (name in {"rename", "symlink_to", "hardlink_to"} or (name == "replace" and len(node.args) == 1)):
        # str.replace takes two.
        yield "rename" if name in {"rename", "replace"} else name
    if name in {"preexec_fn", "start_new_session"} & set(keywords):
        yield name
    if name == "get_context" and [ast.unparse(a) for a in node.args] != ["'spawn'"]:
        yield "a start method other than spawn"
    if name == "strftime" and any("%-" in ast.unparse(a) or "%s" in ast.unparse(a) for a in node.args):
        yield "strftime code"
    if _opens_text(name, node, keywords) and "encoding" not in keywords:
        yield "text without an encoding"


def _opens_text(name: str, node: ast.Call, keywords: dict[str | None, ast.expr]) -> bool:
    if name in {"run", "Popen", "check_output"}:
        return "text" in keywords or "universal_newlines" in keywords
    if name in {"read_text", "write_text"}:
        return len(node.args) < (1 if name == "read_text" else 2)
    if name in {"open", "fdopen"} and not ast.unparse(node.func).startswith(
        ("av.", "os.open", "Image.", "self.", "wave.")
    ):
        modes = [a.value for a in (*node.args, *keywords.values()) if isinstance(a, ast.Constant) and a.value]
        return any(isinstance(mode, str) and mode in {"r", "w", "a", "x", "r+", "w+"} for mode in modes)
    return False


def test_no_call_that_windows_lacks() -> None:
    found, used = [], set()
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        for line, what in _uses(path):
            used.add((name, what))
            if name != TWINS and (name, what) not in KNOWN:
                found.append(f"{name}:{line} {what}")
    assert not found
    assert set(KNOWN) <= used, "an exception that is none any more"


@pytest.mark.parametrize(
    "text",
    [
        "os.kill(1, 0)",
        "import fcntl",
        "from os import wait4",
        "a.rename(b)",
        "a.replace(b)",
        "p.read_text()",
        "open('a', 'w')",
        "subprocess.run(a, text=True)",
        "get_context('fork')",
        "Path('/dev/video0')",
    ],
)
def test_the_search_finds(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(text, encoding="utf-8")
    assert list(_uses(path))


NAMES = "Übung_深蹲_ходьба.mp4"


@pytest.mark.parametrize("encoding", ["cp936", "cp1252", "ascii"])
def test_foreign_code_pages(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redirected output on Windows has the code page of its country."""
    (tmp_path / NAMES).write_bytes(b"junk")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    for command, code in ((["batch", str(tmp_path), "--dry-run"], 0), (["analyze", str(tmp_path / NAMES)], 3)):
        with pytest.raises(SystemExit) as left:
            main([*command, "--out", str(tmp_path / "深ü")])
        assert left.value.code == code
    out.flush()
    err.flush()
    assert b"1 of 1 videos" in out.buffer.getvalue()  # type: ignore[attr-defined]
    assert b"bung" in err.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_process_under_another_code_page(more: list[str], tmp_path: Path) -> None:
    """JSON is UTF-8 all the same."""
    command = [sys.executable, "-m", "posepipe.cli.main", "analyze", str(tmp_path / NAMES), *more]
    environment = os.environ | {"PYTHONIOENCODING": "cp1251", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 3
    if more:
        assert json.loads(done.stdout.decode("utf-8"))["where"].endswith(NAMES)
    else:
        assert "_ходьба.mp4" in done.stderr.decode("cp1251")


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("walk", "walk"),
        ("Übung 1.深蹲", "Übung 1.深蹲"),
        ("CON", "_CON"),
        ("nul.mp4", "_nul.mp4"),
        ("com1", "_com1"),
        ("console", "console"),
        ("walk.", "walk_"),
        ("walk ..", "walk_"),
        ("10:30?", "10_30_"),
        ("a\\b/c", "a_b_c"),
        ("..", "_"),
        ("", "_"),
    ],
)
def test_portable_name(part: str, name: str) -> None:
    assert portable_name(part) == name
    assert portable_name(name) == name


def test_results_folders_that_every_system_takes(tmp_path: Path) -> None:
    for name in ("AUX.mp4", "walk..mp4", "a:b.mp4", "a_b.mp4", "Day/con.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        try:
            (tmp_path / name).touch()
        except OSError:
            pytest.skip("this system makes no such file")
    assert {job.name for job in find_jobs(tmp_path)} == {"_AUX", "walk_", "a_b", "a_b-2", "Day/_con"}
    listed = tmp_path / "list.csv"
    for given in ("nul", "a/b.", "C:/x", "..", "/x", "x/"):
        listed.write_text(f"file,name\na_b.mp4,{given}\n", encoding="utf-8")
        with pytest.raises(UsageError, match="name"):
            find_jobs(listed)


def test_names_that_differ_in_case_only(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("one/../A.mp4\ntwo/../a.mp4\n", encoding="utf-8")
    names = [job.name.casefold() for job in find_jobs(listed)]
    assert len(set(names)) == 2


def _ended() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_processes_live_and_end() -> None:
    assert process_alive(os.getpid())
    assert not process_alive(_ended())
    assert not process_alive(10**30)


class Kernel32:
    """Stands in for Windows' library: process 7 runs, 8 is another user's, 9 ended."""

    def __init__(self) -> None:
        for name in ("OpenProcess", "WaitForSingleObject", "CloseHandle", "GetProcessTimes", "K32GetProcessMemoryInfo"):
            # A bound method takes no attributes such as `argtypes`.
            setattr(self, name, partial(getattr(self, f"_{name}")))

    def _OpenProcess(self, rights: int, inherit: bool, pid: int) -> int:  # noqa: N802
        return pid if pid in (7, 9) else 0

    def _WaitForSingleObject(self, handle: int, ms: int) -> int:  # noqa: N802
        return 0x102 if handle == 7 else 0

    def _CloseHandle(self, handle: int) -> int:  # noqa: N802
        return 1

    def _GetProcessTimes(self, handle: int, *times: Any) -> int:  # noqa: N802
        for time, value in zip(times, (0, 0, 20_000_000, 10_000_000), strict=True):
            time._obj.value = value
        return 1

    def _K32GetProcessMemoryInfo(self, handle: int, counters: Any, size: int) -> int:  # noqa: N802
        assert size == counters._obj.size == 72
        counters._obj.peak_working_set = 50_000_000
        return 1


def test_processes_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as can be shown elsewhere: what is asked of the system, and what is made of its answers."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("Ctrl-C"))
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: Kernel32(), raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: 5, raising=False)
    assert process_alive(7) and process_alive(8) and not process_alive(9)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: 87, raising=False)
    assert not process_alive(8)
    child: Any = SimpleNamespace(_handle=9, wait=lambda: 0)
    assert wait_usage(child) == pytest.approx((3.0, 50.0))


def test_usage_of_a_child() -> None:
    with subprocess.Popen([sys.executable, "-c", "x = bytes(80_000_000); raise SystemExit(3)"]) as process:
        cpu_s, peak_mb = wait_usage(process)
    assert process.returncode == 3
    # No upper bound: until it starts its own program, a child has its parent's memory.
    assert 0.0 < cpu_s < 60.0 and peak_mb > 80.0


def test_a_lock_holds_others_off(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("a", encoding="utf-8") as first, path.open("a", encoding="utf-8") as second:
        assert try_lock(first.fileno())
        assert not try_lock(second.fileno())
        first.close()
        assert try_lock(second.fileno())


def test_a_file_held_for_a_moment_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(atomic.time, "sleep", waits.append)
    source, final = tmp_path / "a", tmp_path / "b"
    source.write_text("new", encoding="utf-8")
    rename, tries = Path.replace, 3

    def held(self: Path, target: Path) -> Path:
        if len(waits) < tries:
            error = PermissionError(13, "held")
            error.winerror = 32  # type: ignore[attr-defined,unused-ignore]
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", held)
    atomic.move_into_place(source, final)
    assert final.read_text(encoding="utf-8") == "new" and len(waits) == 3
    tries = 99
    with pytest.raises(PermissionError):
        atomic.move_into_place(final, source)
    assert sum(waits[3:]) < 2.0


def test_a_refused_rename_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic.time, "sleep", lambda _: pytest.fail("waits"))
    with pytest.raises(FileNotFoundError):
        atomic.move_into_place(tmp_path / "none", tmp_path / "b")


@pytest.mark.parametrize(
    ("platform", "backends"),
    [("linux", ["CAP_ANY"]), ("win32", ["CAP_DSHOW", "CAP_ANY"]), ("darwin", ["CAP_AVFOUNDATION", "CAP_ANY"])],
)
def test_cameras_open_through_the_systems_own_backend(
    platform: str, backends: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Closed:
        def __init__(self, index: int, backend: int) -> None:
            asked.append(backend)

        def isOpened(self) -> bool:  # noqa: N802
            return False

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Closed)
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(MediaError, match="no picture"):
        CameraReader(0)
    assert asked == [getattr(cv2, name) for name in backends]


def test_a_spawned_process_understands_a_job() -> None:
    """Windows and macOS start processes anew: everything handed over is pickled, every module imported again."""
    job = Job("Übung", Path(NAMES), Config(height_m=1.8))
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(Job.settings, job).result() == job.settings()


def test_modules_do_nothing_when_imported_by_a_spawned_process() -> None:
    """A module that is run guards its call, or a spawned process would run it again."""
    unguarded = []
    for path in SOURCES:
        for node in _tree(path).body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                called = ast.unparse(node.value.func)
                if called.split(".")[-1] in {"main", "run", "exit"} and path.name != "streamlit_app.py":
                    unguarded.append(f"{path.relative_to(ROOT)}:{node.lineno} {called}")
    assert not unguarded
