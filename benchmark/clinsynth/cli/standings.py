"""``clinsynth standings``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from clinsynth.cli import add_sample
from clinsynth.standings import Standings, as_csv, as_json, as_markdown, grid, standings
from clinsynth.tables import text_table
from clinsynth.training.recipe import RECIPES

EXAMPLES = (
    "clinsynth standings submissions --sample",
    "clinsynth standings submissions --sample --rows 300 --format markdown",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("places", nargs="*", type=Path, default=[Path("submissions")], metavar="DIR",
                        help="submissions, or folders that hold some (default: submissions)")  # fmt: skip
    parser.add_argument("--format", choices=tuple(_FORMATS), default="table")
    parser.add_argument("--recipe", default="minilm-l6.v1")
    parser.add_argument("--rows", type=int, default=0, help="the budget (default: the recipe's own)")
    add_sample(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Always 0."""
    budget = arguments.rows or RECIPES[arguments.recipe].budget
    table = standings(arguments.places, arguments.recipe, budget, "sample" if arguments.sample else "real")
    print(_FORMATS[arguments.format](table).rstrip("\n"))
    return 0


def _as_text(table: Standings) -> str:
    head, body = grid(table)
    return "\n".join([text_table(head, body, right=len(table.rows)), "", *table.remarks()])


_FORMATS: dict[str, Callable[[Standings], str]] = {
    "table": _as_text,
    "markdown": as_markdown,
    "json": as_json,
    "csv": as_csv,
}
