"""The command line's contract: exit codes, one line for an error, nothing half-written."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from posepipe.cli.main import run
from posepipe.lab.speed import Spent
from posepipe.media.writer import VideoWriter

POSEPIPE = [sys.executable, "-m", "posepipe.cli.main"]
RESULTS = {"summary.json", "poses.parquet", "angles.parquet", "report.html", ".posepipe.json"}
GAIT = {"gait.html", "gait.json", "gait.pdf"}
"""Written where the person walks."""


def _blank(path: Path, size: tuple[int, int] = (320, 240), frames: int = 12, value: int = 0) -> Path:
    with VideoWriter(path, *size, 25.0) as writer:
        for i in range(frames):
            writer.write(np.full((size[1], size[0], 3), value, np.uint8), i / 25)
    return path


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()} if folder.exists() else set()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def _assert_fails(capsys: pytest.CaptureFixture[str], video: object, out: Path, code: int, *words: str) -> None:
    """The command ends with `code`, one line that holds all `words`, and no file."""
    assert run(["analyze", str(video), "--out", str(out)]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    for word in words:
        assert word in lines[0]
    assert not _files(out)


def test_help_loads_little() -> None:
    """What makes a command line slow to answer is what it imports."""
    code = (
        "import sys; from posepipe.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\nprint(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "analyze" in done.stdout
    assert not {"numpy", "scipy", "cv2", "av", "onnxruntime", "pyarrow"} & set(ast.literal_eval(done.stderr.strip()))


def test_a_film_waits_for_no_more_than_it_needs() -> None:
    """What later stages need is loaded while the film is watched."""
    code = "import sys; import posepipe.api; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout))
    assert not {"scipy", "pyarrow", "posepipe.annotate", "posepipe.reports", "posepipe.live"} & loaded
    assert "posepipe.pipeline" in loaded


@pytest.mark.parametrize(("ending", "code"), [("", 2), ("threading.Thread(target=time.sleep, args=(0.3,)).start()", 7)])
def test_the_command_ends_at_once_but_in_order(ending: str, code: int) -> None:
    """What was registered for the end is done and all is printed; a thread at work is waited for as usual."""
    program = (
        "import atexit, os, sys, threading, time; from posepipe.cli import main as command\n"
        "atexit.register(print, 'tidied', end='')\n"
        f"command.run = lambda arguments: print('said', end=' ') or {code}\n{ending}\n"
        "sys.argv = ['posepipe']\nclass Slow:\n"
        "    def __del__(self, write=os.write): write(1, b'taken apart')\n"
        "slow = Slow(); command.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "said tidied" in done.stdout
    assert ("taken apart" in done.stdout) == bool(ending)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("posepipe ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["analyse"],
        ["analyze"],
        ["analyze", "x.mp4", "--task", "dance"],
        ["analyze", "x.mp4", "--height-m", "17"],
        ["analyze", "x.mp4", "--fov-deg", "200"],
        ["analyze", "x.mp4", "--subject", "tallest"],
        ["analyze", "x.mp4", "--no-such-option"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.out == ""


def test_missing_file(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _assert_fails(capsys, tmp_path / "nowhere.mp4", out, 3, "nowhere.mp4")


def test_empty_file(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    _assert_fails(capsys, path, out, 3, "empty.mp4")


def test_text_that_calls_itself_a_video(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "letter.mp4"
    path.write_text("Dear video,\n" * 200)
    _assert_fails(capsys, path, out, 3, "letter.mp4")


def test_truncated_before_its_index(out: Path, person_clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = out.parent / "cut.mp4"
    path.write_bytes(person_clip.read_bytes()[:600])
    _assert_fails(capsys, path, out, 3, "cut.mp4")


def test_audio_only(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import av

    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    _assert_fails(capsys, path, out, 3, "song.mp4")


@pytest.mark.parametrize(
    ("size", "frames", "value"),
    [((320, 240), 12, 0), ((320, 240), 12, 200), ((1, 1), 3, 90), ((7680, 4320), 2, 0)],
    ids=["black", "grey", "1x1", "8K"],
)
def test_nobody(out: Path, capsys: pytest.CaptureFixture[str], size: tuple[int, int], frames: int, value: int) -> None:
    path = _blank(out.parent / "empty scene.mp4", size, frames, value)
    _assert_fails(capsys, path, out, 3, "nobody", "empty scene.mp4")


def test_empty_folder_of_images(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    _assert_fails(capsys, folder, out, 3, "pictures")


def test_error_as_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", str(tmp_path / "no.mp4"), "--json"]) == 3
    captured = capsys.readouterr()
    error = json.loads(captured.out)
    assert error == json.loads(captured.err)
    assert error["exit_code"] == 3
    assert {"error", "what", "where", "hint"} <= set(error)


def test_output_that_is_a_file(person_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("mine")
    assert run(["analyze", str(person_clip), "--out", str(tmp_path / "taken" / "deeper")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("a small file system can't be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk(person_clip: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = small_disk / "out"
    assert run(["analyze", str(person_clip), "--out", str(out), "--no-video"]) == 2
    line = capsys.readouterr().err.strip()
    assert "disk" in line
    assert len(line.splitlines()) == 1
    assert not _files(out)


def test_stop_by_the_user(tmp_path: Path, person_clip: Path) -> None:
    # A long input, so that the signal meets it at work: the clip's pictures many times over.
    import cv2

    from posepipe.media.sources import open_source

    folder = tmp_path / "pictures"
    folder.mkdir()
    with open_source(person_clip) as source:
        for frame in source:
            cv2.imwrite(str(folder / f"{frame.index:04}.png"), frame.image)
    for i, path in enumerate(sorted(folder.iterdir()) * 50):
        (folder / f"{1000 + i}.png").symlink_to(path)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [*POSEPIPE, "analyze", str(folder), "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        # Programs started in the background inherit a deaf ear for interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(4.0)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    try:
        _, stderr = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 1
    assert len(stderr.strip().splitlines()) == 1
    assert "stopped" in stderr
    assert not _files(out)


def test_unexpected_defect_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("posepipe.pipeline.Pipeline.run_with_detection", broken)
    assert run(["analyze", "x.mp4"]) == 1
    line = capsys.readouterr().err.strip()
    assert "two lines" in line
    assert len(line.splitlines()) == 1


def test_analyze_writes_the_results_folder(person_clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Ergebnisse für Zoë 日本"
    clip = tmp_path / "mein vidéo 日本.mp4"
    shutil.copy(person_clip, clip)
    code = (
        "import sys; from posepipe.cli.main import run; n = run(sys.argv[1:]); sys.exit(n or '\\n'.join(sys.modules))"
    )
    command = [sys.executable, "-c", code, "analyze", str(clip), "--out", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    summary = json.loads(done.stdout)
    loaded = set(done.stderr.split())
    assert "posepipe.gait.analyse" in loaded
    # Of SciPy these take longest to load; the laboratory needs torch and more.
    assert not loaded & {"scipy.stats", "scipy.signal", "scipy.interpolate", "scipy.optimize", "posepipe.lab", "torch"}
    assert _files(folder) == RESULTS | GAIT | {"annotated.mp4"}
    written = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert {k: v for k, v in summary.items() if k not in ("folder", "created")} == {
        k: v for k, v in written.items() if k != "created"
    }
    assert written["schema"] == 1
    person = written["people"][0]
    assert person["frames"] == 60
    assert set(person["view"]) == {"yaw_deg", "label", "share"}
    assert "withheld" in person["gait"] or "events" in person["gait"]


def test_no_video(person_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", str(person_clip), "--out", str(tmp_path / "o"), "--no-video", "--height-m", "1.8"]) == 0
    assert _files(tmp_path / "o") == RESULTS | GAIT
    assert "report.html" in capsys.readouterr().out
    summary = json.loads((tmp_path / "o" / "summary.json").read_text(encoding="utf-8"))
    assert summary["people"][0]["scale"] == {"source": "given", "height_m": 1.8}


def test_no_such_subject(person_clip: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["analyze", str(person_clip), "--out", str(out), "--subject", "77"]) == 2
    assert "77" in capsys.readouterr().err
    assert not _files(out)


def test_bench_without_its_reference(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("posepipe.lab.speed.installed", lambda _: {})
    assert run(["bench"]) == 2
    said = capsys.readouterr().err
    assert "posepipe[mediapipe]" in said and "--alone" in said
    monkeypatch.setattr("posepipe.lab.speed.timed", lambda _: Spent({"video": {"frames": 60}}, 2.0, 3.0, 300.0))
    assert run(["bench", "--alone", "--repeats", "1", "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    assert metrics == {"posepipe_process_fps": 30.0, "posepipe_peak_mb": 300.0}


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "ready"
    assert {"ok", "warning", "failed"} >= {check["state"] for check in found["checks"]}
    assert run(["doctor"]) == 0
    assert "verdict: ready" in capsys.readouterr().out


def test_doctor_notices_two_opencv_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    from posepipe import doctor

    found = {"opencv-python": "4.11.0.86", "opencv-contrib-python": "4.10.0.84"}

    def version(name: str) -> str:
        if name not in found:
            raise PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(doctor, "version", version)
    check = doctor._opencv()
    assert check.state == "warning"
    assert "4.10.0.84" in check.detail


def test_models_are_verified(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(["models", "list", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert any(card["name"] == "lifter" for card in cards)
    assert run(["models", "verify"]) == 0
    from posepipe.weights import models_dir

    copy = tmp_path / "models"
    shutil.copytree(models_dir(), copy)
    with (copy / "lifter.onnx").open("ab") as file:
        file.write(b"!")
    monkeypatch.setenv("POSEPIPE_MODELS", str(copy))
    capsys.readouterr()
    assert run(["models", "verify"]) == 4
    assert "lifter.onnx" in capsys.readouterr().err
