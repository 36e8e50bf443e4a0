"""The options of an import, its state while it runs, and its report."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from clinsynth.core import Row, TaskSpec, UserError
from clinsynth.submissions.faults import shown
from clinsynth.submissions.importing.labels import FIRST_LABELS, LabelMap
from clinsynth.submissions.rows import MAX_ROWS
from clinsynth.task_types import TaskType, task_type

FIRST_ROWS = 10
"""Places that are listed for each reason."""
FIRST_FOUND = 3
"""Different values that are quoted for each reason."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user says about the file, where its own names are not enough."""

    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    """Their column for each of our keys: a text key, the target key, ``tokens``, ``tags``, or a label (one-hot)."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Our label for each of theirs; an empty one leaves such entities out (span tasks)."""
    swap_labels: bool = False
    """Exchange the two labels of a task."""
    private: bool = False
    """The rows hold real text: keep them out of version control, and quote nothing of them."""
    strict_types: bool = False
    """Refuse a file with entities of types that are not the task's, instead of leaving those entities out."""


def pairs_of(values: Iterable[str], option: str) -> dict[str, str]:
    """``NAME=NAME`` as a mapping, for ``columns`` and ``labels``. Raises ``UserError`` naming the option."""
    pairs: dict[str, str] = {}
    for value in values:
        left, equals, right = value.partition("=")
        if not left or not equals:
            raise UserError(f"{option} {value!r}", expected="a name, an equals sign, and a name")
        pairs[left] = right
    return pairs


@dataclass(slots=True)
class Tally:
    """How often something happened, and where first."""

    count: int = 0
    rows: list[int] = field(default_factory=list[int])
    """The first places: line numbers of a text file, else record numbers, from 1."""
    examples: list[str] = field(default_factory=list[str])
    """What was found at them, each once; a few, the first."""

    def __str__(self) -> str:
        places = ", ".join(f"{row}" for row in self.rows[:5]) + (", …" if self.count > 5 else "")
        return f"{self.count:,} (rows {places})" + (f", such as: {', '.join(self.examples)}" if self.examples else "")


class LostRowError(Exception):
    """A record that cannot be carried over; caught, counted by reason and reported, never shown as an error."""

    def __init__(self, reason: str, found: object = "") -> None:
        """``reason`` is a stable short name, the key under which losses are counted."""
        super().__init__(reason)
        self.reason = reason
        self.found = found if isinstance(found, str) else repr(found)


@dataclass(slots=True)
class Session:
    """One import under way."""

    spec: TaskSpec
    options: ImportOptions
    labels: LabelMap
    dropped: dict[str, Tally] = field(default_factory=dict[str, Tally])
    altered: dict[str, Tally] = field(default_factory=dict[str, Tally])
    notes: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])
    types: dict[str, None] = field(default_factory=dict[str, None])
    """The first types of entity that are not the task's."""
    read: int = 0
    """Records so far, kept or dropped."""
    mentions: int = 0
    """Entities of the rows that were kept."""

    @property
    def private(self) -> bool:
        """Whether nothing of the file may be quoted."""
        return self.options.private or self.spec.access != "open"

    def quoted(self, text: str) -> str:
        """A piece of the file for a message; empty where it must not be quoted."""
        return "" if self.private else text

    @property
    def kind(self) -> TaskType:
        """The type of the task."""
        return task_type(self.spec)

    _pending: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """What was altered in the row at hand: it counts only if the row is kept."""

    def drop(self, row: int, reason: str, found: str = "") -> None:
        """Count a record that is not carried over."""
        self._pending.clear()
        self._count(self.dropped, row, reason, found)
        self._one_more()

    def alter(self, reason: str, found: str = "") -> None:
        """Remember that something of the row at hand is not carried over as it stood."""
        self._pending.append((reason, found))

    def keep(self, row: int) -> None:
        """Count what was altered in a row that is kept."""
        for reason, found in self._pending:
            self._count(self.altered, row, reason, found)
        self._pending.clear()
        self._one_more()

    def other_type(self, name: str, reason: str = "other-type") -> None:
        """Leave out an entity of a type that is not the task's.

        Raises:
            UserError: the user wants none left out.
        """
        if self.options.strict_types:
            raise UserError(
                "the file has entities of a type that is not the task's",
                found=self.quoted(shown(name, 60)), expected=" | ".join(self.spec.labels),
                remedy="map it: --label THEIRS=OURS, or THEIRS= to leave it out; or import without --strict-types",
            )  # fmt: skip
        if reason == "other-type" and len(self.types) < FIRST_LABELS:
            self.types[shown(name, 60)] = None
        self.alter(reason, name)

    def _one_more(self) -> None:
        self.read += 1
        if self.read > MAX_ROWS:
            raise UserError(
                "the file has too many records", found=f"more than {MAX_ROWS:,}", expected=f"at most {MAX_ROWS:,}",
                remedy="import a part of it",
            )  # fmt: skip

    def _count(self, tallies: dict[str, Tally], row: int, reason: str, found: str) -> None:
        tally = tallies.setdefault(reason, Tally())
        tally.count += 1
        example = shown(self.quoted(found), 80)
        if example and example not in tally.examples and len(tally.examples) < FIRST_FOUND:
            tally.examples.append(example)
        if len(tally.rows) < FIRST_ROWS:
            tally.rows.append(row)

    def note(self, text: str) -> None:
        """Say what was decided: which column became what, how numbers were read."""
        self.notes.append(shown(text, 600))


@dataclass(frozen=True, slots=True)
class Format:
    """A form that other people's data comes in: what a module of ``formats/`` exposes as ``FORMAT``."""

    name: str
    description: str
    """One line, for the command line's help."""
    read: Callable[[Path, Session], Iterator[tuple[int, Row]]]
    """Yields canonical rows with the place each comes from, and drops the others by way of the session.

    Raises ``UserError`` where nothing of the file can be read.
    """


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Counts of a file's records; ``read == kept + lost``."""

    source: Path
    format: str
    task: str
    out: Path
    """The submission's folder."""
    kept: int
    dropped: Mapping[str, Tally]
    """Records that were not carried over, by reason."""
    altered: Mapping[str, Tally]
    """What was changed or left out within rows that were kept, by reason."""
    notes: tuple[str, ...]
    """What was decided: which column became what, how labels were read."""
    warnings: tuple[str, ...]

    @property
    def lost(self) -> int:
        """Records that were not carried over."""
        return sum(tally.count for tally in self.dropped.values())

    @property
    def read(self) -> int:
        """Records of the source."""
        return self.kept + self.lost

    def __str__(self) -> str:
        lines = [f"{self.source} ({self.format}): {self.kept:,} of {self.read:,} records became rows of {self.task}"]
        lines += [f"  warning: {warning}" for warning in self.warnings]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  dropped, {reason}: {tally}" for reason, tally in self.dropped.items()]
        lines += [f"  kept, but {reason}: {tally}" for reason, tally in self.altered.items()]
        return "\n".join([*lines, f"  written to {self.out}"])

    def next_command(self) -> str:
        """The command line that comes next."""
        return f"clinsynth validate {shlex.quote(str(self.out))}"

    def to_json(self) -> str:
        """The report as one JSON object."""
        value = asdict(self) | {"source": str(self.source), "out": str(self.out), "read": self.read}
        return json.dumps(value, indent=1, ensure_ascii=False)
