"""``clinsynth compare``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from clinsynth.cli import add_data_dir, add_format, add_sample, names
from clinsynth.cli.printing import print_blocks
from clinsynth.cli.validate import say_unfilled
from clinsynth.data import open_store
from clinsynth.direct import entry_at
from clinsynth.standings import (
    RESAMPLES,
    Request,
    compare,
    headline_budget,
    headline_recipe,
    read_entry,
)
from clinsynth.training import RECIPES
from clinsynth.views import comparisons

EXAMPLES = (
    "clinsynth compare submissions/real submissions/demo --sample",
    "clinsynth compare submissions/real submissions/demo --sample --tasks gad --format json",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
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


def execute(arguments: argparse.Namespace) -> int:
    """Always 0: that two methods tie is no fault."""
    say_unfilled([arguments.base, *arguments.others])
    store = open_store(arguments.data_dir, arguments.sample)
    recipe = arguments.recipe or headline_recipe([arguments.base, *arguments.others], store.kind)
    beside = arguments.base.absolute().parent / "gold-full"
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
    return 0


def _budget(text: str) -> int | None:
    """A number of rows; ``None`` for all."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of rows nor all")
    return int(text)
