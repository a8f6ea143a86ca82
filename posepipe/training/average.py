r"""The mean of several points of one training run: often better than each of them, and surer than none is of itself.

Averaging weights along a run: Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better
Generalization" (arXiv 1803.05407).

    python -m posepipe.training.average run/a.safetensors run/b.safetensors --out run/mean/weights.safetensors
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from posepipe.errors import InputError
from posepipe.media.atomic import atomic_path

__all__ = ["average_weights"]


def average_weights(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of every tensor; counters (whole numbers) are the last file's.

    Args:
        paths: safetensors of the same network.
        out: file to write.

    Raises:
        InputError: a file is missing, or holds other tensors than the first.
    """
    if missing := [path for path in paths if not path.is_file()]:
        raise InputError("no such file", where=str(missing[0]))
    parts = [load_file(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if {k: v.shape for k, v in part.items()} != {k: v.shape for k, v in parts[0].items()}:
            raise InputError("isn't of the same network as the first", where=str(path))
    mean = {
        name: np.mean([part[name] for part in parts], axis=0, dtype=np.float64).astype(last.dtype)
        if np.issubdtype(last.dtype, np.floating)
        else last
        for name, last in parts[-1].items()
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as temporary:
        save_file(mean, temporary)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Average weights of one training run.")
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    average_weights(args.weights, args.out)


if __name__ == "__main__":
    main()
