"""``posepipe app`` and ``streamlit run app.py`` start the same app, privately."""

from __future__ import annotations

import ast
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from posepipe.cli.app import _password, options
from posepipe.cli.main import run
from tests.packets import free_port

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_is_reported_and_no_trace_is_shown() -> None:
    chosen = options(port=8501, address="localhost", browser=False)
    assert chosen["browser.gatherUsageStats"] is False
    assert chosen["client.showErrorDetails"] == "none"
    assert chosen["server.address"] == "localhost"
    assert chosen["server.enableCORS"]
    assert chosen["server.enableXsrfProtection"]


def test_a_page_is_sent_whole() -> None:
    """What is left out as known to the tab may be gone there: a live page died so in its 26th minute."""
    from streamlit import config
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
    from streamlit.runtime.forward_msg_cache import populate_hash_if_needed

    message, name = ForwardMsg(), "global.minCachedMessageSize"
    message.delta.new_element.markdown.body = "long" * 100_000
    before = config.get_option(name)
    try:
        config.set_option(name, options(port=8501, address="localhost", browser=False).get(name, before))
        populate_hash_if_needed(message)
    finally:
        config.set_option(name, before)
    assert not message.metadata.cacheable


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib")
def test_config_file_says_the_same() -> None:
    import tomllib

    tree = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    chosen = options(port=8501, address="localhost", browser=True)
    flat = {}
    for section, values in tree.items():
        for key, value in values.items():
            if isinstance(value, dict):
                flat.update({f"{section}.{key}.{name}": inner for name, inner in value.items()})
            else:
                flat[f"{section}.{key}"] = value
    assert flat == {key: value for key, value in chosen.items() if key not in ("server.port", "server.headless")}


def test_streamlit_run_goes_through_the_gate() -> None:
    from streamlit.web.server.app_discovery import discover_asgi_app

    found = discover_asgi_app(ROOT / "app.py")
    assert found.is_asgi_app
    assert found.app_name == "app"
    assert "Middleware(Gate, local=True" in (ROOT / "app.py").read_text()
    assert "Middleware(Leaving)" in (ROOT / "app.py").read_text()
    assert "routes=ROUTES" in (ROOT / "app.py").read_text()


@pytest.mark.parametrize(
    ("content", "said"), [(b"short", "5 characters"), (b"\xff\xfe", "can't be read"), (None, "can't")]
)
def test_password_of_no_use_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    assert run(["app", "--no-browser", "--password-file", str(file)]) == 2
    assert said in capsys.readouterr().err


def test_password_from_the_environment_goes_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEPIPE_PASSWORD", "long enough")
    assert _password(False, None) == "long enough"
    assert "POSEPIPE_PASSWORD" not in os.environ


def test_busy_port_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert run(["app", "--no-browser", "--address", "127.0.0.1", "--port", str(port)]) == 2
    assert "can't listen" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C can't be sent there")
def test_browser_opens_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    browser, opened, port = tmp_path / "browser", tmp_path / "opened", free_port()
    browser.write_text(f'#!/bin/sh\necho "$1" > "{opened}.part" && mv "{opened}.part" "{opened}"\n')
    browser.chmod(0o755)
    command = [sys.executable, "-m", "posepipe.cli.main", "app", "--port", str(port)]
    environment = {**os.environ, "BROWSER": str(browser), "PYTHONPATH": str(ROOT)}
    log = tmp_path / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(command, stdout=file, stderr=file, env=environment, cwd=tmp_path) as process,
    ):
        until_s = time.monotonic() + 60.0
        while not opened.exists():
            assert process.poll() is None and time.monotonic() < until_s, log.read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert opened.read_text() == f"http://localhost:{port}\n"
    assert log.read_text() == f"posepipe: http://localhost:{port} (Ctrl-C stops it)\n"


def test_streamlit_is_never_called_where_frames_arrive() -> None:
    """Frames come on other threads, where st.* doesn't work."""
    for name in ("stage", "cameras", "jobs", "storage", "access", "gate"):
        tree = ast.parse((ROOT / "posepipe" / "ui" / f"{name}.py").read_text(encoding="utf-8"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {module for module in imported if module.split(".")[0] == "streamlit"}, name


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("posepipe.system.find_spec", lambda _: None)
    assert run(["app"]) == 2
    assert "posepipe[app]" in capsys.readouterr().err
