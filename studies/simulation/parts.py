"""The tests on their variance components alone: many replicates in seconds, and every ratio of seeds to items.

Here the part of the items is known and the part of the seeds is estimated from k values: the situation of a large test
set, and the one in which Satterthwaite's t and the Behrens-Fisher distribution differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr, stdtr  # pyright: ignore[reportMissingTypeStubs] - scipy has none

from clinsynth.scoring.statistics.estimates import seed_nodes
from clinsynth.scoring.statistics.profiles import FloatArray

RATIOS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
"""Variance by seeds over variance by items, both of the mean."""


def rates(seeds: int, residual: float, ratio: float, replicates: int, rng: np.random.Generator) -> dict[str, Any]:
    """How often each test calls a null. ``residual`` is the interaction, as a share of the items' variance."""
    degrees = seeds - 1
    value = rng.standard_normal(replicates) * np.sqrt(1 + ratio)
    seed = (ratio + residual) * rng.chisquare(degrees, replicates) / degrees
    both, once = 1 + seed, 1 + np.maximum(0, seed - residual)
    scaled, weights = seed_nodes(degrees)
    ours: FloatArray = np.zeros(replicates)
    for node, weight in zip(scaled.tolist(), weights.tolist(), strict=True):
        ours += weight * 2 * ndtr(-abs(value) / np.sqrt(1 + np.maximum(0, seed * node - residual)))
    tests = {"satterthwaite": _t(value, both, seed, degrees), "once": _t(value, once, seed, degrees), "ours": ours}
    rejected = {name: round(float((p < 0.05).mean()), 4) for name, p in tests.items()}
    return {"seeds": seeds, "residual": residual, "ratio": ratio, "replicates": replicates, "rejected": rejected}


def _t(value: FloatArray, variance: FloatArray, seed: FloatArray, degrees: int) -> FloatArray:
    with np.errstate(divide="ignore"):
        freedom = np.minimum(variance**2 * degrees / seed**2, 1e9)
    return 2 * stdtr(np.maximum(freedom, degrees), -abs(value) / np.sqrt(variance))


def measure(replicates: int) -> list[dict[str, Any]]:
    """All lines of the table."""
    return [
        rates(
            seeds, residual, ratio, replicates, np.random.default_rng([seeds, round(10 * residual), round(10 * ratio)])
        )
        for seeds in (3, 5)
        for residual in (0.0, 0.3)
        for ratio in RATIOS
    ]
