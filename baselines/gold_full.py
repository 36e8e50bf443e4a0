"""gold-full: the whole real training split, the ceiling."""

from collections.abc import Iterator

import numpy as np

from clinsynth.core import Row
from clinsynth.generation import Baseline, Budget, TaskView, Tools
from clinsynth.task_types import task_type


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Every real training row, whatever the budget; score it with ``--rows all``."""
    yield from map(task_type(view.spec).encode, view.real())


BASELINE = Baseline(
    name="gold-full",
    title="Real data, all",
    description="the whole real training split: the ceiling",
    real_data="train",
    generate=generate,
    reference=True,
)
