"""Profiles and runs with a known score."""

from collections.abc import Sequence

import numpy as np

from clinsynth.core.nouns import MetricName
from clinsynth.scoring.metrics import METRICS
from clinsynth.scoring.statistics import (
    Profile,
    Runs,
    jackknife,
)

METRIC_NAMES: tuple[MetricName, ...] = ("accuracy", "micro_f1", "entity_f1")
ACCURACY = METRICS["accuracy"].value


def accuracy_runs(right: Sequence[Sequence[int]] | np.ndarray) -> Runs:
    """Runs from ``[seeds, items]`` of right and wrong answers."""
    table = np.asarray(right, dtype=np.int64)
    return Runs(ACCURACY, tuple(range(len(table))), np.stack([table, np.ones_like(table)], axis=-1))


def at(score: float, rng: np.random.Generator, seeds: int = 5, spread: float = 0.01, items: int = 2_000) -> Profile:
    """A profile whose true score is given."""
    shift = rng.normal(0, spread, (seeds, 1))
    return jackknife(accuracy_runs(rng.random((seeds, items)) < score + shift - shift.mean()))
