"""What is needed of a set of runs: its scores by seed, and how far each test unit moves them.

A ``Profile`` is linear: a difference, a gap, a point on a learning curve or an area under it is a weighted sum of
profiles on the same test set, and its variance components follow from the weighted sums of their parts. There are two
ways to make one. ``jackknife`` leaves out one unit at a time: exact for means, no random numbers. ``bootstrap`` draws
the units anew: for F1, whose value is not a sum over units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinsynth.scoring.statistics.estimates import Components, Measured
from clinsynth.scoring.statistics.units import FloatArray, Runs

_CELLS = 4_000_000
"""Largest number of weights that are held at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Scores and their deviations over test units, of one submission on one task."""

    seeds: tuple[int, ...]
    units: int
    scores: FloatArray
    """``[seeds]``."""
    deviations: FloatArray
    """``[rows, seeds]``: the sum of their squares over rows is the variance over test units. Rows are units or
    resamples, and mean the same in every profile that is compared."""

    @property
    def mean(self) -> float:
        """Mean over the seeds: the score of the submission on the task."""
        return float(self.scores.mean())

    def only(self, seeds: Sequence[int]) -> Profile:
        """The same with these seeds, in this order. Raises ``ValueError`` for a seed that was not run."""
        places = [self.seeds.index(seed) for seed in seeds]
        return Profile(tuple(seeds), self.units, self.scores[places], self.deviations[:, places])


def jackknife(runs: Runs) -> Profile:
    """Leave out one unit at a time (Tukey 1958).

    For a mean over units of equal size this is the textbook variance, and the test the paired t-test.
    """
    totals = runs.counts.sum(axis=1, keepdims=True)
    left = runs.value(totals - runs.counts)
    n = runs.units
    deviations = (left.mean(axis=1, keepdims=True) - left).T * np.sqrt((n - 1) / n)
    return Profile(runs.seeds, n, runs.scores, deviations)


def bootstrap(runs: Sequence[Runs], resamples: int, rng: np.random.Generator) -> list[Profile]:
    """Draw the units anew, the same draws for all of ``runs`` (the multi-bootstrap of Sellam et al., 2106.16163).

    Seeds are not resampled: k of them have no tails to draw from, and their part of the error is handled where it can
    be calibrated (``estimates``). What is drawn depends on ``rng``, the number of units and ``resamples`` alone.

    Raises:
        ValueError: the runs are not on the same units, or there are fewer than two resamples.
    """
    units = {each.units for each in runs}
    if len(units) != 1 or resamples < 2:
        raise ValueError(f"one number of units and two resamples at least, got {sorted(units)} and {resamples}")
    (n,) = units
    values = [np.empty((resamples, len(each.seeds))) for each in runs]
    # float32 products of counts are exact up to 2^24, and twice as fast.
    flat = [np.moveaxis(each.counts, 0, 1).reshape(n, -1).astype(np.float32) for each in runs]
    step = max(1, _CELLS // n)
    for start in range(0, resamples, step):
        weights = draw_weights(min(step, resamples - start), n, rng).astype(np.float32)
        for each, table, value in zip(runs, flat, values, strict=True):
            sums = np.rint(weights @ table).astype(np.int64).reshape(len(weights), len(each.seeds), -1)
            value[start : start + len(weights)] = each.value(sums)
    return [
        Profile(each.seeds, n, each.scores, (value - value.mean(axis=0)) / np.sqrt(resamples - 1))
        for each, value in zip(runs, values, strict=True)
    ]


def draw_weights(resamples: int, units: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """``[resamples, units]``: how often each unit is drawn, multinomial."""
    drawn = rng.integers(units, size=(resamples, units), dtype=np.int32).astype(np.int64)
    drawn += np.arange(resamples, dtype=np.int64)[:, None] * units
    return np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units)


def contrast(terms: Sequence[tuple[float, Profile]]) -> Measured:
    """The weighted sum of scores on one task, paired by test unit and by seed.

    Seeds that not all terms have are left out. Pairing by seed costs little where seeds do nothing in common, gains
    where they do, and holds the level either way (docs/statistics.md).

    Raises:
        ValueError: no seed is in all terms, or they are not on the same test units.
    """
    first = terms[0][1]
    common = [seed for seed in sorted(first.seeds) if all(seed in profile.seeds for _, profile in terms)]
    if not common:
        raise ValueError("no seed in common")
    if any(p.units != first.units or len(p.deviations) != len(first.deviations) for _, p in terms):
        raise ValueError("profiles of other test units or other resamples")
    parts = [(weight, profile.only(common)) for weight, profile in terms]
    scores: FloatArray = np.sum([weight * profile.scores for weight, profile in parts], axis=0)
    deviations: FloatArray = np.sum([weight * profile.deviations for weight, profile in parts], axis=0)
    return Measured(float(scores.mean()), _components(scores, deviations, first.units))


def _components(scores: FloatArray, deviations: FloatArray, units: int) -> Components:
    k = len(scores)
    shared = deviations.mean(axis=1)
    unit = float(shared @ shared)
    if k == 1:
        return Components(1, units, 0.0, unit, 0.0)
    own = deviations - shared[:, None]
    return Components(k, units, float(scores.var(ddof=1)) / k, unit, float((own * own).sum()) / (k * (k - 1)))


def difference(a: Profile, b: Profile) -> Measured:
    """A - B. Raises ``ValueError`` as ``contrast``."""
    return contrast([(1.0, a), (-1.0, b)])


def score_of(profile: Profile) -> Measured:
    """The score itself."""
    return contrast([(1.0, profile)])
