"""``clinsynth score``."""

from __future__ import annotations

import argparse
import sys
from typing import get_args

from clinsynth.cli import Command, add_runs
from clinsynth.cli.submissions import say_notices
from clinsynth.core import TASKS, UserError, clean
from clinsynth.data import open_store
from clinsynth.results import Draw, RunRecord
from clinsynth.submissions import validate
from clinsynth.training import DEFAULT_RECIPE, Request, budgets_of, describe, plan, score, seeds_of

EXAMPLES = (
    "clinsynth score submissions/demo --sample --tasks gad --seeds 0",
    "clinsynth score submissions/demo --sample --tasks gad --seeds 0-4 --rows 100,300,1000 --dry-run",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_runs(
        parser, recipe=DEFAULT_RECIPE,
        helps=("all there is data for (default), or names with commas", "default: %(default)s",
               "budgets, such as 100,300,1000 or all (default: the recipe's own)"),
    )  # fmt: skip
    parser.add_argument(
        "--draw", choices=get_args(Draw), default="random",
        help="balanced: rows with equal shares of the labels, stored apart and not ranked (default: random)",
    )  # fmt: skip


def request_of(arguments: argparse.Namespace) -> Request:
    """What the arguments ask for. Raises ``UserError``."""
    return Request(
        submission=arguments.submission,
        tasks=arguments.tasks,
        recipe=arguments.recipe,
        budgets=budgets_of(arguments.rows) if arguments.rows else (),
        seeds=seeds_of(arguments.seeds),
        data_dir=arguments.data_dir,
        sample=arguments.sample,
        workers=arguments.workers,
        executor=arguments.executor,
        draw=arguments.draw,
    )


def execute(arguments: argparse.Namespace) -> int:
    """1 if the submission is refused or a run failed; 2 if nothing of what was asked for can be done."""
    report = validate(arguments.submission, arguments.tasks or None)
    if not report.usable:
        sys.stderr.write(clean(f"{report}\n"))
        return report.exit_code
    say_notices(report)
    request = request_of(arguments)
    planned = plan(request)
    sys.stderr.writelines(
        clean(f"{line}\n") for line in describe(planned, open_store(arguments.data_dir, arguments.sample))
    )
    if planned.skipped and not (planned.done or planned.missing or planned.stale):
        raise UserError(
            "nothing can be scored: no test set of these tasks is here",
            found="; ".join(planned.skipped.values()),
            remedy=f"clinsynth prepare {' '.join(planned.skipped)}, or try the way with --sample",
        )
    if arguments.dry_run:
        for cell in planned.todo:
            print(cell.stem)
        return 0
    scored = score(request, planned)
    by_cell: dict[tuple[str, int], list[RunRecord]] = {}
    for record in scored.records:
        by_cell.setdefault((record.task, record.rows), []).append(record)
    for (task, rows), runs in by_cell.items():
        values = [run.score for run in runs]
        mean = 100 * sum(values) / len(values)
        metric = TASKS[task].spec.metric.replace("_", " ")
        print(f"{task:16} n {rows:<6,} {metric:10} {mean:5.1f}  ({len(values)} seeds: {_listed(values)})")
        constant = sum(run.fit == "constant" for run in runs)
        if constant:
            print(
                f"  {constant} of {len(runs)} runs were not trained: all their rows have one answer, which is then said"
            )
        if arguments.draw == "balanced":
            print("  balanced draw: not comparable with random draws")
    if scored.failed:
        sys.stderr.write(f"clinsynth: {len(scored.failed)} of {len(planned.done) + len(planned.todo)} runs failed:\n")
        sys.stderr.writelines(clean(f"  {cell.stem}: {str(error).splitlines()[0]}\n") for cell, error in scored.failed)
    return int(bool(scored.failed))


def _listed(values: list[float]) -> str:
    return " ".join(f"{100 * value:.1f}" for value in values)


COMMANDS = {"score": Command(EXAMPLES, configure, execute)}
