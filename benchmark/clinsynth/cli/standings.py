"""``clinsynth standings``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.cli import add_data_dir, add_sample
from clinsynth.core import Grid, text_table
from clinsynth.data import ExampleStore, open_store
from clinsynth.direct import direct_folders
from clinsynth.standings import (
    GRIDS,
    LEFT,
    RESAMPLES,
    Profiler,
    Standings,
    as_csv,
    as_json,
    collect,
    cores,
    grid,
    markdown_grid,
    notes,
    records,
    standings_of,
)
from clinsynth.training import DEFAULT_RECIPE, RECIPES

EXAMPLES = (
    "clinsynth standings submissions --sample",
    "clinsynth standings submissions --sample --view tasks --format csv",
    "clinsynth standings submissions --sample --rows 300 --no-statistics --format markdown",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("places", nargs="*", type=Path, default=[Path("submissions")], metavar="DIR",
                        help="submissions and folders of the direct track, or folders that hold some (default: "
                        "submissions)")  # fmt: skip
    parser.add_argument("--view", choices=("means", *GRIDS, "direct"), default="means",
                        help="means: the table of scores, the ranking and the direct track (default); overall: the "
                        "ranking alone; tasks: intervals, tie groups, gaps; curves: over the number of rows; cost; "
                        "direct: models that answer by themselves, beside the students of their rows")  # fmt: skip
    parser.add_argument("--format", choices=("table", "markdown", "json", "csv"), default="table")
    parser.add_argument("--recipe", default=DEFAULT_RECIPE)
    parser.add_argument("--rows", type=int, default=0, help="the budget (default: the recipe's own)")
    parser.add_argument("--no-statistics", action="store_true",
                        help="from the records alone: means and spread, no intervals and no ranks")  # fmt: skip
    parser.add_argument("--resamples", type=int, default=RESAMPLES, metavar="B",
                        help=f"of F1 metrics (default {RESAMPLES:,}; 10,000 to publish; 0: jackknife)")  # fmt: skip
    parser.add_argument("--published", action="store_true",
                        help="rank only rows whose runs were trained again here: clinsynth reproduce")  # fmt: skip
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Always 0."""
    budget = arguments.rows or RECIPES[arguments.recipe].budget
    store = open_store(arguments.data_dir, arguments.sample)
    if arguments.view == "direct":
        print(_direct(arguments, budget, store).rstrip("\n"))
        return 0
    profiler = None if arguments.no_statistics else Profiler(store, arguments.resamples, workers=cores())
    collection = collect(arguments.places, store.kind, published=arguments.published)
    table = standings_of(collection, arguments.recipe, budget, profiler)
    print(_shown(table, arguments.view, arguments.format).rstrip("\n"))
    if arguments.view == "means" and arguments.format in ("table", "markdown") and direct_folders(arguments.places):
        print(f"\n{_direct(arguments, budget, store)}".rstrip("\n"))
    return 0


def _direct(arguments: argparse.Namespace, budget: int, store: ExampleStore) -> str:
    from clinsynth.direct import FORMATS, direct_standings

    tests = None if arguments.no_statistics else store
    return FORMATS[arguments.format](direct_standings(arguments.places, arguments.recipe, budget, store.kind, tests))


def _shown(table: Standings, view: str, form: str) -> str:
    if form == "json":
        return as_json(table)
    if form == "csv":
        return as_csv(table) if view in ("means", "tasks") else records(table, view)
    parts: list[str] = []
    if view == "means":
        parts += [_drawn(grid(table), 2, form), "\n".join(table.remarks())]
        view = "overall" if table.computed else ""
    if view:
        parts.append(_drawn(GRIDS[view](table), LEFT[view], form))
        parts.append("\n".join([*notes(table, view), *([] if len(parts) > 1 else table.remarks())]))
    return "\n\n".join(parts)


def _drawn(drawn: Grid, left: int, form: str) -> str:
    head, body = drawn
    return markdown_grid(drawn, left) if form == "markdown" else text_table(head, body, right=len(head) - left)
