"""The floor: the best that one answer to every test item can reach, computed from the answers of the test set.

Nobody needs to read a text for it, so what a student learned is what it scores above. It is the best for the task's own
metric: always the one label, the one set of labels, or no span at all. No run is behind it, and no seed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ConfigDict

from clinsynth.core import Example, Prediction, Sealed, TaskSpec, write_json
from clinsynth.scoring import METRICS, Metric
from clinsynth.standings.runs import TestSet

RECORDS = Path(__file__).with_name("constants.json")
"""The floors of the open tasks, so that a table made without test sets has them too."""


class Constant(Sealed):
    """The best constant answer to a test set. Holds no text of any dataset."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format: Literal[1] = 1
    task: str
    task_version: int
    test_fingerprint: str
    """sha256 over the test examples."""
    examples: int
    metric: str
    labels: tuple[str, ...]
    """What is said of every item; empty for a span task: no span."""
    counts: tuple[int, ...]
    """The metric's counts of this answer, summed over the test set."""
    score: float

    @property
    def words(self) -> str:
        """Such as ``always yes``."""
        return f"always {' + '.join(self.labels)}" if self.labels else "never anything"


def best_constant(spec: TaskSpec, metric: Metric, gold: Sequence[Example]) -> tuple[Prediction, tuple[int, ...], float]:
    """The constant answer with the highest score, its summed counts and that score; of equal ones the first.

    Every label of a task that has one label for each item. Of sets of labels those that can be the best: the m most
    frequent labels for every m (the best m for F1, whether micro or macro), and every set that is the answer to an item
    (the best for accuracy). ``tests/test_floor.py`` compares that with all subsets.
    """
    kinds = Counter((example.labels, example.spans) for example in gold)
    best: tuple[Prediction, tuple[int, ...], float] | None = None
    for labels in _candidates(spec, gold):
        said = Prediction(labels)
        counts = np.sum(
            [
                times * np.array(metric.count(spec, Example(("",), labels=own, spans=spans), said))
                for (own, spans), times in kinds.items()
            ],
            axis=0,
        )
        score = float(metric.value(counts))
        if best is None or score > best[2]:
            best = said, tuple(counts.tolist()), score
    if best is None:
        raise ValueError(f"{spec.name} has no label to say")
    return best


def _candidates(spec: TaskSpec, gold: Sequence[Example]) -> Iterator[tuple[str, ...]]:
    if spec.is_span:
        yield ()
    elif not spec.multi_label:
        yield from ((label,) for label in spec.labels)
    else:
        often = Counter(label for example in gold for label in example.labels)
        order = sorted(spec.labels, key=lambda label: (-often[label], spec.labels.index(label)))
        prefixes = (tuple(order[:most]) for most in range(len(order) + 1))
        yield from dict.fromkeys((*prefixes, *(example.labels for example in gold)))


def constant_of(test: TestSet) -> Constant:
    """The best constant answer to a test set."""
    spec = test.task.spec
    said, counts, score = best_constant(spec, test.metric, test.gold)
    return Constant(
        task=spec.name, task_version=spec.version, test_fingerprint=test.fingerprint, examples=len(test.gold),
        metric=spec.metric, labels=said.labels, counts=counts, score=score,
    ).sealed()  # fmt: skip


@cache
def recorded() -> dict[tuple[str, str, str], Constant]:
    """The stored ones, by task, metric and fingerprint of the test set. One that was edited is not among them."""
    stored = [Constant.model_validate(each) for each in json.loads(RECORDS.read_text("utf-8"))]
    return {
        (each.task, each.metric, each.test_fingerprint): each
        for each in stored
        if each.seal == each.expected_seal() and float(METRICS[each.metric].value(np.array(each.counts))) == each.score  # pyright: ignore[reportArgumentType]
    }


def record(constants: Sequence[Constant], path: Path = RECORDS) -> None:
    """Store them; only of tasks whose test sets anybody may have."""
    write_json(path, [each.model_dump(mode="json") for each in sorted(constants, key=lambda each: each.task)])
