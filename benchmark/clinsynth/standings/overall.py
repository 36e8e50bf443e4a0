"""The table with its statistics: the ranking over task types, curves, costs and agreements between orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from clinsynth.profiles import Profiler, one_thread
from clinsynth.progress import progress
from clinsynth.registry import TASKS
from clinsynth.scoring.statistics import Estimate, Measured, combine
from clinsynth.scoring.statistics.overall import Ranking, type_weights
from clinsynth.scoring.statistics.overall import ranking as rank
from clinsynth.standings.agreement import agreements
from clinsynth.standings.collecting import Chosen, Collection
from clinsynth.standings.costs import with_costs
from clinsynth.standings.curves import curves
from clinsynth.standings.eligibility import reasons
from clinsynth.standings.model import Score, Standing, Standings
from clinsynth.standings.numbers import Difference, Interval, Overall
from clinsynth.standings.on_task import TaskTable, difference_to, interval, opponent
from clinsynth.standings.working import task_tables


def with_statistics(
    table: Standings, collection: Collection, chosen: Sequence[Chosen], profiler: Profiler
) -> Standings:
    """The same table with all that its test sets say."""
    made: dict[str, TaskTable] = {}
    unavailable: dict[str, str] = {}
    with progress("standings", len(table.tasks)) as bar:
        tables = task_tables(table.tasks, chosen, profiler, bar.advance)
    for task, found in tables.items():
        if isinstance(found, str):
            unavailable[task] = found
        else:
            made[task] = found
    rows = [_row(row, made, unavailable) for row in table.rows]
    by_name = {each.entry.name: each for each in chosen}
    why = {
        row.name: reasons(
            by_name[row.name],
            table.required,
            unavailable,
            {task: one.faults[row.name] for task, one in made.items() if row.name in one.faults},
            {task: one.unfit[row.name] for task, one in made.items() if row.name in one.unfit},
            collection.kind,
        )
        for row in rows
    }
    fit = [row.name for row in rows if not why[row.name]]
    pairs = {task: one.pairs for task, one in made.items()}
    with one_thread():
        ranking = rank(pairs, task_types(table.required), fit, profiler.seed)
    rows = [
        replace(
            row,
            reasons=why[row.name],
            statistics=_overall(row, table.required, made, ranking, profiler.seed),
            types=_types(row, table.required, made, profiler.seed),
            curves=curves(row.name, table.required, made, profiler.seed),
        )
        for row in rows
    ]
    rows = with_costs(rows, {each.entry.name: each.stored.card.cost for each in chosen})
    rows.sort(key=lambda row: _place(row, ranking))
    return replace(
        table,
        rows=tuple(rows),
        summaries={task: one.summary for task, one in made.items()},
        agreements=tuple(agreements(rows, table, collection)),
        unavailable=unavailable,
        resamples=profiler.resamples,
        computed=True,
    )


def _row(row: Standing, made: Mapping[str, TaskTable], unavailable: Mapping[str, str]) -> Standing:
    def filled(task: str, score: Score) -> Score:
        if task in unavailable:
            return replace(score, missing=unavailable[task])
        if row.name in made[task].faults:
            return replace(score, missing=str(made[task].faults[row.name]).splitlines()[0])
        return replace(score, statistics=made[task].scores[row.name], missing="")

    return replace(row, scores={task: filled(task, score) for task, score in row.scores.items()})


def _place(row: Standing, ranking: Ranking) -> tuple[int, float, str]:
    if row.name in ranking.groups:
        return 0, ranking.names.index(row.name), row.name
    return (1, -row.statistics.mean, row.name) if row.statistics else (2, 0.0, row.name)


def task_types(tasks: Sequence[str]) -> dict[str, str]:
    """The type of each task."""
    return {task: TASKS[task].spec.type for task in tasks}


def _combined(parts: Mapping[str, Measured], seed: int) -> Estimate:
    return combine(parts, type_weights(task_types(list(parts))), seed)


def _interval(name: str, tasks: Sequence[str], made: Mapping[str, TaskTable], seed: int) -> Interval | None:
    """Of the mean of type means; ``None`` if a task has no profile or a single seed."""
    if not all(task in made and name in made[task].names for task in tasks):
        return None
    parts = {task: made[task].measured[name] for task in tasks}
    if any(one.components.seeds < 2 for one in parts.values()):
        return None
    return interval(_combined(parts, seed))


def _types(row: Standing, required: Sequence[str], made: Mapping[str, TaskTable], seed: int) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for kind in sorted(set(task_types(required).values())):
        tasks = [task for task in required if TASKS[task].spec.type == kind]
        own = _interval(row.name, tasks, made, seed) if set(tasks) <= row.scores.keys() else None
        if own:
            found[kind] = own
    return found


def _overall(
    row: Standing, required: Sequence[str], made: Mapping[str, TaskTable], ranking: Ranking, seed: int
) -> Overall | None:
    mean = row.overall(required)
    if mean is None:
        return None
    name = row.name
    return Overall(
        mean=mean,
        interval=_interval(name, required, made, seed),
        leader=_to_leader(name, required, made, ranking, seed),
        gap=_gap(row, required),
        group=ranking.groups.get(name),
        ranks=ranking.ranks.get(name),
        borda=ranking.borda.get(name),
        win_rate=ranking.win_rate.get(name),
    )


def _to_leader(
    name: str, tasks: Sequence[str], made: Mapping[str, TaskTable], ranking: Ranking, seed: int
) -> Difference | None:
    other = opponent(name, ranking.names)
    if other is None or any(name not in made[task].names for task in tasks):
        return None
    if any(len(made[task].pairs.common(name, other)) < 2 for task in tasks):
        return None
    parts = {task: made[task].pairs.difference(name, other) for task in tasks}
    p_holm = ranking.p_holm.get(other if name == ranking.names[0] else name)
    return difference_to(other, _combined(parts, seed), p_holm)


def _gap(row: Standing, tasks: Sequence[str]) -> float | None:
    """Mean over types of the tasks' mean gap recovered."""
    gaps = {task: own.gap.value for task in tasks if (own := row.scores[task].statistics)}
    if len(gaps) < len(tasks) or any(value is None for value in gaps.values()):
        return None
    weights = type_weights(task_types(tasks))
    return sum(weights[task] * value for task, value in gaps.items() if value is not None)


def count_by_reason(rows: Sequence[Standing]) -> dict[str, int]:
    """How many rows have no rank, by the first of their reasons."""
    return dict(Counter(row.reasons[0].code for row in rows if row.reasons))
