"""Differences between many rows, made when they are asked for and a row at a time, which is what makes them cheap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from clinsynth.scoring.statistics.contrasts import Differences, Terms, combined_p_values
from clinsynth.scoring.statistics.estimates import Measured
from clinsynth.scoring.statistics.profiles import Profile
from clinsynth.scoring.statistics.units import FloatArray

K = TypeVar("K", bound=Hashable)
Row = Callable[[str, Sequence[str]], Mapping[str, tuple[float, float]]]


class TaskPairs:
    """The profiles of one task; pairs are compared on the seeds that both have."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self.profiles = profiles
        self._terms: dict[tuple[int, ...], tuple[Terms, dict[str, int]]] = {}

    def common(self, *names: str) -> tuple[int, ...]:
        """Seeds that all of them have."""
        seeds = set(self.profiles[names[0]].seeds).intersection(*(self.profiles[name].seeds for name in names[1:]))
        return tuple(sorted(seeds))

    def terms(self, *names: str) -> Terms:
        """The terms of these rows, in this order. Raises ``ValueError`` if they have no seed in common."""
        table, place = self._all(self.common(*names))
        return table.pick([place[name] for name in names])

    def against(self, name: str, others: Sequence[str], seeds: tuple[int, ...]) -> Differences:
        """``name`` minus each of ``others``, all of which have these seeds."""
        table, place = self._all(seeds)
        return table.against(place[name], [place[other] for other in others])

    def difference(self, name: str, other: str) -> Measured:
        """``name`` minus ``other``. Raises ``ValueError`` if they have no seed in common."""
        return self.terms(name, other).contrast(np.array([1.0, -1.0]))

    def row(self, name: str, others: Sequence[str]) -> dict[str, tuple[float, float]]:
        """Difference and two-sided p of ``name`` against each of ``others``; without a common seed 0 and 1."""
        found = dict.fromkeys(others, (0.0, 1.0))
        for group in _grouped(others, lambda other: self.profiles[other].seeds).values():
            if seeds := self.common(name, group[0]):
                made = self.against(name, group, seeds)
                found.update(_paired(group, made.value, made.p_values()))
        return found

    def _all(self, seeds: tuple[int, ...]) -> tuple[Terms, dict[str, int]]:
        if seeds not in self._terms:
            names = [name for name, profile in self.profiles.items() if set(seeds) <= set(profile.seeds)]
            terms = Terms.of([self.profiles[name] for name in names], seeds)
            self._terms[seeds] = terms, {name: k for k, name in enumerate(names)}
        return self._terms[seeds]


def overall_row(
    tasks: Mapping[str, TaskPairs], weights: Mapping[str, float], seed: int, name: str, others: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Difference and two-sided p of ``name`` against each of ``others`` over ``tasks``, which all of them have."""
    found = dict.fromkeys(others, (0.0, 1.0))
    used = {task: tasks[task] for task in weights}
    groups = _grouped(others, lambda other: tuple(pairs.profiles[other].seeds for pairs in used.values()))
    for group in groups.values():
        seeds = {task: pairs.common(name, group[0]) for task, pairs in used.items()}
        if all(seeds.values()):
            parts = {task: pairs.against(name, group, seeds[task]) for task, pairs in used.items()}
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
