"""Which stored runs can be compared, and their counts per test unit; or the reason why they cannot."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from clinsynth.core import TASKS, Example, NotPreparedError, Task, UserError
from clinsynth.data import ExampleStore
from clinsynth.results import TOLERANCE, DataKind, Results, RunRecord, Tally, prediction_bytes, predictions_in
from clinsynth.scoring import METRICS, Metric
from clinsynth.scoring.statistics import IntArray, Runs, sum_by_unit, unit_index
from clinsynth.submissions import existing_card


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


class TestSet:
    """The test set of a task as it is on this machine; its examples are read when they are needed."""

    def __init__(self, task: Task, store: ExampleStore) -> None:
        """Raises ``NotPreparedError`` where it is not here."""
        self.task = task
        self._store = store
        self.fingerprint = store.fingerprint(task, "test")

    @cached_property
    def gold(self) -> list[Example]:
        """The examples. Raises ``UserError`` if they are damaged."""
        return self._store.examples(self.task, "test")

    @cached_property
    def index(self) -> IntArray:
        """``[examples]``: the unit of each."""
        return unit_index(self.gold)

    @property
    def metric(self) -> Metric:
        """The main metric."""
        return METRICS[self.task.spec.metric]

    @cached_property
    def tally(self) -> Tally:
        """Counts the lines of prediction files by the main metric."""
        return Tally(self.task.spec, self.metric, self.gold)


class TestSets:
    """The test sets of a store, each opened once."""

    def __init__(self, store: ExampleStore | None) -> None:
        """``None``: none is here."""
        self._store = store
        self._found: dict[str, TestSet | None] = {}

    def of(self, task: str) -> TestSet | None:
        """The test set of a task; ``None`` where it is not here."""
        if task not in self._found:
            try:
                self._found[task] = TestSet(TASKS[task], self._store) if self._store else None
            except (NotPreparedError, UserError):
                self._found[task] = None
        return self._found[task]


def read_entry(folder: Path, recipe: str, kind: DataKind) -> Entry:
    """The records in a submission's folder. Raises ``UserError`` where the card or a record cannot be read."""
    from clinsynth.direct import direct_entry, is_direct_place  # it builds on this module

    if is_direct_place(folder):
        return direct_entry(folder, kind)
    card = existing_card(folder.absolute())
    if card is None:
        raise UserError(f"no good submission.toml in {folder}", remedy=f"clinsynth validate {folder}")
    results = Results(folder.absolute(), kind)
    runs: dict[str, list[RunRecord]] = defaultdict(list)
    for record in results.records():
        if record.recipe == recipe and record.task in TASKS:
            runs[record.task].append(record)
    return Entry(card.name, card.kind == "reference", results, runs)


def select_runs(stored: Sequence[RunRecord], budget: int, *, reference: bool) -> list[RunRecord]:
    """The records, by seed, that stand for a submission at a budget; empty if there are none.

    Those on ``budget`` rows; else those of a submission that has fewer rows, on all it has; else, for a reference,
    those on all the rows it has: it is the end of a scale.
    """
    records = [record for record in stored if record.rows == budget]
    if not records:
        whole = [record for record in stored if record.rows == record.training.available]
        fitting = [record for record in whole if reference or record.rows < budget]
        fewer = [record for record in fitting if record.rows < budget] or fitting
        records = [record for record in fewer if record.rows == max(each.rows for each in fewer)]
    return sorted(records, key=lambda record: record.seed)


def comparable_runs(entry: Entry, test: TestSet, budget: int) -> list[RunRecord]:
    """The records of an entry that stand for it at a budget, by seed.

    Raises ``NotComparableError``: there are none, or they do not belong together or to this test set.
    """
    stored = entry.runs.get(test.task.spec.name, [])
    records = select_runs(stored, budget, reference=entry.reference)
    if not records:
        has = ", ".join(f"{rows:,}" for rows in sorted({record.rows for record in stored}))
        raise NotComparableError(f"{entry.name} has no run on {budget:,} rows" + (f", only on {has}" if has else ""))
    if any(record.test.fingerprint != test.fingerprint for record in records):
        raise NotComparableError(f"{entry.name} was run on another test set than the one here")
    if mixed(records):
        raise NotComparableError(f"the seeds of {entry.name} were run on different rows, settings or weights")
    return records


def mixed(records: Iterable[RunRecord]) -> bool:
    """Whether runs were made of different rows, settings or weights."""
    return len({(r.training.fingerprint, r.recipe_fingerprint, r.student_fingerprint) for r in records}) > 1


def counted(entry: Entry, test: TestSet, records: Sequence[RunRecord]) -> Runs:
    """Counts per test unit of these runs, from the stored predictions.

    Raises:
        NotComparableError: the predictions are not those of the records.
        UserError: a prediction file cannot be read.
    """
    try:
        units = [sum_by_unit(_counts(entry, test, record), test.index) for record in records]
        return Runs(test.metric.value, tuple(record.seed for record in records), np.stack(units))
    except ValueError as error:
        raise NotComparableError(str(error)) from error


def _counts(entry: Entry, test: TestSet, record: RunRecord) -> IntArray:
    path = entry.results.predictions_path(record.cell)
    content = prediction_bytes(path, test.task.spec, len(test.gold))
    counts = test.tally.counts(content)
    predicted = predictions_in(path, content, test.task.spec) if counts is None else ()
    same = hashlib.sha256(content).hexdigest() == record.predictions_sha256
    if not same or (counts is None and len(predicted) != len(test.gold)):
        raise NotComparableError(f"the predictions of {entry.name} are not those of its records: see clinsynth verify")
    if counts is None:
        counts = test.metric.counts(test.task.spec, test.gold, predicted)
    if abs(float(test.metric.value(counts.sum(axis=0))) - record.score) > TOLERANCE:
        raise NotComparableError(f"the predictions of {entry.name} do not give the recorded score")
    return counts


def check_pair(a: Sequence[RunRecord], b: Sequence[RunRecord]) -> None:
    """Raise ``NotComparableError`` unless both have the same recipe settings and student, and a seed in common."""
    if "direct" in {a[0].recipe, b[0].recipe}:
        return  # a model that answers by itself stands for every seed, and has no student
    if a[0].recipe_fingerprint != b[0].recipe_fingerprint:
        raise NotComparableError("they were run with different settings of the recipe")
    if a[0].student_fingerprint != b[0].student_fingerprint:
        raise NotComparableError("their students had different weights")
    if not {record.seed for record in a} & {record.seed for record in b}:
        raise NotComparableError("no seed in common")


def differences_of_conduct(a: Sequence[RunRecord], b: Sequence[RunRecord]) -> str:
    """What a reader should know of two runs that are compared all the same; empty for nothing."""
    if "direct" in {a[0].recipe, b[0].recipe}:
        return "a language model that answers by itself"
    rows = [each[0].rows for each in (a, b)]
    machines = {(r.environment.device, r.environment.dtype) for each in (a, b) for r in each}
    notes = [f"{rows[0]:,} rows against {rows[1]:,}"] if rows[0] != rows[1] else []
    if len(machines) > 1:
        notes.append("run on " + " and ".join(sorted(f"{device} {dtype}" for device, dtype in machines)))
    return "; ".join(notes)
