"""``posepipe doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

__all__ = ["doctor"]

_MARKS = {"ok": "ok  ", "warning": "note", "failed": "FAIL"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> int:
    """Print every finding and a verdict; the exit code is that of the worst finding."""
    from posepipe.doctor import diagnose

    checks = []
    for check in diagnose():
        checks.append(check)
        if not as_json:
            typer.echo(f"{_MARKS[check.state]}  {check.name}: {check.detail}")
            if check.hint:
                typer.echo(f"      {check.hint}")
    failed = [check for check in checks if check.state == "failed"]
    verdict = f"not ready: {', '.join(check.name for check in failed)}" if failed else "ready"
    if as_json:
        typer.echo(json.dumps({"verdict": verdict, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        typer.echo(f"\nverdict: {verdict}")
    return max((check.exit_code for check in checks), default=0)
