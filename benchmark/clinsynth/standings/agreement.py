"""Whether other ways to add up, and other students, put the same rows in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from clinsynth.scoring.statistics.ranking import kendall_tau
from clinsynth.standings.collecting import Collection, choose
from clinsynth.standings.model import Standing, Standings
from clinsynth.standings.numbers import Agreement, Overall


def agreements(rows: Sequence[Standing], table: Standings, collection: Collection) -> Iterator[Agreement]:
    """Kendall's tau between aggregates of the ranked rows, and between this recipe and each other one."""
    ranked = {row.name: row.statistics for row in rows if row.statistics and row.statistics.group is not None}
    orders = {
        "mean of the types": {name: own.mean for name, own in ranked.items()},
        "Borda": {name: own.borda for name, own in ranked.items() if own.borda is not None},
        "mean gap recovered": _gaps(ranked),
    }
    for (first, a), (second, b) in combinations(orders.items(), 2):
        if a and b:
            yield Agreement("aggregates", first, second, len(a.keys() & b.keys()), kendall_tau(a, b))
    yield from _students(table, collection)


def _gaps(ranked: Mapping[str, Overall]) -> dict[str, float]:
    return {name: own.gap for name, own in ranked.items() if own.gap is not None}


def _students(table: Standings, collection: Collection) -> Iterator[Agreement]:
    """Against each other recipe, at its budget with most submissions in common, on the tasks that both require."""
    from clinsynth.standings.table import means

    for recipe, budgets in collection.budgets().items():
        if recipe == table.recipe:
            continue
        tables = [means(collection, choose(collection, recipe, budget), recipe, budget) for budget in budgets]
        found = [(other, *_orders(table, other)) for other in tables]
        other, a, b = max(found, key=lambda each: (len(each[1]), each[0].budget))
        if a:
            first, second = (f"{each.recipe}, {each.budget:,} rows" for each in (table, other))
            yield Agreement("students", first, second, len(a), kendall_tau(a, b))


def _orders(table: Standings, other: Standings) -> tuple[dict[str, float], dict[str, float]]:
    """Overall scores of the submissions that both tables have, on the tasks that both require."""
    tasks = [task for task in table.required if task in other.required]
    a, b = (
        {row.name: mean for row in each.rows
         if row.kind == "submission" and (mean := row.overall(tasks)) is not None}
        for each in (table, other)
    )  # fmt: skip
    names = [name for name in a if name in b]
    return {name: a[name] for name in names}, {name: b[name] for name in names}
