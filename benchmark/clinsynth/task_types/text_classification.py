"""Which of the task's topics a text is about: one, or any number where the task is multi-label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from clinsynth.schema import Example, Row, TaskSpec
from clinsynth.task_types.base import Fault, Head, TaskType
from clinsynth.task_types.labelled import unknown_label


class TextClassification(TaskType):
    """``{"text": ..., "labels": [...]}``, also where each text has one label."""

    name = "text_classification"
    text_keys = ("text",)
    target_key = "labels"

    def head(self, spec: TaskSpec) -> Head:
        """A sigmoid for each label, or one softmax."""
        return "multi_label" if spec.multi_label else "single_label"

    def _target_faults(self, row: Row, spec: TaskSpec) -> Iterator[Fault]:
        if not isinstance(row["labels"], list):
            yield Fault("labels-not-a-list", repr(row["labels"])[:80], "a list of labels", "wrap it in [ ]")
            return
        labels = cast("list[Any]", row["labels"])
        known = [label for label in labels if label in spec.labels]
        for label in labels:
            if label not in spec.labels:
                yield unknown_label(label, spec)
        if len(set(known)) != len(known):
            yield Fault("repeated-label", repr(labels)[:80], "each label once", "drop the repeats")
        if not spec.multi_label and len(labels) != 1:
            yield Fault("label-count", f"{len(labels)} labels", "exactly one", "keep one label")

    def decode(self, row: Row) -> Example:
        """The text and its labels, sorted."""
        return Example((row["text"],), tuple(sorted(row["labels"])))

    def encode(self, example: Example) -> Row:
        """Labels as a list."""
        return {"text": example.texts[0], "labels": list(example.labels)}


TYPE = TextClassification()
