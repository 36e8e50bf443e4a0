"""``clinsynth prepare``."""

from __future__ import annotations

import argparse
from pathlib import Path

from clinsynth.cli import add_data_dir
from clinsynth.core import progress, select_tasks
from clinsynth.data import DataStore, Outcome, default_data_dir, prepare_all

EXAMPLES = (
    "clinsynth prepare mqp gad --from raw --data-dir data",
    "clinsynth prepare --from raw --data-dir data",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="default: all")
    parser.add_argument("--from", dest="source", type=Path, metavar="DIR",
                        help="take the files from DIR/<task>/ and download nothing")  # fmt: skip
    parser.add_argument("--workers", type=int, default=None, help="tasks at a time (default: one for each core)")
    add_data_dir(parser)


def execute(arguments: argparse.Namespace) -> int:
    """1 if a task failed; 2 if nothing of what was asked for is prepared, for want of files that one must bring."""
    tasks = select_tasks(arguments.tasks)
    store = DataStore(arguments.data_dir or default_data_dir())
    with progress("prepare", len(tasks)) as bar:

        def show(outcome: Outcome) -> None:
            bar.advance(1)
            bar.say(f"{outcome.task}: {outcome.status.replace('_', ' ')}")

        outcomes = prepare_all(tasks, store, arguments.source, show, arguments.workers)
    for outcome in outcomes:
        print(_describe(outcome))
    ready = sum(outcome.report is not None for outcome in outcomes)
    print(f"\n{ready} of {len(outcomes)} tasks are prepared under {store.root}")
    if ready:
        one = next(outcome.task for outcome in outcomes if outcome.report)
        print(f"next: clinsynth show {one}, or clinsynth score <submission>")
    if any(outcome.status == "failed" for outcome in outcomes):
        return 1
    return 0 if ready else 2


def _describe(outcome: Outcome) -> str:
    if outcome.report is None:
        return f"{outcome.task}: {outcome.status.replace('_', ' ')}\n  {outcome.error.replace(chr(10), chr(10) + '  ')}"
    rows = ", ".join(f"{split} {n:,}" for split, n in outcome.report.rows.items())
    lines = [f"{outcome.task}: {rows}"]
    for split, counts in outcome.report.counted.items():
        lines += [f"  {split}: {n:,} {reason}" for reason, n in counts.items()]
    for split, labels in outcome.report.unused.items():
        lines.append(f"  {split}: no example has {', '.join(labels)}: look at the reader if there should be some")
    lines += [f"  no {split}: {reason}" for split, reason in outcome.report.missing.items()]
    return "\n".join(lines)
