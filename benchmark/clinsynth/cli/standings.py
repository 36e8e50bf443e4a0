"""``clinsynth standings``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.cli import add_data_dir, add_sample
from clinsynth.core import fitted_table
from clinsynth.data import ExampleStore, open_store
from clinsynth.direct import direct_folders
from clinsynth.standings import (
    GRIDS,
    LEFT,
    RESAMPLES,
    SPARE,
    Profiler,
    Standings,
    as_csv,
    as_json,
    collect,
    cores,
    grid,
    headline_budget,
    headline_recipe,
    markdown_grid,
    notes,
    records,
    standings_of,
)
from clinsynth.training import RECIPES

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
    parser.add_argument("--recipe", default="", help="default: the leaderboard's, or what most records have")
    parser.add_argument("--rows", type=int, default=0,
                        help="the budget (default: the recipe's own, or what most records have)")  # fmt: skip
    parser.add_argument("--no-statistics", action="store_true",
                        help="from the records alone: means and spread, no intervals and no ranks")  # fmt: skip
    parser.add_argument("--resamples", type=int, default=RESAMPLES, metavar="B",
                        help=f"of F1 metrics (default {RESAMPLES:,}; 10,000 to publish; 0: jackknife)")  # fmt: skip
    parser.add_argument("--wide", action="store_true", help="all columns, however wide the terminal is")
    parser.add_argument("--published", action="store_true",
                        help="rank only rows whose runs were trained again here: clinsynth reproduce")  # fmt: skip
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Always 0."""
    store = open_store(arguments.data_dir, arguments.sample)
    arguments.recipe = arguments.recipe or headline_recipe(arguments.places, store.kind)
    collection = collect(arguments.places, store.kind, published=arguments.published)
    entries = [each.entry(arguments.recipe) for each in collection.stored]
    budget = arguments.rows or headline_budget(entries, RECIPES[arguments.recipe])
    if arguments.view == "direct":
        print(_direct(arguments, budget, store).rstrip("\n"))
        return 0
    profiler = None if arguments.no_statistics else Profiler(store, arguments.resamples, workers=cores())
    table = standings_of(collection, arguments.recipe, budget, profiler)
    print(_shown(table, arguments).rstrip("\n"))
    if arguments.view == "means" and arguments.format in ("table", "markdown") and direct_folders(arguments.places):
        print(f"\n{_direct(arguments, budget, store)}".rstrip("\n"))
    return 0


def _direct(arguments: argparse.Namespace, budget: int, store: ExampleStore) -> str:
    from clinsynth.direct import FORMATS, direct_standings

    tests = None if arguments.no_statistics else store
    return FORMATS[arguments.format](direct_standings(arguments.places, arguments.recipe, budget, store.kind, tests))


def _shown(table: Standings, arguments: argparse.Namespace) -> str:
    view, form = arguments.view, arguments.format
    if form == "json":
        return as_json(table)
    if form == "csv":
        return as_csv(table) if view in ("means", "tasks") else records(table, view)

    def drawn(name: str) -> str:
        found = grid(table) if name == "means" else GRIDS[name](table)
        left = 2 if name == "means" else LEFT[name]
        if form == "markdown":
            return markdown_grid(found, left)
        spare = [row.name for row in reversed(table.rows)] if name == "means" else SPARE[name]
        return fitted_table(found, left, spare, wide=arguments.wide)

    parts: list[str] = []
    if view == "means":
        parts += [drawn("means"), "\n".join(table.remarks())]
        view = "overall" if table.computed else ""
    if view:
        parts.append(drawn(view))
        parts.append("\n".join([*notes(table, view), *([] if len(parts) > 1 else table.remarks())]))
    return "\n\n".join(parts)
