"""The command ``posepipe``: its commands, and how every error leaves it.

Exit codes: 0 done; 1 a defect or a stop by the user; 2 wrong usage; 3 the input can't be read or holds no person;
4 a model is missing or fails its checksum. An error is one line on stderr. With ``--json`` that line is an object, and
stdout, which such a caller reads, holds the same object.
"""

from __future__ import annotations

import atexit
import codecs
import ctypes
import gc
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from posepipe._version import __version__
from posepipe.cli import agree, analyze, batch, evaluate, exercise, export, folders, machine, train
from posepipe.cli.app import app as open_app
from posepipe.errors import PosePipeError, UsageError
from posepipe.media.atomic import disk_refuses, expanded, output_error

__all__ = ["app", "leave", "main", "tune"]

app = typer.Typer(
    name="posepipe",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="One ordinary video to 3D human motion, with an error bar on every number.",
)

# What Typer makes of Ctrl-C; the contract has no such code.
_INTERRUPTED = 130


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"posepipe {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass


app.command("analyze", help="Analyse one video: 3D motion, angles, report.")(analyze.analyze)
app.command("batch", help="Analyse many videos side by side; start again to go on after a stop.")(batch.batch)
app.command("convert", help="Write a results folder in other programs' formats.")(folders.convert)
app.command("lift", help="Analyse keypoints that another program found; needs no video.")(folders.lift)
app.command("app", help="Open the app in a browser.")(open_app)
app.command("report", help="Write the gait report of a results folder again, for a sex and age.")(folders.report)
app.command("compare", help="Compare two gait sessions of one person.")(folders.compare)
app.command("agree", help="Compare with a laboratory's angles and gait events.")(agree.agree)
app.command("demo", help="Analyse the sample video that comes with posepipe.")(analyze.demo)
app.command("doctor", help="Say whether this machine is ready, and what to do if not.")(machine.doctor)
app.command("bench", help="Measure speed against MediaPipe's own loop on this machine.")(machine.bench)
app.add_typer(exercise.app, name="exercise")
app.add_typer(machine.app, name="models")
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(export.app, name="export")


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with the contract's exit code."""
    arguments = list(sys.argv[1:] if args is None else args)
    _prepare_streams(as_json="--json" in arguments)
    signal.signal(signal.SIGTERM, _stop)
    tune()
    code = run(arguments)
    if args is None:
        leave(code)
    sys.exit(code)


def tune() -> None:
    """Set memory, threads and garbage collection of this process for one command. NumPy mustn't be loaded yet."""
    _reuse_memory()
    # NumPy's matrices are small here: more threads of its library would only spin in the way of the networks.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Thousands of objects live as long as the process: looking through them again and again costs a tenth of the start.
    gc.set_threshold(50_000, 20, 50)


def leave(code: int) -> None:
    """End the process without taking everything in it apart first, which takes as long as twenty pictures.

    What was registered for the end is done. While a thread runs that Python would wait for, nothing happens here.
    """
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        return
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        # A closed pipe or a full disk was told, or is nobody's business any more.
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _reuse_memory() -> None:
    """Let glibc keep what is freed.

    Pictures of some MB would else come from the system anew for every frame, which takes as long as decoding them.
    """
    if sys.platform != "linux":
        return
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # M_TRIM_THRESHOLD and so on, of malloc.h
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        # Few arenas: else each of the short-lived decoder threads leaves a full one behind.
        libc.mallopt(arena_max, 2)
        libc.mallopt(mmap_threshold, 32 << 20)
        libc.mallopt(trim_threshold, 16 << 20)


def _prepare_streams(*, as_json: bool) -> None:
    """Standard streams that nothing can go wrong with, as closed ones, full disks and old encodings.

    Letters that an encoding lacks are escaped; JSON goes into files and pipes as UTF-8.
    """
    for stream in range(3):
        try:
            os.fstat(stream)
        except OSError:
            # Else the next file opened, a result say, would take its number, and whatever a library prints.
            os.open(os.devnull, os.O_RDWR)
    codecs.register_error("posepipe", _escape)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = "utf-8" if as_json and not sys.stdout.isatty() else None
        sys.stdout.reconfigure(encoding=encoding, errors="posepipe")
    if sys.stderr is sys.__stderr__:
        encoding = sys.stderr.encoding if sys.stderr is not None else "utf-8"
        encoding = "utf-8" if as_json and not os.isatty(2) else encoding
        buffer = io.BufferedWriter(_Deaf(2, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(buffer, encoding, errors="posepipe", line_buffering=True)
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="posepipe")


class _Deaf(io.FileIO):
    """A file that takes everything, even where there is no room: progress and warnings aren't worth an analysis."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def _escape(error: UnicodeError) -> tuple[str, int]:
    """What an encoding lacks, in a form that JSON understands, too."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    as_json = "--json" in arguments
    try:
        code = app([_at_home(argument) for argument in arguments], standalone_mode=False, obj=run)
        sys.stdout.flush()
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
    except PosePipeError as error:
        return _report(error, as_json)
    except typer.TyperException as error:
        format_message = getattr(error, "format_message", error.__str__)
        message = " ".join(format_message().split()).rstrip(".")
        return _report(UsageError(message, hint="posepipe --help lists commands and options"), as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _report(PosePipeError("stopped by the user", hint="Nothing unfinished was kept"), as_json)
    except BrokenPipeError:
        # The reader of stdout is gone (`| head`): no message could reach anybody.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        return 0
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("posepipe"):
            raise
        from posepipe.doctor import library_hint

        return _report(PosePipeError(f"can't be loaded: {error}", hint=library_hint(str(error))), as_json)
    except OSError as error:
        if not (disk_refuses(error) or isinstance(error, PermissionError)):
            return _defect(error, as_json)
        where = str(error.filename or "standard output")
        if error.filename is None:
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        return _report(output_error(error, Path(where)), as_json)
    except Exception as error:
        return _defect(error, as_json)
    return code if isinstance(code, int) else 0


def _at_home(argument: str) -> str:
    """An argument with ``~`` put in full, also where a shell leaves it alone, as in ``--out=~/results``."""
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    return f"{option}{equals}{expanded(value)}" if value.startswith("~") else argument


def _defect(error: Exception, as_json: bool) -> int:
    if os.environ.get("POSEPIPE_DEBUG"):
        raise error
    defect = PosePipeError(
        f"unexpected {type(error).__name__}: {' '.join(str(error).split()) or 'no message'}",
        hint="This is a defect; set POSEPIPE_DEBUG=1 to see where and please report it",
    )
    return _report(defect, as_json)


def _report(error: PosePipeError, as_json: bool) -> int:
    line = f"posepipe: {' '.join(str(error).split())}"
    if as_json:
        line = json.dumps(error.as_dict(), ensure_ascii=False)
        typer.echo(line)
    typer.echo(line, err=True)
    return error.exit_code


if __name__ == "__main__":
    main()
