"""``clinsynth snapshot``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clinsynth.cli import Command, add_data_dir, add_sample, names

EXAMPLES = (
    "clinsynth snapshot submissions --sample --out snapshot",
    "clinsynth snapshot submissions --sample --no-statistics --out snapshot",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("places", nargs="*", type=Path, default=[Path("submissions")], metavar="DIR",
                        help="submissions, direct-track folders, or their parents (default: submissions)")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write the snapshot")
    parser.add_argument("--recipes", type=names, default=(), help="only these, with commas between (default: all)")
    parser.add_argument("--rows", type=names, default=(), help="only these budgets, with commas between (default: all)")
    parser.add_argument("--resamples", type=int, default=2_000, metavar="B",
                        help="of F1 metrics (default %(default)s; 10000 to publish; 0: jackknife)")  # fmt: skip
    parser.add_argument("--no-statistics", action="store_true", help="means alone: no intervals, no ranks; quick")
    parser.add_argument("--published", action="store_true",
                        help="for a public board: rank only what clinsynth reproduce trained again")  # fmt: skip
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Always 0."""
    from clinsynth.core import UserError, clean
    from clinsynth.data import open_store
    from clinsynth.snapshot import Wanted, build, write_snapshot
    from clinsynth.standings import Profiler, cores

    if not all(each.isdecimal() for each in arguments.rows):
        raise UserError("--rows cannot be read", found=",".join(arguments.rows), expected="numbers with commas between")
    wanted = Wanted(
        places=tuple(arguments.places), kind="sample" if arguments.sample else "real", recipes=arguments.recipes,
        rows=tuple(map(int, arguments.rows)), published=arguments.published,
    )  # fmt: skip
    store = open_store(arguments.data_dir, arguments.sample)
    profiler = None if arguments.no_statistics else Profiler(store, arguments.resamples, workers=cores())
    made = write_snapshot(arguments.out, build(wanted, profiler, lambda line: print(clean(line), file=sys.stderr)))
    print(f"{arguments.out}: snapshot {made.manifest.short} of {len(made.tables.submissions)} submissions")
    return 0


COMMANDS = {"snapshot": Command(EXAMPLES, configure, execute)}
