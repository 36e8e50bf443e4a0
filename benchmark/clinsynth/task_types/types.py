"""The seven types: how a row of each is read, checked and written, and the head that a student gets for it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, NamedTuple, cast

from clinsynth.core import Example, Row, Span, TaskSpec, TaskTypeName

Head = Literal["multi_label", "single_label", "token"]

MAX_CHARACTERS = 20_000
"""No text of these tasks comes near: the longest published one (LitCovid) has under 10,000 characters."""
_BAD_CHARACTER = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffd]")
OPTIONAL_KEYS = ("id", "meta")
"""A row may carry an identifier and anything its generator wants to remember; both are left unread."""


class Fault(NamedTuple):
    """One thing wrong with a row, without saying where: the reader of the file knows that."""

    reason: str
    """Stable short name, the key under which faults are counted."""
    found: str
    expected: str
    remedy: str


class TaskType(ABC):
    """One kind of task."""

    name: TaskTypeName
    text_keys: tuple[str, ...]
    """Row keys of the texts, in the order the student reads them."""
    target_key: str
    """Row key of the gold answer."""

    @abstractmethod
    def head(self, spec: TaskSpec) -> Head:
        """The student's head for this task."""

    @abstractmethod
    def _target_faults(self, row: Row, spec: TaskSpec) -> Iterator[Fault]: ...

    @abstractmethod
    def decode(self, row: Row) -> Example:
        """An example from a row that has no faults."""

    @abstractmethod
    def encode(self, example: Example) -> Row:
        """The canonical row of an example; ``decode(encode(e))`` is ``e`` but for the unit."""

    def faults(self, row: object, spec: TaskSpec) -> Iterator[Fault]:
        """Everything that is wrong with a row; nothing for a good one."""
        if not isinstance(row, dict):
            yield Fault("not-an-object", type(row).__name__, "a JSON object", "write one object per line")
            return
        fields = cast("Row", row)
        keys = {*self.text_keys, self.target_key}
        if missing := keys - fields.keys():
            yield Fault("missing-key", _names(fields), _names(keys), f"add {_names(missing)}")
            return
        if extra := fields.keys() - keys - set(OPTIONAL_KEYS):
            yield Fault("unknown-key", _names(extra), _names(keys), 'move what you want to keep into "meta"')
        for key in self.text_keys:
            yield from _text_faults(key, fields[key])
        if all(isinstance(fields[key], str) for key in self.text_keys):
            yield from self._marker_faults(fields, spec)
            yield from self._target_faults(fields, spec)

    def _marker_faults(self, row: Row, spec: TaskSpec) -> Iterator[Fault]:
        for marker in spec.markers:
            if not any(marker in row[key] for key in self.text_keys):
                yield Fault(
                    "missing-marker",
                    f"no {marker}",
                    f"{' and '.join(spec.markers)} in the text",
                    "replace the two mentions by the markers",
                )


def _names(keys: Iterable[str]) -> str:
    return ", ".join(sorted(keys))


def _text_faults(key: str, text: object) -> Iterator[Fault]:
    if not isinstance(text, str):
        yield Fault("text-not-a-string", f"{key} is a {type(text).__name__}", "a string", "quote it")
        return
    if not text.strip():
        yield Fault("empty-text", f"{key} is empty", "a text", "drop the row")
    if len(text) > MAX_CHARACTERS:
        yield Fault(
            "text-too-long",
            f"{key} has {len(text):,} characters",
            f"at most {MAX_CHARACTERS:,}",
            "split or drop the row",
        )
    if _BAD_CHARACTER.search(text):
        yield Fault(
            "bad-character",
            f"{key} has a control, surrogate or replacement character",
            "clean Unicode",
            "decode the source as UTF-8 and drop control characters",
        )


def task_type(spec: TaskSpec) -> TaskType:
    """The type of a task."""
    return TASK_TYPES[spec.type]


class SingleLabel(TaskType):
    """Exactly one label per row."""

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


@dataclass(frozen=True, slots=True)
class Located:
    """Where the mentions stand."""

    spans: tuple[Span, ...]
    """Sorted, not overlapping."""
    missing: Counter[str] = field(default_factory=Counter[str])
    """Mentions that have no place, by reason: ``mention-empty``, ``mention-not-in-text``, ``mention-within-another``
    (its places belong to longer mentions)."""
    ambiguous: Counter[str] = field(default_factory=Counter[str])
    """Mentions that were placed by a rule above and could have been meant otherwise: ``mention-occurs-often`` (in more
    places than it was named), ``mention-of-two-labels``, ``mention-case-differs`` (an abbreviation that the text has in
    other letter case alone)."""
    remarks: tuple[tuple[str, str], ...] = ()
    """Each of these with its mention: only for callers that may show text."""


def locate(text: str, mentions: Iterable[tuple[str, str]]) -> Located:
    """Spans of mentions, each given with its label, by the rules above."""
    named: dict[str, list[tuple[str, str]]] = {}
    missing: list[tuple[str, str]] = []
    ambiguous: list[tuple[str, str]] = []
    for mention, label in mentions:
        if pieces := _pieces(mention):
            # What differs in spaces or a first capital alone is one mention; "ALL" and "all" are two.
            key = " ".join(pieces)
            named.setdefault(key if _is_abbreviation(key) else key.lower(), []).append((mention, label))
        else:
            missing.append(("mention-empty", ""))
    taken: list[Span] = []
    for key, given in sorted(named.items(), key=lambda item: -len(item[0])):
        places, other_case = _places(key, text)
        free = [(a, b) for a, b in places if all(b <= span.start or a >= span.end for span in taken)]
        if not free:
            missing.append(("mention-within-another" if places else "mention-not-in-text", given[0][0]))
            continue
        labels = list(dict.fromkeys(label for _, label in given))
        rules = {
            "mention-case-differs": other_case,
            "mention-of-two-labels": len(labels) > 1,
            "mention-occurs-often": len(free) > len(given),
        }
        ambiguous += ((reason, given[0][0]) for reason, holds in rules.items() if holds)
        order = labels + labels[-1:] * (len(free) - len(labels))
        taken += (Span(a, b, label) for (a, b), label in zip(free, order, strict=False))
    counts = [Counter(reason for reason, _ in each) for each in (missing, ambiguous)]
    return Located(tuple(sorted(taken)), *counts, remarks=(*missing, *ambiguous))


def occurrences(text: str, mention: str) -> list[tuple[int, int]]:
    """Where a mention stands, by rules 2 and 3; nothing for a mention without letters, digits or signs."""
    return _places(" ".join(pieces), text)[0] if (pieces := _pieces(mention)) else []


def _pieces(mention: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", mention)


def _places(key: str, text: str) -> tuple[list[tuple[int, int]], bool]:
    """The places of a mention in pieces with spaces between, and whether none of them has its letter case."""
    pieces = key.split(" ")
    pattern = re.escape(pieces[0])
    for before, piece in pairwise(pieces):
        words = before[-1].isalnum() and piece[0].isalnum()
        pattern += (r"\s+" if words else r"\s*") + re.escape(piece)
    pattern = rf"(?<!\w){pattern}(?!\w)"
    exact = [match.span() for match in re.finditer(pattern, text)]
    if exact and _is_abbreviation(key):
        return exact, False
    return [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)], _is_abbreviation(key)


def _is_abbreviation(key: str) -> bool:
    """Whether letter case may carry meaning: a capital beside the first character."""
    return any(character.isupper() for character in key[1:])


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


SPAN_TYPES: tuple[TaskType, ...] = (Spans("named_entity_recognition"), Spans("attribute_extraction"))

TASK_TYPES: Mapping[str, TaskType] = {each.name: each for each in (*LABEL_TYPES, *SPAN_TYPES)}
"""Every task type by name."""
