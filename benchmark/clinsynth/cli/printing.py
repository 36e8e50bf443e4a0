"""Views on the command line: the tables of the board, printed in the requested form."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

from clinsynth.export import markdown_blocks, table_csv, text_blocks
from clinsynth.snapshot import Snapshot, Tables, snapshot_of, values_of
from clinsynth.views import Block, Table, left_out, page


@dataclass(frozen=True, slots=True)
class Shown:
    """The output of a command."""

    snapshot: Snapshot
    """Printed as a whole for JSON."""
    blocks: tuple[Block, ...]
    """Printed for text and Markdown."""
    table: Table
    """Printed for CSV."""


def answers_page(tables: Tables) -> Shown:
    """The direct track, and the records of it that are left out."""
    snapshot = snapshot_of(tables)
    made = page(snapshot, "direct", {})
    return Shown(snapshot, (*made.blocks, *left_out(snapshot)), next(t for t in made.tables if t.key == "direct"))


def print_snapshot(shown: Shown, arguments: argparse.Namespace) -> None:
    """Print in the form that ``--format`` names."""
    if arguments.format == "json":
        print(json.dumps(values_of(shown.snapshot), indent=1))
    else:
        print_blocks(shown.blocks, shown.table, arguments)


def print_blocks(blocks: tuple[Block, ...], table: Table, arguments: argparse.Namespace) -> None:
    """Print text or Markdown of the blocks, or CSV of the table."""
    if arguments.format == "csv":
        print(table_csv(table), end="")
    elif arguments.format == "markdown":
        print(markdown_blocks(blocks))
    else:
        print(text_blocks(blocks, wide=arguments.wide), end="")
