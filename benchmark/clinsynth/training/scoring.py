"""Score a submission: work out which runs are missing, and have them done."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from clinsynth.core import TASKS, NotPreparedError, UserError, progress
from clinsynth.data import ExampleStore, open_store
from clinsynth.results import Cell, Draw, Results, RunRecord
from clinsynth.submissions import fingerprint, read_submission
from clinsynth.training.jobs import Job, MadeOf
from clinsynth.training.recipe import DEFAULT_RECIPE


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request to score a submission."""

    submission: Path
    tasks: tuple[str, ...] = ()
    """Names; empty: every task that the submission has data for and whose test set is here."""
    recipe: str = DEFAULT_RECIPE
    budgets: tuple[int, ...] = ()
    """Training rows; empty: the recipe's own budget. 0: all rows there are."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    data_dir: Path | None = None
    sample: bool = False
    workers: int = 0
    """Runs at a time; 0: here one for each core, or for each GPU; elsewhere as many as the cluster gives."""
    executor: str = "local"
    draw: Draw = "random"


@dataclass(slots=True)
class Plan:
    """The runs of a request that are done, missing or stale."""

    missing: list[Cell] = field(default_factory=list[Cell])
    done: list[RunRecord] = field(default_factory=list[RunRecord])
    stale: list[Cell] = field(default_factory=list[Cell])
    """Runs of other data, another test set or another recipe than now; they are done again."""
    short: dict[str, int] = field(default_factory=dict[str, int])
    """Tasks with fewer rows than the budget, and how many they have: all of them are used."""
    same: list[str] = field(default_factory=list[str])
    """Tasks with just as many rows as the budget: every seed draws the same ones."""
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    """Tasks that cannot be scored here, with the reason."""
    made_of: dict[str, MadeOf] = field(default_factory=dict[str, MadeOf])
    """By task, the digests of rows, test set and settings that its runs must have."""

    @property
    def todo(self) -> list[Cell]:
        """Runs that are missing or stale, those of a task one after the other: they share its tokenised test set."""
        return sorted([*self.missing, *self.stale], key=lambda cell: (cell.task, cell.rows, cell.seed))


def plan(request: Request) -> Plan:
    """Plan the runs of a request: which are done, and which are missing or stale. Trains nothing.

    Raises:
        UserError: the submission cannot be read, or a task that was asked for cannot be scored.
    """
    from clinsynth.training.draws import check_draw
    from clinsynth.training.recipe import RECIPES, recipe_fingerprint

    submission = read_submission(request.submission)
    recipe = RECIPES[request.recipe]
    store = open_store(request.data_dir, request.sample)
    results = Results(submission.path, store.kind, request.draw)
    out = Plan()
    for name in request.tasks or submission.tasks:
        task = TASKS[name]
        if name not in submission.files:
            raise UserError(f"{submission.card.name} has no data for {name}", expected=f"data/{name}.jsonl.gz")
        try:
            test_fingerprint = store.fingerprint(task, "test")
        except NotPreparedError as error:
            if request.tasks:
                raise
            out.skipped[name] = str(error).splitlines()[0]
            continue
        check_draw(task.spec, request.draw)
        rows = submission.rows(name)
        out.made_of[name] = MadeOf(
            fingerprint(rows, task.spec), test_fingerprint, recipe_fingerprint(recipe, task.spec)
        )
        budgets = request.budgets or (recipe.budget,)
        if max(budgets) > len(rows):
            out.short[name] = len(rows)
        elif len(rows) in budgets and len(request.seeds) > 1:
            out.same.append(name)
        for budget in sorted({min(budget or len(rows), len(rows)) for budget in budgets}):
            for seed in request.seeds:
                _place(Cell(name, request.recipe, budget, seed), results, out)
    return out


def _place(cell: Cell, results: Results, out: Plan) -> None:
    record = results.done(cell)
    if record is None:
        out.missing.append(cell)
    elif (record.training.fingerprint, record.test.fingerprint, record.recipe_fingerprint) == out.made_of[cell.task]:
        out.done.append(record)
    else:
        out.stale.append(cell)


@dataclass(frozen=True, slots=True)
class Scored:
    """The outcome of scoring."""

    records: list[RunRecord]
    """All requested runs that are done, whether now or before."""
    failed: list[tuple[Cell, UserError]]


def jobs_of(request: Request, planned: Plan) -> list[Job]:
    """The runs to do as jobs for workers, with absolute paths: workers have another working folder."""
    data_dir = request.data_dir.expanduser().absolute() if request.data_dir else None
    return [
        Job(
            request.submission.absolute(), cell, data_dir, request.sample, threads=1, draw=request.draw,
            made_of=planned.made_of[cell.task],
        )
        for cell in planned.todo
    ]  # fmt: skip


def score(request: Request, planned: Plan | None = None) -> Scored:
    """Do the missing runs. Each is stored as soon as it is done: an interrupted call can be repeated and continues.

    Raises:
        UserError: as ``plan``; or the executor cannot be had.
    """
    from clinsynth.training.executors import EXECUTORS, dispatch

    if request.workers < 0:
        raise UserError(f"--workers {request.workers}", expected="1 or more; 0: as many as go well there")
    planned = planned or plan(request)
    jobs = jobs_of(request, planned)
    records, failed = list(planned.done), list[tuple[Cell, UserError]]()
    for folder in {job.results.record_path(job.cell).parent for job in jobs}:
        _writable(folder)
    if jobs:
        started = time.monotonic()
        with progress(f"{len(jobs)} runs", sum(job.steps for job in jobs)) as bar:
            executor = EXECUTORS[request.executor](request.workers, bar.advance)
            with closing(dispatch(jobs, executor, bar.say)) as outcomes:
                for number, (job, outcome) in enumerate(outcomes, 1):
                    where = f"{number}/{len(jobs)} {job.cell.stem}"
                    left = (time.monotonic() - started) / number * (len(jobs) - number) / 60
                    if isinstance(outcome, UserError):
                        failed.append((job.cell, outcome))
                        bar.say(f"{where} failed: {outcome}")
                    else:
                        records.append(outcome)
                        seconds = sum(outcome.seconds.values())
                        untrained = "; not trained: its rows have one answer" if outcome.fit == "constant" else ""
                        later = f"; about {left:.0f} min left" if number < len(jobs) else ""
                        score = f"{outcome.metric} {100 * outcome.score:.1f}"
                        bar.say(f"{where} {score} ({seconds:.0f} s{later}){untrained}")
    return Scored(sorted(records, key=lambda record: record.cell), failed)


def _writable(folder: Path) -> None:
    """Raises ``OSError`` where nothing can be written, before anything is trained."""
    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder))


def budgets_of(text: str) -> tuple[int, ...]:
    """Budgets from ``300``, ``100,300,1000`` or ``all`` (0). Raises ``UserError``."""
    try:
        values = tuple(0 if part == "all" else int(part) for part in text.split(","))
    except ValueError:
        values = (-1,)
    if any(value < 0 for value in values):
        raise UserError(f"--rows {text!r}", expected="numbers and commas, such as 100,300,1000; or all")
    return values


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds from ``0-4``, ``0`` or ``0,2,5``.

    Raises:
        UserError: it is something else; or a single number other than 0, which some take for a number of seeds.
    """
    if text.isascii() and text.isdecimal() and int(text) > 0:
        count = int(text)
        several = "0 for one seed" if count == 1 else f"0-{count - 1} for {count} seeds"
        raise UserError(
            f"--seeds {text!r} may mean two things", expected=f"{several}, or {count}-{count} for seed {count} alone"
        )
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or not (last if dash else first).isdecimal() or int(last or first) < int(first):
            raise UserError(f"--seeds {text!r}", expected="numbers from 0, such as 0-4 or 0,1,2")
        seeds += range(int(first), int(last or first) + 1)
    return tuple(dict.fromkeys(seeds))


def describe(planned: Plan, store: ExampleStore) -> Sequence[str]:
    """The plan in words."""
    lines = [f"{name}: skipped: {reason}" for name, reason in planned.skipped.items()]
    lines += [f"{name}: only {rows:,} rows, all of them are used" for name, rows in planned.short.items()]
    if planned.same:
        lines.append(
            f"{', '.join(planned.same)}: just as many rows as are drawn, so every seed draws the same; "
            "of more rows each draws others, and the interval covers which ones were written"
        )
    if planned.stale:
        lines.append(f"{len(planned.stale)} runs were made of other data, tests or settings and are done again")
    lines.append(
        f"{len(planned.done)} runs are done, {len(planned.todo)} to do"
        + (" (sample)" if store.kind == "sample" else "")
    )
    return lines
