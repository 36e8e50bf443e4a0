"""Over many comparisons: what is adjusted for them, pairs of a table, and the ranking by the mean of the type means."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from clinsynth.scoring.statistics.contrasts import Differences, Terms, blocks, difference, score_of, two_sided
from clinsynth.scoring.statistics.estimates import ALPHA, Estimate, Measured, combine, settled, unit_and_seed_draws
from clinsynth.scoring.statistics.profiles import FloatArray, Profile

Pairs = Mapping[tuple[str, str], tuple[float, float]]
"""For each ordered pair (a, b): a - b, and the two-sided p of no difference, not adjusted."""


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the given order: the chance of any false claim among them stays under alpha (Holm 1979)."""
    order = sorted(range(len(p)), key=lambda k: p[k])
    out, largest = [0.0] * len(p), 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - place) * p[k]))
        out[k] = largest
    return out


def among_all(p: float, rows: int) -> float:
    """A p-value adjusted for every pair of ``rows``, so that pairs may be chosen by their scores.

    The first of a table is the first because its errors were lucky. Adjusted for the comparisons with it alone, equal
    rows are told apart far too often (docs/statistics.md).
    """
    return min(1.0, p * rows * (rows - 1) / 2)


def tie_groups(scores: Mapping[str, float], pairs: Pairs, alpha: float = ALPHA) -> dict[str, int]:
    """Dense ranks: 1 for the leader and all that are not shown to be worse; 2 for the best of the rest...

    Shown to be worse: after adjustment for all pairs of the table. The chance that rows which are equally good are
    divided anywhere is then at most ``alpha``. Within a group nobody is shown to be worse than its leader; that does
    not show that all are equal.
    """
    left = sorted(scores, key=lambda name: (-scores[name], name))
    groups: dict[str, int] = {}
    rank = 0
    while left:
        rank += 1
        leader, *others = left
        tied = [leader, *(name for name in others if among_all(pairs[leader, name][1], len(scores)) >= alpha)]
        groups |= dict.fromkeys(tied, rank)
        left = [name for name in left if name not in groups]
    return groups


def rank_intervals(names: Sequence[str], pairs: Pairs, alpha: float = ALPHA) -> dict[str, tuple[int, int]]:
    """Best and worst rank of each: one more than are shown to be better, and all but those shown to be worse.

    After adjustment for all pairs, so that all intervals together hold the true ranks with confidence 1 - alpha (the
    simultaneous ones of Mogstad, Romano, Shaikh and Wilhelm 2024), and never contradict the tie groups.
    """
    out: dict[str, tuple[int, int]] = {}
    for name in names:
        against = [pairs[name, other] for other in names if other != name]
        shown = [d for d, p in against if among_all(p, len(names)) < alpha]
        out[name] = (1 + sum(d < 0 for d in shown), len(names) - sum(d > 0 for d in shown))
    return out


def _complete(table: Mapping[str, Mapping[str, float]]) -> list[str]:
    tasks = sorted({task for scores in table.values() for task in scores})
    lacking = [name for name, scores in table.items() if set(tasks) - scores.keys()]
    if lacking:
        raise ValueError(f"without all tasks: {', '.join(lacking)}")
    return tasks


def borda(table: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Points from ``{name: {task: score}}``: a task gives one for each submission beaten and a half for an equal one.

    Raises ``ValueError`` if a score is missing.
    """
    tasks = _complete(table)
    points = np.zeros(len(table))
    for task in tasks:
        scores = np.array([own[task] for own in table.values()])
        beaten = np.greater.outer(scores, scores).sum(axis=1)
        equal = np.equal.outer(scores, scores).sum(axis=1) - 1
        points += beaten + equal / 2
    return dict(zip(table, points.tolist(), strict=True))


def win_rate(table: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Mean share of the others that are beaten on a task, an equal one by half; empty where there is no other.

    Raises ``ValueError`` as ``borda``.
    """
    others, tasks = len(table) - 1, max(1, len(_complete(table)))
    if others < 1:
        return {}
    return {name: points / others / tasks for name, points in borda(table).items()}


def kendall_tau(a: Mapping[str, float], b: Mapping[str, float]) -> float | None:
    """Tau-b between two orders of the same names, such as two aggregates or two students.

    Names that only one has are left out. ``None`` for fewer than two names, or if one side ties them all.
    """
    names = [name for name in a if name in b]
    x, y = (np.sign(np.subtract.outer(v, v)) for v in ([s[n] for n in names] for s in (a, b)))
    scale = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / scale) if scale else None


def combined_p_values(
    differences: Mapping[str, Differences], weights: Mapping[str, float], seed: int
) -> tuple[FloatArray, FloatArray]:
    """Weighted sums over tasks of the same pairs, and their two-sided p, as of ``combine``: ``[pairs]`` each."""
    tasks = sorted(differences)
    value: FloatArray = np.sum([weights[task] * differences[task].value for task in tasks], axis=0)
    if len(tasks) == 1:
        return value, differences[tasks[0]].p_values()
    squared = {task: weights[task] ** 2 for task in tasks}
    draws = {task: unit_and_seed_draws(seed, task, differences[task].seeds, differences[task].units) for task in tasks}
    count = len(draws[tasks[0]][0])
    even: FloatArray = np.ones(count) / count
    out: FloatArray = np.ones(len(value))
    for part in blocks(len(value)):
        variance: FloatArray = np.zeros((len(value[part]), count))
        extra = np.empty_like(variance)
        for task in tasks:
            own = differences[task]
            variance += np.multiply.outer(squared[task] * own.unit[part], draws[task][0], out=extra)
            if own.seeds > 1:
                np.multiply.outer(squared[task] * own.seed[part], draws[task][1], out=extra)
                extra -= squared[task] * own.residual[part, None]
                variance += np.maximum(extra, 0.0, out=extra)
        out[part] = two_sided(value[part], variance, even)
    return value, out


K = TypeVar("K", bound=Hashable)
Row = Callable[[str, Sequence[str]], Mapping[str, tuple[float, float]]]


class TaskPairs:
    """The profiles of one task, and what sums of them need."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self.profiles = profiles
        self._place = {name: place for place, name in enumerate(profiles)}

    @cached_property
    def _terms(self) -> Terms:
        return Terms.of(list(self.profiles.values()))

    def terms(self, *names: str) -> Terms:
        """The terms of these rows, in this order."""
        return self._terms.pick([self._place[name] for name in names])

    def against(self, name: str, others: Sequence[str]) -> Differences:
        """``name`` minus each of ``others``, which have the same seeds as one another."""
        return self._terms.against(self._place[name], [self._place[other] for other in others])

    def difference(self, name: str, other: str) -> Measured:
        """``name`` minus ``other``."""
        return self.terms(name, other).contrast([1.0, -1.0])

    def row(self, name: str, others: Sequence[str]) -> dict[str, tuple[float, float]]:
        """Difference and two-sided p of ``name`` against each of ``others``."""
        intervals: dict[str, tuple[float, float]] = {}
        for group in _grouped(others, lambda other: self.profiles[other].seeds).values():
            made = self.against(name, group)
            intervals.update(_paired(group, made.value, made.p_values()))
        return intervals


def overall_row(
    tasks: Mapping[str, TaskPairs], weights: Mapping[str, float], seed: int, name: str, others: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Difference and two-sided p of ``name`` against each of ``others`` over ``tasks``, which all of them have."""
    intervals: dict[str, tuple[float, float]] = {}
    used = {task: tasks[task] for task in weights}
    groups = _grouped(others, lambda other: tuple(pairs.profiles[other].seeds for pairs in used.values()))
    for group in groups.values():
        parts = {task: pairs.against(name, group) for task, pairs in used.items()}
        intervals.update(_paired(group, *combined_p_values(parts, weights, seed)))
    return intervals


def _paired(names: Sequence[str], value: FloatArray, p: FloatArray) -> dict[str, tuple[float, float]]:
    return dict(zip(names, zip(value.tolist(), p.tolist(), strict=True), strict=True))


def _grouped(names: Sequence[str], key: Callable[[str], K]) -> dict[K, list[str]]:
    groups: dict[K, list[str]] = defaultdict(list)
    for name in names:
        groups[key(name)].append(name)
    return groups


class LazyPairs(Mapping[tuple[str, str], tuple[float, float]]):
    """``Pairs`` of ``scoring.statistics.ranking``: the first question of a row has the whole row computed."""

    def __init__(self, names: Sequence[str], row: Row) -> None:
        """``row`` gives difference and p of a name against others."""
        self._names = names
        self._row = row
        self._known: dict[tuple[str, str], tuple[float, float]] = {}

    def __getitem__(self, pair: tuple[str, str]) -> tuple[float, float]:
        if pair not in self._known:
            name = pair[0]
            todo = [other for other in self._names if other != name and (name, other) not in self._known]
            for other, (value, p) in self._row(name, todo).items():
                self._known[name, other] = value, p
                self._known[other, name] = -value, p
        return self._known[pair]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((a, b) for a in self._names for b in self._names if a != b)

    def __len__(self) -> int:
        return len(self._names) * (len(self._names) - 1)


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
