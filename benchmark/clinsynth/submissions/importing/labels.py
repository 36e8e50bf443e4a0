"""Their labels to ours: by name however it is spelt, by an explicit map, or by position, and never silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import cast

from clinsynth.core import TaskSpec, UserError
from clinsynth.submissions.faults import shown

OUTSIDE = "O"


class UnknownLabelError(ValueError):
    """A label that cannot be mapped to one of the task's."""


class LabelMap:
    """Maps labels and remembers how, for the report."""

    def __init__(self, spec: TaskSpec, explicit: Mapping[str, str], order: tuple[str, ...], *, swap: bool) -> None:
        """``order`` gives the meaning of a number: its label stands at that position.

        Raises:
            UserError: ``explicit`` maps to something that is no label, or ``swap`` is asked of a task without two.
        """
        self.spec = spec
        self.order = order
        self.used: dict[str, str] = {}
        """Every spelling that was mapped, and to what."""
        self.positions = False
        """Whether a number was read as a position."""
        for theirs, ours in explicit.items():
            if ours not in spec.labels and not (spec.is_span and _is_tag(ours)):
                raise UserError(f"label {theirs!r} is mapped to {ours!r}", expected=" | ".join(spec.labels))
        if swap and len(spec.labels) != 2:
            raise UserError(f"{spec.name} has {len(spec.labels)} labels: they cannot be swapped", expected="two labels")
        self._explicit = explicit
        keys = Counter(plain(label) for label in spec.labels)
        # Labels that differ in case or separators alone can only be told apart by their exact name.
        self._plain = {plain(label): label for label in spec.labels if keys[plain(label)] == 1 and plain(label)}
        self._swap = dict(zip(spec.labels, reversed(spec.labels), strict=True)) if swap else {}

    def __call__(self, value: object) -> str:
        """Our label for theirs; empty for one that the explicit map leaves out.

        Raises:
            UnknownLabelError: nothing matches.
        """
        found = self._find(value)
        self.used.setdefault(str(value), found)
        return self._swap.get(found, found)

    def explicit(self, value: object) -> str | None:
        """What the user said this value stands for, if anything."""
        said = self._explicit.get(str(value))
        if said is None and isinstance(value, bool):
            said = self._explicit.get(str(value).lower())
        return said

    def knows(self, value: object) -> bool:
        """Whether a value can be mapped."""
        try:
            self._find(value)
        except UnknownLabelError:
            return False
        return True

    def _find(self, value: object) -> str:
        said = self.explicit(value)
        if said is not None:
            return said
        if isinstance(value, str):
            if value in self.spec.labels:
                return value
            if (label := self._plain.get(plain(value))) is not None:
                return label
        position = position_of(value)
        if position is not None and position < len(self.order):
            self.positions = True
            return self.order[position]
        raise UnknownLabelError(repr(value))

    def notes(self) -> list[str]:
        """How labels were read, for the report."""
        notes: list[str] = []
        if self.positions:
            meaning = ", ".join(f"{n} = {label}" for n, label in enumerate(self.order))
            notes.append(f"numbers were read as positions in the task's labels: {meaning}")
        renamed = {theirs: ours for theirs, ours in self.used.items() if theirs != ours and position_of(theirs) is None}
        if renamed:
            listed = list(renamed.items())[:30]
            notes.append("labels: " + ", ".join(f"{shown(a, 60)} -> {b or '(left out)'}" for a, b in listed))
        if self._swap:
            notes.append("the two labels were swapped, as asked")
        return notes


def plain(name: str) -> str:
    """A name without case and separators: ``Has_relation`` and ``has relation`` are the same."""
    return "".join(c for c in name.casefold() if c.isalnum())


def position_of(value: object) -> int | None:
    """The number that a value is, or is the decimal form of; no booleans."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else None
    if isinstance(value, str) and value.isascii() and value.strip().isdecimal() and len(value) < 6:
        return int(value)
    return None


def one_hot(value: object, width: int) -> list[int] | None:
    """Positions of the ones in a vector of zeros and ones; ``None`` for any other value."""
    if not isinstance(value, list) or len(items := cast("list[object]", value)) != width:
        return None
    if any(isinstance(item, bool) or item not in (0, 1) for item in items):
        return None
    return [n for n, item in enumerate(items) if item == 1]


def _is_tag(text: str) -> bool:
    return text in ("", OUTSIDE) or (text[0] in "BIESLU" and text[1:2] in ("", "-"))
