"""Types whose answer is one label for one or two texts."""

from __future__ import annotations

from collections.abc import Iterator

from clinsynth.schema import Example, Row, TaskSpec, TaskTypeName
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
        return Example(tuple(row[key] for key in self.text_keys), (row["label"],))

    def encode(self, example: Example) -> Row:
        """``{<text keys>, "label": ...}``."""
        return {**dict(zip(self.text_keys, example.texts, strict=True)), "label": example.labels[0]}


def unknown_label(found: object, spec: TaskSpec) -> Fault:
    """The fault of a label that the task does not have."""
    return Fault("unknown-label", repr(found)[:80], " | ".join(spec.labels), "map it to one of the task's labels")
