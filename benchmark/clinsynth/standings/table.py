"""Records to a table of means: the only place where scores are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clinsynth.profiles import Profiler
from clinsynth.registry import TASKS
from clinsynth.results import DataKind, RunRecord
from clinsynth.standings.collecting import Chosen, Collection, choose, collect
from clinsynth.standings.model import Score, Standing, Standings


def standings(
    places: Sequence[Path], recipe: str, budget: int, kind: DataKind, profiler: Profiler | None = None
) -> Standings:
    """The table of what is stored under ``places``.

    Args:
        places: submissions, or folders that hold some.
        recipe: name of the recipe.
        budget: training rows.
        kind: of the data that runs were made on.
        profiler: gives the statistics, where the test sets are here; for ``None`` records are read and nothing else.

    Raises:
        UserError: there is no submission.
    """
    return standings_of(collect(places, kind), recipe, budget, profiler)


def standings_of(collection: Collection, recipe: str, budget: int, profiler: Profiler | None = None) -> Standings:
    """The same from what was read before: for tables of several recipes and budgets."""
    chosen = choose(collection, recipe, budget)
    table = means(collection, chosen, recipe, budget)
    if profiler is None:
        return table
    from clinsynth.standings.overall import with_statistics

    return with_statistics(table, collection, chosen, profiler)


def means(collection: Collection, chosen: Sequence[Chosen], recipe: str, budget: int) -> Standings:
    """The table without statistics."""
    left_out = list(collection.left_out)
    rows: list[Standing] = []
    for each in chosen:
        card = each.stored.card
        scores = {task: _score(task, each.runs[task]) for task in TASKS if task in each.runs}
        left_out += [f"{card.name} on {task} is not shown: {reason}." for task, reason in each.odd.items()]
        if scores:
            rows.append(Standing(card.name, card.title, card.kind, scores))
        elif not each.odd:
            left_out.append(f"{card.name} is not shown: no {collection.kind} run of {recipe} on {budget:,} rows.")
    tasks = tuple(name for name in TASKS if any(name in row.scores for row in rows))
    of_references = {task for row in rows if row.kind == "reference" for task in row.scores}
    required = tuple(task for task in tasks if task in of_references) or tasks
    overall = {row.name: row.overall(required) for row in rows}
    rows.sort(key=lambda row: ((mean := overall[row.name]) is None, -(mean or 0.0), row.name))
    return Standings(recipe, budget, collection.kind, tasks, tuple(rows), tuple(left_out), required)


def _score(task: str, runs: Sequence[RunRecord]) -> Score:
    return Score(task, runs[0].metric, runs[0].rows, {run.seed: run.score for run in runs})
