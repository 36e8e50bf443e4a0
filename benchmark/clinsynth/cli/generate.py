"""``clinsynth generate``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.cli import add_data_dir, add_sample, names
from clinsynth.data.sample import open_store
from clinsynth.registry import BASELINES, select_tasks

EXAMPLES = (
    "clinsynth generate gold-few --tasks gad,ncbi-disease --sample --out submissions/demo",
    "clinsynth generate majority --tasks all --sample --out submissions/floor",
)
LARGEST_BUDGET = 5_000
"""The largest headline budget of any recipe (protocol)."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    width = max(map(len, BASELINES))
    listed = "\n".join(f"  {name:{width}}  {baseline.description}" for name, baseline in BASELINES.items())
    parser.epilog = f"baselines:\n{listed}\n\n{parser.epilog}"
    parser.add_argument("baseline", metavar="BASELINE")
    parser.add_argument("--tasks", type=names, default=(), help="all (default), or names with commas between")
    parser.add_argument("--rows", type=int, default=LARGEST_BUDGET, help="at most so many a task (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the submission's folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real-split", choices=("train", "dev"), default="train",
                        help="where reference rows are drawn from; dev is disclosed on the card")  # fmt: skip
    add_sample(parser)
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """0 if anything was made."""
    from clinsynth.generation import Request, generate

    request = Request(
        tasks=select_tasks(list(arguments.tasks)),
        rows=arguments.rows,
        out=arguments.out,
        seed=arguments.seed,
        real_split=arguments.real_split,
    )
    done = generate(BASELINES[arguments.baseline], request, open_store(arguments.data_dir, arguments.sample))
    for task, rows in done.rows.items():
        print(f"{task}: {rows:,} rows")
    for task in done.kept:
        print(f"{task}: kept, it was there already")
    for task, reason in done.skipped.items():
        print(f"{task}: skipped: {reason}")
    return 0
