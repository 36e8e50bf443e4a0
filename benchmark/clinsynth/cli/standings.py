"""``clinsynth standings`` and ``clinsynth compare``: the tables of the board, printed."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from clinsynth.cli import Command, add_data_dir, add_format, add_sample, names
from clinsynth.cli.printing import Shown, answers_page, print_blocks, print_snapshot
from clinsynth.cli.submissions import say_unfilled
from clinsynth.core import CEILING, cores
from clinsynth.data import open_store
from clinsynth.direct import direct_folders, entry_at
from clinsynth.snapshot import Snapshot, answers_of, scores_of, snapshot_of
from clinsynth.standings import (
    RESAMPLES,
    Profiler,
    Request,
    collect,
    compare,
    headline_budget,
    headline_recipe,
    read_entry,
    standings_of,
)
from clinsynth.training import RECIPES
from clinsynth.views import Table, agreement, comparisons, means, over_tasks, page

STANDINGS_EXAMPLES = (
    "clinsynth standings submissions --sample",
    "clinsynth standings submissions --sample --view tasks --format csv",
    "clinsynth standings submissions --sample --rows 300 --no-statistics --format markdown",
)


def _configure_standings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("places", nargs="*", type=Path, default=[Path("submissions")], metavar="DIR",
                        help="submissions and folders of the direct track, or folders that hold some (default: "
                        "submissions)")  # fmt: skip
    parser.add_argument("--view", choices=("means", "overall", "tasks", "curves", "cost", "direct"), default="means",
                        help="means: the table of scores, the ranking and the direct track (default); overall: the "
                        "ranking alone; tasks: intervals, tie groups, gaps; curves: over the number of rows; cost; "
                        "direct: models that answer by themselves, beside the students of their rows")  # fmt: skip
    add_format(parser)
    parser.add_argument("--recipe", default="", help="default: the leaderboard's, or what most records have")
    parser.add_argument("--rows", type=int, default=0,
                        help="the budget (default: the recipe's own, or what most records have)")  # fmt: skip
    parser.add_argument("--no-statistics", action="store_true",
                        help="from the records alone: means and spread, no intervals and no ranks")  # fmt: skip
    parser.add_argument("--resamples", type=int, default=RESAMPLES, metavar="B",
                        help=f"of F1 metrics (default {RESAMPLES:,}; 10,000 to publish; 0: jackknife)")  # fmt: skip
    parser.add_argument("--published", action="store_true",
                        help="rank only rows whose runs were trained again here: clinsynth reproduce")  # fmt: skip
    add_sample(parser)
    add_data_dir(parser)


def execute_standings(arguments: argparse.Namespace) -> int:
    """Exit status: always 0."""
    store = open_store(arguments.data_dir, arguments.sample)
    collection = collect(arguments.places, store.kind, published=arguments.published)
    arguments.recipe = arguments.recipe or collection.headline_recipe()
    entries = [each.entry(arguments.recipe) for each in collection.stored]
    budget = arguments.rows or headline_budget(entries, RECIPES[arguments.recipe])
    tests = None if arguments.no_statistics else store
    answers = partial(answers_of, arguments.places, store.kind, (arguments.recipe, budget), tests)
    if arguments.view == "direct":
        print_snapshot(answers_page(answers()), arguments)
        return 0
    profiler = None if tests is None else Profiler(tests, arguments.resamples, workers=cores())
    table = standings_of(collection, arguments.recipe, budget, profiler)
    shown = shown_of(snapshot_of(scores_of(collection, [table])), arguments.view)
    if arguments.view == "means" and arguments.format in ("table", "markdown") and direct_folders(arguments.places):
        shown = replace(shown, blocks=(*shown.blocks, *answers_page(answers()).blocks))
    print_snapshot(shown, arguments)
    return 0


def shown_of(snapshot: Snapshot, view: str) -> Shown:
    """The blocks of a view, and the table that stands for it in CSV."""
    if view == "means":
        computed = any(row.low is not None for row in snapshot.tables.overall)
        ranks = [table for table in page(snapshot, "overall", {}).tables if table.key == "overall"]
        ranking = (*ranks, *agreement(snapshot)) if computed else ()
        return Shown(snapshot, (*means(snapshot, {}).blocks, *ranking), over_tasks(snapshot, "tasks"))
    if view in ("tasks", "curves"):
        table = over_tasks(snapshot, view)
        return Shown(snapshot, (table,), table)
    made = page(snapshot, view, {})
    # The scores by task are a view of their own here.
    blocks = tuple(block for block in made.blocks if not (isinstance(block, Table) and block.key == "board"))
    tables = [block for block in blocks if isinstance(block, Table)]
    more = agreement(snapshot) if view == "overall" else ()
    return Shown(snapshot, (*blocks, *more), tables[0] if tables else Table(view, made.title, (), ()))


COMPARE_EXAMPLES = (
    "clinsynth compare submissions/real submissions/demo --sample",
    "clinsynth compare submissions/real submissions/demo --sample --tasks gad --format json",
)


def _configure_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("base", type=Path, metavar="A", help="the submission that the others are compared with")
    parser.add_argument("others", type=Path, nargs="+", metavar="B", help="one submission or more")
    parser.add_argument("--tasks", type=names, default=(), help="only these, with commas between")
    parser.add_argument("--recipe", default="", help="default: the leaderboard's, or what most runs have")
    parser.add_argument("--rows", type=_budget, default=0,
                        help="the budget, or all: each on all the rows it has (default: the recipe's own, or what "
                        "most of them were run at)")  # fmt: skip
    parser.add_argument("--ceiling", type=Path, metavar="DIR",
                        help="a student of all real rows: an interval wider than what it has above a constant answer "
                        "decides nothing (default: gold-full beside A, if it is there)")  # fmt: skip
    add_format(parser)
    parser.add_argument("--resamples", type=int, default=RESAMPLES, metavar="B",
                        help=f"of F1 metrics (default {RESAMPLES:,}; 10,000 to publish; 0: jackknife)")  # fmt: skip
    add_sample(parser)
    add_data_dir(parser)


def execute_compare(arguments: argparse.Namespace) -> int:
    """Exit status 0, as a tie is no failure; 2 if nothing could be compared."""
    say_unfilled([arguments.base, *arguments.others])
    store = open_store(arguments.data_dir, arguments.sample)
    recipe = arguments.recipe or headline_recipe([arguments.base, *arguments.others], store.kind)
    beside = arguments.base.absolute().parent / CEILING
    ceiling = arguments.ceiling or (beside if (beside / "submission.toml").is_file() else None)
    entries = tuple(entry_at(place, recipe, store.kind) for place in (arguments.base, *arguments.others))
    request = Request(
        entries=entries,
        tasks=arguments.tasks,
        recipe=recipe,
        rows=headline_budget(entries, RECIPES[recipe]) if arguments.rows == 0 else arguments.rows,
        ceiling=read_entry(ceiling, recipe, store.kind) if ceiling else None,
        resamples=arguments.resamples,
    )
    compared = compare(request, store)
    if arguments.format == "json":
        print(json.dumps(asdict(compared), indent=1))
    else:
        table = comparisons(compared)
        print_blocks((table,), table, arguments)
    return 0 if any(row.difference is not None for row in compared.comparisons) else 2


def _budget(text: str) -> int | None:
    """A number of rows; ``None`` for all."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of rows nor all")
    return int(text)


COMMANDS = {
    "standings": Command(STANDINGS_EXAMPLES, _configure_standings, execute_standings),
    "compare": Command(COMPARE_EXAMPLES, _configure_compare, execute_compare),
}
