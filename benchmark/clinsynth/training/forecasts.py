"""Forecasts of a plan: how long it takes, judged by stored runs, and whether everything that it needs is here."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinsynth.core import UserError
from clinsynth.results import Cell, Results, RunRecord
from clinsynth.training.claims import claim_path, holder
from clinsynth.training.executors import EXECUTORS
from clinsynth.training.jobs import Job
from clinsynth.training.local_processes import RUN_BYTES, places
from clinsynth.training.recipe import RECIPES
from clinsynth.training.scoring import Plan, Request, jobs_of
from clinsynth.training.weights import WEIGHTS_VARIABLE, find_weights

STORED_BYTES = 1 << 20
"""Bytes to allow for the record and predictions of a run (measured: 10 to 400 kB)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Speed of the stored runs of one task and recipe, whatever machine did them."""

    runs: int
    step_seconds: float
    """Median over the runs."""
    read_seconds: float
    """Median time of reading the test set."""


def paces(records: Iterable[RunRecord]) -> dict[tuple[str, str], Pace]:
    """The pace of each task and recipe that has fine-tuned runs."""
    grouped: dict[tuple[str, str], list[RunRecord]] = defaultdict(list)
    for record in records:
        if record.fit == "fine-tuned" and record.steps and record.seconds.keys() >= {"train", "read"}:
            grouped[record.task, record.recipe].append(record)
    return {
        key: Pace(
            len(runs),
            statistics.median(run.seconds["train"] / run.steps for run in runs),
            statistics.median(run.seconds["read"] for run in runs),
        )
        for key, runs in grouped.items()
    }


def seconds_of(job: Job, known: dict[tuple[str, str], Pace]) -> float | None:
    """Seconds of a run by the pace of its task, else by the median of its recipe's; ``None`` where no run is known."""
    pace = known.get((job.cell.task, job.cell.recipe))
    alike = [pace] if pace else [each for (_, recipe), each in known.items() if recipe == job.cell.recipe]
    if not alike:
        return None
    step, read = (statistics.median(getattr(each, name) for each in alike) for name in ("step_seconds", "read_seconds"))
    return step * job.steps + read


def forecast(request: Request, planned: Plan, known: Sequence[Path]) -> list[str]:
    """Say in words what would run, where, for how long, and what it needs. Trains nothing.

    Args:
        request: as for ``score``.
        planned: what ``plan`` made of it.
        known: folders of submissions, whose stored runs say how long a run takes.

    Raises:
        UserError: the executor cannot be had, or would refuse.
    """
    jobs = jobs_of(request, planned)
    if not jobs:
        return ["nothing is to be done"]
    lines = [f"runs      {_runs([job.cell for job in jobs])}"]
    results = Results(request.submission, "sample" if request.sample else "real", request.draw)
    taken = {job.cell.stem: who for job in jobs if (who := holder(claim_path(results.record_path(job.cell))))}
    lines += [f"          {stem}: {who} is at it" for stem, who in taken.items()]
    executor = EXECUTORS[request.executor](request.workers, lambda _: None)
    try:
        where = executor.where(jobs)
    finally:
        executor.close()
    lines += [f"{'where' if first else '':10}{line}" for first, line in _marked(where)]
    lines += [f"{'time' if first else '':10}{line}" for first, line in _marked(_time(request, jobs, known))]
    return lines + [f"{'needs' if first else '':10}{line}" for first, line in _marked(_needs(request, jobs))]


def _marked(lines: Sequence[str]) -> list[tuple[bool, str]]:
    return [(number == 0, line) for number, line in enumerate(lines)]


def _runs(cells: Sequence[Cell]) -> str:
    tasks = Counter(cell.task for cell in cells)
    budgets = sorted({cell.rows for cell in cells})
    seeds = sorted({cell.seed for cell in cells})
    parts = (f"{len(cells)}: tasks {', '.join(f'{task} ({number})' for task, number in tasks.items())}",
             f"rows {', '.join(f'{rows:,}' for rows in budgets)}", f"seeds {', '.join(map(str, seeds))}")  # fmt: skip
    return "; ".join(parts)


def _time(request: Request, jobs: Sequence[Job], known: Sequence[Path]) -> list[str]:
    pace = paces(record for folder in known for record in Results(folder, "real").records())
    seconds = [seconds_of(job, pace) for job in jobs]
    if None in seconds:
        return [f"not known: no stored run of {jobs[0].cell.recipe} says how long one takes"]
    total = sum(filter(None, seconds))
    counted = sum(each.runs for (_, recipe), each in pace.items() if recipe == jobs[0].cell.recipe)
    guessed = {job.cell.task for job in jobs} - {task for task, recipe in pace if recipe == jobs[0].cell.recipe}
    lines = [f"{_spell(total)} of computing, by {counted} stored runs of the recipe, wherever they were done"]
    if guessed:
        lines.append(f"the median task's pace for {', '.join(sorted(guessed))}, which has no stored run")
    width = request.workers or (places() if request.executor == "local" else 0)
    if width:
        at_once = min(width, len(jobs))
        lines.append(f"about {_spell(max(total / at_once, *filter(None, seconds)))} with {at_once} at a time")
    return lines


def _spell(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _needs(request: Request, jobs: Sequence[Job]) -> list[str]:
    recipe = RECIPES[request.recipe]
    lines = [
        f"up to {RUN_BYTES >> 30} GB of memory for each run at a time, {len(jobs) * STORED_BYTES >> 20} MB of disk"
    ]
    try:
        lines.append(f"weights of {recipe.weights.repo}: {find_weights(recipe.weights)}")
    except UserError as error:
        lines.append(f"MISSING: {error}")
    if request.executor != "local":
        lines.append(
            f"on each node: this clinsynth, the prepared tasks (CLINSYNTH_DATA), the weights ({WEIGHTS_VARIABLE})"
        )
    return lines
