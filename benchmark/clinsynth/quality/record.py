"""What is stored of a submission's data quality: ``<submission>/quality/<task>.json``, under ``sample/`` on the sample.

The numbers are named here once; the table, the record and docs/quality.md follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from clinsynth.core import Part, RecordKind, TaskRecord, read_filed, write_sealed
from clinsynth.results import DataKind, base_of

METHOD = 3
"""Raised whenever a number changes for the same data: older records are then measured again."""


@dataclass(frozen=True, slots=True)
class Number:
    """One number of the record."""

    name: str
    title: str
    group: Literal["diversity", "alignment", "faults"]
    show: Literal["share", "value", "count"] = "value"
    """A share is shown in per cent."""
    needs_real: bool = False
    """Whether it compares with the real training split."""
    since: int = 1
    """The first ``METHOD`` that has it; records of an earlier one are shown without."""


NUMBERS: dict[str, Number] = {
    number.name: number
    for number in (
        Number("aps", "APS (mean cosine of pairs)", "diversity"),
        Number("aps_intra", "  same answer", "diversity"),
        Number("aps_inter", "  different answer", "diversity"),
        Number("self_similarity", "cosine to the nearest other row", "diversity"),
        Number("ingf", "INGF (3-grams / distinct 3-grams)", "diversity"),
        Number("distinct_1", "distinct-1", "diversity"),
        Number("distinct_2", "distinct-2", "diversity"),
        Number("distinct_3", "distinct-3", "diversity"),
        Number("vocabulary", "distinct words", "diversity", "count"),
        Number("entities", "distinct entity mentions", "diversity", "count"),
        Number("words_mean", "words per row, mean", "diversity", "count"),
        Number("words_p5", "  5 % have at most", "diversity", "count"),
        Number("words_p50", "  50 % have at most", "diversity", "count"),
        Number("words_p95", "  95 % have at most", "diversity", "count"),
        Number("cmd", "CMD to real", "alignment", needs_real=True),
        Number("frechet", "Frechet distance to real", "alignment", needs_real=True),
        Number("word_coverage", "real distinct words that occur", "alignment", "share", needs_real=True),
        Number("word_coverage_weighted", "real running words that occur", "alignment", "share", needs_real=True),
        Number("word_novel", "distinct words that real data lacks", "alignment", "share", needs_real=True),
        Number("entity_coverage", "real distinct entities that occur", "alignment", "share", needs_real=True),
        Number("entity_coverage_weighted", "real entity mentions that occur", "alignment", "share", needs_real=True),
        Number("entity_novel", "distinct entities that real data lacks", "alignment", "share", needs_real=True),
        Number("length_divergence", "lengths: JS divergence, bits", "alignment", needs_real=True),
        Number("label_divergence", "labels: JS divergence, bits", "alignment", needs_real=True),
        Number("duplicates", "exact duplicates", "faults", "share"),
        Number("near_duplicates", "near duplicates", "faults", "share"),
        Number("conflicting", "rows with conflicting answers", "faults", "share"),
        Number("label_noise", "label noise, estimated", "faults", "share"),
        Number("label_accuracy", "  labels as a classifier sees them", "faults", "share"),
        Number("untagged_mentions", "tagged strings left untagged elsewhere", "faults", "share", since=3),
        Number("rows_without_mention", "rows without a mention", "faults", "share", since=3),
        Number("placeholder_mentions", "mentions with a marker or placeholder", "faults", "share", since=3),
        Number("parse_losses", "candidate rows that came to nothing", "faults", "share"),
    )
}


_COMPLETE = 2
"""The last method whose numbers every record has."""


class Measured(Part):
    """The numbers of one kind of data; one that could not be had is ``None`` and has a reason, never 0."""

    rows: int
    """Rows in each draw."""
    draws: int
    """Draws of which each number is the mean."""
    numbers: dict[str, float | None]
    """By name, as in ``NUMBERS``."""
    spread: dict[str, float]
    """Standard deviation over draws (n - 1), of numbers that every draw has; empty for one draw."""
    reasons: dict[str, str]
    """Why a number is ``None``."""
    labels: dict[str, float]
    """Share of each label among all labels (of each span type among all spans), mean over draws."""

    @classmethod
    def nothing(cls) -> Measured:
        """Not measured yet."""
        reasons = dict.fromkeys(NUMBERS, "not measured")
        return cls(rows=0, draws=0, numbers=dict.fromkeys(NUMBERS), spread={}, reasons=reasons, labels={})

    @model_validator(mode="after")
    def _explained(self) -> Measured:
        later = {name for name, number in NUMBERS.items() if number.since > _COMPLETE}
        if self.numbers.keys() - NUMBERS.keys() or NUMBERS.keys() - self.numbers.keys() - later:
            raise ValueError("the numbers are not those of this method")
        if {name for name, value in self.numbers.items() if value is None} != self.reasons.keys():
            raise ValueError("every number that is missing, and no other, has a reason")
        return self

    def value(self, name: str) -> float | None:
        """A number; ``None`` where it could not be had, or was not one yet."""
        return self.numbers.get(name)

    def reason(self, name: str) -> str:
        """Why a number is ``None``; empty for one that is not."""
        return self.reasons.get(name, "" if name in self.numbers else "measured before there was this number")


class Losses(Part):
    """Candidate rows that were made and are not in the data."""

    source: Literal["generation record", "card"]
    """Who says so: the record that ``generate`` wrote with these very rows, or the card, which nobody can check."""
    candidates: int
    """Rows that were made, or that an answer should have held: those in the data and those lost."""
    lost: dict[str, int]
    """By reason; of a card all under ``not stated``."""

    @property
    def share(self) -> float:
        """Lost candidates of all."""
        return sum(self.lost.values()) / self.candidates if self.candidates else 0.0


class QualityRecord(TaskRecord):
    """The data quality of one task of a submission. Holds no text."""

    format: Literal[1] = 1
    method: int
    """Version of the definitions."""
    submission: str
    task: str
    task_version: int
    kind: DataKind
    data_fingerprint: str
    """sha256 over all rows that the submission has for the task."""
    reference_fingerprint: str
    """sha256 over the real training split; empty where there is none here."""
    reference_rows: int
    embedder: str
    """What decides an embedding besides the text."""
    available: int
    """Rows the submission has for the task."""
    asked: int
    """Rows a draw was to have; 0 for all."""
    data: Measured
    real: Measured | None
    """The same numbers of as many real training rows (at most half of them), against the other real rows."""
    losses: Losses | None
    """Candidate rows that are not in the data; ``None``: not known."""
    suspects: list[int] = Field(max_length=50)
    """Lines of the data file (blank ones not counted, from 1) whose label is probably wrong, the worst first."""
    packages: dict[str, str]
    created: str
    """UTC, ISO 8601."""

    def same_question(self, other: QualityRecord) -> bool:
        """Whether both were made of the same data, reference, losses and definitions."""
        names = ("method", "task_version", "kind", "data_fingerprint", "reference_fingerprint", "embedder", "asked",
                 "losses")  # fmt: skip
        return all(getattr(self, name) == getattr(other, name) for name in names)


def record_path(folder: Path, kind: DataKind, task: str) -> Path:
    """Where the record of a task lies."""
    return base_of(folder, kind) / "quality" / f"{task}.json"


def write_record(folder: Path, record: QualityRecord) -> QualityRecord:
    """Seal and store a record, atomically."""
    return write_sealed(record_path(folder, record.kind, record.task), record)


QUALITY_RECORD = RecordKind("a quality record", "delete it and run clinsynth quality")


def read_record(path: Path) -> QualityRecord:
    """Read one record. Raises ``FaultyRecordError`` if it is none, one of another method, edited, or another task's."""
    return read_filed(path, QualityRecord, QUALITY_RECORD)
