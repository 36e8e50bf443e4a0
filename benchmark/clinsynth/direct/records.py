"""Records and predictions of the direct track: what is stored of a model's answers to one task, and where.

Identity is the path, as for students: ``direct/<task>/<model>/shots<k>.json`` beside
``direct-predictions/<task>/<model>/shots<k>.jsonl.gz``; ``-limit<n>`` follows where a subset was answered, and on the
bundled sample both lie under ``sample/``. The folder's card is ``direct.toml``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from clinsynth.core import (
    TASKS,
    Extended,
    Filed,
    Part,
    Prediction,
    RecordKind,
    TaskSpec,
    UserError,
    read_filed,
    write_jsonl_gz,
)
from clinsynth.direct.parsing import MOST_UNPLACED, unplaced_spans
from clinsynth.llm import Mode, SentRequest
from clinsynth.results import (
    DataKind,
    Environment,
    RecordStore,
    TestData,
    answer_of,
    base_of,
    check_scores,
    prediction_bytes,
    prediction_row,
)


class DirectCell(NamedTuple):
    """One model's answers to one task: what identifies them."""

    task: str
    model: str
    """The model's name as a path: ``slug``."""
    shots: int
    limit: int | None
    """How many test examples were asked; ``None`` for all."""

    @property
    def stem(self) -> str:
        """Path below ``direct/`` and ``direct-predictions/``, without the suffix."""
        part = "" if self.limit is None else f"-limit{self.limit}"
        return f"{self.task}/{self.model}/shots{self.shots}{part}"


def slug(model: str) -> str:
    """A model's name as part of a path: lower-case letters, digits, dots and hyphens. Raises ``UserError`` for none."""
    made = re.sub(r"[^a-z0-9.]+", "-", model.lower()).strip("-.")[:64].rstrip("-.")
    if len(made) < 2:
        raise UserError(f"{model!r} gives no name for a folder", expected="--name with two letters or digits at least")
    return made


class Demonstrations(Part):
    """The examples in the prompt."""

    fingerprint: str
    """sha256 over them, in the order of the prompt."""
    examples: int
    split: Literal["train", "dev"]


class Usage(Part):
    """Cost of the answers. Unknown values are absent, never 0."""

    answers: int
    """Requests that were answered, whether now or in an earlier run that was stopped."""
    unmeasured: int
    """Answers whose tokens are not known; the sums are absent if there are any."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    dollars: float | None = None
    price_source: str = ""
    price_date: date | None = None


class AnswersRecord(Extended, Filed):
    """Common fields of records of a model's answers, to a task or to a set of a suite."""

    added = ("sent", "weights")

    submission: str
    """Name of the folder."""
    model: str
    """As the server knows it."""
    snapshot: str
    """Dated version or revision of the weights, as stated; empty if it is not known."""
    reported: tuple[str, ...]
    """Names of the model in the server's answers."""
    backend: str
    """lm-eval's name of the kind of model: ``local-completions``..."""
    mode: Mode
    form: str
    """Version of prompts and parsing rules."""
    prompts_sha256: str
    """Digest over all prompts, in order."""
    max_tokens: int
    limit: Annotated[int, Field(ge=1)] | None
    """Size of the subset; ``None``: everything was asked. With a limit the record is preliminary."""
    answers: dict[str, int]
    """Answers that were read (``read``) and those that were not, by reason; the latter are in the scores, as wrong."""
    finish: dict[str, int]
    """How generation ended, as the server says: stop, length, filtered, rejected, unknown."""
    usage: Usage
    scores: dict[str, float]
    """Every metric of what was asked, in [0, 1]."""
    sent: tuple[SentRequest, ...] = ()
    """The requests as they were sent; empty if they are not known, as in records from before they were kept."""
    seconds: float
    environment: Environment
    created: str

    @property
    def asked(self) -> int:
        """Examples or questions that were asked."""
        return sum(self.answers.values())

    @property
    def unparsable(self) -> int:
        """Answers that could not be read, all reasons together."""
        return self.asked - self.answers.get("read", 0)


class DirectRecord(AnswersRecord):
    """The record of a model's answers to a task. Holds no text of any dataset."""

    format: Literal[1] = 1
    track: Literal["direct"] = "direct"
    task: str
    task_version: int
    slug: str
    """The model's name in paths."""
    shots: Annotated[int, Field(ge=0)]
    """Demonstrations per label; 0 is zero-shot."""
    demonstrations: Demonstrations | None
    temperature: float | None
    """As it was sent; absent where the server has it fixed."""
    limit_seed: int
    """Seed of the subset's draw."""
    test: TestData
    """The whole test set."""
    mentions: dict[str, int]
    """Mentions that could not be placed, or were placed by a rule, by reason."""
    metric: str
    """The main metric."""
    weights: str = ""
    """Digest of the weights, where they are known: those that run here by ``--model local``."""
    predictions_sha256: str

    @model_validator(mode="after")
    def _consistent(self) -> DirectRecord:
        check_scores(self.metric, self.scores)
        if self.asked != (self.limit or self.test.examples):
            raise ValueError("not as many answers as examples that were asked")
        if (self.shots > 0) != (self.demonstrations is not None):
            raise ValueError("demonstrations go with shots")
        return self

    @property
    def cell(self) -> DirectCell:
        """The record's identity."""
        return DirectCell(self.task, self.slug, self.shots, self.limit)

    @property
    def score(self) -> float:
        """The main metric's value."""
        return self.scores[self.metric]

    @property
    def row(self) -> Literal["zero-shot", "few-shot"]:
        """The row of the standings' direct track."""
        return "few-shot" if self.shots else "zero-shot"


class Answered(NamedTuple):
    """One stored prediction."""

    position: int
    """In the test set."""
    prediction: Prediction
    unparsable: str
    """Why the answer could not be read; empty if it could."""


ONE_ANSWER = 0.9
"""Share of the most frequent answer from which a model is said to give one answer to everything."""


class DirectResults(RecordStore[DirectRecord]):
    """The direct records in a folder."""

    def __init__(self, folder: Path, kind: DataKind) -> None:
        """``kind`` keeps results on the sample apart from real ones."""
        self.kind: DataKind = kind
        names = ("direct", "direct-predictions")
        super().__init__(folder, base_of(folder, kind), names, "*/*/shots*.json", read_record)

    def write_predictions(self, cell: DirectCell, answered: Sequence[Answered], *, spans: bool) -> str:
        """Store predictions by position, without text; returns the digest of the unpacked file."""
        return write_jsonl_gz(self.predictions_path(cell), (_row(each, spans) for each in answered))

    def sameness(self, record: DirectRecord) -> float | None:
        """Share of the most frequent answer: 1 for a model that always says the same.

        ``None`` for mentions, whose answers are never quite the same, and where the predictions are not here.
        """
        try:
            answered, _ = self.read_predictions(record)
        except UserError:
            return None
        if not answered or any(each.prediction.spans for each in answered):
            return None
        labels = Counter(each.prediction.labels for each in answered if not each.unparsable)
        return max(labels.values(), default=0) / len(answered)

    def read_predictions(self, record: DirectRecord) -> tuple[list[Answered], str]:
        """The stored answers of a record, and the digest of the unpacked file. Raises as the function."""
        spec = TASKS[record.task].spec
        return read_predictions(self.predictions_path(record.cell), spec, record.asked)


def _row(each: Answered, spans: bool) -> dict[str, Any]:
    # A mention without a place is an empty span in memory, and a number in the file: files hold spans of a text alone.
    placed = tuple(span for span in each.prediction.spans if span.start < span.end)
    row = prediction_row(each.position, replace(each.prediction, spans=placed), spans=spans)
    if unplaced := len(each.prediction.spans) - len(placed):
        row["unplaced"] = unplaced
    return row | ({"unparsable": each.unparsable} if each.unparsable else {})


def _answer(row: dict[str, Any], spec: TaskSpec) -> Prediction:
    answer = answer_of(row, spec)
    unplaced = row.get("unplaced", 0)
    if type(unplaced) is not int or not 0 <= unplaced <= (MOST_UNPLACED if spec.is_span else 0):
        raise ValueError(f"{str(unplaced)[:40]} mentions without a place")
    return replace(answer, spans=tuple(sorted((*answer.spans, *unplaced_spans(spec, unplaced)))))


DIRECT_RECORD = RecordKind("a record of the direct track", "delete it and run clinsynth direct again", limit=2**20)


def read_record(path: Path, *, edited: bool = False) -> DirectRecord:
    """Read one record; ``edited``: also one whose seal does not fit. Raises ``FaultyRecordError``."""
    return read_filed(path, DirectRecord, DIRECT_RECORD, edited=edited)


def read_predictions(path: Path, spec: TaskSpec, examples: int) -> tuple[list[Answered], str]:
    """Predictions by rising position, and the digest of the unpacked file.

    Args:
        path: the file.
        spec: of the task: what is no answer to it is refused.
        examples: that were asked: they bound what is unpacked.

    Raises:
        UserError: naming the line.
    """
    content = prediction_bytes(path, spec, examples)
    out: list[Answered] = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            row = json.loads(line)
            position = row["id"]
            if type(position) is not int or position < 0 or (out and position <= out[-1].position):
                raise ValueError(f"id {str(position)[:40]} after {out[-1].position if out else 'nothing'}")
            out.append(Answered(position, _answer(row, spec), str(row.get("unparsable", ""))))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{path}, line {number} is not a prediction", found=str(error)) from error
    return out, hashlib.sha256(content).hexdigest()
