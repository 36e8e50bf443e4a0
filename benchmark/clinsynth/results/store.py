"""Run records and predictions: what is stored of a run, where, and how it is checked again.

Identity is the path: ``runs/<task>/<recipe>/n<rows>/seed<k>.json`` beside
``predictions/<task>/<recipe>/n<rows>/seed<k>.jsonl.gz``; on the bundled sample both lie under ``sample/``, and those of
balanced draws under ``balanced/`` there, where no standings look.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from clinsynth.core import Environment, Prediction, Sealed, Span, UserError, unpacked_bytes, write_json, write_jsonl_gz

DataKind = Literal["real", "sample"]
Draw = Literal["random", "balanced"]
"""How a run's rows are chosen from a submission's: at random, or with shares of the labels as equal as can be."""


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
        sealed = record.sealed()
        write_json(self.record_path(record.cell), sealed.model_dump(mode="json"))
        return sealed

    def records(self) -> Iterator[RunRecord]:
        """Every record, in path order. Raises ``UserError`` for one that cannot be read."""
        for path in sorted(self.runs.glob("*/*/n*/seed*.json")):
            yield read_record(path)


def read_record(path: Path) -> RunRecord:
    """Read one record. Raises ``UserError`` naming the file if it is no record or lies under another run's name."""
    try:
        record = RunRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"{path} is not a run record",
            found=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            remedy="delete it and run clinsynth score again",
        ) from error
    if "/".join(path.parts[-4:]) != f"{record.cell.stem}.json":
        raise UserError(f"{path} holds the record of another run", found=record.cell.stem, remedy="move it back")
    return record


def read_predictions(path: Path) -> tuple[list[Prediction], str]:
    """Predictions in test order, and the digest of the unpacked file. Raises ``UserError`` naming the line."""
    content = prediction_bytes(path)
    return predictions_in(path, content), hashlib.sha256(content).hexdigest()


def prediction_bytes(path: Path) -> bytes:
    """What a prediction file holds, unpacked. Raises ``UserError`` naming the file."""
    try:
        return unpacked_bytes(path)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read", found=str(error), remedy="delete the run and score again") from error


def predictions_in(path: Path, content: bytes) -> list[Prediction]:
    """The predictions in test order of what ``path`` holds. Raises ``UserError`` naming the line."""
    lines = content.splitlines()
    try:
        return [prediction_of(number, row) for number, row in enumerate(_together(lines))]
    except (ValueError, KeyError, TypeError, RecursionError):
        return [_named(path, number, line) for number, line in enumerate(lines)]


def _together(lines: list[bytes]) -> list[Any]:
    """The values of all lines, read at once: three times as fast. Raises ``ValueError`` if one is not one value."""
    rows: list[Any] = json.loads(b"[" + b",".join(lines) + b"]")
    if len(rows) != len(lines):
        raise ValueError(f"{len(rows)} values in {len(lines)} lines")
    return rows


def prediction_of(number: int, row: Any) -> Prediction:
    """One line's prediction. Raises ``ValueError``, ``KeyError`` or ``TypeError`` if it is not that of ``number``."""
    if row["id"] != number:
        raise ValueError(f"id {row['id']}")
    spans = tuple(Span(int(s), int(e), str(label)) for s, e, label in row.get("spans", ()))
    return Prediction(tuple(map(str, row.get("labels", ()))), spans)


def _named(path: Path, number: int, line: bytes) -> Prediction:
    try:
        return prediction_of(number, json.loads(line))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}, line {number + 1} is not a prediction", found=str(error)) from error
