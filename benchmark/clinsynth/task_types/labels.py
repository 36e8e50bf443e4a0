"""The five types whose answer is labels: one for one or two texts, or any number for one text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from clinsynth.core import Example, Row, TaskSpec, TaskTypeName
from clinsynth.task_types.base import Fault, Head, TaskType


class SingleLabel(TaskType):
    """Exactly one label a row."""

    target_key = "label"

    def __init__(self, name: TaskTypeName, text_keys: tuple[str, ...]) -> None:
        self.name = name
        self.text_keys = text_keys

    def head(self, spec: TaskSpec) -> Head:
        """One softmax over the labels."""
        return "single_label"

    def _target_faults(self, row: Row, spec: TaskSpec) -> Iterator[Fault]:
        if row["label"] not in spec.labels:
            yield unknown_label(row["label"], spec)

    def decode(self, row: Row) -> Example:
        """The texts and the label."""
        return Example(tuple(row[key] for key in self.text_keys), labels=(row["label"],))

    def encode(self, example: Example) -> Row:
        """``{<text keys>, "label": ...}``."""
        return {**dict(zip(self.text_keys, example.texts, strict=True)), "label": example.labels[0]}


def unknown_label(found: object, spec: TaskSpec) -> Fault:
    """The fault of a label that the task does not have."""
    return Fault("unknown-label", repr(found)[:80], " | ".join(spec.labels), "map it to one of the task's labels")


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
        return Example((row["text"],), labels=tuple(sorted(row["labels"])))

    def encode(self, example: Example) -> Row:
        """Labels as a list."""
        return {"text": example.texts[0], "labels": list(example.labels)}


LABEL_TYPES: tuple[TaskType, ...] = (
    TextClassification(),
    SingleLabel("relation_extraction", ("text",)),
    SingleLabel("natural_language_inference", ("premise", "hypothesis")),
    SingleLabel("fact_verification", ("claim", "evidence")),
    SingleLabel("sentence_similarity", ("text_a", "text_b")),
)
