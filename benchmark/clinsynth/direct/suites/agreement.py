"""How far judges agree with one another, and metrics with people."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 1_000


def alpha(grades: Mapping[str, Sequence[int | None]]) -> float | None:
    """Krippendorff's alpha (2004) for ordinal grades, by judge; missing grades are missing.

    ``None`` where it is not defined: fewer than two judges, no case with two grades, or one grade throughout.
    """
    table = np.array([[np.nan if g is None else float(g) for g in each] for each in grades.values()])
    if table.shape[0] < 2:
        return None
    paired = table[:, (~np.isnan(table)).sum(axis=0) >= 2]
    if paired.shape[1] < 2 or len(set(paired[~np.isnan(paired)])) < 2:
        return None
    library: Any = importlib.import_module("krippendorff")
    return float(library.alpha(reliability_data=paired, level_of_measurement="ordinal"))


@dataclass(frozen=True, slots=True)
class Correlation:
    """Spearman's rank correlation of two measures of the same cases."""

    rho: float | None
    """``None`` where one of them does not vary."""
    low: float | None
    high: float | None
    """95 % interval, percentile bootstrap over cases."""
    cases: int


def correlate(a: Sequence[float | None], b: Sequence[float | None], seed: int = 0) -> Correlation:
    """Correlate what both have."""
    pairs = np.array([(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None], dtype=float)
    if len(pairs) < 3 or (rho := _rho(pairs)) is None:
        return Correlation(None, None, None, len(pairs))
    rng = np.random.default_rng(seed)
    drawn = [_rho(pairs[rng.integers(len(pairs), size=len(pairs))]) for _ in range(RESAMPLES)]
    kept = [value for value in drawn if value is not None]
    low, high = np.percentile(kept, [2.5, 97.5])
    return Correlation(rho, float(low), float(high), len(pairs))


def _rho(pairs: Any) -> float | None:
    stats: Any = importlib.import_module("scipy.stats")
    ranks = stats.rankdata(pairs, axis=0)
    if not ranks.std(axis=0).all():
        return None
    return float(np.corrcoef(ranks[:, 0], ranks[:, 1])[0, 1])
