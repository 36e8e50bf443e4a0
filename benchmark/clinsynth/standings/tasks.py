"""The statistics of all tasks of a table: one after another, or on every core where there is much to compute.

A task is computed by one process from its own records, the same way wherever that is: no number depends on how many
processes there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

from clinsynth.core import UserError, worker_pool
from clinsynth.standings.collection import Chosen, Stored
from clinsynth.standings.profiles import Profiler
from clinsynth.standings.runs import Entry
from clinsynth.standings.task import TaskTable, task_table

FEW_RUNS = 5_000
"""With fewer runs in the table, processes cost more than they bring: each takes about two seconds to start, and a run
half a millisecond on 200 examples."""


def task_tables(
    tasks: Sequence[str], chosen: Sequence[Chosen], profiler: Profiler, on_done: Callable[[float], Any]
) -> dict[str, TaskTable | str]:
    """For each task its statistics, or the reason why there are none.

    Args:
        tasks: of the table.
        chosen: the runs that stand in it.
        profiler: ``workers`` of it are the most processes that are started; none for a small table.
        on_done: called with 1 whenever a task is finished.

    Raises:
        UserError: a process was killed.
    """
    runs = sum(len(records) for each in chosen for records in each.entry.runs.values())
    workers = min(profiler.workers, len(tasks))
    if workers > 1 and runs >= FEW_RUNS:
        return _spread(tasks, chosen, profiler, workers, on_done)
    found: dict[str, TaskTable | str] = {}
    for task in tasks:
        found[task] = task_table(task, chosen, profiler)
        on_done(1)
    return found


def _spread(
    tasks: Sequence[str], chosen: Sequence[Chosen], profiler: Profiler, workers: int, on_done: Callable[[float], Any]
) -> dict[str, TaskTable | str]:
    found: dict[str, TaskTable | str] = {}
    try:
        with worker_pool(workers) as pool:
            pending = {pool.submit(task_table, task, _only(task, chosen), profiler): task for task in tasks}
            for future in as_completed(pending):
                found[pending[future]] = future.result()
                on_done(1)
    except BrokenProcessPool as error:
        raise UserError(
            "a process that computed statistics was killed, most likely for want of memory",
            remedy="free some memory and call again: what was computed from predictions is kept",
        ) from error
    return {task: found[task] for task in tasks}


def _only(task: str, chosen: Sequence[Chosen]) -> list[Chosen]:
    """What one task is computed from, so that a process is handed no more."""
    return [_cut(task, each) for each in chosen if task in each.runs]


def _cut(task: str, each: Chosen) -> Chosen:
    own: Stored = replace(each.stored, records=tuple(r for r in each.stored.records if r.task == task))
    entry: Entry = replace(each.entry, runs={task: each.entry.runs[task]})
    return Chosen(own, entry, {task: each.runs[task]}, {})
