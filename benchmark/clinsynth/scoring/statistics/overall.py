"""Over task types: the mean of the type means, its differences, and the ranking that follows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clinsynth.scoring.statistics.contrasts import difference, score_of
from clinsynth.scoring.statistics.estimates import Estimate, Measured, combine, settled
from clinsynth.scoring.statistics.pairs import LazyPairs, TaskPairs, overall_row
from clinsynth.scoring.statistics.profiles import Profile
from clinsynth.scoring.statistics.ranks import borda, rank_intervals, tie_groups, win_rate

Profiles = Mapping[str, Profile]
"""A submission's profiles by task."""


def type_weights(types: Mapping[str, str]) -> dict[str, float]:
    """The weight of each task in the mean of type means, from its type; they add up to 1."""
    sizes = Counter(types.values())
    return {task: 1 / len(sizes) / sizes[kind] for task, kind in types.items()}


def mean_of_types(values: Mapping[str, float], types: Mapping[str, str]) -> float:
    """The mean over types of the mean over their tasks.

    Args:
        values: by task; only those of ``types`` count.
        types: the type of each task that counts; raises ``KeyError`` where one of them has no value.
    """
    return math.fsum(weight * values[task] for task, weight in type_weights(types).items())


def overall(profiles: Profiles, types: Mapping[str, str], seed: int) -> Estimate:
    """The overall score on the tasks of ``types``; ``seed`` is that of ``combine``.

    The tasks count as fixed: the interval speaks of other seeds and other test items, not of other tasks.

    Raises:
        ValueError: a task is missing. A gap never makes a mean smaller or larger.
    """
    if missing := [task for task in types if task not in profiles]:
        raise ValueError(f"no score on {', '.join(missing)}")
    return combine({task: score_of(profiles[task]) for task in types}, type_weights(types), seed)


def variance_shares(measured: Mapping[str, Measured], types: Mapping[str, str]) -> dict[str, float]:
    """The share of each task in the variance of the mean of type means; empty where nothing varies."""
    weights = type_weights({task: types[task] for task in measured})
    parts = {task: weights[task] ** 2 * one.components.variance for task, one in measured.items()}
    total = sum(parts.values())
    return {task: settled(part / total) for task, part in parts.items()} if total else {}


@dataclass(frozen=True, slots=True, eq=False)
class OverallDifference:
    """A - B over the tasks that both have."""

    estimate: Estimate | None
    """``None`` where there is no common task."""
    tasks: tuple[str, ...]
    missing: tuple[str, ...]
    """Tasks that were left out because one of the two lacks them."""


def overall_difference(a: Profiles, b: Profiles, types: Mapping[str, str], seed: int) -> OverallDifference:
    """A - B on the mean of type means over the tasks of ``types`` that both have."""
    tasks = tuple(task for task in types if task in a and task in b)
    missing = tuple(task for task in types if task not in tasks)
    if not tasks:
        return OverallDifference(None, (), missing)
    weights = type_weights({task: types[task] for task in tasks})
    return OverallDifference(
        combine({task: difference(a[task], b[task]) for task in tasks}, weights, seed), tasks, missing
    )


@dataclass(frozen=True, slots=True)
class Ranking:
    """Entries in order, and what their places are worth."""

    names: tuple[str, ...]
    """Best first; equal ones by name."""
    groups: Mapping[str, int]
    """Dense tie groups, from 1."""
    ranks: Mapping[str, tuple[int, int]]
    """Best and worst rank that are not ruled out."""
    borda: Mapping[str, float]
    win_rate: Mapping[str, float]


def ranking(tasks: Mapping[str, TaskPairs], types: Mapping[str, str], names: Sequence[str], seed: int) -> Ranking:
    """Rank ``names``, which have a profile on every task of ``types``, by the mean of the type means.

    Adding an entry changes no score, interval or difference of others, but may change groups and ranks.

    Raises:
        ValueError: a name has no profile on a task.
    """
    weights = type_weights(types)
    for task in types:
        if lacking := [name for name in names if name not in tasks[task].profiles]:
            raise ValueError(f"no score on {task}: {', '.join(lacking)}")
    table = {name: {task: tasks[task].profiles[name].mean for task in types} for name in names}
    means = {name: mean_of_types(own, types) for name, own in table.items()}
    order = sorted(names, key=lambda name: (-means[name], name))
    pairs = LazyPairs(order, lambda name, others: overall_row(tasks, weights, seed, name, others))
    return Ranking(
        names=tuple(order),
        groups=tie_groups(means, pairs),
        ranks=rank_intervals(order, pairs),
        borda=borda(table),
        win_rate=win_rate(table),
    )
