"""The one test of the benchmark: an estimate whose error has a part from the seeds and a part from the test units.

The variance of a mean over k seeds on n test units is ``unit + seed`` where ``seed`` is known from k values only. The
usual way out, Satterthwaite's t, treats the estimated degrees of freedom as known and rejects too often: up to 7.7 % at
3 seeds and 5.9 % at 5 for a nominal 5 % (docs/statistics.md). Here the uncertainty of the variance is averaged over
instead (Behrens 1929, Fisher 1935; generalised p-value: Tsui and Weerahandi 1989): with independent chi-squares,

    error ~ N(0, V),  V = unit (n - 1) / chi2(n - 1) + max(0, seed (k - 1) / chi2(k - 1) - residual)

``residual``, the seed-by-unit interaction, is part of ``unit`` and of ``seed`` and is counted once. Where one part
vanishes this is Student's t exactly: the paired t-test over units for one seed, the t-test over seeds without the rest.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import numpy as np
from scipy import optimize  # pyright: ignore[reportMissingTypeStubs] - scipy has none
from scipy.special import (  # pyright: ignore[reportMissingTypeStubs] - scipy has none
    gammaincinv,  # pyright: ignore[reportMissingTypeStubs] - scipy has none
    ndtr,
    ndtri,
)

from clinsynth.scoring.statistics.profiles import FloatArray, IntArray

Point = tuple[float, float]
_SECANTS = 12
ALPHA = 0.05
POWER = 0.8
DRAWS = 4_000
"""Draws of the variances where several tasks are combined; a p-value of 0.05 is then known to about 0.0005."""


def crossing(function: Callable[[float], float], low: Point, high: Point, tolerance: float) -> float:
    """Where ``function`` is 0 between two points (x and its value there) at which its signs differ, to ``tolerance``.

    The functions of this package are nearly linear, so that secants get there in four or five steps; where they leave
    the bracket, Brent's method (1973) takes over.
    """
    before, last = low, high
    for _ in range(_SECANTS):
        if last[1] == before[1]:
            break
        x = last[0] - last[1] * (last[0] - before[0]) / (last[1] - before[1])
        if not min(low[0], high[0]) <= x <= max(low[0], high[0]):
            break
        if abs(x - last[0]) <= tolerance:
            return x
        before, last = last, (x, function(x))
    return float(cast("Any", optimize).brentq(function, low[0], high[0], xtol=tolerance))


def settled(value: float) -> float:
    """A number as it leaves the statistics: ten digits, the last place where processors differ being the sixteenth."""
    return float(f"{value:.10g}") + 0.0  # never -0.0


@cache
def _median(degrees: int) -> float:
    """Of chi2."""
    return float(2 * gammaincinv(degrees / 2, 0.5))


@dataclass(frozen=True, slots=True)
class Components:
    """What the error of an estimate on one task is made of; variances are of the mean over seeds, in score units²."""

    seeds: int
    """The fewest of any of its parts; 0 where no seed plays a part."""
    units: int
    seed: float
    """Variance over the k seeds, divided by k. Zero and meaningless for one seed."""
    unit: float
    """Variance of the mean over seeds under another draw of test units."""
    residual: float
    """The seed-by-unit interaction: contained in both of the others."""

    @property
    def variance(self) -> float:
        """Estimated variance, the interaction counted once."""
        return self.unit + max(0.0, self.seed - self.residual)

    @property
    def typical(self) -> float:
        """The same with the median of what few seeds show put right: mostly they look too close together."""
        if self.seeds <= 1:
            return self.unit
        degrees = self.seeds - 1
        return self.unit + max(0.0, self.seed * degrees / _median(degrees) - self.residual)


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A value and the distribution of its error: normal with one of many scales, each with its weight.

    What it gives away is rounded (``settled``); ``tail`` and ``quantile`` are not, for further computing.
    """

    value: float
    standard_error: float
    typical_error: float
    """The same from ``Components.typical``: what another experiment of this kind would have."""
    scales: FloatArray
    """``[nodes]`` standard deviations."""
    weights: FloatArray
    """``[nodes]``, with sum 1."""
    _quantiles: dict[float, float] = field(default_factory=dict[float, float], init=False, repr=False)
    """Quantiles computed before, by tail."""
    _steepness: FloatArray | None = field(default=None, init=False, repr=False)
    """-1 / ``scales``, where there is an error in any case."""

    def __post_init__(self) -> None:
        if self.scales.min() > 0:
            object.__setattr__(self, "_steepness", -1 / self.scales)

    def tail(self, distance: float) -> float:
        """Probability that the error exceeds ``distance`` >= 0: one half at 0, or 0 if there is no error at all."""
        if self._steepness is not None:
            return float(np.add.reduce(self.weights * ndtr(distance * self._steepness)))
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(self.scales > 0, distance / self.scales, 0.0 if distance == 0 else np.inf)
        return float((self.weights * ndtr(-z)).sum())

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p of the hypothesis that the true value is ``null``."""
        return 1.0 if self.value == null else settled(min(1.0, 2 * self.tail(abs(self.value - null))))

    def quantile(self, tail: float) -> float:
        """The distance that the error exceeds with probability ``tail`` (0 < ``tail`` < 0.5)."""
        if tail not in self._quantiles:
            self._quantiles[tail] = self._quantile(tail)
        return self._quantiles[tail]

    def remember(self, tail: float, distance: float) -> None:
        """The answer of ``quantile``, found elsewhere."""
        self._quantiles[tail] = distance

    def _quantile(self, tail: float) -> float:
        typical = float((self.weights * self.scales).sum())
        if typical == 0:
            return 0.0
        aim = float(ndtri(tail))

        def excess(distance: float) -> float:
            """Nearly linear in the distance, which is what makes this quick."""
            return aim - float(ndtri(self.tail(distance)))

        low, high = (0.0, aim), (-1.6 * aim * typical, excess(-1.6 * aim * typical))
        while high[1] < 0:
            low, high = high, (2 * high[0], excess(2 * high[0]))
        return crossing(excess, low, high, 1e-12 * high[0])

    def interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        """Symmetric interval with confidence 1 - ``alpha``; it holds exactly the nulls with p >= ``alpha``."""
        half = self.quantile(alpha / 2)
        return settled(self.value - half), settled(self.value + half)

    def score_interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        """The interval of a score, cut to [0, 1]: the true score lies there, so what is cut off never held it."""
        low, high = self.interval(alpha)
        return max(0.0, low), min(1.0, high)

    def detectable(self, power: float = POWER, alpha: float = ALPHA) -> float:
        """The true difference that another experiment of this kind would find with this power.

        The sum of the two quantiles (Bloom 1995), for the typical error; simulated in docs/statistics.md.
        """
        if self.standard_error == 0:
            return 0.0
        both = self.quantile(alpha / 2) + self.quantile(1 - power)
        return settled(both * self.typical_error / self.standard_error)

    def probability_positive(self) -> float:
        """Confidence that the true value is above 0; for A - B this is P(A > B), of expected scores, not of runs."""
        tail = self.tail(abs(self.value))
        if self.value == 0:
            return 0.5
        return settled(1 - tail if self.value > 0 else tail)


@dataclass(frozen=True, slots=True)
class Measured:
    """A value on one task with its variance components."""

    value: float
    components: Components

    def estimate(self) -> Estimate:
        """The distribution of the error, by quadrature: no random numbers."""
        return _single(self.value, self.components)


@cache
def seed_nodes(degrees: int) -> tuple[FloatArray, FloatArray]:
    """Values of ``degrees / chi2(degrees)`` and their weights, for few degrees: nodes crowd where the long tail is."""
    x, w = np.polynomial.legendre.leggauss(64)
    u = (x + 1) / 2
    return degrees / (2 * gammaincinv(degrees / 2, u**4)), w * 2 * u**3


@cache
def _unit_nodes(degrees: int) -> tuple[FloatArray, FloatArray]:
    """The same for many degrees, where it is nearly normal: exact to 1e-10 at p = 0.05 from 4 degrees on."""
    x, w = np.polynomial.hermite_e.hermegauss(24 if degrees < 100 else 10)
    return degrees / (2 * gammaincinv(degrees / 2, ndtr(x))), w / w.sum()


@cache
def variance_nodes(seeds: int, units: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values of ``degrees / chi2(degrees)`` for the units and for the seeds, and the weights of all pairs of them."""
    certain = np.zeros(1), np.ones(1)
    unit, unit_weight = _unit_nodes(units - 1) if units > 1 else certain
    seed, seed_weight = seed_nodes(seeds - 1) if seeds > 1 else certain
    weights = (unit_weight[:, None] * seed_weight[None, :]).ravel()
    return unit, seed, weights / weights.sum()


@cache
def unit_and_seed_draws(
    seed: int, task: str, seeds: int, units: int, draws: int = DRAWS
) -> tuple[FloatArray, FloatArray]:
    """``degrees / chi2(degrees)`` of the units and of the seeds, ``[draws]`` each, from the stream of a task."""
    rng = np.random.default_rng([seed, zlib.crc32(task.encode())])
    unit = (units - 1) / rng.chisquare(units - 1, draws)
    return unit, (seeds - 1) / rng.chisquare(seeds - 1, draws) if seeds > 1 else np.zeros(draws)


def _single(value: float, parts: Components) -> Estimate:
    # A part that is 0 needs no nodes.
    seeds, units = (parts.seeds if parts.seed > 0 else 1), (parts.units if parts.unit > 0 else 1)
    unit, seed, weights = variance_nodes(seeds, units)
    variance = parts.unit * unit[:, None] + np.maximum(0.0, parts.seed * seed - parts.residual)[None, :]
    scales = np.sqrt(variance).ravel()
    return Estimate(value, parts.variance**0.5, parts.typical**0.5, scales, weights)


def combine(measured: Mapping[str, Measured], weights: Mapping[str, float], seed: int, draws: int = DRAWS) -> Estimate:
    """A weighted sum over tasks with independent errors, such as a mean over tasks.

    Args:
        measured: by task.
        weights: of each task.
        seed: of the draws of the variances. Each task has a stream of its own, so that neither their order nor the
            presence of other submissions changes a number.
        draws: how many.
    """
    if len(measured) == 1:
        ((task, one),) = measured.items()
        w, parts = weights[task], one.components
        scaled = Components(parts.seeds, parts.units, w * w * parts.seed, w * w * parts.unit, w * w * parts.residual)
        return _single(w * one.value, scaled)
    variance, known, typical = np.zeros(draws), 0.0, 0.0
    for task in sorted(measured):
        parts, w = measured[task].components, weights[task]
        unit, extra = unit_and_seed_draws(seed, task, parts.seeds, parts.units, draws)
        variance += w * w * (parts.unit * unit + np.maximum(0.0, parts.seed * extra - parts.residual))
        known += w * w * parts.variance
        typical += w * w * parts.typical
    value = sum(weights[task] * measured[task].value for task in sorted(measured))
    return Estimate(value, known**0.5, typical**0.5, np.sqrt(variance), np.full(draws, 1 / draws))


_TOGETHER = 64
"""Estimates that are looked at together: their nodes stay near the processor."""
_STEPS = 12
TAILS = (ALPHA / 2, 1 - POWER)
"""Tail probabilities that intervals and detectable differences need."""
Along = Callable[[FloatArray, IntArray], FloatArray]
"""Values of functions at places ``x``; which of the functions, by number."""


def prepare(estimates: Iterable[Estimate], tails: Sequence[float] = TAILS) -> None:
    """Compute these quantiles of all estimates at once, so that each has them when asked.

    By the same steps as for one estimate, on arrays: a table asks for tens of thousands, each from a few hundred
    numbers, and one at a time most of the time goes into calls.
    """
    alike: dict[tuple[int, float], list[Estimate]] = defaultdict(list)
    for each in estimates:
        if each.scales.min() > 0:
            alike[len(each.scales), float(each.weights[0])].append(each)
    for group in alike.values():
        for start in range(0, len(group), _TOGETHER):
            _prepare(group[start : start + _TOGETHER], tails)


def _prepare(estimates: Sequence[Estimate], tails: Sequence[float]) -> None:
    scales: FloatArray = np.stack([each.scales for each in estimates])
    weights: FloatArray = np.stack([each.weights for each in estimates])
    steepness, typical = -1 / scales, (weights * scales).sum(axis=1)
    for tail in tails:
        aim = float(ndtri(tail))

        def excess(x: FloatArray, which: IntArray, aim: float = aim) -> FloatArray:
            return aim - ndtri((weights[which] * ndtr(x[:, None] * steepness[which])).sum(axis=1))

        far = -1.6 * aim * typical
        distances = crossings(excess, np.zeros(len(far)), np.full(len(far), aim), far, 1e-12 * far)
        for each, distance in zip(estimates, distances.tolist(), strict=True):
            if np.isfinite(distance):
                each.remember(tail, distance)


def crossings(
    function: Along, low: FloatArray, at_low: FloatArray, high: FloatArray, tolerance: FloatArray
) -> FloatArray:
    """Where each function is 0 between ``low``, where its value is ``at_low``, and ``high``, by secants.

    NaN where its signs do not differ there or secants leave the bracket: to be looked for alone.
    """
    out: FloatArray = np.full(len(low), np.nan)
    which: IntArray = np.arange(len(low))
    at_high = function(high, which)
    which = which[np.sign(at_low) * np.sign(at_high) < 0]
    x0, f0, x1, f1 = low[which], at_low[which], high[which], at_high[which]
    for _ in range(_STEPS):
        with np.errstate(divide="ignore", invalid="ignore"):
            x = x1 - f1 * (x1 - x0) / (f1 - f0)
        inside = (x >= np.minimum(low, high)[which]) & (x <= np.maximum(low, high)[which])
        done = inside & (np.abs(x - x1) <= tolerance[which])
        out[which[done]] = x[done]
        left = inside & ~done
        if not left.any():
            break
        which, x0, f0, x1 = which[left], x1[left], f1[left], x[left]
        f1 = function(x1, which)
    return out
