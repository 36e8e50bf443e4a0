"""``clinsynth reproduce``."""

from __future__ import annotations

import argparse
import sys

from clinsynth.cli import Command, add_runs
from clinsynth.results import mean_difference, most_difference
from clinsynth.training import ReproductionRequest, budgets_of, plan_reproduction, reproduce, seeds_of

EXAMPLES = (
    "clinsynth reproduce submissions/demo --sample --tasks gad --seeds 0 --dry-run",
    "clinsynth reproduce submissions/demo --sample --tasks gad --seeds 0",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_runs(
        parser, recipe="",
        helps=("all with stored runs (default), or names with commas",
               "runs of this recipe only (default: of every one)",
               "budgets, such as 300,1000 (default: every stored one)"),
    )  # fmt: skip
    parser.add_argument("--again", action="store_true", help="train once more what was reproduced before")


def execute(arguments: argparse.Namespace) -> int:
    """0: every run came out as stored; 1: one did not, or could not be compared; 2: nothing could be trained."""
    request = ReproductionRequest(
        submission=arguments.submission,
        tasks=arguments.tasks,
        recipe=arguments.recipe,
        rows=budgets_of(arguments.rows) if arguments.rows else (),
        seeds=seeds_of(arguments.seeds),
        again=arguments.again,
        data_dir=arguments.data_dir,
        sample=arguments.sample,
        workers=arguments.workers,
        executor=arguments.executor,
    )
    planned = plan_reproduction(request)
    for name, reason in planned.skipped.items():
        sys.stderr.write(f"{name}: skipped: {reason}\n")
    sys.stderr.write(f"{len(planned.done)} runs were trained again before, {len(planned.todo)} to do\n")
    if arguments.dry_run:
        for record in planned.todo:
            print(record.cell.stem)
        return 0
    done = reproduce(request, planned)
    for record in done.records:
        verdict = "reproduced" if record.reproduced else "NOT REPRODUCED"
        print(
            f"{record.cell.stem}: {verdict}: {record.metric.replace('_', ' ')} {100 * record.score_stored:.1f} stored,"
            f" {100 * record.score_again:.1f} again; {record.equal:,} of {record.examples:,} answers equal"
        )
    for group in done.groups:
        first = group[0]
        print(
            f"{first.task} {first.recipe} n {first.rows:,}: mean over {len(group)} seeds"
            f" {100 * mean_difference(group):.1f} apart, {100 * most_difference(group):.1f} may be"
        )
    for cell, reason in done.failed:
        print(f"{cell.stem}: NOT REPRODUCED: {reason}")
    if not done.records and not done.failed:
        return 2
    return 0 if done.ok else 1


COMMANDS = {"reproduce": Command(EXAMPLES, configure, execute)}
