"""The statistics of one task: intervals, gaps, worth and tie groups, from profiles of the stored runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clinsynth.core import CEILING, CONSTANT, REAL, TASKS, UserError, worker_pool
from clinsynth.results import RunRecord
from clinsynth.scoring.statistics import (
    Estimate,
    Gap,
    LazyPairs,
    LearningCurve,
    Measured,
    Profile,
    TaskPairs,
    among_all,
    gaps_of,
    prepare,
    score_of,
    settled,
    tie_groups,
    worth_of,
)
from clinsynth.standings.collection import Chosen, Stored
from clinsynth.standings.eligibility import unfit
from clinsynth.standings.model import (
    Difference,
    GapRecovered,
    Interval,
    TaskStatistics,
    TaskSummary,
    WorthReal,
)
from clinsynth.standings.profiles import Profiler, one_thread
from clinsynth.standings.runs import Answers, Entry, TestSet, mixed, scale_of
from clinsynth.standings.verdicts import Reason, judge

Point = tuple[str, int]
"""A submission's name and a number of rows."""


@dataclass(slots=True)
class TaskTable:
    """One task of the table: its statistics, and the profiles that they come from."""

    task: str
    names: list[str]
    """Rows that have a profile, and the constant answer."""
    pairs: TaskPairs
    """Profiles of these, by name, and of the curve of real data, by ``real_point``."""
    curves: dict[str, LearningCurve]
    """By name, for rows with more than one number of rows; and for ``REAL`` in any case."""
    faults: dict[str, Exception]
    """By name, why a row has no profile."""
    unfit: dict[str, list[Reason]]
    """By name, why a row does not take part in the tie groups; empty: it does."""
    ceiling: str
    """The point of ``pairs`` that is the upper end of the gap; empty if it is absent."""
    contenders: list[str]
    """Rows that take part in this task's tie groups, best first."""
    scores: dict[str, TaskStatistics]
    measured: dict[str, Measured]
    """By name, the score with its variance components."""
    summary: TaskSummary
    scale: float
    """From the constant answer to the ceiling, as verdicts need it."""


def task_table(task: str, chosen: Sequence[Chosen], profiler: Profiler) -> TaskTable | str:
    """The statistics of one task, or the reason why there are none."""
    own = {each.entry.name: each for each in chosen if task in each.runs}
    try:
        test = TestSet(TASKS[task], profiler.store)
        # The rows of a task share their conditions: one record speaks for all.
        if next(iter(own.values())).runs[task][0].test.fingerprint != test.fingerprint:
            return f"the runs on {task} were on another test set than the one here"
        constant, floor = profiler.constant(test)
    except UserError as error:
        return str(error).splitlines()[0]
    at = {name: each.runs[task][0].rows for name, each in own.items()}
    wanted = {(who, rows): Answers.of(own[who].entry, runs) for who in own for rows, runs in _points(own[who], task)}
    profiles, faults = profiler.profiles(test, wanted)
    own_profiles = {name: profiles[name, rows] for name, rows in at.items() if (name, rows) in profiles}
    own_profiles[CONSTANT] = floor
    names = list(own_profiles)
    curves = _curves(profiles)
    real = {real_point(rows): profile for (name, rows), profile in profiles.items() if name == REAL}
    whole = _whole(own[CEILING], task) if CEILING in own else 0
    end = CEILING if at.get(CEILING) == whole else ceiling_point(whole)
    top = {end: profiles[CEILING, whole]} if (CEILING, whole) in profiles else {}
    pairs = TaskPairs(own_profiles | real | top)
    refused = {name: faults[name, rows] for name, rows in at.items() if (name, rows) in faults}
    reasons = {name: unfit(each, task, profiler.store.kind) for name, each in own.items()}
    contenders = [name for name in names if name != CONSTANT and not reasons[name]]
    contenders.sort(key=lambda name: (-own_profiles[name].mean, name))
    summary = TaskSummary(
        task=task, leader=contenders[0] if contenders else None, units=floor.units, detectable=None,
        floor=constant.score, constant=constant.words, ceiling=CEILING if top else "",
        real_rows=curves[REAL].rows if REAL in curves else (),
    )  # fmt: skip
    scale = scale_of(test, constant.score, own[CEILING].entry.runs[task] if CEILING in own else [])
    made = TaskTable(
        task, names, pairs, curves, refused, reasons, next(iter(top), ""), contenders, {}, {}, summary, scale
    )
    with one_thread():
        _fill(made)
    return made


def _points(each: Chosen, task: str) -> list[tuple[int, list[RunRecord]]]:
    """The runs that stand in the table, and those at other numbers of rows that were made under the same conditions."""
    shown = each.runs[task]
    by_rows: dict[int, list[RunRecord]] = {}
    for record in each.entry.runs[task]:
        by_rows.setdefault(record.rows, []).append(record)
    others = [
        (rows, sorted(runs, key=lambda record: record.seed))
        for rows, runs in sorted(by_rows.items())
        if rows != shown[0].rows
        and not mixed([*runs, shown[0]])
        and all(record.test.fingerprint == shown[0].test.fingerprint for record in runs)
    ]
    return [(shown[0].rows, shown), *others]


def real_point(rows: int) -> str:
    """The name of a point on the curve of real data. It holds a blank, so no submission can have it."""
    return f"{REAL} {rows}"


def ceiling_point(rows: int) -> str:
    """The name of the runs on all real rows where the row of the table stands for fewer."""
    return f"{CEILING} {rows}"


def _whole(each: Chosen, task: str) -> int:
    """The most rows of a run on all that the submission has: a run that was cut to a budget is no ceiling.

    Without one of the same test set, settings and data as the runs that stand in the table, it is the rows of these.
    """
    return max(
        (rows for rows, runs in _points(each, task) if all(rows == record.training.available for record in runs)),
        default=each.runs[task][0].rows,
    )


def _curves(profiles: Mapping[Point, Profile]) -> dict[str, LearningCurve]:
    by_name: dict[str, dict[int, Profile]] = {}
    for (name, rows), profile in profiles.items():
        by_name.setdefault(name, {})[rows] = profile
    return {
        name: LearningCurve(tuple(sorted(points)), tuple(points[rows] for rows in sorted(points)))
        for name, points in by_name.items()
        if len(points) > 1 or name == REAL
    }


def _fill(made: TaskTable) -> None:
    """Compute everything of one task."""
    pairs, contenders = made.pairs, made.contenders
    means = {name: pairs.profiles[name].mean for name in contenders}
    table = LazyPairs(contenders, pairs.row)
    groups = tie_groups(means, table)
    gaps = _gaps(made)
    made.measured |= {name: score_of(pairs.profiles[name]) for name in made.names}
    own = {name: one.estimate() for name, one in made.measured.items() if one.components.seeds != 1}
    leading = {name: other for name in made.names if (other := opponent(name, contenders))}
    behind = {name: pairs.difference(name, other) for name, other in leading.items()}
    known = {name: one.estimate() for name, one in behind.items() if one.components.seeds != 1}
    prepare([*own.values(), *known.values()])
    for name in made.names:
        made.scores[name] = TaskStatistics(
            interval=interval(own[name]) if name in own else None,
            group=groups.get(name),
            leader=_to_leader(made, name, leading[name], known[name], behind[name].components.seeds)
            if name in known
            else None,
            gap=gaps[name],
            worth=_worth(name, made),
        )
    detectable = [each.leader.detectable for name in contenders[1:] if (each := made.scores[name]).leader]
    made.summary = replace(made.summary, detectable=float(np.median(detectable)) if detectable else None)


def interval(estimate: Estimate) -> Interval:
    """The interval of a score."""
    return Interval(*estimate.score_interval())


def difference_to(other: str, measured: Estimate, seeds: int, scale: float, contenders: int) -> Difference:
    """A difference with its interval, p-values and verdict.

    Args:
        other: name of the other row.
        measured: the difference.
        seeds: the fewest behind it.
        scale: as ``judge`` needs it.
        contenders: how many there are, if the row is one of them; else 0.
    """
    low, high = measured.interval()
    p, probability = measured.p_value(), measured.probability_positive()
    adjusted = settled(among_all(p, contenders)) if contenders else None
    if adjusted is not None and measured.value != 0:
        # The other was chosen by the scores: what is said of the two allows for that.
        probability = settled(1 - adjusted / 2 if measured.value > 0 else adjusted / 2)
    return Difference(
        other, settled(measured.value), low, high, p, adjusted, probability, measured.detectable(),
        judge(measured, seeds, scale),
    )  # fmt: skip


def opponent(name: str, ranked: Sequence[str]) -> str | None:
    """The name that a row is compared with: the first, or the second for the first itself."""
    return next((other for other in ranked[:2] if other != name), None)


def _to_leader(made: TaskTable, name: str, other: str, found: Estimate, seeds: int) -> Difference:
    contenders = len(made.contenders) if name in made.contenders else 0
    return difference_to(other, found, seeds, made.scale, contenders)


def _one_seed(made: TaskTable, *names: str) -> bool:
    """Whether one of these rows has a single seed, which says nothing of other seeds."""
    return any(len(made.pairs.profiles[name].seeds) == 1 for name in names)


def _gaps(made: TaskTable) -> dict[str, GapRecovered]:
    """By name."""
    if not made.ceiling:
        return dict.fromkeys(made.names, GapRecovered(None, None, None, f"no run of {CEILING} on {made.task}"))
    gaps = gaps_of([made.pairs.terms(name, CONSTANT, made.ceiling) for name in made.names])
    return {name: _shown(name, gap, made) for name, gap in zip(made.names, gaps, strict=True)}


def _shown(name: str, gap: Gap, made: TaskTable) -> GapRecovered:
    if gap.value is not None and _one_seed(made, name, made.ceiling):
        return GapRecovered(gap.value, None, None, "one seed does not show how far seeds lie apart")
    return GapRecovered(gap.value, gap.low, gap.high, gap.reason)


def _worth(name: str, made: TaskTable) -> WorthReal:
    if REAL not in made.curves:
        return WorthReal(None, None, None, "", f"no run of {REAL} on {made.task}")
    real = made.curves[REAL]
    terms = (name, *(real_point(rows) for rows in real.rows))
    if _one_seed(made, *terms):
        return WorthReal(None, None, None, "", "one seed does not show how far seeds lie apart")
    worth = worth_of(made.pairs.terms(*terms), made.pairs.profiles[name].mean, real)
    return WorthReal(worth.rows, worth.low, worth.high, worth.words, "")


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
    tables: dict[str, TaskTable | str] = {}
    for task in tasks:
        tables[task] = task_table(task, chosen, profiler)
        on_done(1)
    return tables


def _spread(
    tasks: Sequence[str], chosen: Sequence[Chosen], profiler: Profiler, workers: int, on_done: Callable[[float], Any]
) -> dict[str, TaskTable | str]:
    tables: dict[str, TaskTable | str] = {}
    try:
        with worker_pool(workers) as pool:
            pending = {pool.submit(task_table, task, _only(task, chosen), profiler): task for task in tasks}
            for future in as_completed(pending):
                tables[pending[future]] = future.result()
                on_done(1)
    except BrokenProcessPool as error:
        raise UserError(
            "a process that computed statistics was killed, most likely for want of memory",
            remedy="free some memory and call again: what was computed from predictions is kept",
        ) from error
    return {task: tables[task] for task in tasks}


def _only(task: str, chosen: Sequence[Chosen]) -> list[Chosen]:
    """The part of the runs that concerns one task, for a worker process."""
    return [_cut(task, each) for each in chosen if task in each.runs]


def _cut(task: str, each: Chosen) -> Chosen:
    own: Stored = replace(each.stored, records=tuple(r for r in each.stored.records if r.task == task))
    entry: Entry = replace(each.entry, runs={task: each.entry.runs[task]})
    return Chosen(own, entry, {task: each.runs[task]}, {})
