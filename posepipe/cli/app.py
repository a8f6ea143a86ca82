"""``posepipe app``."""

from __future__ import annotations

import os
import threading
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["app", "options"]

_MAX_UPLOAD_MB = 1000
# Okabe and Ito's blue, as on the skeleton's left side, and a lighter one that stands out on black and under white.
_BLUE, _SKY = "#0072b2", "#2f86c8"


def app(
    port: Annotated[int, typer.Option(help="Port of the page.", min=1, max=65535)] = 8501,
    address: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.", show_default=True)
    ] = "localhost",
    library: Annotated[Path | None, typer.Option(help="Folder of kept results.", show_default="none")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    max_upload_mb: Annotated[int, typer.Option(help="Largest upload, in megabytes.", min=1)] = _MAX_UPLOAD_MB,
) -> None:
    """Open the app in a browser."""
    from posepipe.cli.extras import need

    for module in ("streamlit", "streamlit_webrtc"):
        need(module, extra="app")
    from streamlit.web import bootstrap

    import posepipe.ui

    if library is not None:
        os.environ["POSEPIPE_LIBRARY"] = str(library.expanduser().resolve())
    flags = options(port=port, address=address, browser=browser, max_upload_mb=max_upload_mb)
    bootstrap.load_config_options(flag_options=flags)
    threading.Thread(target=_load_libraries, name="posepipe-load", daemon=True).start()
    script = Path(posepipe.ui.__file__).parent / "script" / "streamlit_app.py"
    bootstrap.run(str(script), False, [], flags)


def _load_libraries() -> None:
    """Import what the first page needs while the server and the browser start."""
    for name in ("aiortc", "posepipe.ui.stage"):
        import_module(name)


def options(*, port: int, address: str, browser: bool, max_upload_mb: int = _MAX_UPLOAD_MB) -> dict[str, Any]:
    """Streamlit's settings for the app; ``.streamlit/config.toml`` holds the same for ``streamlit run app.py``."""
    return {
        "server.port": port,
        "server.address": address,
        "server.headless": not browser,
        "server.maxUploadSize": max_upload_mb,
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": False,
        # A full collection after each look at the live panel would hold up the pictures for a tenth of a second.
        "runner.postScriptGC": False,
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "client.toolbarMode": "viewer",
        "theme.light.primaryColor": _BLUE,
        "theme.dark.primaryColor": _SKY,
    }
