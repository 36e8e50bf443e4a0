"""Reproduction records: a run was trained again from its rows, and whether that gave the stored predictions.

``reproduced/<task>/<recipe>/n<rows>/seed<k>.json`` beside the runs; on the bundled sample under ``sample/``. A record
speaks of one run record, by its seal: a run that is stored anew is as it was handed in until it is reproduced again.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clinsynth.core import (
    TASKS,
    Environment,
    FaultyRecordError,
    Filed,
    Part,
    RecordFault,
    RecordKind,
    read_filed,
    stored_records,
    write_sealed,
)
from clinsynth.results.store import RUN_PATTERN, Cell, DataKind, Results, RunRecord, base_of

FOLDER = "reproduced"
State = Literal["reproduced", "not reproduced", "as handed in"]
REPRODUCTION_RECORD = RecordKind("a reproduction record", "delete it and run clinsynth reproduce again", limit=2**20)


class Tolerance(Part):
    """How far one run that is trained again may be from the stored one (docs/submitting.md has the figures)."""

    equal: float
    """Least share of test examples with the same prediction."""
    score: float
    """Largest difference of the main metric, of 1."""


SCORE = 0.15
"""Largest difference of one run's score: three times the spread of seeds where it is widest..."""
EQUAL = 0.3
"""...and least share of equal predictions where one seed alone was trained again."""
EQUAL_BELOW = 0.1
"""Where several were: a stored run and the same seed trained here may differ by so much more than two seeds do here."""
MEAN_SCORE = 0.01
"""Largest difference of the mean over seeds, or..."""
ERRORS = 2.5
"""...so many standard errors of it, from the spread of the scores that were trained here, where that is more."""


class ReproductionRecord(Filed):
    """One run that was trained again. Holds no text."""

    format: Literal[1] = 1
    submission: str
    task: str
    recipe: str
    rows: int
    seed: int
    run_seal: str
    """Seal of the run record that was to be reproduced."""
    examples: int
    """Test examples."""
    equal: int
    """Examples for which both students said the same."""
    between: float | None
    """Mean share of examples on which two seeds that were trained again together say the same; ``None`` for one."""
    metric: str
    score_stored: float
    score_again: float
    loss_stored: float | None
    loss_again: float | None
    tolerance: Tolerance
    reproduced: bool
    """Whether the run is within the tolerance."""
    environment: Environment
    """Where it was trained again."""
    created: str
    """UTC, ISO 8601."""

    @property
    def cell(self) -> Cell:
        """The run."""
        return Cell(self.task, self.recipe, self.rows, self.seed)

    @property
    def share(self) -> float:
        """Share of the examples with the same prediction."""
        return self.equal / self.examples if self.examples else 0.0


def within(record: ReproductionRecord) -> bool:
    """Whether the numbers of a record are within its tolerance."""
    close = abs(record.score_stored - record.score_again) <= record.tolerance.score
    return close and record.share >= record.tolerance.equal


def reproduction_path(folder: Path, cell: Cell, kind: DataKind) -> Path:
    """Where the record of a run lies."""
    return base_of(folder, kind) / FOLDER / f"{cell.stem}.json"


def write_reproduction(folder: Path, record: ReproductionRecord, kind: DataKind) -> ReproductionRecord:
    """Seal and store a record."""
    return write_sealed(reproduction_path(folder, record.cell, kind), record)


@dataclass(frozen=True, slots=True)
class Reproductions:
    """The reproduction records of a folder."""

    by_run: Mapping[str, ReproductionRecord]
    """By the seal of the run record."""
    faults: tuple[RecordFault, ...]

    def state(self, records: Sequence[RunRecord]) -> State:
        """Of the runs of one task, recipe and budget that stand together.

        reproduced: each was trained again within the tolerance, and so is their mean; not reproduced: one was trained
        again beyond it, or the mean is; as handed in: not all of them were trained again.
        """
        again = [self.by_run[record.seal] for record in records if record.seal in self.by_run]
        if any(not each.reproduced for each in again):
            return "not reproduced"
        if not again or len(again) < len(records):
            return "as handed in"
        return "reproduced" if mean_difference(again) <= most_difference(again) else "not reproduced"

    def lifted(self, runs: Mapping[str, Sequence[RunRecord]]) -> bool:
        """Whether the mean of the types is above that of training again by more than chance.

        A little on each task is within each task's tolerance, and much of a mean. Only tasks count all of whose runs
        were trained again, two at least.

        Args:
            runs: by task those that stand together.
        """
        again = {
            task: [self.by_run[record.seal] for record in records]
            for task, records in runs.items()
            if len(records) > 1 and all(record.seal in self.by_run for record in records)
        }
        if len(again) < 2:
            return False
        of_type = Counter(TASKS[task].spec.type for task in again)
        weights = {task: 1 / (len(of_type) * of_type[TASKS[task].spec.type]) for task in again}
        lead = math.fsum(weights[task] * _mean_lead(records) for task, records in again.items())
        errors = (weights[task] * most_difference(records) / ERRORS for task, records in again.items())
        return lead > ERRORS * math.hypot(*errors)


def _mean_lead(records: Sequence[ReproductionRecord]) -> float:
    return statistics.mean(record.score_stored - record.score_again for record in records)


def mean_difference(records: Sequence[ReproductionRecord]) -> float:
    """How far the mean of the stored scores is from that of the scores that were trained again."""
    return abs(_mean_lead(records))


def most_difference(records: Sequence[ReproductionRecord]) -> float:
    """How far it may be: two runs on different processors differ about as much as two seeds do."""
    if len(records) < 2:
        return records[0].tolerance.score
    spread = statistics.stdev(record.score_again for record in records)
    return max(MEAN_SCORE, ERRORS * spread * math.sqrt(2 / len(records)))


def reproduced_runs(folder: Path, kind: DataKind = "real") -> Reproductions:
    """The reproduction records in a submission's folder. Never raises for a file: a faulty one is named."""
    stored = stored_records(base_of(folder, kind) / FOLDER, RUN_PATTERN, folder, read_reproduction)
    good = {record.run_seal: record for record in stored.records if record.submission == folder.name}
    return Reproductions(good, stored.faults)


def read_reproduction(path: Path) -> ReproductionRecord:
    """Read one record. Raises ``FaultyRecordError`` for one that cannot be taken or contradicts itself."""
    record = read_filed(path, ReproductionRecord, REPRODUCTION_RECORD)
    if record.equal > record.examples or record.reproduced != within(record):
        raise FaultyRecordError(path, "bad-form", "is not a reproduction record", remedy="reproduce it again",
                                found="its verdict does not follow from its numbers")  # fmt: skip
    return record


def reproduction_of(
    results: Results, stored: RunRecord, again: RunRecord, equal: int, between: float | None
) -> ReproductionRecord:
    """The record of one comparison, not sealed yet.

    Args:
        results: of the submission.
        stored: the run that was handed in.
        again: the same run as it was trained here.
        equal: test examples for which both said the same.
        between: share of examples on which two seeds that were trained here say the same.
    """
    least = EQUAL if between is None else max(EQUAL, between - EQUAL_BELOW)
    record = ReproductionRecord(
        submission=results.folder.name, task=stored.task, recipe=stored.recipe, rows=stored.rows, seed=stored.seed,
        run_seal=stored.seal, examples=stored.test.examples, equal=equal, between=between, metric=stored.metric,
        score_stored=stored.score, score_again=again.score, loss_stored=stored.loss, loss_again=again.loss,
        tolerance=Tolerance(equal=least, score=SCORE), reproduced=False, environment=again.environment,
        created=again.created,
    )  # fmt: skip
    return record.model_copy(update={"reproduced": within(record)})
