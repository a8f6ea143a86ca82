"""Nothing leaves the machine, and nothing about its use is written down."""

from __future__ import annotations

import ast
import socket
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from posepipe.record.folder import save
from posepipe.samples import SAMPLE_VIDEO
from tests.gait.walks import recording_of, straight_motion
from tests.packets import ROOT, can_trace, free_port, home, outward, when_open

__all__ = ["home"]

NETWORK = min((ROOT / "models").glob("*.onnx"), key=lambda path: path.stat().st_size)
# ONNX Runtime 1.31 and 1.32 look the host's name up after 8 to 10 seconds.
LATE_S = 14


def test_the_guard_sees_what_leaves(home: Path) -> None:
    """In a test's own network nothing answers; the attempt counts."""
    code = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('192.0.2.1', 9))"
    if can_trace():
        assert outward((), home, code=["-c", code])
    assert not outward((), home, code=["-c", code.replace("192.0.2.1", "127.0.0.1")])


def test_onnxruntime_is_imported_where_it_is_told_to_be_quiet() -> None:
    """Modules of posepipe and exporters run posepipe/__init__.py first; the bundle's runner says it itself."""
    found = set()
    for path in ROOT.rglob("*.py"):
        inside = path.relative_to(ROOT)
        # What was trained or exported here is nobody's source, a bundle's runner among it.
        if inside.parts[0].startswith(".") or inside.parts[0] in ("arm", "build", "dist", "runs"):
            continue
        if _runs_onnxruntime(path):
            found.add(inside.as_posix())
    assert "posepipe/inference.py" in found
    assert all(name.startswith(("posepipe/", "exporters/")) for name in found), found
    runner = (ROOT / "exporters" / "edge" / "runner.py").read_text()
    assert runner.index('os.environ["ORT_DISABLE_TELEMETRY"] = "1"') < runner.index("import onnxruntime as ort")


def _runs_onnxruntime(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    if "onnxruntime" not in text:
        return False
    tree = ast.parse(text)
    typing = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    names = []
    for node in ast.walk(tree):
        if node in typing:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return any(name.split(".")[0] == "onnxruntime" for name in names)


def test_a_network_runs_without_a_trace(home: Path) -> None:
    opened = f"from posepipe.inference import open_session; open_session({str(NETWORK)!r})"
    assert outward((), home, code=["-c", opened]) == []
    assert [path.name for path in home.rglob("*") if path.name != "trace"] == []


def test_analysis_sends_nothing(home: Path, person_clip: Path) -> None:
    assert outward(["analyze", str(person_clip), "--out", "out"], home) == []
    assert (home / "out" / "summary.json").is_file()
    assert not list(home.rglob(".onnxruntime"))


@pytest.mark.parametrize("address", ["localhost", "0.0.0.0"])
def test_app_sends_nothing(home: Path, address: str) -> None:
    if find_spec("streamlit") is None or find_spec("aiortc") is None:
        pytest.skip("the extra app isn't installed")
    port = free_port()
    found = outward(["app", "--no-browser", "--address", address, "--port", str(port)], home, use=lambda: _visit(port))
    assert found == []


def _visit(port: int) -> None:
    """Ask for the page, and for its connection as another site would: Streamlit then asks who it is itself."""
    when_open(port)
    join = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    join += 22 * "A" + "=="
    for path, more, status in (
        ("/", "Connection: close", b"200"),
        ("/_stcore/stream", join, b"101"),
        ("/_stcore/stream", f"{join}\r\nOrigin: http://site.example", b"403"),
        ("/_stcore/host-config", "Connection: close\r\nOrigin: http://site.example", b"403"),
    ):
        with socket.create_connection(("127.0.0.1", port), 30.0) as link:
            link.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{more}\r\n\r\n".encode())
            assert link.recv(4096).split()[1] == status, path


FORMATS = "parquet,csv,tables,xlsx,json,coco,trc,mot,c3d,bvh,rrd,npz,netcdf"
Command = Callable[[Path, Path], list[str]]
COMMANDS: dict[str, Command] = {
    "demo": lambda _clip, _home: ["demo"],
    "analyze": lambda clip, _home: ["analyze", str(clip), "--out", "out"],
    "convert": lambda _clip, _home: ["convert", "posepipe-demo", "--format", FORMATS, "--out", "formats"],
    "report": lambda _clip, _home: ["report", "walk"],
    "batch": lambda _clip, home: ["batch", str(home / "videos"), "--out", "many", "--workers", "2"],
    "export edge": lambda _clip, _home: ["export", "edge", "--out", "bundle", "--no-report"],
    "doctor": lambda _clip, _home: ["doctor"],
    "models": lambda _clip, _home: ["models", "list"],
}


@pytest.mark.slow
def test_no_command_sends_anything(home: Path, person_clip: Path) -> None:
    if not can_trace():
        pytest.skip("needs strace")
    save(recording_of(straight_motion(11), height_m=1.75), home / "walk")
    videos = home / "videos"
    videos.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (videos / name).write_bytes(person_clip.read_bytes())
    found = {name: outward(command(person_clip, home), home) for name, command in COMMANDS.items()}
    bundle = home / "bundle" / "run_edge.py"
    found["run_edge.py"] = outward((), home, code=[str(bundle), str(SAMPLE_VIDEO)])
    assert found == {name: [] for name in found}
    assert not list(home.rglob(".onnxruntime"))


@pytest.mark.slow
def test_nothing_comes_later(home: Path) -> None:
    waits = f"from posepipe.inference import open_session; import time; s = open_session({str(NETWORK)!r}); "
    assert outward((), home, code=["-c", f"{waits}time.sleep({LATE_S})"]) == []
