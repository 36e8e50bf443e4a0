"""Many weighted sums of the same profiles: what they need is kept as small matrices, so that each costs little.

The variance components of a weighted sum of profiles are quadratic in the weights. With D[i, s] the deviations of
profile i and seed s, and M[i] their mean over seeds,

    unit = w' S w,  S[i, j] = M[i] . M[j]
    residual = (w' Q w - k unit) / (k (k - 1)),  Q[i, j] = sum over s of D[i, s] . D[j, s]

which are the numbers of ``profiles.contrast`` (test_statistics.py). A table of 300 submissions has 45,000 pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.special import ndtr  # pyright: ignore[reportMissingTypeStubs] - scipy has none

from clinsynth.scoring.statistics.estimates import Components, Measured, unit_and_seed_draws, variance_nodes
from clinsynth.scoring.statistics.profiles import Profile
from clinsynth.scoring.statistics.units import FloatArray

_NOTHING = 1e-12
"""A variance below this share of its terms is what rounding leaves of equal profiles: 0."""
_BLOCK = 8
"""Pairs that are looked at together: their nodes stay in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Profiles on one test set and on seeds that all of them have, reduced to what sums of them need."""

    seeds: tuple[int, ...]
    units: int
    scores: FloatArray
    """``[profiles, seeds]``."""
    shared: FloatArray
    """S: ``[profiles, profiles]``."""
    product: FloatArray
    """Q: ``[profiles, profiles]``."""

    @classmethod
    def of(cls, profiles: Sequence[Profile], seeds: Sequence[int] | None = None) -> Terms:
        """Reduce ``profiles``, on their common seeds or on these.

        Raises:
            ValueError: no seed is in all of them, or they are not on the same test units.
        """
        first = profiles[0]
        common = [s for s in sorted(first.seeds) if all(s in p.seeds for p in profiles)] if seeds is None else seeds
        if not common:
            raise ValueError("no seed in common")
        if any(p.units != first.units or len(p.deviations) != len(first.deviations) for p in profiles):
            raise ValueError("profiles of other test units or other resamples")
        own = [profile.only(common) for profile in profiles]
        stacked: FloatArray = np.stack([profile.deviations.T for profile in own], axis=1)  # [seeds, profiles, rows]
        mean = stacked.mean(axis=0)
        product: FloatArray = np.sum([each @ each.T for each in stacked], axis=0)
        scores: FloatArray = np.stack([profile.scores for profile in own])
        return cls(tuple(common), first.units, scores, mean @ mean.T, product)

    def pick(self, places: Sequence[int]) -> Terms:
        """Some of the profiles, in this order."""
        block = np.ix_(places, places)
        return Terms(self.seeds, self.units, self.scores[list(places)], self.shared[block], self.product[block])

    def contrast(self, weights: FloatArray) -> Measured:
        """The sum with these weights, ``[profiles]``."""
        unit = _quadratic(self.shared, weights)
        product = _quadratic(self.product, weights)
        by_seed = weights @ self.scores
        return Measured(float(by_seed.mean()), self._components(by_seed, unit, product))

    def _components(self, by_seed: FloatArray, unit: float, product: float) -> Components:
        k = len(self.seeds)
        if k == 1:
            return Components(1, self.units, 0.0, unit, 0.0)
        residual = max(0.0, product - k * unit) / (k * (k - 1))
        apart = by_seed - by_seed.sum() / k
        return Components(k, self.units, float(apart @ apart) / (k * (k - 1)), unit, residual)

    def against(self, place: int, others: Sequence[int]) -> Differences:
        """The profile at ``place`` minus each of ``others``."""
        at = list(others)
        k = len(self.seeds)
        by_seed = self.scores[place] - self.scores[at]
        unit, product = (
            _positive(m[place, place] + m.diagonal()[at] - 2 * m[place, at], m[place, place] + m.diagonal()[at])
            for m in (self.shared, self.product)
        )
        seed = by_seed.var(axis=1, ddof=1) / k if k > 1 else np.zeros(len(at))
        residual = np.maximum(0.0, product - k * unit) / (k * (k - 1)) if k > 1 else np.zeros(len(at))
        return Differences(k, self.units, by_seed.mean(axis=1), seed, unit, residual)


def _quadratic(matrix: FloatArray, weights: FloatArray) -> float:
    value = float(weights @ matrix @ weights)
    scale = float(np.abs(weights) @ np.sqrt(matrix.diagonal())) ** 2
    return value if value > _NOTHING * scale else 0.0


def _positive(value: FloatArray, scale: FloatArray) -> FloatArray:
    return np.where(value > _NOTHING * scale, value, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Differences:
    """Differences on one task with their variance components, ``[pairs]`` each; see ``Components``."""

    seeds: int
    units: int
    value: FloatArray
    seed: FloatArray
    unit: FloatArray
    residual: FloatArray

    def p_values(self) -> FloatArray:
        """``[pairs]``: two-sided p of no difference, as ``Measured.estimate`` gives it."""
        out: FloatArray = np.ones(len(self.value))
        unit_nodes, seed_nodes, weights = variance_nodes(self.seeds, self.units)
        for part in _blocks(len(out)):
            extra = np.maximum(0.0, self.seed[part, None] * seed_nodes - self.residual[part, None])
            variance = self.unit[part, None, None] * unit_nodes[:, None] + extra[:, None, :]
            out[part] = _two_sided(self.value[part], variance.reshape(len(variance), -1), weights)
        return out


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
    units: FloatArray = np.stack([squared[task] * differences[task].unit for task in tasks], axis=1)
    unit_draws: FloatArray = np.stack([draws[task][0] for task in tasks])
    even: FloatArray = np.ones(unit_draws.shape[1]) / unit_draws.shape[1]
    out: FloatArray = np.ones(len(value))
    for part in _blocks(len(value)):
        variance = units[part] @ unit_draws
        extra = np.empty_like(variance)
        for task in (task for task in tasks if differences[task].seeds > 1):
            own = differences[task]
            np.multiply.outer(squared[task] * own.seed[part], draws[task][1], out=extra)
            extra -= squared[task] * own.residual[part, None]
            variance += np.maximum(extra, 0.0, out=extra)
        out[part] = _two_sided(value[part], variance, even)
    return value, out


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))


def _two_sided(value: FloatArray, variance: FloatArray, weights: FloatArray) -> FloatArray:
    """Two-sided p of ``value [pairs]`` where the error has ``variance [pairs, nodes]``; 0 where there is no error."""
    distance = np.abs(value)[:, None]
    if variance.min(initial=np.inf) > 0:
        return np.minimum(1.0, 2 * (ndtr(-distance / np.sqrt(variance)) @ weights))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, distance / np.sqrt(variance), np.where(distance == 0, 0.0, np.inf))
    return np.minimum(1.0, 2 * (ndtr(-z) @ weights))


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
