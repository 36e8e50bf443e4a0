"""majority: the most frequent answer of the training split, for every test item. The floor.

Its rows all have the same answer; the harness does not fine-tune on such rows but lets the student say that answer,
which is what the loss has its minimum at.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from clinsynth.core import Row
from clinsynth.generation import Baseline, Budget, TaskView, Tools
from clinsynth.task_types import task_type


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Real rows with the most frequent answer; for span tasks, rows without a span."""
    real = view.real()
    (most, _), *_ = Counter(example.labels for example in real).most_common(1)
    constant = [example for example in real if example.labels == most and not example.spans]
    yield from map(task_type(view.spec).encode, constant[: budget.rows])


BASELINE = Baseline(
    name="majority",
    title="Majority",
    description="the most frequent answer of the training split, always: the floor",
    real_data="train",
    generate=generate,
    reference=True,
)
