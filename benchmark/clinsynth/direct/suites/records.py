"""What is stored of a suite, and where. Reading it needs no lm-eval."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from clinsynth.core import FaultyRecordError, RecordFault, RecordKind, read_sealed, stored_paths, write_sealed
from clinsynth.direct.records import SealedRecord, SentRequest, Stored, Usage
from clinsynth.llm import Mode
from clinsynth.results import Environment

FORM = "suites.v2"
"""Name of prompts and parsing rules; another wording is another name."""


class SuiteRecord(SealedRecord):
    """What happened when a model answered one set of a suite. Holds no text of any data set."""

    format: Literal[1] = 1
    track: Literal["suite"] = "suite"
    suite: str
    part: str
    """The set, or the part of the evaluation."""
    submission: str
    model: str
    snapshot: str
    reported: tuple[str, ...]
    backend: str
    mode: Mode
    form: str
    prompt_source: str
    """lm-eval's own task whose prompt was used; else ``clinsynth``."""
    prompts_sha256: str
    max_tokens: int
    examples: int
    limit: int | None
    files: dict[str, str]
    """sha256 of the unpacked source files."""
    answers: dict[str, int]
    """Answers that were read (``read``) and those that were not, by reason; the latter are in the scores, as wrong."""
    finish: dict[str, int]
    usage: Usage
    scores: dict[str, float]
    """In [0, 1]."""
    sent: tuple[SentRequest, ...] = ()
    """What the answers are answers to; empty where that is not known, as in records from before it was kept."""
    seconds: float
    environment: Environment
    created: str

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A record from before this was kept has a seal without it.
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if value or name != "sent"}

    @model_validator(mode="after")
    def _consistent(self) -> SuiteRecord:
        if not all(0 <= value <= 1 for value in self.scores.values()):
            raise ValueError("a score outside [0, 1]")
        if min(self.answers.values(), default=0) < 0 or not 1 <= self.asked <= self.examples:
            raise ValueError("no number of answers that can be")
        return self

    @property
    def asked(self) -> int:
        """Questions that were asked."""
        return sum(self.answers.values())

    @property
    def cut(self) -> int:
        """Answers that ended at their limit of tokens."""
        return self.finish.get("length", 0)


def largest(records: Iterable[SuiteRecord]) -> dict[str, SuiteRecord]:
    """By set, the record with most questions: the whole set before any subset."""
    found: dict[str, SuiteRecord] = {}
    for record in records:
        if record.part not in found or record.asked > found[record.part].asked:
            found[record.part] = record
    return found


class JudgeRecord(Stored):
    """What one judge said."""

    model: str
    mode: str
    graded: int
    failures: dict[str, int]
    """Replies that are no grade, by reason: they are outside every mean."""
    mean: float | None
    """Of the grades from 1 to 4."""
    by_kind: dict[str, float]
    """Mean by kind of instruction."""
    distribution: dict[str, int]
    usage: dict[str, Any]

    @model_validator(mode="after")
    def _consistent(self) -> JudgeRecord:
        means = [*self.by_kind.values(), *([] if self.mean is None else [self.mean])]
        if not all(1 <= mean <= 4 for mean in means):
            raise ValueError("a mean grade outside 1 to 4")
        return self


class PairRecord(Stored):
    """This model against another one, by one judge."""

    against: str
    judge: str
    pairs: int
    won: int
    lost: int
    ties: int
    inconsistent: int
    """Pairs whose outcome changed when the order was swapped."""
    failures: dict[str, int]


class GradesRecord(SealedRecord):
    """The grades of one model's answers. Holds no text."""

    format: Literal[1] = 1
    suite: str = "asclepius-notes"
    submission: str
    model: str
    notes_sha256: str
    """Of the rows that were asked."""
    asked: int
    examples: int
    limit: int | None
    kinds: dict[str, int]
    """Questions by kind of instruction."""
    judges: dict[str, JudgeRecord]
    alpha: float | None
    """Krippendorff's alpha between the judges, ordinal; ``None`` where it is not defined."""
    pairs: tuple[PairRecord, ...]
    form: str
    """Version of the prompts, those of the judges included."""
    created: str


def record_path(out: Path, suite: str, part: str, limit: int | None) -> Path:
    """Where a record lies."""
    return out.absolute() / "suites" / suite / f"{part}{'' if limit is None else f'-limit{limit}'}.json"


def write_record(out: Path, record: SuiteRecord) -> SuiteRecord:
    """Seal and store."""
    return write_sealed(record_path(out, record.suite, record.part, record.limit), record)


SUITE_RECORD = RecordKind("a record of a suite", "delete it and run the suite again", limit=2**20)
R = TypeVar("R", SuiteRecord, GradesRecord)


def stored_record(out: Path, suite: str, part: str, limit: int | None) -> SuiteRecord | None:
    """The record that is there. Raises ``FaultyRecordError`` for one that cannot be taken."""
    path = record_path(out, suite, part, limit)
    return read_sealed(path, SuiteRecord, SUITE_RECORD) if path.exists() or path.is_symlink() else None


def suite_records(folder: Path, model: type[R], pattern: str) -> tuple[list[R], list[RecordFault]]:
    """The records below a folder's ``suites/`` that fit a pattern, and what is wrong with those left out."""
    records: list[R] = []
    faults: list[RecordFault] = []
    for path in stored_paths(folder / "suites", pattern):
        try:
            records.append(read_sealed(path, model, SUITE_RECORD))
        except FaultyRecordError as error:
            faults.append(error.fault(folder, path.stem))
    return records, faults


def read_suite_record(path: Path) -> SuiteRecord | GradesRecord:
    """Either kind of record below ``suites/``, by its name. Raises ``FaultyRecordError``."""
    model = GradesRecord if path.name.startswith("grades") else SuiteRecord
    return read_sealed(path, model, SUITE_RECORD)
