"""Metrics as sums of counts: every score is a function of counts added up over test examples.

That is what makes them cheap to resample: a bootstrap draws rows of the count matrix, not predictions.
Values equal scikit-learn's and seqeval's (strict mode, IOB2) with an empty denominator counted as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinsynth.core import Example, MetricName, Prediction, TaskSpec

Counts = npt.NDArray[np.int64]
"""``[examples, columns]``: the columns belong to the metric."""
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: how an example is counted, and what the sum of the counts is worth."""

    name: MetricName
    title: str
    count: Callable[[TaskSpec, Example, Prediction], Sequence[int]]
    """Counts of one example."""
    value: Callable[[Counts], Scores]
    """``[..., columns]`` summed counts to ``[...]`` scores in [0, 1]."""
    decomposable: bool = False
    """Whether the score is a mean over examples."""

    def counts(self, spec: TaskSpec, gold: Sequence[Example], predicted: Sequence[Prediction]) -> Counts:
        """``[examples, columns]``. Raises ``ValueError`` if the lengths differ."""
        rows = [self.count(spec, g, p) for g, p in zip(gold, predicted, strict=True)]
        return np.array(rows, dtype=np.int64)

    def score(self, spec: TaskSpec, gold: Sequence[Example], predicted: Sequence[Prediction]) -> float:
        """The metric on a whole test set."""
        return float(self.value(self.counts(spec, gold, predicted).sum(axis=0)))


def _f1(counts: Counts) -> Scores:
    """F1 of ``[..., (true positives, predicted, gold)]``; 0 where nothing is predicted and nothing is gold."""
    hit, predicted, gold = counts[..., 0], counts[..., 1], counts[..., 2]
    return np.where(hit > 0, 2 * hit / np.maximum(predicted + gold, 1), 0.0)


def _by_label(counts: Counts) -> Counts:
    return counts.reshape(*counts.shape[:-1], -1, 3)


def _mean(counts: Counts) -> Scores:
    return counts[..., 0] / np.maximum(counts[..., 1], 1)


def _positive(spec: TaskSpec) -> list[str]:
    return [label for label in spec.labels if label != spec.negative_label]


def _averaged(spec: TaskSpec) -> list[str]:
    """The labels whose F1 macro F1 averages: both of two, for the F1 of one label alone rewards saying it always."""
    positive = _positive(spec)
    return positive if len(positive) > 1 else list(spec.labels)


def _count_match(_: TaskSpec, gold: Example, predicted: Prediction) -> Sequence[int]:
    return int(set(gold.labels) == set(predicted.labels)), 1


def _count_labels(labels: Sequence[str], gold: Example, predicted: Prediction) -> Sequence[int]:
    """Three counts for each of some labels."""
    counts: list[int] = []
    for label in labels:
        said, true = label in predicted.labels, label in gold.labels
        counts += [said and true, said, true]
    return counts


def _count_positive(spec: TaskSpec, gold: Example, predicted: Prediction) -> Sequence[int]:
    return _count_labels(_positive(spec), gold, predicted)


def _count_averaged(spec: TaskSpec, gold: Example, predicted: Prediction) -> Sequence[int]:
    return _count_labels(_averaged(spec), gold, predicted)


def _count_spans(_: TaskSpec, gold: Example, predicted: Prediction) -> Sequence[int]:
    return len(set(gold.spans) & set(predicted.spans)), len(set(predicted.spans)), len(set(gold.spans))


def _macro(counts: Counts) -> Scores:
    return _f1(_by_label(counts)).mean(axis=-1)


def _micro(counts: Counts) -> Scores:
    return _f1(_by_label(counts).sum(axis=-2))


METRICS: dict[MetricName, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", _count_match, _mean, decomposable=True),
        Metric("macro_f1", "macro F1", _count_averaged, _macro),
        Metric("micro_f1", "micro F1", _count_positive, _micro),
        Metric("f1", "F1", _count_positive, _micro),
        Metric("entity_f1", "entity F1", _count_spans, _f1),
    )
}


def score_all(spec: TaskSpec, gold: Sequence[Example], predicted: Sequence[Prediction]) -> dict[str, float]:
    """Main metric first, then the others of the task, each in [0, 1]."""
    return {name: METRICS[name].score(spec, gold, predicted) for name in (spec.metric, *spec.also)}
