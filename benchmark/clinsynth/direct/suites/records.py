"""What is stored of a suite, and where. Reading it needs no lm-eval."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import model_validator

from clinsynth.core import Filed, Part, RecordKind, StoredRecords, find_filed, read_filed, stored_records, write_sealed
from clinsynth.direct.records import AnswersRecord

FORM = "suites.v2"
"""Name of prompts and parsing rules; another wording is another name."""


class SuiteCell(NamedTuple):
    """What identifies a record of a suite."""

    suite: str
    part: str
    """The set, or the part of the evaluation."""
    limit: int | None
    """How many questions were asked; ``None`` for all."""

    @property
    def stem(self) -> str:
        """Path below ``suites/``, without the suffix."""
        return f"{self.suite}/{self.part}{'' if self.limit is None else f'-limit{self.limit}'}"

    def path(self, out: Path) -> Path:
        """Where the record lies in the folder ``out``."""
        return out.absolute() / "suites" / f"{self.stem}.json"


class SuiteRecord(AnswersRecord):
    """What happened when a model answered one set of a suite. Holds no text of any data set."""

    format: Literal[1] = 1
    track: Literal["suite"] = "suite"
    suite: str
    part: str
    """The set, or the part of the evaluation."""
    prompt_source: str
    """lm-eval's own task whose prompt was used; else ``clinsynth``."""
    examples: int
    files: dict[str, str]
    """sha256 of the unpacked source files."""

    @model_validator(mode="after")
    def _consistent(self) -> SuiteRecord:
        if not all(0 <= value <= 1 for value in self.scores.values()):
            raise ValueError("a score outside [0, 1]")
        if min(self.answers.values(), default=0) < 0 or not 1 <= self.asked <= self.examples:
            raise ValueError("no number of answers that can be")
        return self

    @property
    def cell(self) -> SuiteCell:
        """The record's identity."""
        return SuiteCell(self.suite, self.part, self.limit)

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


class JudgeRecord(Part):
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


class PairRecord(Part):
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


class GradesRecord(Filed):
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

    @property
    def cell(self) -> SuiteCell:
        """The record's identity."""
        return SuiteCell(self.suite, "grades", self.limit)


SUITE_RECORD = RecordKind("a record of a suite", "delete it and run the suite again", limit=2**20)
R = TypeVar("R", SuiteRecord, GradesRecord)


def write_record(out: Path, record: R) -> R:
    """Seal and store."""
    return write_sealed(record.cell.path(out), record)


def stored_record(out: Path, cell: SuiteCell) -> SuiteRecord | None:
    """The record that is there. Raises ``FaultyRecordError`` for one that cannot be taken."""
    return find_filed(cell.path(out), SuiteRecord, SUITE_RECORD)


def suite_records(folder: Path, model: type[R], pattern: str) -> StoredRecords[R]:
    """The records below a folder's ``suites/`` that fit a pattern, and what is wrong with those left out."""
    return stored_records(folder / "suites", pattern, folder, lambda path: read_filed(path, model, SUITE_RECORD))


def read_suite_record(path: Path) -> SuiteRecord | GradesRecord:
    """Either kind of record below ``suites/``, by its name. Raises ``FaultyRecordError``."""
    return read_filed(path, GradesRecord if path.name.startswith("grades") else SuiteRecord, SUITE_RECORD)
