"""The interface of baselines: a view of the task, a model, names to write about, and a tally to report to."""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from clinsynth.core import EntityKind, Example, Registry, Row, TaskSpec, UserError, leaves
from clinsynth.llm import LLM

if TYPE_CHECKING:
    import numpy as np  # a name in an annotation: commands that list baselines start without it


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

    def of_label(self, task: str, label: str) -> Sequence[tuple[str, ...]]:
        """What belongs to a label of a task, in a fixed order; empty where the source does not say.

        A name, or two for the markers of a relation.
        """
        ...


@dataclass(slots=True)
class Tally:
    """Counts of one task's generation: what was dropped and why, and what was kept."""

    dropped: Counter[str] = field(default_factory=Counter[str])
    """Candidate rows that were made and are not in the data, by reason."""
    altered: Counter[str] = field(default_factory=Counter[str])
    """Corrections and ambiguities in candidates, by kind; a row may have several."""
    kept: Counter[str] = field(default_factory=Counter[str])
    """Rows in the data so far, by class (``class_of``). The harness counts them while it takes rows."""
    prompts: dict[str, str] = field(default_factory=dict[str, str])
    """sha256 of each prompt file that was used, by path."""
    notes: dict[str, str] = field(default_factory=dict[str, str])
    """Further entries of the record, such as the file of topics and its digest."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """How rows are asked for."""

    rows_per_request: int = 1
    """Rows in one answer, where requests for several rows are the same but for their number."""
    without_mention: float | None = None
    """Share of texts without any name in span tasks; ``None``: what real texts of the type have."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything a generator may use; what it does not need may be absent."""

    tally: Tally = field(default_factory=Tally)
    model: LLM | None = None
    source: Knowledge | None = None
    lists: Path | None = None
    """Folder of lists that a model made and a user may read and edit: a text file each, one item per line."""
    asking: Asking = field(default_factory=Asking)

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


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a generator on one task; ``None`` is no limit."""

    rows: int
    tokens: int | None = None
    dollars: float | None = None


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as a generator sees it. The test split cannot be reached from here."""

    spec: TaskSpec
    few_shot: Callable[[], Sequence[Example]]
    """Five real examples per class: all the real data that a method may see and still call itself few-shot.

    Raises ``NotPreparedError`` where there are none."""
    real: Callable[[], Sequence[Example]]
    """The real training examples, for reference rows. Raises ``NotPreparedError`` where there are none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """A generator: what a module in ``baselines/`` exposes as ``BASELINE``."""

    name: str
    title: str
    description: str
    """One line, shown by ``clinsynth generate --help``."""
    real_data: Literal["none", "few-shot", "train"]
    """The real text that its rows are made from; decides what may be published."""
    generate: Callable[[TaskView, Tools, Budget, np.random.Generator], Iterator[Row]]
    """Yields canonical rows until the caller has enough, or no more can be made. All randomness comes from the last
    argument."""
    needs: frozenset[Literal["llm", "knowledge"]] = frozenset()
    """The tools without which it cannot run."""
    reference: bool = False
    """A floor or a ceiling to compare with, not a contender."""
    disclosures: Mapping[str, str] = field(default_factory=dict[str, str])
    """Disclosures about the rows for reviewers, by task; they are written to the card."""
    citation: str = field(default="")


BASELINES_DIR_VARIABLE = "CLINSYNTH_BASELINES_DIR"
"""Further folders of baseline modules, separated as in PATH; ``generate --baselines-dir`` adds to it."""


def _load_baselines() -> Mapping[str, Baseline]:
    """The baselines of this project, and those of the user's folders."""
    window = importlib.import_module("clinsynth.baselines")
    for folder in filter(None, os.environ.get(BASELINES_DIR_VARIABLE, "").split(os.pathsep)):
        path = Path(folder).resolve()
        if not path.is_dir():
            raise UserError(f"no folder of baselines at {path}", remedy="check --baselines-dir")
        if str(path) not in window.__path__:
            window.__path__.append(str(path))
    baselines: dict[str, Baseline] = {}
    for module in leaves("clinsynth.baselines"):
        baseline = getattr(module, "BASELINE", None)
        if not isinstance(baseline, Baseline):
            raise UserError(
                f"{module.__file__} is not a baseline module",
                expected="BASELINE = Baseline(...)",
                remedy="see docs/adding-a-baseline.md",
            )
        if baseline.name in baselines:
            raise UserError(f"{module.__file__} names its baseline {baseline.name!r} a second time")
        baselines[baseline.name] = baseline
    return baselines


BASELINES: Registry[Baseline] = Registry("baseline", _load_baselines)
