"""Who does runs: processes of this machine, or jobs of a cluster. State is the records on disk, nothing else."""

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
"""Called with optimiser steps that are done."""
ATTEMPTS = 3
"""How often a run is begun whose worker dies."""
LOOK_SECONDS = 5.0
"""How often to look what has become of runs that another call is at."""


class Executor(Protocol):
    """Somewhere where runs are done. It knows of processes and jobs; which runs are left to do is ``dispatch``'s."""

    def where(self, jobs: Sequence[Job]) -> list[str]:
        """Where these would be done, for people. Starts nothing. Raises ``UserError`` if they cannot be."""
        ...

    def submit(self, jobs: Sequence[Job]) -> None:
        """Have them done; called again for those that are to be tried again. Raises ``UserError``."""
        ...

    def outcomes(self) -> Sequence[tuple[Job, Outcome]]:
        """What has become of runs since the last call; waits a little if nothing has."""
        ...

    def close(self) -> None:
        """End whatever is not over, here or on a cluster. May be called at any time, and again."""
        ...


class _Ledger:
    """Which runs are under way, which another call is at, and how often a run was lost."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.open: dict[Cell, Job] = {job.cell: job for job in jobs}
        self._busy: dict[Cell, str] = {}
        self._lost: Counter[Cell] = Counter()
        self._looked = 0.0

    def left_to(self, job: Job, who: str) -> bool:
        """Another call is at a run; gives whether that is news."""
        news = who not in self._busy.values()
        self._busy[job.cell] = who
        return news

    def lose(self, job: Job, why: str) -> UserError | None:
        """A worker died; gives the error if the run is not to be tried again."""
        self._lost[job.cell] += 1
        if self._lost[job.cell] < ATTEMPTS:
            return None
        return UserError(f"given up after {ATTEMPTS} attempts: {why}", remedy="look after the machine, then call again")

    def freed(self) -> list[Job]:
        """Runs that another call was at and is no more: done, or left behind; whoever takes them looks which."""
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
    """Every job with its record, or with the reason why there is none; each is stored when it comes.

    Runs of a worker that died are taken again, as often as ``ATTEMPTS`` says; those that another call is at are waited
    for. However this ends, nothing that was submitted is left behind.

    Args:
        jobs: each of another cell.
        executor: who does them.
        say: takes a line that is worth telling.
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
"""(runs at a time; 0: what is best there; called with steps done) to an executor."""


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
