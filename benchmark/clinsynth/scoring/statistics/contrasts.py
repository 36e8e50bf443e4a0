"""Weighted sums of profiles on one test set: differences, gaps, points of curves, areas. One way to compute them all.

The variance components of a weighted sum are quadratic in the weights, so that small matrices hold what all sums of a
table need. With D[i, s] the deviations of profile i and seed s, k seeds, and M[i] their mean over seeds,

    unit = w' S w,  S[i, j] = M[i] . M[j]
    residual = (w' Q w - k unit) / (k (k - 1)),  Q[i, j] = sum over s of D[i, s] . D[j, s]

Profiles with the same seeds are paired by them. Those of other seeds are taken as independent of them: their parts are
added up, and the error of the sum is as uncertain as that of the part with the fewest seeds. A profile without seeds,
of answers that no seed changes, has no such part. So each sum is the sum of the scores as they are shown.

Entries of S and Q come from whole numbers (``profiles``): no digit of them depends on the other profiles of a table, on
the processor or on the number of threads. A table of 300 submissions has 45,000 pairs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr  # pyright: ignore[reportMissingTypeStubs] - scipy has none

from clinsynth.scoring.statistics.estimates import Components, Measured, variance_nodes
from clinsynth.scoring.statistics.profiles import FloatArray, IntArray, Profile

_NOTHING = 1e-12
"""A variance below this share of its terms is what rounding leaves of equal profiles: 0."""
_BLOCK = 8
"""Pairs that are looked at together: their nodes stay in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Profiles on one test set, reduced to what sums of them need."""

    seeds: tuple[tuple[int, ...], ...]
    """Of each profile; empty where no seed changes its answers."""
    units: int
    scores: tuple[FloatArray, ...]
    """Of each profile, by seed."""
    shared: FloatArray
    """S: ``[profiles, profiles]``."""
    product: FloatArray
    """Q: ``[profiles, profiles]``; meaningful for profiles with the same seeds."""
    means: tuple[float, ...]
    """Of each profile, over its seeds."""

    @classmethod
    def of(cls, profiles: Sequence[Profile]) -> Terms:
        """Reduce ``profiles``. Raises ``ValueError`` if they are not on the same test units."""
        first = profiles[0]
        if any(p.units != first.units or len(p.deviations) != len(first.deviations) for p in profiles):
            raise ValueError("profiles of other test units or other resamples")
        ordered = [profile.only(sorted(profile.seeds)) for profile in profiles]
        counts = np.array([len(profile.scores) for profile in ordered])
        total: FloatArray = np.stack([profile.deviations.sum(axis=1) for profile in ordered])
        # Whole numbers before they are divided: exact, and the same for a profile whatever stands beside it.
        shared = (total @ total.T) / np.multiply.outer(counts, counts)
        product: FloatArray = np.zeros_like(shared)
        for places in _alike([profile.seeds for profile in ordered]).values():
            stacked: FloatArray = np.stack([ordered[place].deviations.T for place in places], axis=1)
            product[np.ix_(places, places)] = np.sum([each @ each.T for each in stacked], axis=0)
        seeds, scores = tuple(p.seeds for p in ordered), tuple(p.scores for p in ordered)
        return cls(seeds, first.units, scores, shared, product, tuple(profile.mean for profile in ordered))

    def pick(self, places: Sequence[int]) -> Terms:
        """Some of the profiles, in this order."""
        block = np.ix_(places, places)
        seeds, scores = tuple(self.seeds[k] for k in places), tuple(self.scores[k] for k in places)
        means = tuple(self.means[k] for k in places)
        return Terms(seeds, self.units, scores, self.shared[block], self.product[block], means)

    def contrast(self, weights: Sequence[float] | FloatArray) -> Measured:
        """The sum with these weights, ``[profiles]``."""
        w = np.asarray(weights, dtype=np.float64)
        value = math.fsum(each * mean for each, mean in zip(w.tolist(), self.means, strict=True))
        unit = _quadratic(self.shared, w)
        seed = residual = 0.0
        fewest = 0
        for seeds, places in _alike(self.seeds).items():
            k = len(seeds)
            if k == 0 or not w[places].any():
                continue
            fewest = min(fewest or k, k)
            if k > 1:
                whole = len(places) == len(w)
                own = unit if whole else _quadratic(self.shared[np.ix_(places, places)], w[places])
                product = _quadratic(self.product if whole else self.product[np.ix_(places, places)], w[places])
                residual += max(0.0, product - k * own) / (k * (k - 1))
                by_seed = np.sum([w[place] * self.scores[place] for place in places], axis=0)
                seed += float(by_seed.var(ddof=1)) / k
        if fewest == 1:
            seed = residual = 0.0
        return Measured(value, Components(fewest, self.units, seed, unit, residual))

    def line(self, start: Sequence[float] | FloatArray, step: Sequence[float] | FloatArray) -> Line:
        """All sums with weights ``start + x step``."""
        u, v = np.asarray(start, dtype=np.float64), np.asarray(step, dtype=np.float64)
        means = np.array(self.means)
        groups: list[_Group] = []
        fewest = 0
        for seeds, places in _alike(self.seeds).items():
            k, a, b = len(seeds), u[places], v[places]
            if k == 0 or not (a.any() or b.any()):
                continue
            fewest = min(fewest or k, k)
            if k > 1:
                block = np.ix_(places, places)
                scores: FloatArray = np.stack([self.scores[place] for place in places])
                apart = scores - scores.mean(axis=1, keepdims=True)
                seed = (apart[:, None, :] * apart[None, :, :]).sum(axis=-1) / (k * (k - 1))
                rest = (self.product[block] - k * self.shared[block]) / (k * (k - 1))
                groups.append((_along(seed, a, b), _along(rest, a, b)))
        value = float((u * means).sum()), float((v * means).sum())
        return Line(fewest, self.units, value, _along(self.shared, u, v), tuple(groups) if fewest > 1 else ())

    def against(self, place: int, others: Sequence[int]) -> Differences:
        """The profile at ``place`` minus each of ``others``, which have the same seeds as one another."""
        at = list(others)
        mine, theirs = self.seeds[place], self.seeds[at[0]] if at else ()
        value: FloatArray = np.array([self.means[place] - self.means[other] for other in at])
        unit = self._apart(self.shared, place, at)
        if mine == theirs and len(mine) > 1:
            k = len(mine)
            apart: FloatArray = self.scores[place] - np.stack([self.scores[other] for other in at])
            residual = np.maximum(0.0, self._apart(self.product, place, at) - k * unit) / (k * (k - 1))
            return Differences(k, self.units, value, apart.var(axis=1, ddof=1) / k, unit, residual)
        fewest = min((len(seeds) for seeds in (mine, theirs) if seeds), default=0)
        parts: FloatArray = np.zeros((2, len(at)))
        if fewest > 1:
            parts += np.array([self._of_seeds(place)]).T + np.array([self._of_seeds(other) for other in at]).T
        return Differences(fewest, self.units, value, parts[0], unit, parts[1])

    def _of_seeds(self, place: int) -> tuple[float, float]:
        """``seed`` and ``residual`` of a profile by itself."""
        k = len(self.seeds[place])
        if k < 2:
            return 0.0, 0.0
        rest = float(self.product[place, place] - k * self.shared[place, place])
        return float(self.scores[place].var(ddof=1)) / k, max(0.0, rest) / (k * (k - 1))

    def _apart(self, matrix: FloatArray, place: int, at: list[int]) -> FloatArray:
        """The quadratic form of each difference."""
        both = matrix[place, place] + matrix.diagonal()[at]
        value = both - 2 * matrix[place, at]
        return np.where(value > _NOTHING * both, value, 0.0)


Quadratic = tuple[float, float, float]
_Group = tuple[Quadratic, Quadratic]


@dataclass(frozen=True, slots=True)
class Line:
    """Sums whose weights lie on a line: their value is linear, and each part of the variance quadratic, in the place x.

    What is looked for along a line (an end of a gap's interval, a number of rows) then costs no sums over profiles.
    """

    seeds: int
    units: int
    value: tuple[float, float]
    unit: Quadratic
    groups: tuple[_Group, ...]
    """Of profiles with the same seeds: the part of the seeds, and the interaction."""

    def at(self, x: float) -> Measured:
        """The sum at ``x``, as ``Terms.contrast`` gives it."""
        seed = sum(_value(part, x) for part, _ in self.groups)
        residual = sum(_value(part, x) for _, part in self.groups)
        return Measured(
            self.value[0] + x * self.value[1], Components(self.seeds, self.units, seed, _value(self.unit, x), residual)
        )


class Lines:
    """Many lines on one test set, to be looked at together."""

    def __init__(self, lines: Sequence[Line]) -> None:
        """Reduce them to arrays."""
        most = max((len(line.groups) for line in lines), default=0)
        none: _Group = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
        groups = [[*line.groups, *[none] * (most - len(line.groups))] for line in lines]
        self._groups: FloatArray = np.array(groups).reshape(len(lines), most, 2, 3)
        self._value: FloatArray = np.array([line.value for line in lines]).reshape(-1, 2)
        self._unit: FloatArray = np.array([line.unit for line in lines]).reshape(-1, 3)
        self._seeds: IntArray = np.array([line.seeds for line in lines], dtype=np.int64)
        self._units = lines[0].units if lines else 1

    def tails(self, x: FloatArray, which: IntArray) -> FloatArray:
        """``[which]``: the probability of an error as large as the sum of a line at ``x``; one half where that is 0."""
        value = np.abs(self._value[which, 0] + x * self._value[which, 1])
        unit = _values(self._unit[which], x)
        parts = _values(self._groups[which], x[:, None, None])
        seed, residual = parts[..., 0].sum(axis=1), parts[..., 1].sum(axis=1)
        out: FloatArray = np.zeros(len(x))
        for seeds in np.unique(self._seeds[which]).tolist():
            at = np.flatnonzero(self._seeds[which] == seeds)
            differences = Differences(seeds, self._units, value[at], seed[at], unit[at], residual[at])
            out[at] = differences.p_values() / 2
        return out


def _values(quadratic: FloatArray, x: FloatArray) -> FloatArray:
    """As ``_value``, of ``[..., 3]``."""
    terms = np.stack([quadratic[..., 0], quadratic[..., 1] * x, quadratic[..., 2] * x * x])
    value = terms.sum(axis=0)
    return np.where(value > _NOTHING * np.abs(terms).sum(axis=0), value, 0.0)


def _along(matrix: FloatArray, start: FloatArray, step: FloatArray) -> Quadratic:
    def form(a: FloatArray, b: FloatArray) -> float:
        return float((np.multiply.outer(a, b) * matrix).sum())

    return form(start, start), form(start, step) + form(step, start), form(step, step)


def _value(quadratic: Quadratic, x: float) -> float:
    """The variance, never below 0, and 0 where only rounding is left of its terms."""
    a, b, c = quadratic[0], quadratic[1] * x, quadratic[2] * x * x
    value = a + b + c
    return value if value > _NOTHING * (abs(a) + abs(b) + abs(c)) else 0.0


def _alike(seeds: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], list[int]]:
    """Places by seeds."""
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, own in enumerate(seeds):
        groups[own].append(place)
    return groups


def _quadratic(matrix: FloatArray, weights: FloatArray) -> float:
    # No product of a library of linear algebra: its order of addition is that of the processor.
    value = float((np.multiply.outer(weights, weights) * matrix).sum())
    scale = float((np.abs(weights) * np.sqrt(matrix.diagonal())).sum()) ** 2
    return value if value > _NOTHING * scale else 0.0


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
        for part in blocks(len(out)):
            extra = np.maximum(0.0, self.seed[part, None] * seed_nodes - self.residual[part, None])
            variance = self.unit[part, None, None] * unit_nodes[:, None] + extra[:, None, :]
            out[part] = two_sided(self.value[part], variance.reshape(len(variance), -1), weights)
        return out


def blocks(count: int) -> Iterator[slice]:
    """Yields pairs, a few at a time."""
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))


def two_sided(value: FloatArray, variance: FloatArray, weights: FloatArray) -> FloatArray:
    """Two-sided p of ``value [pairs]`` where the error has ``variance [pairs, nodes]``; 0 where there is no error."""
    distance = np.abs(value)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = distance / np.sqrt(variance)
    if not variance.all():
        z = np.where(variance > 0, z, np.where(distance == 0, 0.0, np.inf))
    p = 2 * (ndtr(-z) * weights).sum(axis=1)
    return np.where(value == 0, 1.0, np.minimum(1.0, p))


def contrast(terms: Sequence[tuple[float, Profile]]) -> Measured:
    """The weighted sum of scores on one task. Raises ``ValueError`` if they are not on the same test units."""
    return Terms.of([profile for _, profile in terms]).contrast([weight for weight, _ in terms])


def difference(a: Profile, b: Profile) -> Measured:
    """A - B. Raises ``ValueError`` as ``contrast``."""
    return contrast([(1.0, a), (-1.0, b)])


def score_of(profile: Profile) -> Measured:
    """The score itself."""
    return contrast([(1.0, profile)])
