"""``posepipe app`` and ``streamlit run app.py`` start the same app, privately."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from posepipe.cli.app import options
from posepipe.cli.main import run

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_is_reported_and_no_trace_is_shown() -> None:
    chosen = options(port=8501, address="localhost", browser=False)
    assert chosen["browser.gatherUsageStats"] is False
    assert chosen["client.showErrorDetails"] == "none"
    assert chosen["server.address"] == "localhost"


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


def test_app_py_only_calls_the_app() -> None:
    for path in (ROOT / "app.py", ROOT / "posepipe" / "ui" / "script" / "streamlit_app.py"):
        body = [node for node in ast.parse(path.read_text()).body if not isinstance(node, ast.Expr) or _is_call(node)]
        assert len(body) == 2


def _is_call(node: ast.Expr) -> bool:
    return isinstance(node.value, ast.Call)


def test_streamlit_is_never_called_where_frames_arrive() -> None:
    """Frames come on other threads, where st.* doesn't work."""
    for name in ("stage", "scene", "rtc", "camera", "jobs", "workspace", "shelf", "speed", "tables", "player"):
        tree = ast.parse((ROOT / "posepipe" / "ui" / f"{name}.py").read_text(encoding="utf-8"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {module for module in imported if module.split(".")[0] == "streamlit"}, name


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("posepipe.cli.extras.find_spec", lambda _: None)
    assert run(["app"]) == 2
    assert "posepipe[app]" in capsys.readouterr().err
