"""Run records: what is stored of a run and where, the store that both tracks share, and what a run drew.

Identity is the path: ``runs/<task>/<recipe>/n<rows>/seed<k>.json`` beside
``predictions/<task>/<recipe>/n<rows>/seed<k>.jsonl.gz``; on the bundled sample both lie under ``sample/``, and those of
balanced draws under ``balanced/`` there, which no ranking reads.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import model_validator

from clinsynth.core import (
    TASKS,
    Environment,
    Filed,
    Part,
    Place,
    Prediction,
    RecordKind,
    StoredRecords,
    read_filed,
    stored_paths,
    stored_records,
    write_jsonl_gz,
    write_sealed,
)
from clinsynth.results.predictions import prediction_row, read_predictions

DataKind = Literal["real", "sample"]
Draw = Literal["random", "balanced"]
"""How a run's rows are chosen from a submission's: at random, or with shares of the labels as equal as can be."""
SEEDS = (0, 1, 2, 3, 4)
"""The seeds of a ranked row (protocol): fixed, so that nobody can choose among many."""
RUN_RECORD = RecordKind("a run record", "delete it and run clinsynth score again", limit=2**20)


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


class TrainingData(Part):
    """The training data of a run."""

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


class TestData(Part):
    """The test data of a run."""

    kind: DataKind
    fingerprint: str
    """sha256 over the test examples: equal digests are the same test set."""
    examples: int


class RunRecord(Filed):
    """The record of one run. Holds no text of any dataset."""

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
    """constant: all rows had the same answer, so nothing was trained and the student always gives that answer."""
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
        check_scores(self.metric, self.scores)
        return self

    @property
    def cell(self) -> Cell:
        """The run's identity."""
        return Cell(self.task, self.recipe, self.rows, self.seed)

    @property
    def score(self) -> float:
        """The main metric's value."""
        return self.scores[self.metric]


def check_scores(metric: str, scores: Mapping[str, float]) -> None:
    """Raise ``ValueError`` unless the main metric is among the scores, and all of them are in [0, 1]."""
    if metric not in scores:
        raise ValueError(f"no score for the main metric {metric}")
    if not all(0 <= score <= 1 for score in scores.values()):
        raise ValueError("a score outside [0, 1]")


F = TypeVar("F", bound=Filed)


class RecordStore(Generic[F]):
    """The records of one track in a folder, each beside a file of predictions."""

    def __init__(
        self, folder: Path, base: Path, names: tuple[str, str], pattern: str, read: Callable[[Path], F]
    ) -> None:
        """A store below ``base``.

        Args:
            folder: the submission's, or that of a model.
            base: it, or a folder in it that keeps other data apart.
            names: of the folders of records and of predictions.
            pattern: of the records' paths.
            read: one record; raises ``FaultyRecordError`` for one that cannot be taken.
        """
        self.folder = folder
        self.runs, self.predictions = (base / name for name in names)
        self._pattern, self.read = pattern, read

    def record_path(self, cell: Place) -> Path:
        """Where a record lies."""
        return self.runs / f"{cell.stem}.json"

    def predictions_path(self, cell: Place) -> Path:
        """Where its predictions lie."""
        return self.predictions / f"{cell.stem}.jsonl.gz"

    def done(self, cell: Place) -> F | None:
        """The record of what is complete; the record is written last."""
        path = self.record_path(cell)
        return self.read(path) if path.is_file() and self.predictions_path(cell).is_file() else None

    def write_record(self, record: F) -> F:
        """Seal and store a record."""
        return write_sealed(self.record_path(record.cell), record)

    def record_paths(self) -> Iterator[Path]:
        """Where records lie, or seem to."""
        return stored_paths(self.runs, self._pattern)

    def stored(self) -> StoredRecords[F]:
        """Every record, in path order, and what is wrong with those that cannot be taken. Never raises for a file."""
        return stored_records(self.runs, self._pattern, self.folder, self.read)

    def records(self) -> Iterator[F]:
        """Every record that can be taken, in path order; ``stored`` says which cannot."""
        yield from self.stored().records


class Results(RecordStore[RunRecord]):
    """The runs in a submission's folder."""

    def __init__(self, folder: Path, kind: DataKind, draw: Draw = "random") -> None:
        """``folder`` is the submission's; results on the sample are kept apart, and so are those of balanced draws."""
        self.kind: DataKind = kind
        self.draw: Draw = draw
        base = base_of(folder, kind)
        super().__init__(
            folder, base / draw if draw != "random" else base, ("runs", "predictions"), RUN_PATTERN, read_record
        )

    def write_predictions(self, cell: Cell, predictions: Sequence[Prediction], *, spans: bool) -> str:
        """Store predictions in test order, without text; returns the digest of the unpacked file."""
        rows = (prediction_row(k, each, spans=spans) for k, each in enumerate(predictions))
        return write_jsonl_gz(self.predictions_path(cell), rows)

    def read_predictions(self, record: RunRecord) -> tuple[list[Prediction], str]:
        """The stored predictions of a run, in test order, and the digest of the unpacked file.

        Raises:
            UserError: they cannot be read, or a line is no answer to the task.
        """
        spec = TASKS[record.task].spec
        return read_predictions(self.predictions_path(record.cell), spec, record.test.examples)


RUN_PATTERN = "*/*/n*/seed*.json"
"""Run records below ``runs/``."""


def base_of(folder: Path, kind: DataKind) -> Path:
    """Where results lie in a submission's folder: those on the sample are kept apart."""
    return folder / "sample" if kind == "sample" else folder


def read_record(path: Path, *, edited: bool = False) -> RunRecord:
    """Read one record; ``edited``: also one whose seal does not fit. Raises ``FaultyRecordError``."""
    return read_filed(path, RunRecord, RUN_RECORD, edited=edited)


def drawn(task: str, seed: int, available: int, rows: int) -> list[int]:
    """Indices of a seed's draw of ``rows`` rows out of ``available``, in the order of the draw.

    The draw that ``training.run`` makes: the same for every submission with so many rows, whatever the recipe; a
    smaller budget's draw is the beginning of a larger one's.
    """
    rng = np.random.default_rng([seed, zlib.crc32(f"{task}/rows".encode())])
    return [int(k) for k in rng.permutation(available)[:rows]]
