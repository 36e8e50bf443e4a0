"""The few real examples that a few-shot method may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clinsynth.core import Example, NotPreparedError, Split, Task
from clinsynth.data.store import ExampleStore


@dataclass(frozen=True, slots=True)
class FewShot:
    """A draw of real examples."""

    examples: tuple[Example, ...]
    split: Split
    """Where they come from: train, or dev where no train split is here. Never test."""


def few_shot(store: ExampleStore, task: Task, per_class: int = 5, seed: int = 0) -> FewShot:
    """Draw ``per_class`` examples of each label, deterministically.

    A label of a multi-label or span task is served by any example that carries it, so one example may serve several;
    the labels are served in turn, rarest first, which keeps the draw small. Fewer are given where the split has
    fewer. Texts are not repeated. Raises ``NotPreparedError`` where neither train nor dev is in the store.
    """
    split = _source(store, task)
    pool = store.examples(task, split)
    order = [int(i) for i in np.random.default_rng(seed).permutation(len(pool))]
    carried = [_labels(example) for example in pool]
    size = {label: sum(label in labels for labels in carried) for label in task.spec.labels}
    chosen: dict[int, None] = {}
    texts: set[Sequence[str]] = set()
    for label in sorted(task.spec.labels, key=lambda name: size[name]):
        have = sum(label in carried[i] for i in chosen)
        for i in order:
            if have >= per_class:
                break
            if label in carried[i] and pool[i].texts not in texts:
                chosen[i] = None
                texts.add(pool[i].texts)
                have += 1
    return FewShot(tuple(pool[i] for i in chosen), split)


def _labels(example: Example) -> set[str]:
    return {*example.labels, *(span.label for span in example.spans)}


def _source(store: ExampleStore, task: Task) -> Split:
    rows = store.rows(task)
    if rows.get("train"):
        return "train"
    if rows.get("dev"):
        return "dev"
    raise NotPreparedError(
        f"no few-shot examples of {task.spec.name}: neither its train nor its dev split is here",
        found=", ".join(f"{split} {n:,} rows" for split, n in rows.items()) or "nothing prepared",
        remedy="prepare the train split; test examples are never shown to a generator",
    )
