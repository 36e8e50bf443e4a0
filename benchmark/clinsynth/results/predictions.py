"""Files of predictions: written by position and without text, unpacked within bounds, read against the task."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np

from clinsynth.core import Example, Prediction, Span, TaskSpec, UserError, unpacked_bytes
from clinsynth.scoring import Counts, Metric

MAX_EXAMPLES = 100_000
"""Test examples of a task whose number is not known."""
MAX_PREDICTIONS = 64 * 2**20
"""Bytes of an unpacked file of predictions, whatever the test set."""
_BYTES_OF_A_LINE = 96
"""A line without its labels or spans."""
_BYTES_OF_SPANS = 4_096
"""Spans of one example, on average: a hundred of them."""
MAX_TEXT = 2**31
"""No text has more characters."""


def prediction_row(position: int, prediction: Prediction, *, spans: bool) -> dict[str, Any]:
    """The line of one test example: its position and the labels or spans that were said of it."""
    said = {"spans": [list(s) for s in prediction.spans]} if spans else {"labels": list(prediction.labels)}
    return {"id": position, **said}


def read_predictions(path: Path, spec: TaskSpec, examples: int) -> tuple[list[Prediction], str]:
    """Predictions in test order, and the digest of the unpacked file.

    Args:
        path: the file.
        spec: of the task: what is no answer to it is refused.
        examples: of the test set: they bound what is unpacked.

    Raises:
        UserError: naming the line.
    """
    content = prediction_bytes(path, spec, examples)
    return predictions_in(path, content, spec), hashlib.sha256(content).hexdigest()


def prediction_bytes(path: Path, spec: TaskSpec, examples: int) -> bytes:
    """Content of a prediction file, unpacked up to the size that the test set allows. Raises ``UserError``."""
    try:
        return unpacked_bytes(path, _most_bytes(spec, examples))
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read", found=str(error), remedy="delete the run and score again") from error


def _most_bytes(spec: TaskSpec, examples: int) -> int:
    # The number in a record is its author's; that of the published test set is not.
    rows = min(examples, spec.rows.get("test", MAX_EXAMPLES))
    # A character takes up to six bytes in JSON.
    answer = _BYTES_OF_SPANS if spec.is_span else sum(6 * len(label) + 4 for label in spec.labels)
    return min(rows * (_BYTES_OF_A_LINE + answer) + 1_024, MAX_PREDICTIONS)


def predictions_in(path: Path, content: bytes, spec: TaskSpec) -> list[Prediction]:
    """The predictions in test order of what ``path`` holds. Raises ``UserError`` naming the line."""
    lines = content.splitlines()
    try:
        return [prediction_of(number, row, spec) for number, row in enumerate(_together(lines))]
    except (ValueError, KeyError, TypeError, RecursionError):
        return [_named(path, number, line, spec) for number, line in enumerate(lines)]


def _together(lines: list[bytes]) -> list[Any]:
    """The values of all lines, read at once: three times as fast. Raises ``ValueError`` if one is not one value."""
    rows: list[Any] = json.loads(b"[" + b",".join(lines) + b"]")
    if len(rows) != len(lines):
        raise ValueError(f"{len(rows)} values in {len(lines)} lines")
    return rows


def prediction_of(number: int, row: Any, spec: TaskSpec) -> Prediction:
    """One line's prediction. Raises ``ValueError``, ``KeyError`` or ``TypeError`` if it is not that of ``number``."""
    if type(row["id"]) is not int or row["id"] != number:
        raise ValueError(f"id {str(row['id'])[:40]}")
    answer = answer_of(row, spec)
    # A language model's answer that could not be read is stored as none, and marked.
    if not (spec.is_span or spec.multi_label or len(answer.labels) == 1 or row.get("unparsable")):
        raise ValueError(f"{len(answer.labels)} labels, not one")
    return answer


def answer_of(row: Any, spec: TaskSpec) -> Prediction:
    """The labels or spans of one line of either track, which are those of the task or none.

    Raises:
        ValueError: a label is none of the task's or given twice; a span is empty, out of order or over another one.
        KeyError: there are none.
        TypeError: they are no lists.
    """
    if spec.is_span:
        return Prediction(spans=_spans(row["spans"], spec))
    labels = tuple(cast("list[Any]", row["labels"]))
    for label in labels:
        if label not in spec.labels:
            raise ValueError(f"{str(label)[:40]!r} is no label of {spec.name}")
    if len(set(labels)) != len(labels):
        raise ValueError(f"a repeated label: {', '.join(labels)[:80]}")
    return Prediction(labels)


def _spans(given: Any, spec: TaskSpec) -> tuple[Span, ...]:
    spans = tuple(Span(start, end, label) for start, end, label in given)
    for start, end, label in spans:
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= MAX_TEXT:
            raise ValueError("a span that does not begin before it ends")
        if label not in spec.labels:
            raise ValueError(f"{str(label)[:40]!r} is no label of {spec.name}")
    if any(left.end > right.start for left, right in pairwise(spans)):
        raise ValueError("spans out of order, or one over another")
    return spans


def _named(path: Path, number: int, line: bytes, spec: TaskSpec) -> Prediction:
    try:
        return prediction_of(number, json.loads(line), spec)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}, line {number + 1} is not a prediction", found=str(error)) from error


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
