"""Counts straight from the lines of prediction files: what was said of an example before is not read again.

Hundreds of submissions on one test set say much the same. A line is looked up by the gold answer and by what follows
its number; only the first of its kind is read as JSON and counted. Files that are not as the harness writes them are
left to ``read_predictions``, which names what is wrong with them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from clinsynth.core import Example, TaskSpec
from clinsynth.results.predictions import prediction_of
from clinsynth.scoring import Counts, Metric

_MANY = 200_000
"""Lines that are remembered; with more, all are forgotten: they then have little in common."""


class Tally:
    """Counts of one metric on one test set."""

    def __init__(self, spec: TaskSpec, metric: Metric, gold: Sequence[Example]) -> None:
        """``gold`` is the test set, in its order."""
        self._spec, self._metric, self._gold = spec, metric, gold
        self._heads = [b'{"id": %d, ' % k for k in range(len(gold))]
        # What is counted depends on the gold answer, not on the text: equal answers share what is known.
        by_answer: dict[object, dict[bytes, int]] = {}
        self._known = [by_answer.setdefault((each.labels, each.spans), {}) for each in gold]
        self._answers = list(by_answer.values())
        self._rows: list[tuple[int, ...]] = []
        self._table: Counts = np.empty((0, 0), dtype=np.int64)

    def counts(self, content: bytes) -> Counts | None:
        """``[examples, columns]`` of an unpacked prediction file; ``None`` where it is not just as it is written."""
        lines = content.splitlines()
        if not lines or len(lines) != len(self._gold):
            return None
        if len(self._rows) > _MANY:
            self._forget()
        places: list[int] = []
        for number, (line, head, known) in enumerate(zip(lines, self._heads, self._known, strict=True)):
            if not line.startswith(head):
                return None
            rest = line[len(head) :]
            place = known.get(rest)
            if place is None:
                place = self._count(number, rest)
                if place is None:
                    return None
                known[rest] = place
            places.append(place)
        if len(self._table) < len(self._rows):
            more = np.array(self._rows[len(self._table) :], dtype=np.int64)
            self._table = np.concatenate([self._table, more]) if len(self._table) else more
        return self._table[places]

    def _count(self, number: int, rest: bytes) -> int | None:
        try:
            row = json.loads(b"{" + rest)
            if "id" in row:
                return None
            predicted = prediction_of(number, {**row, "id": number}, self._spec)
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        self._rows.append(tuple(self._metric.count(self._spec, self._gold[number], predicted)))
        return len(self._rows) - 1

    def _forget(self) -> None:
        for known in self._answers:
            known.clear()
        self._rows.clear()
        self._table = np.empty((0, 0), dtype=np.int64)
