"""``clinsynth plan``, ``score`` and ``reproduce``: runs of the student on a submission's rows."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from clinsynth.cli import Command, add_runs
from clinsynth.cli.submissions import say_notices
from clinsynth.core import TASKS, UserError, clean
from clinsynth.data import open_store
from clinsynth.results import Draw, RunRecord, mean_difference, most_difference
from clinsynth.submissions import CARD_FILE, validate
from clinsynth.training import (
    DEFAULT_RECIPE,
    Plan,
    ReproductionRequest,
    Request,
    budgets_of,
    describe,
    forecast,
    plan,
    plan_reproduction,
    reproduce,
    score,
    seeds_of,
)

SCORE_EXAMPLES = (
    "clinsynth score submissions/demo --sample --tasks gad --seeds 0",
    "clinsynth score submissions/demo --sample --tasks gad --seeds 0-4 --rows 100,300,1000 --dry-run",
)


def _configure_score(parser: argparse.ArgumentParser) -> None:
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
    """The request of the arguments. Raises ``UserError``."""
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


def _planned(request: Request) -> Plan:
    """The plan of a request. Raises ``UserError`` where nothing of what was asked for can be done here."""
    planned = plan(request)
    if planned.skipped and not (planned.done or planned.todo):
        raise UserError(
            "nothing can be scored: no test set of these tasks is here",
            found="; ".join(planned.skipped.values()),
            remedy=f"clinsynth prepare {' '.join(planned.skipped)}, or try the way with --sample",
        )
    return planned


def execute_score(arguments: argparse.Namespace) -> int:
    """Exit status 1 if the submission is refused or a run failed; 2 if no requested run can be done."""
    report = validate(arguments.submission, arguments.tasks or None)
    if not report.usable:
        sys.stderr.write(clean(f"{report}\n"))
        return report.exit_code
    say_notices(report)
    request = request_of(arguments)
    planned = _planned(request)
    sys.stderr.writelines(
        clean(f"{line}\n") for line in describe(planned, open_store(arguments.data_dir, arguments.sample))
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


PLAN_EXAMPLES = (
    "clinsynth plan submissions/demo --sample --tasks gad",
    "clinsynth plan submissions/demo --sample --tasks gad --seeds 0-4 --rows 100,300,1000 --executor local",
)


def _configure_plan(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: those of ``score``."""
    _configure_score(parser)
    parser.add_argument(
        "--known", type=Path, action="append", default=[], metavar="DIR",
        help="a folder of submissions whose stored runs say how long one takes (default: that of the submission)",
    )  # fmt: skip


def execute_plan(arguments: argparse.Namespace) -> int:
    """Exit status 0: the runs can be done; 1: the submission is refused; 2: no test set or executor is here."""
    report = validate(arguments.submission, arguments.tasks or None)
    if not report.usable:
        sys.stderr.write(clean(f"{report}\n"))
        return report.exit_code
    say_notices(report)
    request = request_of(arguments)
    planned = _planned(request)
    for line in describe(planned, open_store(arguments.data_dir, arguments.sample)):
        print(line)
    places = arguments.known or [arguments.submission.absolute().parent]
    known = sorted(card.parent for place in places for card in place.glob(f"*/{CARD_FILE}"))
    for line in forecast(request, planned, known):
        print(line)
    return 0


REPRODUCE_EXAMPLES = (
    "clinsynth reproduce submissions/demo --sample --tasks gad --seeds 0 --dry-run",
    "clinsynth reproduce submissions/demo --sample --tasks gad --seeds 0",
)


def _configure_reproduce(parser: argparse.ArgumentParser) -> None:
    add_runs(
        parser, recipe="",
        helps=("all with stored runs (default), or names with commas",
               "runs of this recipe only (default: of every one)",
               "budgets, such as 300,1000 (default: every stored one)"),
    )  # fmt: skip
    parser.add_argument("--again", action="store_true", help="train once more what was reproduced before")


def execute_reproduce(arguments: argparse.Namespace) -> int:
    """Exit status 0: all runs were reproduced; 1: one was not, or could not be; 2: nothing could be trained."""
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


COMMANDS = {
    "plan": Command(PLAN_EXAMPLES, _configure_plan, execute_plan),
    "score": Command(SCORE_EXAMPLES, _configure_score, execute_score),
    "reproduce": Command(REPRODUCE_EXAMPLES, _configure_reproduce, execute_reproduce),
}
