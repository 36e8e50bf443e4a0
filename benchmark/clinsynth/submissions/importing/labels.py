"""Their labels to ours: by name however it is spelt, by an explicit map, or by position, and never silently."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import cast

from clinsynth.core import TaskSpec, UserError
from clinsynth.submissions.faults import shown

OUTSIDE = "O"
FIRST_LABELS = 30
"""Labels that are listed in a report or a message."""


class UnknownLabelError(ValueError):
    """A label that cannot be mapped to one of the task's."""


class LabelMap:
    """Maps labels and remembers how, for the report."""

    def __init__(
        self, spec: TaskSpec, explicit: Mapping[str, str], order: tuple[str, ...], *, swap: bool, published: bool
    ) -> None:
        """``order`` gives the meaning of a number: its label stands at that position.

        ``published`` says that the source defines that order. Else a number is not read where a task has two labels:
        which of them 1 means differs from file to file, and either reading gives rows that look well.

        Raises:
            UserError: ``explicit`` maps to something that is no label, or ``swap`` is asked of a task without two.
        """
        self.spec = spec
        self.order = order
        self.used: dict[str, str] = {}
        """Every spelling that was mapped, and to what."""
        self.met: dict[str, None] = {}
        """The first labels that nothing matched."""
        self.positions = False
        """Whether a number was read as a position."""
        self._numbers = published or len(spec.labels) != 2
        keys = Counter(plain(label) for label in spec.labels)
        # Labels that differ in case or separators alone can only be told apart by their exact name.
        self._plain = {plain(label): label for label in spec.labels if keys[plain(label)] == 1 and plain(label)}
        self._explicit = {_key(theirs): self._ours(theirs, ours) for theirs, ours in explicit.items()}
        self._unmet = {_key(theirs): theirs for theirs in explicit}
        if swap and len(spec.labels) != 2:
            raise UserError(f"{spec.name} has {len(spec.labels)} labels: they cannot be swapped", expected="two labels")
        self._swap = dict(zip(spec.labels, reversed(spec.labels), strict=True)) if swap else {}

    def _ours(self, theirs: str, ours: str) -> str:
        if ours in self.spec.labels or (self.spec.is_span and _is_tag(ours)):
            return ours
        if (label := self._plain.get(plain(ours))) is not None:
            return label
        raise UserError(f"label {theirs!r} is mapped to {ours!r}", expected=" | ".join(self.spec.labels))

    def __call__(self, value: object) -> str:
        """Our label for theirs; empty for one that the explicit map leaves out.

        Raises:
            UnknownLabelError: nothing matches.
            UserError: as ``knows``.
        """
        try:
            label = self._find(value)
        except UnknownLabelError:
            if len(self.met) < FIRST_LABELS:
                self.met[shown(str(value), 60)] = None
            raise
        self.used.setdefault(str(value), label)
        return self._swap.get(label, label)

    def explicit(self, value: object) -> str | None:
        """What the user said this value stands for, if anything."""
        key = _key(value)
        self._unmet.pop(key, None)
        return self._explicit.get(key)

    def knows(self, value: object) -> bool:
        """Whether a value can be mapped.

        Raises:
            UserError: it is a bare number, and the task has two labels.
        """
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
            if not self._numbers:
                a, b = self.spec.labels
                raise UserError(
                    f"{self.spec.name} has two labels, and the file has numbers: which means which, it does not say",
                    found=str(position),
                    expected="labels by name, or what each number means",
                    remedy=f"--label 0='{a}' --label 1='{b}', or the other way round: look at a few rows",
                )
            self.positions = True
            return self.order[position]
        raise UnknownLabelError(repr(value))

    def unmatched(self) -> list[str]:
        """What was mapped explicitly and never met."""
        return list(self._unmet.values())

    def notes(self) -> list[str]:
        """How labels were read, for the report."""
        notes: list[str] = []
        if self.positions:
            meaning = ", ".join(f"{n} = {label}" for n, label in enumerate(self.order))
            notes.append(f"numbers were read as positions in the task's labels: {meaning}")
        renamed = {
            theirs: ours
            for theirs, ours in self.used.items()
            if theirs != ours and (position_of(theirs) is None or _key(theirs) in self._explicit)
        }
        if renamed:
            listed = list(renamed.items())[:FIRST_LABELS]
            notes.append("labels: " + ", ".join(f"{shown(a, 60)} -> {b or '(left out)'}" for a, b in listed))
        if self._swap:
            notes.append("the two labels were swapped, as asked")
        return notes


def plain(name: str) -> str:
    """A name without case and separators: ``Has_relation`` and ``has relation`` are the same."""
    return "".join(c for c in name.casefold() if c.isalnum())


def _key(value: object) -> str:
    """A value as an explicit map names it: without case, and a whole number without its decimal point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip().casefold() if not isinstance(value, int) or abs(value) < 10**9 else "a great number"
    return re.sub(r"\.0+$", "", text) if re.fullmatch(r"\d{1,5}\.0+", text) else text


def position_of(value: object) -> int | None:
    """The number that a value is, or is the decimal form of; no booleans."""
    if isinstance(value, float) and value.is_integer():
        # What a spreadsheet or a column with gaps makes of a whole number.
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else None
    if isinstance(value, str) and value.isascii() and re.fullmatch(r"\d{1,5}(\.0+)?", value.strip()):
        return int(value.strip().partition(".")[0])
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
