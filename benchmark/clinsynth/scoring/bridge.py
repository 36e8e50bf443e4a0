"""The benchmark's metrics as Hugging Face ``evaluate`` metrics: offline, no code is downloaded, nothing is stored.

    metric = load_metric("gad")
    metric.compute(predictions=["yes", "no_relation"], references=["yes", "yes"])  # {"f1": ..., "accuracy": ...}

An answer is what a row of the task holds under its target key: a label (``label``), a list of labels (``labels``, also
where each text has just one), or a list of ``{"start": 0, "end": 7, "label": ...}`` (``entities``). Spans rather than
tags: they say the same whatever the words are.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from clinsynth.core import TASKS, Example, Prediction, TaskSpec, UserError
from clinsynth.scoring.metrics import score_all
from clinsynth.task_types import TaskType, task_type


def load_metric(task: str) -> Any:
    """An ``evaluate.Metric`` of a task: ``add``, ``add_batch`` and ``compute`` give every metric of the task by name.

    Raises:
        UnknownNameError: there is no such task.
        UserError: on ``compute``, for a label that the task does not have, or with nothing to score.
    """
    spec = TASKS[task].spec
    kind = task_type(spec)
    evaluate: Any = importlib.import_module("evaluate")
    features = _features(kind)

    class TaskMetric(evaluate.Metric):
        """All metrics of one task."""

        def _info(self) -> Any:
            return evaluate.MetricInfo(
                description=f"{spec.title}: {', '.join((spec.metric, *spec.also))}. {spec.description}",
                citation=spec.citation,
                inputs_description=f"Answers as a row of the task holds them under {kind.target_key!r}.",
                features=features,
            )

        def _compute(self, *, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, float]:
            if not references:
                raise UserError(f"nothing to score for {spec.name}", expected="predictions and references")
            gold = [_example(answer, kind, spec) for answer in references]
            said = [_example(answer, kind, spec) for answer in predictions]
            return score_all(spec, gold, [Prediction(example.labels, example.spans) for example in said])

    # In memory: evaluate's files in the user's cache are no place for answers under a data use agreement.
    return TaskMetric(config_name=spec.name, keep_in_memory=True)


def _features(kind: TaskType) -> Any:
    datasets: Any = importlib.import_module("datasets")
    text, number = datasets.Value("string"), datasets.Value("int64")
    answer = {
        "label": text,
        "labels": datasets.List(text),
        "entities": datasets.List({"start": number, "end": number, "label": text}),
    }[kind.target_key]
    return datasets.Features({"predictions": answer, "references": answer})


def _example(answer: Any, kind: TaskType, spec: TaskSpec) -> Example:
    example = kind.decode({**dict.fromkeys(kind.text_keys, ""), kind.target_key: answer})
    used = {*example.labels, *(span.label for span in example.spans)}
    if unknown := used - set(spec.labels):
        raise UserError(f"{', '.join(sorted(unknown))}: no label of {spec.name}", expected=" | ".join(spec.labels))
    return example
