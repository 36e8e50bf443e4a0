"""gold-n: as many real training rows as a generator may write, the like-for-like reference."""

from collections.abc import Iterator

import numpy as np

from clinsynth.core import Row
from clinsynth.generation import Baseline, Budget, TaskView, Tools
from clinsynth.task_types import task_type


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """A draw of the budget's size; a student sees a draw of this draw, another one for each seed."""
    real = view.real()
    kind = task_type(view.spec)
    for index in rng.permutation(len(real))[: budget.rows]:
        yield kind.encode(real[int(index)])


BASELINE = Baseline(
    name="gold-n",
    title="Real data, same n",
    description="real training rows, cut to the budget of the methods they are compared with",
    real_data="train",
    generate=generate,
    reference=True,
)
