"""The rows that a seed trains on, and the divergence of their labels from those of real training rows."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from clinsynth.core import Example, TaskSpec, UserError
from clinsynth.results import Cell, Draw, drawn

NO_LABEL = ""
"""Stands for the label of a row that has none: of a multi-label task without a label, of a span task without a span."""


def stream(cell: Cell, purpose: str) -> np.random.Generator:
    """Random stream of a task, seed and purpose: the same for every submission, so that comparisons are paired."""
    return np.random.default_rng([cell.seed, zlib.crc32(f"{cell.task}/{purpose}".encode())])


def draw(rows: Sequence[Example], cell: Cell) -> list[Example]:
    """The seed's draw of ``cell.rows`` rows; a smaller budget's draw is the beginning of a larger one's."""
    return [rows[place] for place in places(rows, cell)]


def places(rows: Sequence[Example], cell: Cell, how: Draw = "random") -> list[int]:
    """Indices of the rows that ``draw`` takes.

    A balanced draw goes through the same order and takes the next row of each label in turn; a label that has no row
    left is passed over, and then the shares are as equal as the rows allow. A row with several labels counts for the
    one whose turn it is.
    """
    order = drawn(cell.task, cell.seed, len(rows), len(rows))
    if how == "random":
        return order[: cell.rows]
    waiting: dict[str, list[int]] = {}
    for place in reversed(order):
        for label in labels_of(rows[place]):
            waiting.setdefault(label, []).append(place)
    taken: dict[int, None] = {}
    queues = [waiting[label] for label in sorted(waiting)]
    while queues and len(taken) < cell.rows:
        for queue in queues:
            while queue and queue[-1] in taken:
                queue.pop()
            if queue and len(taken) < cell.rows:
                taken[queue.pop()] = None
        queues = [queue for queue in queues if queue]
    return list(taken)


def check_draw(spec: TaskSpec, how: Draw) -> None:
    """Raise ``UserError`` for a task whose rows cannot be drawn in this way."""
    if how == "balanced" and spec.is_span:
        raise UserError(
            f"a row of {spec.name} has spans, not a label: there is nothing to balance",
            remedy="name other tasks with --tasks",
        )


def labels_of(example: Example) -> tuple[str, ...]:
    """The labels of a row, or of its spans, each once."""
    labels = example.labels or tuple(dict.fromkeys(span.label for span in example.spans))
    return labels or (NO_LABEL,)


def label_shares(rows: Sequence[Example]) -> dict[str, float]:
    """The share of each label among all labels of the rows."""
    counts = Counter(label for row in rows for label in labels_of(row))
    return {label: count / counts.total() for label, count in sorted(counts.items())}


def label_divergence(rows: Sequence[Example], real: Sequence[Example]) -> float:
    """Jensen-Shannon divergence of the label shares in bits, from 0 to 1 (Lin 1991, doi 10.1109/18.61115)."""
    shares = [label_shares(rows), label_shares(real)]
    names = sorted({*shares[0], *shares[1]})
    one, two = (np.array([part.get(name, 0.0) for name in names]) for part in shares)
    middle = (one + two) / 2
    parts = [float((p[p > 0] * np.log2(p[p > 0] / middle[p > 0])).sum()) for p in (one, two)]
    return round(sum(parts) / 2, 6)
