"""Runs that can be compared, with their counts per test unit; or the reason why they cannot."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from clinsynth.core import TASKS, Example, NotPreparedError, Task, UserError
from clinsynth.data import ExampleStore
from clinsynth.results import (
    DIFFER,
    TOLERANCE,
    RecordStore,
    RunRecord,
    Tally,
    digests,
    may_repeat,
    nearly_repeated,
    prediction_bytes,
    predictions_in,
    read_predictions,
)
from clinsynth.scoring import METRICS, Metric
from clinsynth.scoring.statistics import IntArray, Runs, sum_by_unit, unit_index
from clinsynth.standings.model import LeftOut
from clinsynth.training import Recipe


class NotComparableError(Exception):
    """Runs cannot be compared. The reason is shown in the table; it is no user error."""


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """A file of answers to a whole test set, with digest and score from its record."""

    path: Path
    sha256: str
    """Of the unpacked file."""
    score: float


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of an entry on a task: a file for each seed, or one file where no seed changes the answers."""

    name: str
    """Of the entry."""
    folder: Path
    """Of the entry."""
    test: str
    """Fingerprint of the test set."""
    seeds: tuple[int, ...]
    files: tuple[AnswerFile, ...]
    records: tuple[RunRecord, ...] = ()
    """Of a student's runs, by seed; none for a model that answers by itself."""

    @classmethod
    def of(cls, entry: Entry, records: Sequence[RunRecord]) -> Answers:
        """The answers of runs, ordered by seed."""
        paths = [entry.store.predictions_path(record.cell) for record in records]
        files = tuple(
            AnswerFile(path, record.predictions_sha256, record.score)
            for path, record in zip(paths, records, strict=True)
        )
        seeds = tuple(record.seed for record in records)
        folder = entry.store.folder
        return cls(entry.name, folder, records[0].test.fingerprint, seeds, files, tuple(records))


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission's records of one recipe, or a model's own answers."""

    name: str
    reference: bool
    store: RecordStore[Any]
    """Where its records lie: runs, or answers of the direct track."""
    runs: Mapping[str, list[RunRecord]]
    """By task, those that count."""
    fixed: Mapping[str, Answers] = field(default_factory=dict[str, Answers])
    """By task, answers that no seed and no training rows change."""
    faults: Mapping[str, str] = field(default_factory=dict[str, str])
    """By task, why its records cannot be trusted, where that was asked for."""
    left_out: tuple[LeftOut, ...] = ()
    """Stored runs of any recipe that do not count, and why, where that was asked for."""

    @property
    def tasks(self) -> set[str]:
        """Tasks with anything."""
        return {*self.runs, *self.fixed}


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
        """``store`` is ``None`` where no test set is here."""
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


def select_runs(stored: Sequence[RunRecord], budget: int | None, *, reference: bool) -> list[RunRecord]:
    """The records, by seed, that stand for a submission at a budget; empty if there are none.

    Those on ``budget`` rows; else those of a submission that has fewer rows, on all it has; else, for a reference,
    those on all the rows it has: it is the end of a scale. Without a budget those on all the rows it has.
    """
    records = [record for record in stored if record.rows == budget]
    if not records:
        whole = [record for record in stored if record.rows == record.training.available]
        fitting = [record for record in whole if budget is None or reference or record.rows < budget]
        fewer = [record for record in fitting if budget is None or record.rows < budget] or fitting
        records = [record for record in fewer if record.rows == max(each.rows for each in fewer)]
    return sorted(records, key=lambda record: record.seed)


def headline_budget(entries: Iterable[Entry], recipe: Recipe) -> int:
    """The budget that a table opens at: the recipe's own where anybody was run at it.

    Else the one that most submissions (or, without any, references) were run at, the largest of several.
    """
    with_runs = [entry for entry in entries if entry.runs]
    chosen = [entry for entry in with_runs if not entry.reference] or with_runs
    counts = Counter(rows for entry in chosen for rows in {r.rows for runs in entry.runs.values() for r in runs})
    if not counts or recipe.budget in counts:
        return recipe.budget
    return max(rows for rows, count in counts.items() if count == max(counts.values()))


def comparable_answers(entry: Entry, test: TestSet, budget: int | None) -> Answers:
    """The answers that stand for an entry at a budget; ``None``: those on all its rows.

    Raises ``NotComparableError``: there is nothing, it has a fault, or it does not belong together or to this test set.
    """
    task = test.task.spec.name
    if task in entry.fixed:
        return _on_this(entry.fixed[task], test)
    if task in entry.faults:
        raise NotComparableError(f"{entry.name} fails its verification: {entry.faults[task]}; see clinsynth verify")
    stored = entry.runs.get(task, [])
    records = select_runs(stored, budget, reference=entry.reference)
    if not records:
        has = ", ".join(f"{rows:,}" for rows in sorted({record.rows for record in stored}))
        wanted = "all its rows" if budget is None else f"{budget:,} rows"
        raise NotComparableError(f"{entry.name} has no run on {wanted}" + (f", only on {has}" if has else ""))
    answers = _on_this(Answers.of(entry, records), test)
    if mixed(records):
        raise NotComparableError(f"the seeds of {entry.name} were run on different rows, settings or weights")
    return answers


def _on_this(answers: Answers, test: TestSet) -> Answers:
    fingerprints = {record.test.fingerprint for record in answers.records} | {answers.test}
    if fingerprints != {test.fingerprint}:
        raise NotComparableError(f"{answers.name} was run on another test set than the one here")
    return answers


def scale_of(test: TestSet, floor: float, ceiling: Sequence[RunRecord]) -> float:
    """From the best constant answer to the mean of the ceiling's runs on all its rows; without any, to a perfect score.

    Where real data does no better than the constant answer, to a perfect score as well.
    """
    here = [record for record in ceiling if record.test.fingerprint == test.fingerprint]
    runs = select_runs(here, None, reference=True)
    top = math.fsum(record.score for record in runs) / len(runs) if runs else 1.0
    return (top if top > floor else 1.0) - floor


def mixed(records: Iterable[RunRecord]) -> bool:
    """Whether runs were made of different rows, settings or weights."""
    return len({(r.training.fingerprint, r.recipe_fingerprint, r.student_fingerprint) for r in records}) > 1


def counted(answers: Answers, test: TestSet) -> Runs:
    """Counts per test unit, from the stored predictions.

    Raises:
        NotComparableError: the predictions are not those of the records.
        UserError: a prediction file cannot be read.
    """
    try:
        counts = [_counts(answers.name, test, file) for file in answers.files]
        _check_repeats(answers, test, counts)
        units = [sum_by_unit(each, test.index) for each in counts]
        return Runs(test.metric.value, answers.seeds, np.stack(units))
    except ValueError as error:
        raise NotComparableError(str(error)) from error


def _check_repeats(answers: Answers, test: TestSet, counts: Sequence[IntArray]) -> None:
    """Raise ``NotComparableError`` if two seeds are one run with a few answers changed.

    Equal answers have equal counts: only where nearly all of these are equal are predictions read once more.
    """
    runs = [k for k, record in enumerate(answers.records) if may_repeat(record)]
    near = [
        (a, b)
        for a, b in combinations(runs, 2)
        if int(np.count_nonzero((counts[a] != counts[b]).any(axis=1))) <= DIFFER * len(test.gold)
    ]
    spec = test.task.spec
    read = {
        k: digests(read_predictions(answers.files[k].path, spec, len(test.gold))[0])
        for k in {k for two in near for k in two}
    }
    for same in nearly_repeated([answers.records[k] for k in runs], {answers.records[k].cell: read[k] for k in read}):
        raise NotComparableError(same.text)


def _counts(name: str, test: TestSet, file: AnswerFile) -> IntArray:
    content = prediction_bytes(file.path, test.task.spec, len(test.gold))
    counts = test.tally.counts(content)
    predicted = predictions_in(file.path, content, test.task.spec) if counts is None else ()
    same = hashlib.sha256(content).hexdigest() == file.sha256
    if not same or (counts is None and len(predicted) != len(test.gold)):
        raise NotComparableError(f"the predictions of {name} are not those of its records: see clinsynth verify")
    if counts is None:
        counts = test.metric.counts(test.task.spec, test.gold, predicted)
    if abs(float(test.metric.value(counts.sum(axis=0))) - file.score) > TOLERANCE:
        raise NotComparableError(f"the predictions of {name} do not give the recorded score")
    return counts


def check_pair(a: Answers, b: Answers) -> None:
    """Raise ``NotComparableError`` unless students of both have the same recipe settings and weights."""
    if not a.records or not b.records:
        return  # a model that answers by itself has no student
    if a.records[0].recipe_fingerprint != b.records[0].recipe_fingerprint:
        raise NotComparableError("they were run with different settings of the recipe")
    if a.records[0].student_fingerprint != b.records[0].student_fingerprint:
        raise NotComparableError("their students had different weights")


def differences_of_conduct(a: Answers, b: Answers) -> str:
    """Differences in how the two were run that a reader should know of; empty for none."""
    if not a.records or not b.records:
        return "a language model that answers by itself"
    rows = [each.records[0].rows for each in (a, b)]
    machines = {(r.environment.device, r.environment.dtype) for each in (a, b) for r in each.records}
    notes = [f"{rows[0]:,} rows against {rows[1]:,}"] if rows[0] != rows[1] else []
    if a.seeds != b.seeds:
        notes.append(f"seeds {_listed(a.seeds)} against {_listed(b.seeds)}, not paired")
    if len(machines) > 1:
        notes.append("run on " + " and ".join(sorted(f"{device} {dtype}" for device, dtype in machines)))
    return "; ".join(notes)


def _listed(seeds: Sequence[int]) -> str:
    """``0-4`` for consecutive ones."""
    whole = len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}-{seeds[-1]}" if whole else ", ".join(map(str, seeds))
