"""The table with its statistics: the ranking over task types, curves, costs and agreements between orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

from clinsynth.core import CONSTANT, REFERENCES, TASKS, progress
from clinsynth.results import DataKind, RunRecord
from clinsynth.scoring.statistics import (
    ALPHA,
    Estimate,
    Measured,
    Ranking,
    combine,
    mean_of_types,
    prepare,
    settled,
    type_weights,
    variance_shares,
)
from clinsynth.scoring.statistics import ranking as rank
from clinsynth.standings.agreement import agreements
from clinsynth.standings.collection import Chosen, Collection, Stored, choose, collect
from clinsynth.standings.curves import curves, with_costs
from clinsynth.standings.eligibility import REFERENCE, reasons
from clinsynth.standings.model import (
    Difference,
    LabelMix,
    LeftOut,
    Overall,
    Score,
    Standing,
    Standings,
    task_types,
)
from clinsynth.standings.profiles import Profiler, one_thread, recorded
from clinsynth.standings.task import TaskTable, difference_to, interval, opponent, task_tables
from clinsynth.submissions import Cost


def _other_students(table: Standings, collection: Collection) -> Iterator[list[Standings]]:
    """The tables of each other recipe, one for each of its budgets."""
    for recipe, budgets in collection.budgets().items():
        if recipe != table.recipe:
            yield [means(collection, choose(collection, recipe, budget), recipe, budget) for budget in budgets]


def with_statistics(
    table: Standings, collection: Collection, chosen: Sequence[Chosen], profiler: Profiler
) -> Standings:
    """The same table with its statistics."""
    made: dict[str, TaskTable] = {}
    unavailable: dict[str, str] = {}
    with progress("standings", len(table.tasks)) as bar:
        tables = task_tables(table.tasks, chosen, profiler, bar.advance)
    for task, found in tables.items():
        if isinstance(found, str):
            unavailable[task] = found
        else:
            made[task] = found
    table = _with_constant(table, {task: one.summary.floor for task, one in made.items()})
    rows = [_row(row, made, unavailable) for row in table.rows]
    by_name = {each.entry.name: each for each in chosen}
    why = {CONSTANT: (REFERENCE,)} | {
        row.name: reasons(
            by_name[row.name],
            table.required,
            unavailable,
            {task: one.faults[row.name] for task, one in made.items() if row.name in one.faults},
            {task: one.unfit[row.name] for task, one in made.items() if row.name in one.unfit},
            collection.kind,
        )
        for row in rows
        if row.name != CONSTANT
    }
    fit = [row.name for row in rows if not why[row.name]]
    pairs = {task: one.pairs for task, one in made.items()}
    with one_thread():
        ranking = rank(pairs, task_types(table.required), fit, profiler.seed)
        combined = _estimates(rows, table.required, made, ranking, profiler.seed)
    rows = [
        replace(
            row,
            reasons=why[row.name],
            statistics=_overall(row, table.required, made, ranking, combined),
            types={kind: interval(own) for kind, own in combined.types[row.name].items()},
            curves=curves(row.name, table.required, made, profiler.seed),
        )
        for row in rows
    ]
    rows = with_costs(rows, {CONSTANT: Cost(), **{each.entry.name: each.stored.card.cost for each in chosen}})
    rows.sort(key=lambda row: _place(row, ranking))
    return replace(
        table,
        rows=tuple(rows),
        summaries={task: one.summary for task, one in made.items()},
        agreements=tuple(
            agreements(replace(table, rows=tuple(rows)), _other_students(table, collection), profiler.seed)
        ),
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


def _combined(parts: Mapping[str, Measured], seed: int) -> Estimate:
    return combine(parts, type_weights(task_types(parts)), seed)


def _mean(name: str, tasks: Sequence[str], made: Mapping[str, TaskTable], seed: int) -> Estimate | None:
    """The mean of type means; ``None`` if a task has no profile or a single seed."""
    if not all(task in made and name in made[task].names for task in tasks):
        return None
    parts = {task: made[task].measured[name] for task in tasks}
    if any(one.components.seeds == 1 for one in parts.values()):
        return None
    return _combined(parts, seed)


@dataclass(frozen=True, slots=True)
class _Lead:
    """A row's difference to the first of the ranking."""

    other: str
    estimate: Estimate
    seeds: int


@dataclass(frozen=True, slots=True)
class _Estimates:
    """Estimates over tasks of all rows, so that their quantiles are found together."""

    means: dict[str, Estimate]
    types: dict[str, dict[str, Estimate]]
    """By row and type."""
    leads: dict[str, _Lead]


def _estimates(
    rows: Sequence[Standing], required: Sequence[str], made: Mapping[str, TaskTable], ranking: Ranking, seed: int
) -> _Estimates:
    estimates = _Estimates({}, {}, {})
    kinds = sorted(set(task_types(required).values()))
    for row in rows:
        estimates.types[row.name] = {}
        for kind in kinds:
            tasks = [task for task in required if TASKS[task].spec.type == kind]
            if set(tasks) <= row.scores.keys() and (own := _mean(row.name, tasks, made, seed)):
                estimates.types[row.name][kind] = own
        if row.overall(required) is None:
            continue
        if mean := _mean(row.name, required, made, seed):
            estimates.means[row.name] = mean
        if lead := _lead(row.name, required, made, ranking, seed):
            estimates.leads[row.name] = lead
    of_types = (each for own in estimates.types.values() for each in own.values())
    prepare([*estimates.means.values(), *of_types], (ALPHA / 2,))
    prepare([lead.estimate for lead in estimates.leads.values()])
    return estimates


def _overall(
    row: Standing, required: Sequence[str], made: Mapping[str, TaskTable], ranking: Ranking, found: _Estimates
) -> Overall | None:
    mean = row.overall(required)
    if mean is None:
        return None
    name = row.name
    gap, gap_tasks = _gap(row, required)
    lead = found.leads.get(name)
    return Overall(
        mean=mean,
        interval=interval(found.means[name]) if name in found.means else None,
        leader=_to_leader(name, lead, required, made, ranking) if lead else None,
        gap=gap,
        gap_tasks=gap_tasks,
        variance_shares=_shares(name, required, made),
        group=ranking.groups.get(name),
        ranks=ranking.ranks.get(name),
        borda=ranking.borda.get(name),
        win_rate=ranking.win_rate.get(name),
    )


def _lead(name: str, tasks: Sequence[str], made: Mapping[str, TaskTable], ranking: Ranking, seed: int) -> _Lead | None:
    other = opponent(name, ranking.names)
    if other is None or any(name not in made[task].names for task in tasks):
        return None
    parts = {task: made[task].pairs.difference(name, other) for task in tasks}
    seeds = min((part.components.seeds for part in parts.values() if part.components.seeds), default=0)
    return None if seeds == 1 else _Lead(other, _combined(parts, seed), seeds)


def _to_leader(
    name: str, lead: _Lead, tasks: Sequence[str], made: Mapping[str, TaskTable], ranking: Ranking
) -> Difference:
    scale = mean_of_types({task: made[task].scale for task in tasks}, task_types(tasks))
    contenders = len(ranking.names) if name in ranking.groups else 0
    return difference_to(lead.other, lead.estimate, lead.seeds, scale, contenders)


def _gap(row: Standing, tasks: Sequence[str]) -> tuple[float | None, tuple[str, ...]]:
    """Mean over types of the mean gap recovered of their tasks, and the tasks that have one."""
    gaps = {task: own.gap.value for task in tasks if (own := row.scores[task].statistics) and own.gap.value is not None}
    return (settled(mean_of_types(gaps, task_types(gaps))) if gaps else None), tuple(gaps)


def _shares(name: str, tasks: Sequence[str], made: Mapping[str, TaskTable]) -> dict[str, float]:
    """Shares of the variance of the mean of type means, by task."""
    if not all(task in made and name in made[task].names for task in tasks):
        return {}
    return variance_shares({task: made[task].measured[name] for task in tasks}, task_types(tasks))


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
    """The table of one recipe and budget from submissions that were read before."""
    chosen = choose(collection, recipe, budget)
    table = means(collection, chosen, recipe, budget)
    if profiler is None:
        return table

    return with_statistics(table, collection, chosen, profiler)


def means(collection: Collection, chosen: Sequence[Chosen], recipe: str, budget: int) -> Standings:
    """The table without statistics."""
    left_out = list(collection.left_out)
    here = {
        (task, record.metric, record.test.fingerprint)
        for each in chosen
        for task, runs in each.runs.items()
        for record in runs
    }
    rows: list[Standing] = []
    for each in chosen:
        card = each.stored.card
        scores = {task: _score(task, each.runs[task], each.stored) for task in TASKS if task in each.runs}
        left_out += [
            LeftOut(card.name, task, f"{card.name} on {task} is not shown: {reason}.")
            for task, reason in each.odd.items()
        ]
        if scores:
            rows.append(Standing(card.name, card.title, card.kind, scores))
        elif not each.odd:
            text = f"{card.name} is not shown: no {collection.kind} run of {recipe} on {budget:,} rows."
            left_out.append(LeftOut(card.name, "", text))
    tasks = tuple(name for name in TASKS if any(name in row.scores for row in rows))
    required = _required(tasks, rows)
    table = Standings(recipe, budget, collection.kind, tasks, _ordered(rows, required), tuple(left_out), required)
    stored = [recorded().get(each) for each in here]
    floors = {each.task: each.score for each in stored if each}
    return _with_constant(table, floors)


def _required(tasks: tuple[str, ...], rows: Sequence[Standing]) -> tuple[str, ...]:
    """Tasks that an overall score needs: those of the references by name, else of any submission, else all.

    What somebody else calls a reference decides nothing: it has no rank to lose.
    """
    references = [row for row in rows if row.kind == "reference" and row.name in REFERENCES]
    submissions = [row for row in rows if row.kind != "reference"]
    for deciding in (references, submissions):
        if some := tuple(task for task in tasks if any(task in row.scores for row in deciding)):
            return some
    return tasks


def _ordered(rows: Iterable[Standing], required: Sequence[str]) -> tuple[Standing, ...]:
    """Rows by their mean, best first; those without one last."""
    overall = {row.name: row.overall(required) for row in rows}
    return tuple(sorted(rows, key=lambda row: ((mean := overall[row.name]) is None, -(mean or 0.0), row.name)))


def _with_constant(table: Standings, floors: Mapping[str, float]) -> Standings:
    """The table with a row of the best constant answers, whose scores are ``floors``; those it has stay."""
    before = next((row.scores for row in table.rows if row.name == CONSTANT), dict[str, Score]())
    new = {task: Score(task, TASKS[task].spec.metric, 0, {}, floors[task]) for task in floors}
    scores = {task: (before | new)[task] for task in table.tasks if task in before | new}
    if not scores:
        return table
    row = Standing(CONSTANT, "The best constant answer", "reference", scores)
    others = [each for each in table.rows if each.name != CONSTANT]
    return replace(table, rows=_ordered([*others, row], table.required))


def _score(task: str, runs: Sequence[RunRecord], stored: Stored) -> Score:
    by_seed = {run.seed: run.score for run in runs}
    return Score(task, runs[0].metric, runs[0].rows, by_seed, mix=_mix(runs, stored))


def _mix(runs: Sequence[RunRecord], stored: Stored) -> LabelMix | None:
    """Of the rows as drawn, and of balanced draws of them by the same seeds; ``None`` where neither is known."""
    one, seeds = runs[0], {run.seed for run in runs}
    same = [
        each.score
        for each in stored.balanced
        if (each.task, each.recipe, each.rows) == (one.task, one.recipe, one.rows)
        and (each.training.fingerprint, each.test.fingerprint) == (one.training.fingerprint, one.test.fingerprint)
        and each.seed in seeds
    ]
    known = [found for run in runs if (found := run.training.label_divergence) is not None]
    if not same and not known:
        return None
    return LabelMix(mean(same) if same else None, len(same), mean(known) if known else None)
