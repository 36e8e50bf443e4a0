"""Intervals of the direct track, from stored answers to a whole test set or to the part that was asked.

The same test as everywhere (``scoring.statistics``). A model that answers greedily has no seeds: its own score varies
with the test units alone, and against a student it stands for every seed alike.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clinsynth.core import NotPreparedError, Prediction, UserError
from clinsynth.direct.records import Answered, DirectRecord, DirectResults
from clinsynth.direct.runner import subset
from clinsynth.results import TOLERANCE, Results, RunRecord
from clinsynth.scoring.statistics import (
    Profile,
    Runs,
    bootstrap,
    difference,
    jackknife,
    score_of,
    sum_by_unit,
    unit_index,
)
from clinsynth.standings import RESAMPLES, Judgement, TestSet, best_constant, judge, one_thread, scale_of


@dataclass(frozen=True, slots=True)
class Difference:
    """A student minus a model's own answers to the same examples."""

    value: float
    low: float
    high: float
    """95 % interval."""
    judgement: Judgement
    """Of the student."""


@dataclass(frozen=True, slots=True)
class Own:
    """A model's answers to a task as counts of test units."""

    positions: tuple[int, ...]
    """Of the examples that were asked."""
    runs: Runs


def own_answers(record: DirectRecord, results: DirectResults, test: TestSet) -> Own | None:
    """The stored answers of a record; ``None`` where they are not here, or not what the record tells of."""
    try:
        if record.test.fingerprint != test.fingerprint:
            return None
        answered, digest = results.read_predictions(record)
        positions = [each.position for each in answered]
        if digest != record.predictions_sha256 or positions != subset(len(test.gold), record.limit):
            return None
        own = Own(tuple(positions), _runs(test, answered))
        return own if abs(float(own.runs.scores[0]) - record.score) <= TOLERANCE else None
    except (NotPreparedError, UserError, OSError, ValueError, IndexError):
        return None


def student_answers(records: Sequence[RunRecord], results: Results, test: TestSet, own: Own) -> Runs | None:
    """Answers of a student's runs to the examples of ``own``; ``None`` if they are not here."""
    try:
        if any(record.test.fingerprint != test.fingerprint for record in records):
            return None
        said = [results.read_predictions(record) for record in records]
    except (NotPreparedError, UserError, OSError):
        return None
    for record, (predictions, digest) in zip(records, said, strict=True):
        if digest != record.predictions_sha256 or len(predictions) != len(test.gold):
            return None
    asked = [[Answered(k, predictions[k], "") for k in own.positions] for predictions, _ in said]
    seeds = tuple(record.seed for record in records)
    return Runs(test.metric.value, seeds, np.concatenate([_runs(test, each).counts for each in asked]))


def score_interval(own: Own, test: TestSet) -> tuple[float, float]:
    """95 % interval of the model's score."""
    (profile,) = _profiles([own.runs], test)
    return score_of(profile).estimate().score_interval()


def student_minus_own(student: Runs, own: Own, test: TestSet, ceiling: Sequence[RunRecord] = ()) -> Difference:
    """The difference, paired by test unit; the verdict is that of ``compare``.

    Its scale goes from the best constant answer to the asked examples to ``ceiling``, the runs of all real rows.
    """
    one, two = _profiles([student, own.runs], test)
    estimate = difference(one, two).estimate()
    gold = [test.gold[position] for position in own.positions]
    _, _, floor = best_constant(test.task.spec, test.metric, gold)
    judgement = judge(estimate, len(student.seeds), scale_of(test, floor, ceiling))
    return Difference(estimate.value, *estimate.interval(), judgement)


def _runs(test: TestSet, answered: Sequence[Answered]) -> Runs:
    gold = [test.gold[each.position] for each in answered]
    predictions: list[Prediction] = [each.prediction for each in answered]
    counts = np.asarray(test.metric.counts(test.task.spec, gold, predictions), dtype=np.int64)
    return Runs(test.metric.value, (), sum_by_unit(counts, unit_index(gold))[None])


def _profiles(runs: Sequence[Runs], test: TestSet) -> list[Profile]:
    if test.metric.decomposable:
        return [jackknife(each) for each in runs]
    with one_thread():
        return bootstrap(runs, RESAMPLES, np.random.default_rng([0, zlib.crc32(test.task.spec.name.encode())]))
