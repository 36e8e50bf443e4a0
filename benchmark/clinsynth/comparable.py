"""Stored runs of a submission as counts per test unit, or the reason why they cannot be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clinsynth.data.store import ExampleStore
from clinsynth.errors import UserError
from clinsynth.registry import TASKS
from clinsynth.results import DataKind, Results, RunRecord, read_predictions
from clinsynth.schema import Example, Task
from clinsynth.scoring.metrics import METRICS, Metric
from clinsynth.scoring.statistics import Runs, sum_by_unit, unit_index
from clinsynth.scoring.statistics.units import IntArray
from clinsynth.submissions.writing import existing_card
from clinsynth.verify import TOLERANCE


class NotComparableError(Exception):
    """Why runs cannot be compared; a fact of the table, not the user's fault."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission's records of one recipe."""

    name: str
    reference: bool
    results: Results
    runs: Mapping[str, list[RunRecord]]
    """By task."""


@dataclass(frozen=True, slots=True)
class TestSet:
    """The test set of a task as it is on this machine."""

    task: Task
    gold: list[Example]
    fingerprint: str
    index: IntArray
    """``[examples]``: the unit of each."""

    @property
    def metric(self) -> Metric:
        """The main metric."""
        return METRICS[self.task.spec.metric]


@dataclass(frozen=True, slots=True)
class Comparable:
    """Runs of one entry on one test set, checked."""

    runs: Runs
    records: list[RunRecord]
    """By seed."""


def read_entry(folder: Path, recipe: str, kind: DataKind) -> Entry:
    """The records in a submission's folder. Raises ``UserError`` where the card or a record cannot be read."""
    card = existing_card(folder.absolute())
    if card is None:
        raise UserError(f"no good submission.toml in {folder}", remedy=f"clinsynth validate {folder}")
    results = Results(folder.absolute(), kind)
    runs: dict[str, list[RunRecord]] = defaultdict(list)
    for record in results.records():
        if record.recipe == recipe and record.task in TASKS:
            runs[record.task].append(record)
    return Entry(card.name, card.kind == "reference", results, runs)


def read_test_set(task: Task, store: ExampleStore) -> TestSet:
    """The test set of a task. Raises ``NotPreparedError`` where it is not here."""
    gold = store.examples(task, "test")
    return TestSet(task, gold, store.fingerprint(task, "test"), unit_index(gold))


def comparable_runs(entry: Entry, test: TestSet, budget: int) -> Comparable:
    """The runs of an entry on ``budget`` rows; of a reference without these, those on all the rows it has.

    Raises:
        NotComparableError: there are none, or they do not belong together or to this test set.
        UserError: a prediction file cannot be read.
    """
    stored = entry.runs.get(test.task.spec.name, [])
    records = [record for record in stored if record.rows == budget]
    if not records and entry.reference:
        whole = [record for record in stored if record.rows == record.training.available]
        records = [record for record in whole if record.rows == max(each.rows for each in whole)]
    if not records:
        has = ", ".join(f"{rows:,}" for rows in sorted({record.rows for record in stored}))
        raise NotComparableError(f"{entry.name} has no run on {budget:,} rows" + (f", only on {has}" if has else ""))
    if any(record.test.fingerprint != test.fingerprint for record in records):
        raise NotComparableError(f"{entry.name} was run on another test set than the one here")
    if len({(r.training.fingerprint, r.recipe_fingerprint, r.student_fingerprint) for r in records}) > 1:
        raise NotComparableError(f"the seeds of {entry.name} were run on different rows, settings or weights")
    records.sort(key=lambda record: record.seed)
    counts = np.stack([_counts(entry, test, record) for record in records])
    try:
        runs = Runs(test.metric.value, tuple(record.seed for record in records), sum_by_unit(counts, test.index))
    except ValueError as error:
        raise NotComparableError(str(error)) from error
    return Comparable(runs, records)


def _counts(entry: Entry, test: TestSet, record: RunRecord) -> IntArray:
    predicted, digest = read_predictions(entry.results.predictions_path(record.cell))
    if digest != record.predictions_sha256 or len(predicted) != len(test.gold):
        raise NotComparableError(f"the predictions of {entry.name} are not those of its records: see clinsynth verify")
    counts = test.metric.counts(test.task.spec, test.gold, predicted)
    if abs(float(test.metric.value(counts.sum(axis=0))) - record.score) > TOLERANCE:
        raise NotComparableError(f"the predictions of {entry.name} do not give the recorded score")
    return counts


def check_pair(a: Comparable, b: Comparable) -> None:
    """Raise ``NotComparableError`` unless both have the same recipe settings and student, and a seed in common."""
    if a.records[0].recipe_fingerprint != b.records[0].recipe_fingerprint:
        raise NotComparableError("they were run with different settings of the recipe")
    if a.records[0].student_fingerprint != b.records[0].student_fingerprint:
        raise NotComparableError("their students had different weights")
    if not set(a.runs.seeds) & set(b.runs.seeds):
        raise NotComparableError("no seed in common")


def differences_of_conduct(a: Comparable, b: Comparable) -> str:
    """What a reader should know of two runs that are compared all the same; empty for nothing."""
    rows = [each.records[0].rows for each in (a, b)]
    machines = {(r.environment.device, r.environment.dtype) for each in (a, b) for r in each.records}
    notes = [f"{rows[0]:,} rows against {rows[1]:,}"] if rows[0] != rows[1] else []
    if len(machines) > 1:
        notes.append("run on " + " and ".join(sorted(f"{device} {dtype}" for device, dtype in machines)))
    return "; ".join(notes)
