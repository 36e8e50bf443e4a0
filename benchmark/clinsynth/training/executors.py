"""Executors of runs: processes of this machine, or jobs of a cluster. The only state is the records on disk."""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

from clinsynth.core import Registry, UserError
from clinsynth.results import Cell, RunRecord
from clinsynth.training.claims import claim_path, holder
from clinsynth.training.jobs import Busy, Finished, Job, Lost, Outcome
from clinsynth.training.worker import store_here

OnSteps = Callable[[float], Any]
"""Called with the number of optimiser steps done since the last call."""
ATTEMPTS = 3
"""How often a run is started, if its worker dies."""
LOOK_SECONDS = 5.0
"""Seconds between two looks at runs that another call is doing."""


class Executor(Protocol):
    """Does runs. It knows of processes and jobs; ``dispatch`` knows which runs are left to do."""

    def where(self, jobs: Sequence[Job]) -> list[str]:
        """Say in words where these would be done. Starts nothing. Raises ``UserError`` if they cannot be done."""
        ...

    def submit(self, jobs: Sequence[Job]) -> None:
        """Start these runs; called again for those that are retried. Raises ``UserError``."""
        ...

    def outcomes(self) -> Sequence[tuple[Job, Outcome]]:
        """Outcomes since the last call; waits a moment if there is none yet."""
        ...

    def close(self) -> None:
        """Stop whatever still runs, here or on a cluster. May be called at any time, and repeatedly."""
        ...


class _Ledger:
    """Runs that are under way, runs that another call is doing, and how often each run was lost."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.open: dict[Cell, Job] = {job.cell: job for job in jobs}
        self._busy: dict[Cell, str] = {}
        self._lost: Counter[Cell] = Counter()
        self._looked = 0.0

    def left_to(self, job: Job, who: str) -> bool:
        """Note that another call is doing a run; return whether this caller was not known yet."""
        news = who not in self._busy.values()
        self._busy[job.cell] = who
        return news

    def lose(self, job: Job, why: str) -> UserError | None:
        """Note that the worker of a run died; return the error if the run is not to be retried."""
        self._lost[job.cell] += 1
        if self._lost[job.cell] < ATTEMPTS:
            return None
        return UserError(f"given up after {ATTEMPTS} attempts: {why}", remedy="look after the machine, then call again")

    def freed(self) -> list[Job]:
        """Runs that another call was doing and no longer is: finished or abandoned, as ``attempt`` finds out."""
        if not self._busy or time.monotonic() < self._looked + LOOK_SECONDS:
            return []
        self._looked = time.monotonic()
        jobs = [self.open[cell] for cell in self._busy]
        free = [job for job in jobs if job.finished() or not holder(claim_path(job.results.record_path(job.cell)))]
        for job in free:
            del self._busy[job.cell]
        return free


def dispatch(
    jobs: Sequence[Job], executor: Executor, say: Callable[[str], Any]
) -> Generator[tuple[Job, RunRecord | UserError]]:
    """Yield every job with its record, or with the reason why it has none; records are stored as they come.

    Runs whose worker died are started up to ``ATTEMPTS`` times; runs that another call is doing are waited for. However
    this ends, nothing that was submitted keeps running.

    Args:
        jobs: one per cell.
        executor: does them.
        say: called with a line for the user.
    """
    ledger = _Ledger(jobs)
    try:
        executor.submit(jobs)
        while ledger.open:
            again: list[Job] = []
            for job, outcome in executor.outcomes():
                if isinstance(outcome, Busy):
                    if ledger.left_to(job, outcome.who):
                        say(f"{job.cell.stem}: {outcome.who} is at it; waiting for what that call does")
                    continue
                if isinstance(outcome, Lost):
                    given_up = ledger.lose(job, outcome.why)
                    if given_up is None:
                        say(f"{job.cell.stem}: lost: {outcome.why}; taken again")
                        again.append(job)
                        continue
                    ended: RunRecord | UserError = given_up
                else:
                    ended = store_here(job, outcome) if isinstance(outcome, Finished) else outcome
                del ledger.open[job.cell]
                yield job, ended
            if again := [*again, *ledger.freed()]:
                executor.submit(again)
    finally:
        executor.close()


Make = Callable[[int, OnSteps], Executor]
"""Makes an executor from the number of runs at a time (0: the executor's own default) and the callback for steps."""


def _of(module: str, name: str) -> Make:
    def make(workers: int, on_steps: OnSteps) -> Executor:
        made: Executor = getattr(importlib.import_module(f"clinsynth.training.{module}"), name)(workers, on_steps)
        return made

    return make


EXECUTORS: Registry[Make] = Registry(
    "executor",
    lambda: {
        "local": _of("local_processes", "LocalProcesses"),
        "slurm": _of("slurm_jobs", "SlurmJobs"),
        "ray": _of("ray_tasks", "RayTasks"),
    },
)
