"""Where runs are done: processes of this machine, or jobs of a cluster. State is the records on disk, nothing else."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import groupby
from pathlib import Path
from typing import Any

from clinsynth.core import TASKS, Registry, UserError, worker_pool
from clinsynth.results import RunRecord
from clinsynth.training.recipe import RECIPES
from clinsynth.training.run import Job, run

Outcome = tuple[Job, RunRecord | UserError]
Executor = Callable[[Sequence[Job], int, Callable[[float], Any]], Iterator[Outcome]]
"""(jobs, workers, called with steps done) to outcomes as they come."""

SLURM_VARIABLE = "CLINSYNTH_SLURM"
POLL_SECONDS = 0.5
SLURM_MINUTES_PER_RUN = 30
"""Time limit asked for one run; a chunk of runs asks for its multiple."""

_steps_done: Any = None
"""In a worker: the counter it shares with the parent."""


def _share(counter: Any) -> None:
    global _steps_done  # noqa: PLW0603 - how a pool hands a shared counter to its workers
    _steps_done = counter


def _count_step() -> None:
    with _steps_done.get_lock():
        _steps_done.value += 1


def _attempt(job: Job, on_step: Callable[[], Any] = lambda: None) -> RunRecord | UserError:
    try:
        return run(job, on_step)
    except UserError as error:
        return error


def _counted_attempt(job: Job) -> RunRecord | UserError:
    return _attempt(job, _count_step)


def local(jobs: Sequence[Job], workers: int, on_steps: Callable[[float], Any]) -> Iterator[Outcome]:
    """Processes on this machine. Raises ``UserError`` if one of them is killed; finished runs are kept."""
    counter = multiprocessing.get_context("spawn").Value("L", 0)
    try:
        with worker_pool(min(workers, len(jobs)), _share, (counter,)) as pool:
            pending: dict[Future[RunRecord | UserError], Job] = {
                pool.submit(_counted_attempt, job): job for job in jobs
            }
            seen = 0
            while pending:
                finished, _ = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                on_steps(counter.value - seen)
                seen = counter.value
                for future in finished:
                    yield pending.pop(future), future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process was killed, most likely for want of memory",
            remedy="call again with fewer --workers: finished runs are kept",
        ) from error


def _attempt_all(jobs: Sequence[Job]) -> list[RunRecord | UserError]:
    return [_attempt(job) for job in jobs]


def slurm(jobs: Sequence[Job], workers: int, on_steps: Callable[[float], Any]) -> Iterator[Outcome]:
    """One array task for each task of the benchmark, ``workers`` at a time, through submitit.

    Runs of a task share its tokenised test set, and schedulers dislike arrays of tiny jobs. Partition, account and the
    like come from ``CLINSYNTH_SLURM`` ("partition=gpu gres=gpu:1"). Without a scheduler on this machine, submitit runs
    the chunks here.
    """
    try:
        submitit: Any = importlib.import_module("submitit")
    except ImportError as error:
        raise UserError("SLURM needs submitit", remedy="pip install 'clinsynth[slurm]'") from error
    chunks = [list(chunk) for _, chunk in groupby(jobs, key=lambda job: job.cell.task)]
    extra = _slurm_options(os.environ.get(SLURM_VARIABLE, ""))
    executor = submitit.AutoExecutor(folder=Path("slurm-logs"), cluster=None if shutil.which("srun") else "local")
    executor.update_parameters(
        name="clinsynth",
        timeout_min=SLURM_MINUTES_PER_RUN * max(map(len, chunks)),
        cpus_per_task=max(job.threads for job in jobs),
        slurm_array_parallelism=workers,
        slurm_additional_parameters=extra,
    )
    waiting = list(zip(chunks, executor.map_array(_attempt_all, chunks), strict=True))
    while waiting:
        for chunk, handle in [pair for pair in waiting if pair[1].done()]:
            waiting.remove((chunk, handle))
            on_steps(sum(steps_of(job) for job in chunk))
            yield from zip(chunk, handle.result(), strict=True)
        time.sleep(POLL_SECONDS)


def _slurm_options(text: str) -> dict[str, str]:
    """Options from ``partition=gpu gres=gpu:1``. Raises ``UserError``."""
    pairs = [pair.partition("=") for pair in text.split()]
    if any(not (name and sign and value) for name, sign, value in pairs):
        raise UserError(
            f"{SLURM_VARIABLE}={text!r} cannot be read",
            expected="name=value pairs with blanks between them, as in: partition=gpu gres=gpu:1",
        )
    return {name: value for name, _, value in pairs}


def ray(jobs: Sequence[Job], workers: int, on_steps: Callable[[float], Any]) -> Iterator[Outcome]:
    """Runs as Ray tasks, as many at a time as the cluster has room for; a GPU each where it has any."""
    try:
        engine: Any = importlib.import_module("ray")
    except ImportError as error:
        raise UserError("Ray is not installed", remedy="pip install 'clinsynth[ray]'") from error
    engine.init(
        ignore_reinit_error=True, num_cpus=None if os.environ.get("RAY_ADDRESS") else workers, log_to_driver=False
    )
    gpus = 1 if engine.cluster_resources().get("GPU") else 0
    remote = engine.remote(num_cpus=1, num_gpus=gpus)(_attempt)
    pending = {remote.remote(job): job for job in jobs}
    try:
        while pending:
            finished, _ = engine.wait(list(pending))
            for handle in finished:
                job = pending.pop(handle)
                on_steps(steps_of(job))
                yield job, engine.get(handle)
    finally:
        engine.shutdown()


def steps_of(job: Job) -> int:
    """Optimiser steps of a run: what progress counts."""
    recipe = RECIPES[job.cell.recipe]
    return recipe.few_shot_steps + recipe.settings[TASKS[job.cell.task].spec.type].steps_for(job.cell.rows)


EXECUTORS: Registry[Executor] = Registry("executor", lambda: {"local": local, "slurm": slurm, "ray": ray})
