"""Run records and predictions: what is stored of a run, where, and how it is checked again.

Identity is the path: ``runs/<task>/<recipe>/n<rows>/seed<k>.json`` beside
``predictions/<task>/<recipe>/n<rows>/seed<k>.jsonl.gz``; on the bundled sample both lie under ``sample/``, and those of
balanced draws under ``balanced/`` there, which no ranking reads.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, model_validator

from clinsynth.core import (
    TASKS,
    Environment,
    FaultyRecordError,
    Prediction,
    RecordFault,
    RecordKind,
    Sealed,
    Span,
    TaskSpec,
    UserError,
    read_sealed,
    stored_paths,
    unpacked_bytes,
    write_jsonl_gz,
    write_sealed,
)

DataKind = Literal["real", "sample"]
Draw = Literal["random", "balanced"]
"""How a run's rows are chosen from a submission's: at random, or with shares of the labels as equal as can be."""
SEEDS = (0, 1, 2, 3, 4)
"""The seeds of a ranked row (protocol): fixed, so that nobody can choose among many."""
RUN_RECORD = RecordKind("a run record", "delete it and run clinsynth score again", limit=2**20)
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


class Cell(NamedTuple):
    """One run: what identifies it."""

    task: str
    recipe: str
    rows: int
    """Training rows that were used."""
    seed: int

    @property
    def stem(self) -> str:
        """Path below ``runs/`` and ``predictions/``, without the suffix."""
        return f"{self.task}/{self.recipe}/n{self.rows}/seed{self.seed}"


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TrainingData(_Stored):
    """What the student was trained on."""

    fingerprint: str
    """sha256 over all rows that the submission has for the task."""
    available: int
    """Rows the submission has for the task."""
    used: int
    """Rows drawn by the seed."""
    few_shot: int = 0
    """Real examples that the recipe itself adds."""
    draw: Draw = "random"
    label_divergence: float | None = None
    """Jensen-Shannon divergence, in bits, between the label shares of the rows that were drawn and those of the real
    training split: 0 where they are equal, 1 where they have no label in common; ``None`` where there is no such split.
    """


class TestData(_Stored):
    """What the student was tested on."""

    kind: DataKind
    fingerprint: str
    """sha256 over the test examples: equal digests are the same test set."""
    examples: int


class RunRecord(_Stored, Sealed):
    """What happened in one run. Holds no text of any dataset."""

    format: Literal[1] = 1
    submission: str
    task: str
    task_version: int
    recipe: str
    recipe_fingerprint: str
    """sha256 over the recipe's settings for this task."""
    student_fingerprint: str
    """sha256 over the weights and tokenizer that were loaded."""
    rows: int
    seed: int
    training: TrainingData
    test: TestData
    fit: Literal["fine-tuned", "constant"]
    """constant: all rows had the same answer, which is then what the student says."""
    steps: int
    loss: float | None
    """Mean training loss over the last tenth of the steps."""
    counts: dict[str, int]
    """How many rows or test examples were truncated, windowed or snapped, by ``train.`` and ``test.``."""
    metric: str
    """The main metric."""
    scores: dict[str, float]
    """Every metric of the task, in [0, 1]."""
    predictions_sha256: str
    """Digest of the unpacked prediction file."""
    seconds: dict[str, float]
    environment: Environment
    created: str
    """UTC, ISO 8601."""
    carried_from: str = ""
    """Recipe under whose name the student was trained, where this one trains it alike; empty: under its own."""

    @model_validator(mode="after")
    def _scored(self) -> RunRecord:
        if self.metric not in self.scores:
            raise ValueError(f"no score for the main metric {self.metric}")
        if not all(0 <= score <= 1 for score in self.scores.values()):
            raise ValueError("a score outside [0, 1]")
        return self

    @property
    def cell(self) -> Cell:
        """The run's identity."""
        return Cell(self.task, self.recipe, self.rows, self.seed)

    @property
    def score(self) -> float:
        """The main metric's value."""
        return self.scores[self.metric]


class Results:
    """The records and predictions in a submission's folder."""

    def __init__(self, folder: Path, kind: DataKind, draw: Draw = "random") -> None:
        """``folder`` is the submission's; results on the sample are kept apart, and so are those of balanced draws."""
        self.folder = folder
        self.kind: DataKind = kind
        self.draw: Draw = draw
        base = folder / "sample" if kind == "sample" else folder
        base = base / draw if draw != "random" else base
        self.runs = base / "runs"
        self.predictions = base / "predictions"

    def record_path(self, cell: Cell) -> Path:
        """Where a run's record lies."""
        return self.runs / f"{cell.stem}.json"

    def predictions_path(self, cell: Cell) -> Path:
        """Where a run's predictions lie."""
        return self.predictions / f"{cell.stem}.jsonl.gz"

    def done(self, cell: Cell) -> RunRecord | None:
        """The record of a run that is complete; the record is written last."""
        path = self.record_path(cell)
        return read_record(path) if path.is_file() and self.predictions_path(cell).is_file() else None

    def write_predictions(self, cell: Cell, predictions: Sequence[Prediction], *, spans: bool) -> str:
        """Store predictions in test order, without text; returns the digest of the unpacked file."""
        rows = (
            {"id": k, "spans": [list(span) for span in p.spans]} if spans else {"id": k, "labels": list(p.labels)}
            for k, p in enumerate(predictions)
        )
        return write_jsonl_gz(self.predictions_path(cell), rows)

    def write_record(self, record: RunRecord) -> RunRecord:
        """Seal and store a record."""
        return write_sealed(self.record_path(record.cell), record)

    def stored(self) -> StoredRuns:
        """Every record, in path order, and what is wrong with those that cannot be taken. Never raises for a file."""
        records: list[RunRecord] = []
        faults: list[RecordFault] = []
        for path in self.record_paths():
            try:
                records.append(read_record(path))
            except FaultyRecordError as error:
                task = path.relative_to(self.runs).parts[:1]
                faults.append(error.fault(self.folder, *task or ("",)))
        return StoredRuns(tuple(records), tuple(faults))

    def record_paths(self) -> Iterator[Path]:
        """Where records lie, or seem to."""
        return stored_paths(self.runs, RUN_PATTERN)

    def records(self) -> Iterator[RunRecord]:
        """Every record that can be taken, in path order; ``stored`` says which cannot."""
        yield from self.stored().records

    def read_predictions(self, record: RunRecord) -> tuple[list[Prediction], str]:
        """The stored predictions of a run, in test order, and the digest of the unpacked file.

        Raises:
            UserError: they cannot be read, or a line is no answer to the task.
        """
        spec = TASKS[record.task].spec
        return read_predictions(self.predictions_path(record.cell), spec, record.test.examples)


RUN_PATTERN = "*/*/n*/seed*.json"
"""Run records below ``runs/``."""


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """What lies in a folder of runs."""

    records: tuple[RunRecord, ...]
    faults: tuple[RecordFault, ...]


def read_record(path: Path, *, edited: bool = False) -> RunRecord:
    """Read one record.

    Args:
        path: where it lies.
        edited: take one whose seal does not fit, for whoever names that fault.

    Raises:
        FaultyRecordError: it cannot be taken, or it lies under another run's name.
    """
    record = read_sealed(path, RunRecord, RUN_RECORD, edited=edited)
    if "/".join(path.parts[-4:]) != f"{record.cell.stem}.json":
        raise FaultyRecordError(path, "misplaced", "holds the record of another run",
                                found=record.cell.stem, remedy="move it back")  # fmt: skip
    return record


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
    """What a prediction file holds, unpacked as far as predictions of such a test set go. Raises ``UserError``."""
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
