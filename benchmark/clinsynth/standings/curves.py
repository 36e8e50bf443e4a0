"""Learning curves over the number of rows, and scores against the cost of generating the rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from clinsynth.scoring.statistics import (
    Estimate,
    LearningCurve,
    Measured,
    Profile,
    combine,
    contrast,
    pareto,
    score_of,
    share_of_cost,
    type_weights,
)
from clinsynth.standings.model import CostOfData, Curve, CurvePoint, Interval, Standing, task_types
from clinsynth.standings.task import TaskTable, interval
from clinsynth.submissions import Cost


def curves(name: str, required: Sequence[str], made: Mapping[str, TaskTable], seed: int) -> tuple[Curve, ...]:
    """Curves of more than one point: by task, and last over all ``required`` tasks at the budgets that they share."""
    own = {task: one.curves[name] for task, one in made.items() if name in one.curves}
    drawn = [_on_task(task, curve) for task, curve in own.items() if len(curve.rows) > 1]
    if required and set(required) <= own.keys():
        shared = set[int].intersection(*(set(own[task].rows) for task in required))
        cut = {task: _cut(own[task], shared) for task in required}
        if len(shared) > 1:
            drawn.append(_over_tasks(cut, seed))
    return tuple(drawn)


def _cut(curve: LearningCurve, rows: set[int]) -> LearningCurve:
    kept = [(at, profile) for at, profile in zip(curve.rows, curve.profiles, strict=True) if at in rows]
    return LearningCurve(tuple(at for at, _ in kept), tuple(profile for _, profile in kept)) if kept else curve


def _on_task(task: str, curve: LearningCurve) -> Curve:
    points = [
        CurvePoint(rows, profile.mean, _interval([profile], score_of(profile).estimate()), len(profile.seeds))
        for rows, profile in zip(curve.rows, curve.profiles, strict=True)
    ]
    area = _area(curve)
    estimate = area.estimate() if area else None
    return _curve(task, points, estimate, curve.profiles)


def _over_tasks(by_task: Mapping[str, LearningCurve], seed: int) -> Curve:
    weights = type_weights(task_types(by_task))
    points: list[CurvePoint] = []
    for k, rows in enumerate(next(iter(by_task.values())).rows):
        profiles = {task: curve.profiles[k] for task, curve in by_task.items()}
        estimate = combine({task: score_of(profile) for task, profile in profiles.items()}, weights, seed)
        seeds = min(len(profile.seeds) for profile in profiles.values())
        points.append(CurvePoint(rows, estimate.value, _interval(list(profiles.values()), estimate), seeds))
    areas = {task: area for task, curve in by_task.items() if (area := _area(curve))}
    estimate = combine(areas, weights, seed) if len(areas) == len(by_task) else None
    everything = [profile for curve in by_task.values() for profile in curve.profiles]
    return _curve(None, points, estimate, everything)


def _curve(
    task: str | None, points: Sequence[CurvePoint], estimate: Estimate | None, profiles: Sequence[Profile]
) -> Curve:
    area = estimate.value if estimate else _area_of_means([(point.rows, point.mean) for point in points])
    return Curve(task, tuple(points), area, _interval(profiles, estimate))


def _interval(profiles: Sequence[Profile], estimate: Estimate | None) -> Interval | None:
    """``None`` for a single seed, which says nothing of other seeds."""
    return interval(estimate) if estimate and all(len(profile.seeds) > 1 for profile in profiles) else None


def _area(curve: LearningCurve) -> Measured | None:
    """``None`` where the points have no two seeds in common."""
    seeds = set[int].intersection(*(set(profile.seeds) for profile in curve.profiles))
    return contrast(curve.area_terms()) if len(seeds) > 1 else None


def _area_of_means(points: Sequence[tuple[int, float]]) -> float:
    """Trapezoids over log rows, divided by their width; of the means over all the seeds that each point has."""
    pairs = list(itertools.pairwise(points))
    total = sum((a + b) / 2 * math.log(n / m) for (m, a), (n, b) in pairs)
    return total / math.log(points[-1][0] / points[0][0])


def with_costs(rows: Sequence[Standing], cards: Mapping[str, Cost]) -> list[Standing]:
    """The rows with their costs. Fronts are among submissions with an overall score, without references."""
    made = {row.name: _cost(row, cards[row.name]) for row in rows}
    entrants = [row for row in rows if row.kind == "submission"]
    scores = {row.name: row.statistics.mean for row in entrants if row.statistics}
    by_dollars = pareto([(name, score, made[name].dollars) for name, score in scores.items()])
    by_tokens = pareto([(name, score, made[name].tokens) for name, score in scores.items()])
    return [
        replace(
            row,
            cost=replace(
                made[row.name],
                on_dollar_front=by_dollars.get(row.name),
                on_token_front=by_tokens.get(row.name),
            ),
        )
        for row in rows
    ]


def _cost(row: Standing, cost: Cost) -> CostOfData:
    known = CostOfData(
        calls=cost.calls,
        tokens_in=cost.tokens_in,
        tokens_out=cost.tokens_out,
        dollars=cost.dollars,
        price_source=cost.price_source,
        price_date=cost.price_date.isoformat() if cost.price_date else None,
        seconds=cost.seconds,
        per_dollar=None,
        per_million_tokens=None,
        on_dollar_front=None,
        on_token_front=None,
    )
    if row.statistics is None:
        return known
    score, tokens = row.statistics.mean, known.tokens
    return replace(
        known,
        per_dollar=share_of_cost(score, known.dollars),
        per_million_tokens=share_of_cost(score, None if tokens is None else tokens / 1e6),
    )
