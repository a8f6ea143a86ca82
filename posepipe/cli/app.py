"""``posepipe app``."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import webbrowser
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from posepipe.errors import UsageError

__all__ = ["app", "options"]

_MAX_UPLOAD_MB = 1000
_SHORTEST_PASSWORD = 8
_SHUTDOWN_S = 3
_BACKLOG = 2048
# Streamlit leaves out of a message what the tab says it still has. On a busy machine the tab has dropped it before the
# message comes, and then the page is dead: nothing is left out.
_NEVER_BYTES = 1e15
_ANY_ADDRESS = ("0.0.0.0", "::")
# Okabe and Ito's blue, as on the skeleton's left side, and their sky blue, which stands out on black.
_BLUE, _SKY = "#0072b2", "#56b4e9"


def app(
    port: Annotated[int, typer.Option(help="Port of the page.", min=1, max=65535)] = 8501,
    address: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.", show_default=True)
    ] = "localhost",
    https: Annotated[
        bool,
        typer.Option(
            "--https", help="Encrypt, with a certificate made here, and let machines of this network in: phones, say."
        ),
    ] = False,
    library: Annotated[Path | None, typer.Option(help="Folder of kept results.", show_default="none")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    max_upload_mb: Annotated[int, typer.Option(help="Largest upload, in megabytes.", min=1)] = _MAX_UPLOAD_MB,
    password: Annotated[
        bool, typer.Option("--password", help="Ask for a password now; the page asks for it. Or: POSEPIPE_PASSWORD.")
    ] = False,
    password_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the page's password.", show_default="none")
    ] = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(help="Camera of this machine that pages may use: number or address; may be repeated."),
    ] = None,
    server_files: Annotated[
        bool | None,
        typer.Option(
            "--allow-server-files/--forbid-server-files",
            help="Whether pages may name folders, cameras and addresses of this machine.",
            show_default="only pages opened on this machine",
        ),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(help="Name under which a proxy shows the page; may be repeated.", show_default="none"),
    ] = None,
) -> None:
    """Open the app in a browser."""
    from posepipe.system import need

    for module in ("streamlit", "aiortc"):
        need(module, extra="app")
    secret = _password(password, password_file)
    given = {
        "POSEPIPE_LIBRARY": str(library.expanduser().resolve()) if library is not None else None,
        "POSEPIPE_CAMERA": "\n".join(camera) if camera else None,
        "POSEPIPE_SERVER_FILES": {True: "yes", False: "no", None: None}[server_files],
    }
    os.environ.update({name: value for name, value in given.items() if value is not None})
    if https and address == "localhost":
        address = _ANY_ADDRESS[0]
    flags = options(port=port, address=address, browser=browser, max_upload_mb=max_upload_mb)
    if https:
        flags |= _encrypted()
    threading.Thread(target=_load_libraries, name="posepipe-load", daemon=True).start()
    _serve(flags, host or [], secret)


def _encrypted() -> dict[str, Any]:
    """Streamlit's settings for HTTPS; a certificate of the user's own goes before ours.

    Raises:
        OutputError: the folder of settings can't be written.
    """
    if os.environ.get("STREAMLIT_SERVER_SSL_CERT_FILE"):
        return {}
    from posepipe.system import need

    for module in ("cryptography", "ifaddr"):
        need(module, extra="app")
    from posepipe.ui.certificate import addresses, certificate
    from posepipe.ui.remembering import settings_file

    here = socket.gethostname().lower()
    names = [here, f"{here.partition('.')[0]}.local", *addresses()]
    made = certificate(settings_file().parent, names)
    typer.echo(f"posepipe: the certificate's SHA-256 fingerprint is {made.fingerprint}")
    return {"server.sslCertFile": str(made.file), "server.sslKeyFile": str(made.key)}


def _password(ask: bool, file: Path | None) -> str | None:
    """The page's password; None if there is none.

    Raises:
        UsageError: the file can't be read, or the password is too short.
    """
    # Gone from the environment: no program that is started from here gets to know it.
    found = os.environ.pop("POSEPIPE_PASSWORD", None)
    if file is not None:
        try:
            found = (file.expanduser().read_text(encoding="utf-8").splitlines() or [""])[0]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("can't be read", where=str(file), hint="Give a file with the password in it") from error
    elif ask:
        found = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    if found is not None and len(found) < _SHORTEST_PASSWORD:
        raise UsageError(
            f"a password of {len(found)} characters", hint=f"Give {_SHORTEST_PASSWORD} or more; 12 are better"
        )
    return found


def _serve(flags: dict[str, Any], names: list[str], password: str | None) -> None:
    """Run the server until it is stopped.

    Streamlit's own start would look up this machine's address in the internet, and has no place for `Gate`.
    """
    import uvicorn
    from starlette.middleware import Middleware
    from streamlit import config
    from streamlit.starlette import App
    from streamlit.web import bootstrap

    import posepipe.ui
    from posepipe.ui.access import is_loopback
    from posepipe.ui.addresses import ROUTES
    from posepipe.ui.gate import Gate
    from posepipe.ui.leaving import Leaving

    bootstrap.load_config_options(flag_options=flags)
    address, port = flags["server.address"], flags["server.port"]
    local = is_loopback(address)
    script = Path(posepipe.ui.__file__).parent / "script" / "streamlit_app.py"
    gate = Middleware(Gate, local=local, names=[*names, socket.gethostname()], password=password)
    server = uvicorn.Server(
        uvicorn.Config(
            App(script, routes=ROUTES, middleware=[gate, Middleware(Leaving)]),
            ssl_certfile=config.get_option("server.sslCertFile"),
            ssl_keyfile=config.get_option("server.sslKeyFile"),
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_max_size=config.get_option("server.maxMessageSize") << 20,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
    )
    scheme = "https" if config.get_option("server.sslCertFile") else "http"
    url = f"{scheme}://{'localhost' if local or address in _ANY_ADDRESS else address}:{port}"
    listening = _listen(address, port)
    typer.echo(f"posepipe: {url} (Ctrl-C stops it)")
    if address in _ANY_ADDRESS:
        typer.echo(
            f"posepipe: from other machines, {scheme}://{socket.gethostname()}:{port}, or by an address of this one"
        )
    if not local and password is None:
        typer.echo("posepipe: everybody who reaches this port can use the app; --password asks for one", err=True)
    if not flags["server.headless"]:
        threading.Thread(target=_open_browser, args=(server, url), name="posepipe-browser", daemon=True).start()
    # The server tidies up at SIGTERM and then raises it again, which would end us before our own folders are deleted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


def _listen(address: str, port: int) -> socket.socket:
    """A socket that listens there, as Streamlit makes it.

    Raises:
        UsageError: nothing can listen there.
    """
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        if os.name != "nt":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise UsageError(
            f"can't listen at {address}:{port} ({error.strerror})", hint="Choose another --port or --address"
        ) from error
    made.setblocking(False)
    return made


def _open_browser(server: Any, url: str) -> None:
    """Open the page as soon as the server answers."""
    for _ in range(600):
        if server.started:
            webbrowser.open(url)
            return
        time.sleep(0.05)


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
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        # A full collection after each look at the live panel would hold up the pictures for a tenth of a second.
        "runner.postScriptGC": False,
        "global.minCachedMessageSize": _NEVER_BYTES,
        "browser.gatherUsageStats": False,
        # Else `streamlit run` looks up this machine's address in the internet where it lets other machines in.
        "browser.serverAddress": "localhost",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "client.toolbarMode": "viewer",
        "theme.light.primaryColor": _BLUE,
        "theme.dark.primaryColor": _SKY,
    }
