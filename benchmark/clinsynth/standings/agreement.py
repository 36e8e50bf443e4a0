"""Agreement of the ranking with other aggregates and other students: Kendall's tau, and pairs in reverse order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from clinsynth.core import TASKS
from clinsynth.scoring.statistics import ALPHA, kendall_tau
from clinsynth.standings.model import MEAN_OF_TYPES, Agreement, Interval, Overall, Standings

DRAWS = 2_000
LEAST_TASKS = 3
"""Fewest tasks for an interval over tasks."""


def agreements(table: Standings, students: Iterable[Sequence[Standings]], seed: int = 0) -> Iterator[Agreement]:
    """Between aggregates of the ranked rows, and between this student and each other one.

    Args:
        table: with its ranking.
        students: the tables of each other recipe, one for each of its budgets.
        seed: of the resampling.
    """
    ranked = {row.name: row.statistics for row in table.rows if row.statistics and row.statistics.group is not None}
    orders = {
        MEAN_OF_TYPES: {name: own.mean for name, own in ranked.items()},
        "Borda": {name: own.borda for name, own in ranked.items() if own.borda is not None},
        "mean gap recovered": _gaps(ranked),
    }
    for (first, a), (second, b) in combinations(orders.items(), 2):
        if a and b:
            names = len(a.keys() & b.keys())
            yield Agreement("aggregates", first, second, names, kendall_tau(a, b), None, _turned(a, b))
    for budgets in students:
        yield from _students(table, budgets, seed)


def _gaps(ranked: Mapping[str, Overall]) -> dict[str, float]:
    return {name: own.gap for name, own in ranked.items() if own.gap is not None}


def _students(table: Standings, budgets: Sequence[Standings], seed: int) -> Iterator[Agreement]:
    """Agreement with the budget that shares most submissions, on the tasks that both tables require.

    Of several the table's own: rows that had fewer stand in the tables of larger budgets too, such as gold-full's.
    """
    candidates = [(other, *_orders(table, other)) for other in budgets]
    other, a, b = max(candidates, key=lambda each: (len(each[1]), each[0].budget == table.budget, each[0].budget))
    if a:
        first, second = (f"{each.recipe}, {each.budget:,} rows" for each in (table, other))
        interval = _over_tasks(table, other, list(a), seed)
        yield Agreement("students", first, second, len(a), kendall_tau(a, b), interval, _turned(a, b))


def _common(table: Standings, other: Standings) -> list[str]:
    return [task for task in table.required if task in other.required]


def _orders(table: Standings, other: Standings) -> tuple[dict[str, float], dict[str, float]]:
    """Overall scores of the submissions that both tables have, on the tasks that both require."""
    tasks = _common(table, other)
    a, b = (
        {row.name: mean for row in each.rows
         if row.kind == "submission" and (mean := row.overall(tasks)) is not None}
        for each in (table, other)
    )  # fmt: skip
    names = [name for name in a if name in b]
    return {name: a[name] for name in names}, {name: b[name] for name in names}


def _turned(a: Mapping[str, float], b: Mapping[str, float]) -> tuple[tuple[str, str], ...]:
    ahead = sorted((name for name in a if name in b), key=lambda name: (-a[name], name))
    return tuple((one, two) for one, two in combinations(ahead, 2) if a[one] > a[two] and b[one] < b[two])


def _over_tasks(table: Standings, other: Standings, names: Sequence[str], seed: int) -> Interval | None:
    """Interval of tau for other tasks of these types: 95 % of resamples of the tasks, each a mean of type means."""
    tasks = _common(table, other)
    if len(tasks) < LEAST_TASKS or len(names) < 2:
        return None
    types = [TASKS[task].spec.type for task in tasks]
    of_type = np.array([[kind == name for kind in types] for name in dict.fromkeys(types)], dtype=np.float64)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(tasks), np.full(len(tasks), 1 / len(tasks)), size=DRAWS)
    sizes = counts @ of_type.T
    weights = counts / (sizes @ of_type).clip(1) / (sizes > 0).sum(axis=1, keepdims=True)
    signs: list[npt.NDArray[np.float64]] = []
    for each in (table, other):
        rows = {row.name: row for row in each.rows}
        scores = np.array([[rows[name].scores[task].mean for name in names] for task in tasks])
        means: npt.NDArray[np.float64] = (weights @ scores).round(9)  # equal means are equal on every machine
        signs.append(np.sign(means[:, :, None] - means[:, None, :]))
    x, y = signs
    scale = np.sqrt((x * x).sum(axis=(1, 2)) * (y * y).sum(axis=(1, 2)))
    taus: npt.NDArray[np.float64] = (x * y).sum(axis=(1, 2))[scale > 0] / scale[scale > 0]
    if not taus.size:
        return None
    # Ends that were drawn, and so are the same on every machine.
    low, high = np.quantile(taus, (ALPHA / 2, 1 - ALPHA / 2), method="inverted_cdf")
    return Interval(float(low), float(high))
