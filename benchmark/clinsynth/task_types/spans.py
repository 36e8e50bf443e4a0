"""Types whose answer is a set of labelled spans of one text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from clinsynth.schema import Example, Row, Span, TaskSpec, TaskTypeName
from clinsynth.task_types.base import Fault, Head, TaskType
from clinsynth.task_types.labelled import unknown_label

_KEYS = {"start", "end", "label"}


class Spans(TaskType):
    """``{"text": ..., "entities": [{"start": 0, "end": 7, "label": ...}]}``; offsets count characters."""

    text_keys = ("text",)
    target_key = "entities"

    def __init__(self, name: TaskTypeName) -> None:
        self.name = name

    def head(self, spec: TaskSpec) -> Head:
        """A tag for each word."""
        return "token"

    def _target_faults(self, row: Row, spec: TaskSpec) -> Iterator[Fault]:
        if not isinstance(row["entities"], list):
            yield Fault("entities-not-a-list", repr(row["entities"])[:80], "a list", "use [] for none")
            return
        entities = cast("list[Any]", row["entities"])
        ends_at = 0
        for entity in sorted(entities, key=_start):
            fault = _entity_fault(entity, row["text"], spec, ends_at)
            if fault is not None:
                yield fault
            else:
                ends_at = entity["end"]

    def decode(self, row: Row) -> Example:
        """The text and its spans, sorted."""
        spans = sorted(Span(e["start"], e["end"], e["label"]) for e in row["entities"])
        return Example((row["text"],), spans=tuple(spans))

    def encode(self, example: Example) -> Row:
        """Spans become objects with named offsets."""
        return {"text": example.texts[0], "entities": [span._asdict() for span in example.spans]}


def _start(entity: Any) -> int:
    start = cast("Row", entity).get("start") if isinstance(entity, dict) else None
    return start if isinstance(start, int) else -1


def _entity_fault(entity: Any, text: str, spec: TaskSpec, ends_at: int) -> Fault | None:
    shown = repr(entity)[:80]
    fields = cast("Row", entity) if isinstance(entity, dict) else {}
    if fields.keys() != _KEYS:
        return Fault("bad-entity", shown, '{"start": 0, "end": 7, "label": "..."}', "use exactly these three keys")
    start, end, label = fields["start"], fields["end"], fields["label"]
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        return Fault(
            "bad-offsets",
            f"start {start!r}, end {end!r} in a text of {len(text)} characters",
            "0 <= start < end <= length",
            "count characters (not bytes or tokens); end is one past the last",
        )
    if label not in spec.labels:
        return unknown_label(label, spec)
    if text[start:end] != text[start:end].strip():
        return Fault(
            "offsets-with-space",
            f"characters {start}-{end} begin or end with a space",
            "the mention alone",
            "the offsets look shifted: recompute them",
        )
    if start < ends_at:
        return Fault(
            "overlapping-entities",
            f"start {start} lies before the previous end {ends_at}",
            "no overlap",
            "keep the longer span",
        )
    return None
