"""The statistics of one task: intervals, gaps, worth and tie groups, from profiles of the stored runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clinsynth.core import TASKS, UserError
from clinsynth.results import RunRecord
from clinsynth.scoring.statistics import (
    Estimate,
    LazyPairs,
    LearningCurve,
    Measured,
    Profile,
    TaskPairs,
    gap_of,
    holm,
    score_of,
    tie_groups,
    worth_of,
)
from clinsynth.standings.collection import Chosen
from clinsynth.standings.eligibility import unfit
from clinsynth.standings.model import Difference, GapRecovered, Interval, Reason, TaskStatistics, TaskSummary, WorthReal
from clinsynth.standings.profiles import Profiler, RunSet, one_thread
from clinsynth.standings.runs import TestSet, mixed

FLOOR, CEILING, REAL = "majority", "gold-full", "gold-n"
"""References by name: the ends of the gap, and whose runs are the learning curve of real data."""

Point = tuple[str, int]
"""A submission's name and a number of rows."""


@dataclass(slots=True)
class TaskTable:
    """One task of the table: what was computed, and what it was computed from."""

    task: str
    names: list[str]
    """Rows that have a profile."""
    pairs: TaskPairs
    """Profiles of the rows, by name, and of the curve of real data, by ``real_point``."""
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


def task_table(task: str, chosen: Sequence[Chosen], profiler: Profiler) -> TaskTable | str:
    """The statistics of one task, or the reason why there are none."""
    own = {each.entry.name: each for each in chosen if task in each.runs}
    try:
        test = TestSet(TASKS[task], profiler.store)
    except UserError as error:
        return str(error).splitlines()[0]
    # The rows of a task share their conditions: one record speaks for all.
    if next(iter(own.values())).runs[task][0].test.fingerprint != test.fingerprint:
        return f"the runs on {task} were on another test set than the one here"
    at = {name: each.runs[task][0].rows for name, each in own.items()}
    wanted = {(who, rows): RunSet(own[who].entry, runs) for who in own for rows, runs in _points(own[who], task)}
    profiles, faults = profiler.profiles(test, wanted)
    own_profiles = {name: profiles[name, rows] for name, rows in at.items() if (name, rows) in profiles}
    names = list(own_profiles)
    curves = _curves(profiles)
    real = {real_point(rows): profile for (name, rows), profile in profiles.items() if name == REAL}
    whole = _whole(own[CEILING], task) if CEILING in own else 0
    end = CEILING if at.get(CEILING) == whole else ceiling_point(whole)
    top = {end: profiles[CEILING, whole]} if (CEILING, whole) in profiles else {}
    pairs = TaskPairs(own_profiles | real | top)
    refused = {name: faults[name, rows] for name, rows in at.items() if (name, rows) in faults}
    reasons = {name: unfit(each, task, profiler.store.kind) for name, each in own.items()}
    contenders = [name for name in names if not reasons[name]]
    contenders.sort(key=lambda name: (-own_profiles[name].mean, name))
    summary = _summary(task, pairs, curves, contenders, CEILING if top else "")
    made = TaskTable(task, names, pairs, curves, refused, reasons, next(iter(top), ""), contenders, {}, {}, summary)
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
    """The name of a point on the curve of real data. No submission can have it: of a blank in it."""
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


def _summary(
    task: str, pairs: TaskPairs, curves: Mapping[str, LearningCurve], contenders: Sequence[str], ceiling: str
) -> TaskSummary:
    return TaskSummary(
        task=task,
        leader=contenders[0] if contenders else None,
        units=next((profile.units for profile in pairs.profiles.values()), 0),
        detectable=None,
        floor=FLOOR if FLOOR in pairs.profiles else "",
        ceiling=ceiling,
        real_rows=curves[REAL].rows if REAL in curves else (),
    )


def _fill(made: TaskTable) -> None:
    """Compute everything of one task."""
    pairs, contenders = made.pairs, made.contenders
    means = {name: pairs.profiles[name].mean for name in contenders}
    table = LazyPairs(contenders, pairs.row)
    groups = tie_groups(means, table)
    adjusted: dict[str, float] = {}
    if contenders:
        leader, *others = contenders
        adjusted = dict(zip(others, holm([table[leader, other][1] for other in others]), strict=True))
    for name in made.names:
        profile = pairs.profiles[name]
        made.measured[name] = score_of(profile)
        made.scores[name] = TaskStatistics(
            interval=interval(made.measured[name].estimate()) if len(profile.seeds) > 1 else None,
            group=groups.get(name),
            leader=_to_leader(name, made, adjusted),
            gap=_gap(name, made),
            worth=_worth(name, made),
        )
    found = [each.leader.detectable for name in contenders[1:] if (each := made.scores[name]).leader]
    made.summary = replace(made.summary, detectable=float(np.median(found)) if found else None)


def interval(estimate: Estimate) -> Interval:
    """The interval of a score."""
    return Interval(*estimate.score_interval())


def difference_to(other: str, estimate: Estimate, p_holm: float | None) -> Difference:
    """A difference with everything that is said of it."""
    low, high = estimate.interval()
    return Difference(
        other, estimate.value, low, high, estimate.p_value(), p_holm, estimate.probability_positive(),
        estimate.detectable(),
    )  # fmt: skip


def opponent(name: str, ranked: Sequence[str]) -> str | None:
    """Whom a row is compared with: the first, and the second for the first itself."""
    return next((other for other in ranked[:2] if other != name), None)


def _to_leader(name: str, made: TaskTable, adjusted: Mapping[str, float]) -> Difference | None:
    other = opponent(name, made.contenders)
    if other is None or len(made.pairs.common(name, other)) < 2:
        return None
    p_holm = adjusted.get(other if name == made.contenders[0] else name)
    return difference_to(other, made.pairs.difference(name, other).estimate(), p_holm)


def _gap(name: str, made: TaskTable) -> GapRecovered:
    here = {FLOOR: FLOOR in made.pairs.profiles, CEILING: bool(made.ceiling)}
    absent = [who for who, there in here.items() if not there]
    if absent:
        return GapRecovered(None, None, None, f"no run of {' and '.join(absent)} on {made.task}")
    if len(made.pairs.common(name, FLOOR, made.ceiling)) < 2:
        return GapRecovered(None, None, None, f"fewer than two seeds in common with {FLOOR} and {CEILING}")
    gap = gap_of(made.pairs.terms(name, FLOOR, made.ceiling))
    return GapRecovered(gap.value, gap.low, gap.high, gap.reason)


def _worth(name: str, made: TaskTable) -> WorthReal:
    if REAL not in made.curves:
        return WorthReal(None, None, None, "", f"no run of {REAL} on {made.task}")
    real = made.curves[REAL]
    terms = (name, *(real_point(rows) for rows in real.rows))
    if len(made.pairs.common(*terms)) < 2:
        return WorthReal(None, None, None, "", f"fewer than two seeds in common with {REAL}")
    found = worth_of(made.pairs.terms(*terms), made.pairs.profiles[name].mean, real)
    return WorthReal(found.rows, found.low, found.high, found.words, "")
