"""Tests of A - B that are compared: what papers do, what protocol v1 said first, and what the harness does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtr  # pyright: ignore[reportMissingTypeStubs] - scipy has none

from clinsynth.scoring.statistics import Components, Measured, Profile, Runs, difference, jackknife
from clinsynth.scoring.statistics.profiles import FloatArray, draw_weights


def p_values(a: Runs, b: Runs, resamples: int = 0) -> dict[str, float]:
    """The p of no difference by each method; the bootstraps only with ``resamples``."""
    profiles = jackknife(a), jackknife(b)
    measured = difference(*profiles)
    parts, value = measured.components, measured.value
    seeds = profiles[0].scores - profiles[1].scores
    out = {
        "items": 2 * float(ndtr(-abs(value) / parts.unit**0.5)),
        "seeds": _t(value, parts.seed, parts.seeds - 1),
        "satterthwaite": _satterthwaite(value, parts),
        "unpaired": _unpaired(value, parts, profiles).estimate().p_value(),
        "ours": measured.estimate().p_value(),
    }
    if resamples:
        out |= _multi_bootstrap(a, b, seeds, resamples)
    return out


def _t(value: float, variance: float, degrees: float) -> float:
    return 2 * float(stdtr(degrees, -abs(value) / variance**0.5)) if variance > 0 else float(value == 0)


def _satterthwaite(value: float, parts: Components) -> float:
    variance = parts.seed + parts.unit
    spread = parts.seed**2 / (parts.seeds - 1) + parts.unit**2 / (parts.units - 1)
    return _t(value, variance, variance**2 / spread)


def _unpaired(value: float, parts: Components, profiles: tuple[Profile, Profile]) -> Measured:
    """As if the two lists of seeds had nothing to do with each other: twice the degrees of freedom."""
    seed = sum(float(p.scores.var(ddof=1)) for p in profiles) / parts.seeds
    return Measured(value, Components(2 * parts.seeds - 1, parts.units, seed, parts.unit, parts.residual))


@cache
def _weights(resamples: int, units: int) -> npt.NDArray[np.float32]:
    # The same draws for every replicate: the replicates are independent, the draws need not be.
    return draw_weights(resamples, units, np.random.default_rng(20)).astype(np.float32)


@cache
def _seed_weights(resamples: int, seeds: int) -> FloatArray:
    return draw_weights(resamples, seeds, np.random.default_rng(21)) / seeds


def _multi_bootstrap(a: Runs, b: Runs, observed: FloatArray, resamples: int) -> Mapping[str, float]:
    """Sellam et al., 2106.16163: draw seeds and units, and look where 0 lies among the differences."""
    k = len(observed)
    weights, drawn = _weights(resamples, a.units), _seed_weights(resamples, k)
    values = [_values(runs, weights) for runs in (a, b)]
    by_seed = values[0] - values[1]
    plain = (drawn * by_seed).sum(axis=1)
    middle = by_seed.mean(axis=1)
    inflated = middle + np.sqrt(k / (k - 1)) * (plain - middle)
    return {"multi": _percentile_p(plain), "inflated": _percentile_p(inflated)}


def _values(runs: Runs, weights: npt.NDArray[np.float32]) -> FloatArray:
    flat = np.moveaxis(runs.counts, 0, 1).reshape(runs.units, -1).astype(np.float32)
    return runs.value(np.rint(weights @ flat).astype(np.int64).reshape(len(weights), len(runs.seeds), -1))


def _percentile_p(draws: FloatArray) -> float:
    below, above = float((draws <= 0).mean()), float((draws >= 0).mean())
    return min(1.0, 2 * min(below, above))
