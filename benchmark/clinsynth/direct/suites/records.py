"""What is stored of a suite, and where. Reading it needs no lm-eval."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from clinsynth.core import UserError, write_json
from clinsynth.direct.records import SealedRecord, Stored, Usage
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
    seconds: float
    environment: Environment
    created: str

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
    sealed = record.sealed()
    write_json(record_path(out, record.suite, record.part, record.limit), sealed.model_dump(mode="json"))
    return sealed


def stored_record(out: Path, suite: str, part: str, limit: int | None) -> SuiteRecord | None:
    """The record that is there. Raises ``UserError`` for one that cannot be read."""
    path = record_path(out, suite, part, limit)
    if not path.is_file():
        return None
    try:
        return SuiteRecord.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} is not a record of a suite", remedy="delete it and run the suite again") from error
