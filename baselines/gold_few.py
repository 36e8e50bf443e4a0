"""gold-few: five real examples per class, the same that few-shot generators see."""

from collections.abc import Iterator

import numpy as np

from clinsynth.core import Row
from clinsynth.generation import Baseline, Budget, TaskView, Tools
from clinsynth.task_types import task_type


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Every few-shot example, whatever the budget."""
    yield from map(task_type(view.spec).encode, view.few_shot())


BASELINE = Baseline(
    name="gold-few",
    title="Real data, 5 a class",
    description="five real examples per class: what few-shot generators start from",
    real_data="few-shot",
    generate=generate,
    reference=True,
)
