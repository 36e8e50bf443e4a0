"""How often each test calls a difference that is none, and how often it finds one that is there.

python -m studies.simulation.null                     # everything: docs/simulation/*.json, plot and tables
python -m studies.simulation.null --replicates 100    # a look
python -m studies.simulation.null --render            # tables and plot from the stored numbers
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from studies.simulation import parts
from studies.simulation.methods import p_values
from studies.simulation.report import DOCS, render
from studies.simulation.worlds import World, simulate

from clinsynth import __version__
from clinsynth.core.files import write_json
from clinsynth.scoring.statistics import Runs, bootstrap, difference, jackknife

ALPHA = 0.05
PARTS = 100_000
"""Replicates of the variances alone."""
BOOT = 1_000
"""Resamples of the bootstraps in the simulation."""
ITEMS, SEEDS = (100, 1_000, 5_000), (3, 5)
LEADS = (0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1)

Part = Literal["null", "bootstrap", "pairing", "cluster", "power"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of a table."""

    part: Part
    world: World
    replicates: int


def cells(replicates: int) -> Iterator[Cell]:
    """All there is to simulate."""
    few = max(1, replicates // 4)
    for items, seeds in product(ITEMS, SEEDS):
        for metric in ("micro_f1", "entity_f1", "macro_f1"):
            yield Cell("bootstrap", World(metric, items, seeds), few)
        for metric, spread, together in product(("accuracy", "micro_f1", "entity_f1"), (0.003, 0.01, 0.02), (0, 0.5)):
            yield Cell("null", World(metric, items, seeds, spread, together), replicates)
        for lead in LEADS:
            yield Cell("power", World("accuracy", items, seeds, lead=lead), few)
    for seeds, together, lead in product(SEEDS, (-0.5, 0.0, 0.3, 0.6, 0.9), (0.0, 0.03)):
        yield Cell("pairing", World("accuracy", 5_000, seeds, 0.01, together, lead), few * 2)
    for seeds in SEEDS:
        yield Cell("cluster", World("accuracy", 1_000, seeds, 0.003, cluster=5), replicates)


def run(cell: Cell) -> dict[str, Any]:
    """Rejection rates of every method in one cell."""
    started = time.perf_counter()
    name = json.dumps([cell.part, asdict(cell.world)], sort_keys=True)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    rejected: dict[str, list[bool]] = {}
    detectable: list[float] = []
    for _ in range(cell.replicates):
        a, b = simulate(cell.world, rng)
        found = _p_values(cell, a, b, rng)
        for method, p in found.items():
            rejected.setdefault(method, []).append(p < ALPHA)
        if cell.part == "power":
            detectable.append(difference(jackknife(a), jackknife(b)).estimate().detectable())
    return {
        "part": cell.part,
        **asdict(cell.world),
        "replicates": cell.replicates,
        "rejected": {method: round(float(np.mean(each)), 4) for method, each in rejected.items()},
        "detectable": round(float(np.median(detectable)), 5) if detectable else None,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _p_values(cell: Cell, a: Runs, b: Runs, rng: np.random.Generator) -> dict[str, float]:
    if cell.part == "bootstrap":
        drawn = bootstrap([a, b], BOOT, rng)
        return p_values(a, b, BOOT) | {"ours_bootstrap": difference(*drawn).estimate().p_value()}
    if cell.part == "cluster":
        # The same world, with every item taken for a unit of its own.
        apart = simulate(cell.world, rng, by_unit=False)
        return p_values(a, b) | {"no_units": p_values(*apart)["ours"]}
    return p_values(a, b)


def measure(todo: Sequence[Cell], workers: int) -> Iterator[dict[str, Any]]:
    """The cells' lines, each when it is done."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(run, cell) for cell in todo]
        for number, future in enumerate(as_completed(running), 1):
            row = future.result()
            sys.stderr.write(f"{number}/{len(todo)} {row['part']} {row['seconds']} s {row['rejected']}\n")
            yield row


def _key(row: dict[str, Any]) -> str:
    world = {name: row[name] for name in World.__dataclass_fields__}
    return json.dumps([row["part"], world], sort_keys=True)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {"rows": [], "parts": []}


def simulate_all(path: Path, replicates: int, workers: int, *, resume: bool) -> None:
    """Measure and store after every line, so that a run that is stopped can be taken up again."""
    wanted = list(cells(replicates))
    order = {_key({"part": cell.part, **asdict(cell.world)}): cell for cell in wanted}
    old = _read(path)
    rows = {_key(row): row for row in old["rows"]}
    done = {key for key, row in rows.items() if resume and key in order and row["replicates"] >= order[key].replicates}
    stored: dict[str, Any] = {"clinsynth": __version__, "numpy": np.__version__, "alpha": ALPHA, "resamples": BOOT}
    stored["parts"] = old["parts"] if resume and old["parts"] else parts.measure(PARTS)
    # The quick ones first: a run that is stopped then has most lines.
    todo = sorted((cell for key, cell in order.items() if key not in done), key=lambda cell: cell.world.items)
    for row in measure(todo, workers):
        rows[_key(row)] = row
        write_json(path, stored | {"rows": [rows[key] for key in order if key in rows]})


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, store and render."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=1_000, help="of each line; power and bootstraps: a quarter")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=DOCS, help="the folder docs/")
    parser.add_argument("--resume", action="store_true", help="keep lines that are stored with enough replicates")
    parser.add_argument("--render", action="store_true", help="simulate nothing")
    arguments = parser.parse_args(argv)
    path = arguments.out / "simulation" / "null.json"
    if not arguments.render:
        simulate_all(path, arguments.replicates, arguments.workers, resume=arguments.resume)
    render(_read(path), arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
