"""What the harness hands to a generator beside its task: a model, names to write about, and a tally to report to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from clinsynth.errors import UserError
from clinsynth.generation.llm import LLM
from clinsynth.schema import EntityKind, Row


class Knowledge(Protocol):
    """Names to write about, whatever they come from."""

    name: str
    """Short name with version, for the record."""

    def names(self, kind: EntityKind) -> Sequence[str]:
        """Distinct names of a kind, in a fixed order; empty where the source has none."""
        ...

    def pairs(self, first: EntityKind, second: EntityKind) -> Sequence[tuple[str, str]]:
        """Names that the source says are related, in a fixed order; empty where it has no such edges."""
        ...


@dataclass(slots=True)
class Tally:
    """Counts of one task's generation: what was dropped and why, and what was kept."""

    dropped: Counter[str] = field(default_factory=Counter[str])
    """Candidate rows that were made and are not in the data, by reason."""
    altered: Counter[str] = field(default_factory=Counter[str])
    """What was put right in candidates, and what was ambiguous, by what it was; a row may have several."""
    kept: Counter[str] = field(default_factory=Counter[str])
    """Rows in the data so far, by class (``class_of``). The harness counts them while it takes rows."""
    prompts: dict[str, str] = field(default_factory=dict[str, str])
    """sha256 of each prompt file that was used, by path."""
    notes: dict[str, str] = field(default_factory=dict[str, str])
    """Whatever else the record should hold, such as the file of topics and its digest."""

    def drop(self, reason: str, count: int = 1) -> None:
        """Count candidates that come to nothing. ``reason`` is a short stable name, such as ``not-json``."""
        self.dropped[reason] += count

    def alter(self, what: str, count: int = 1) -> None:
        """Count something that was put right or was ambiguous, such as ``mention-left-out``."""
        self.altered[what] += count


def class_of(row: Row) -> str:
    """The class that a row counts for: its label, its labels joined by ``|``, or "" for span tasks."""
    if "labels" in row:
        return "|".join(sorted(row["labels"]))
    return str(row.get("label", ""))


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything a generator may use; what it does not need may be absent."""

    tally: Tally = field(default_factory=Tally)
    model: LLM | None = None
    source: Knowledge | None = None
    lists: Path | None = None
    """Folder of lists that a model made and a user may read and edit: a text file each, one item a line."""

    @property
    def llm(self) -> LLM:
        """The model. Raises ``UserError`` where none was given."""
        if self.model is None:
            raise UserError("this baseline needs a language model", remedy="give --model and --base-url")
        return self.model

    @property
    def knowledge(self) -> Knowledge:
        """The source of names. Raises ``UserError`` where none was given."""
        if self.source is None:
            raise UserError("this baseline needs a source of names", remedy="give --knowledge")
        return self.source
