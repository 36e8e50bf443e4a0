"""Quantiles and ends of intervals of many estimates at once: the same steps as for one, on arrays.

A table asks for tens of thousands, each from a few hundred numbers: one at a time, most of the time goes into calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.special import ndtr, ndtri  # pyright: ignore[reportMissingTypeStubs] - scipy has none

from clinsynth.scoring.statistics.estimates import ALPHA, POWER, Estimate
from clinsynth.scoring.statistics.profiles import FloatArray, IntArray

_TOGETHER = 64
"""Estimates that are looked at together: their nodes stay near the processor."""
_STEPS = 12
TAILS = (ALPHA / 2, 1 - POWER)
"""Tail probabilities that intervals and detectable differences need."""
Along = Callable[[FloatArray, IntArray], FloatArray]
"""Values of functions at places ``x``; which of the functions, by number."""


def prepare(estimates: Iterable[Estimate], tails: Sequence[float] = TAILS) -> None:
    """Compute these quantiles of all estimates at once, so that each has them when asked."""
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
        found = crossings(excess, np.zeros(len(far)), np.full(len(far), aim), far, 1e-12 * far)
        for each, distance in zip(estimates, found.tolist(), strict=True):
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
