"""From motion capture and nothing to gait norms and classifier: render, film, measure, write norms, train, export."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from posepipe.synth.gait import PATTERNS
from posepipe.training.gait import TrainConfig, evaluate_table, export, train
from posepipe.training.gait_films import Film, load_films, save_films
from posepipe.training.gait_habits import fit_habits, fit_spread, load_rendered, render_walks, write_habits
from posepipe.training.gait_norms import write_norms
from posepipe.training.gait_seen import VIEWS, Studio
from posepipe.training.gait_walks import (
    NORMAL,
    Walks,
    captured_walks,
    film_walks,
    make_table,
    measure_films,
    straighten_captured,
    synthetic_walks,
)

__all__ = ["make_films", "make_gait"]

_log = logging.getLogger(__name__)

_SHARD = 150
_RENDERED, _RENDERED_SEED = 24, 9100
_NORMS = Path(__file__).resolve().parents[1] / "gait" / "norms"


def make_gait(
    data: Path,
    out: Path,
    models: Path,
    *,
    walks: int = 1000,
    seed: int = 21,
    norms: Path = _NORMS,
    remeasure: bool = True,
) -> dict[str, float]:
    """Make everything; films that are there already are used again.

    Args:
        data: folder of motion capture, see `posepipe.training.gait_walks.captured_walks`.
        out: folder for films and features.
        models: folder for gait.onnx and gait.toml.
        walks: synthetic walks to film.
        seed: of everything.
        norms: folder for the norms' tables, and for what the detector gets wrong about legs.
        remeasure: measure the films again, as after a change of events or features.

    Returns:
        Metrics on walks that weren't trained on, as on the card.
    """
    out.mkdir(parents=True, exist_ok=True)
    rendered = render_walks(out, _RENDERED, _RENDERED_SEED)
    legs = load_rendered(rendered)
    habits = fit_habits(legs)
    write_habits(habits, fit_spread(legs, habits), len(rendered), norms / "picture.csv")
    paths = sorted(out.glob("films_*.npz")) or make_films(data, out, walks=walks, seed=seed)
    table_path = out / "walks.npz"
    if remeasure or not table_path.is_file():
        _log.info("measuring %d files of walks", len(paths))
        measure_films(load_films(paths)).save(table_path)
    found = straighten_captured(Walks.load(table_path))
    write_norms(found, norms)
    patterns = tuple(name for name in PATTERNS if name != NORMAL)
    table = make_table(found, patterns)
    network = train(table, TrainConfig(seed=seed))
    metrics = evaluate_table(network, table)
    command = f"posepipe train gait --data {data} --walks {walks} --seed {seed}"
    export(network, table, models, {f"test_{name}": value for name, value in metrics.items()}, command)
    return metrics


def make_films(data: Path, out: Path, *, walks: int, seed: int) -> list[Path]:
    """Film motion-captured walks from every view, twice, and synthetic ones from one view each."""
    studio = Studio.open()
    patterns = [name for name in PATTERNS if name != NORMAL]
    captured = chain(
        film_walks(captured_walks(data), seed, studio, views=VIEWS),
        film_walks(captured_walks(data), seed + 1, studio, views=VIEWS),
    )
    synthetic = film_walks(synthetic_walks(walks, seed, patterns), seed + 100, studio)
    return [*_shards(captured, out, "cmu"), *_shards(synthetic, out, "synthetic")]


def _shards(films: Iterator[Film], out: Path, name: str) -> Iterator[Path]:
    for number in range(1_000_000):
        shard = list(islice(films, _SHARD))
        if not shard:
            return
        path = out / f"films_{name}_{number:03d}.npz"
        save_films(path, shard)
        _log.info("%s", path)
        yield path
