"""The command ``posepipe``: its commands, and how every error leaves it.

Exit codes: 0 done; 1 a defect or a stop by the user; 2 wrong usage; 3 the input can't be read or holds no person;
4 a model is missing or fails its checksum. An error is one line on stderr. With ``--json`` that line is an object, and
stdout, which such a caller reads, holds the same object.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from posepipe import __version__
from posepipe.cli import analyze, batch, bench, convert, demo, doctor, evaluate, export, models, report, train
from posepipe.cli.app import app as open_app
from posepipe.errors import PosePipeError, UsageError

__all__ = ["app", "main"]

app = typer.Typer(
    name="posepipe",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="One ordinary video to 3D human motion, with an error bar on every number.",
)


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
app.command("convert", help="Write a results folder in other programs' formats.")(convert.convert)
app.command("lift", help="Analyse keypoints that another program found; needs no video.")(convert.lift)
app.command("app", help="Open the app in a browser.")(open_app)
app.command("report", help="Write the gait report of a results folder again, for a sex and age.")(report.report)
app.command("compare", help="Compare two gait sessions of one person.")(report.compare)
app.command("demo", help="Analyse the sample video that comes with posepipe.")(demo.demo)
app.command("doctor", help="Say whether this machine is ready, and what to do if not.")(doctor.doctor)
app.command("bench", help="Measure speed against MediaPipe's own loop on this machine.")(bench.bench)
app.add_typer(models.app, name="models")
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(export.app, name="export")


# What Typer makes of Ctrl-C; the contract has no such code.
_INTERRUPTED = 130


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with the contract's exit code."""
    arguments = list(sys.argv[1:] if args is None else args)
    _reuse_memory()
    # NumPy's matrices are small here: more threads of its library would only spin in the way of the networks.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Thousands of objects live as long as the process: looking through them again and again costs a tenth of the start.
    gc.set_threshold(50_000, 20, 50)
    sys.exit(run(arguments))


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


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    as_json = "--json" in arguments
    try:
        code = app(arguments, standalone_mode=False)
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
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        return 0
    except Exception as error:
        if os.environ.get("POSEPIPE_DEBUG"):
            raise
        defect = PosePipeError(
            f"unexpected {type(error).__name__}: {' '.join(str(error).split()) or 'no message'}",
            hint="This is a defect; set POSEPIPE_DEBUG=1 to see where and please report it",
        )
        return _report(defect, as_json)
    return code if isinstance(code, int) else 0


def _report(error: PosePipeError, as_json: bool) -> int:
    line = f"posepipe: {' '.join(str(error).split())}"
    if as_json:
        line = json.dumps(error.as_dict(), ensure_ascii=False)
        typer.echo(line)
    typer.echo(line, err=True)
    return error.exit_code


if __name__ == "__main__":
    main()
