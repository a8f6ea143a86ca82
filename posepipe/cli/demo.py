"""``posepipe demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="Results folder.")] = Path("posepipe-demo"),
) -> None:
    """Analyse the sample video."""
    from posepipe.cli.analyze import analyze_to_folder, print_outcome
    from posepipe.pipeline import Config
    from posepipe.samples import SAMPLE_HEIGHT_M, SAMPLE_VIDEO

    config = Config(height_m=SAMPLE_HEIGHT_M)
    recording = analyze_to_folder(str(SAMPLE_VIDEO), out, config, video_out=True)
    print_outcome(recording, out)
