"""Counts of runs by test unit, and what is needed of them: scores by seed, and how far each unit moves them.

A ``Profile`` is linear: a difference, a gap, a point on a learning curve or an area under it is a weighted sum of
profiles on the same test set, and its variance components follow from the weighted sums of their parts. There are two
ways to make one. ``jackknife`` leaves out one unit at a time: exact for means, no random numbers. ``bootstrap`` draws
the units anew: for F1, whose value is not a sum over units.

Deviations are rounded once, to multiples of a power of two (``_STEPS``): sums of their products are then whole numbers
that float64 holds exactly, so that they are the same in whatever order, and by whatever processor, they are added up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinsynth.core import Example

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def unit_index(examples: Sequence[Example]) -> IntArray:
    """``[examples]``: the number of each example's unit, counted from 0 in order of first appearance.

    An example without a unit is a unit by itself, whatever the others are called.
    """
    seen: dict[object, int] = {}
    keys = (example.unit or (position,) for position, example in enumerate(examples))
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def sum_by_unit(counts: npt.NDArray[np.int64], index: IntArray) -> IntArray:
    """``[..., examples, columns]`` counts to ``[..., units, columns]``: sums over the examples of each unit.

    Raises ``ValueError`` if ``index`` has another length than there are examples.
    """
    if counts.shape[-2] != len(index):
        raise ValueError(f"{counts.shape[-2]} examples, {len(index)} unit numbers")
    out = np.zeros((*counts.shape[:-2], int(index.max(initial=-1)) + 1, counts.shape[-1]), dtype=np.int64)
    for place in np.ndindex(counts.shape[:-2]):
        np.add.at(out[place], index, counts[place])
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The runs of one submission on one task: sufficient statistics for every question of this package."""

    value: Callable[[IntArray], FloatArray]
    """``Metric.value``: ``[..., columns]`` summed counts to ``[...]`` scores."""
    seeds: tuple[int, ...]
    """Empty for answers that no seed changes: they stand beside every seed of the others."""
    counts: IntArray
    """``[seeds, units, columns]``; a single one where there is no seed."""

    def __post_init__(self) -> None:
        known = len(self.counts) == max(1, len(self.seeds)) and len(set(self.seeds)) == len(self.seeds)
        if self.counts.ndim != 3 or not known:
            raise ValueError(f"counts {self.counts.shape} do not fit seeds {self.seeds}")
        if self.counts.shape[1] < 2:
            raise ValueError("fewer than two independent units: nothing can be said of other test sets")

    @property
    def units(self) -> int:
        """Independent units of the test set."""
        return self.counts.shape[1]

    @property
    def scores(self) -> FloatArray:
        """``[seeds]``: the score of each run, in [0, 1]."""
        return self.value(self.counts.sum(axis=1))


_CELLS = 4_000_000
"""Largest number of weights that are held at a time."""
_STEPS = 24
"""Deviations are whole multiples of 2 to the power of minus this, divided by the root of the number of units (rounded
to a power of two). A sum over 2,000 resamples then has an error of about a ten-millionth of itself. With k seeds, n
units and a standard error s the sums are exact while k s sqrt(n) < 5; s is below 0.5 / sqrt(n) for an accuracy."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Scores and their deviations over test units, of one submission on one task."""

    seeds: tuple[int, ...]
    """Empty where no seed changes the answers."""
    units: int
    scores: FloatArray
    """``[seeds]``; a single one without seeds."""
    deviations: FloatArray
    """``[rows, seeds]``: the sum of their squares over rows is the variance over test units. Rows are units or
    resamples, and mean the same in every profile that is compared."""

    @property
    def mean(self) -> float:
        """Mean over the seeds: the score of the submission on the task."""
        return math.fsum(self.scores) / len(self.scores)

    def only(self, seeds: Sequence[int]) -> Profile:
        """The same with these seeds, in this order. Raises ``ValueError`` for a seed that was not run."""
        if not self.seeds:
            return self
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
    return Profile(runs.seeds, n, runs.scores, _whole(deviations, n))


def _whole(deviations: FloatArray, units: int) -> FloatArray:
    """Rounded so that sums of products are exact; see ``_STEPS``."""
    scale = 2.0 ** (_STEPS + math.frexp(math.sqrt(units))[1] - 1)
    return np.rint(deviations * scale) / scale


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
    values = [np.empty((resamples, len(each.counts))) for each in runs]
    # float32 products of counts are exact up to 2^24, and twice as fast.
    flat = [np.moveaxis(each.counts, 0, 1).reshape(n, -1).astype(np.float32) for each in runs]
    step = max(1, _CELLS // n)
    for start in range(0, resamples, step):
        weights = draw_weights(min(step, resamples - start), n, rng).astype(np.float32)
        for each, table, value in zip(runs, flat, values, strict=True):
            sums = np.rint(weights @ table).astype(np.int64).reshape(len(weights), len(each.counts), -1)
            value[start : start + len(weights)] = each.value(sums)
    return [
        Profile(each.seeds, n, each.scores, _whole((value - value.mean(axis=0)) / np.sqrt(resamples - 1), n))
        for each, value in zip(runs, values, strict=True)
    ]


def draw_weights(resamples: int, units: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """``[resamples, units]``: how often each unit is drawn, multinomial."""
    drawn = rng.integers(units, size=(resamples, units), dtype=np.int32).astype(np.int64)
    drawn += np.arange(resamples, dtype=np.int64)[:, None] * units
    return np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units)
