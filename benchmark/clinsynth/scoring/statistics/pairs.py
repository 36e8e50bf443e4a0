"""All pairs of a table: differences and p-values by task and over tasks, a row of the table at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np

from clinsynth.scoring.statistics.contrasts import Differences, Terms, blocks, two_sided
from clinsynth.scoring.statistics.estimates import Measured, unit_and_seed_draws
from clinsynth.scoring.statistics.profiles import Profile
from clinsynth.scoring.statistics.units import FloatArray


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
        found: dict[str, tuple[float, float]] = {}
        for group in _grouped(others, lambda other: self.profiles[other].seeds).values():
            made = self.against(name, group)
            found.update(_paired(group, made.value, made.p_values()))
        return found


def overall_row(
    tasks: Mapping[str, TaskPairs], weights: Mapping[str, float], seed: int, name: str, others: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Difference and two-sided p of ``name`` against each of ``others`` over ``tasks``, which all of them have."""
    found: dict[str, tuple[float, float]] = {}
    used = {task: tasks[task] for task in weights}
    groups = _grouped(others, lambda other: tuple(pairs.profiles[other].seeds for pairs in used.values()))
    for group in groups.values():
        parts = {task: pairs.against(name, group) for task, pairs in used.items()}
        found.update(_paired(group, *combined_p_values(parts, weights, seed)))
    return found


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
