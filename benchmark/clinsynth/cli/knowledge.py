"""``clinsynth knowledge``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.cli import add_data_dir
from clinsynth.core import UserError, text_table

EXAMPLES = (
    "clinsynth knowledge",
    "clinsynth knowledge builtin --show 5",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("source", nargs="?", metavar="SOURCE",
                        help="read this one and keep it; without a name, list the sources")  # fmt: skip
    parser.add_argument("--from", dest="folder", type=Path, metavar="DIR",
                        help="take the published files from DIR and download nothing")  # fmt: skip
    parser.add_argument("--show", type=int, default=3, metavar="N", help="names of each kind to show (%(default)s)")
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """0, or an error of the user."""
    if arguments.source is None:
        _list(arguments.data_dir)
        return 0
    from clinsynth.data import MissingSourceError
    from clinsynth.generation.knowledge import KINDS, prepare_knowledge

    try:
        table = prepare_knowledge(arguments.source, arguments.folder, arguments.data_dir)
    except MissingSourceError as error:
        raise UserError(str(error), remedy="take the file from elsewhere and say --from DIR") from None
    print(f"{table.name}\nsha256 {table.digest}\n")
    for kind in KINDS:
        found = table.names(kind)
        step = max(1, len(found) // max(1, arguments.show))
        shown = "; ".join(found[::step][: arguments.show])
        print(f"{kind}: {len(found):,}{f' ({shown})' if shown else ''}")
    for (first, second), pairs in table.by_pair.items():
        print(f"{first} - {second}: {len(pairs):,} pairs")
    for reason, count in table.dropped.items():
        print(f"left out: {count:,} {reason}")
    return 0


def _list(data_dir: Path | None) -> None:
    from clinsynth.core import NotPreparedError
    from clinsynth.generation.knowledge import KINDS, SOURCES, open_knowledge

    body: list[tuple[str, ...]] = []
    for name, source in SOURCES.items():
        try:
            table = open_knowledge(name, data_dir)
            counts = [f"{len(table.names(kind)):,}" for kind in KINDS]
        except NotPreparedError:
            counts = ["not prepared", "", "", ""]
        except UserError:
            counts = ["not installed", "", "", ""]
        body.append((name, source.about, *counts))
    print(text_table(("source", "is", *KINDS), body, right=len(KINDS)))
