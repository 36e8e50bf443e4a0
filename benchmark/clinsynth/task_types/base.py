"""What a task type is: the form of its rows, its checks, and the student's output head for it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, cast

from clinsynth.core import Example, Row, TaskSpec, TaskTypeName

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
