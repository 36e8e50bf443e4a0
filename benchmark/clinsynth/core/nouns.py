"""The nouns of the benchmark: frozen, typed, and free of behaviour that belongs to a stage of the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:  # numpy takes 100 ms to import, and the nouns are everywhere
    pass

Row = dict[str, Any]
"""One training row in the canonical form of its task type: what a JSON line of a submission holds."""

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")

TaskTypeName = Literal[
    "text_classification",
    "relation_extraction",
    "natural_language_inference",
    "fact_verification",
    "sentence_similarity",
    "named_entity_recognition",
    "attribute_extraction",
]
Access = Literal["open", "registration", "credentialed"]
"""open: anyone may download; registration: terms to accept; credentialed: a signed data use agreement."""

Unit = Literal["document", "claim", "question", "example"]
EntityKind = Literal["disease", "chemical", "gene", "symptom"]
"""Kinds of names that knowledge sources hold, and that a text can be about."""
MetricName = Literal["accuracy", "macro_f1", "micro_f1", "f1", "entity_f1"]


class Span(NamedTuple):
    """A labelled stretch of text."""

    start: int
    """First character, counted from 0 in Unicode code points."""
    end: int
    """One past the last character."""
    label: str


@dataclass(frozen=True, slots=True)
class Example:
    """One item of a task, the same shape for all seven types."""

    texts: tuple[str, ...]
    """One text, or two for pairs, in the order the student reads them."""
    _: KW_ONLY  # labels and spans are both tuples: by position, one would pass for the other
    labels: tuple[str, ...] = ()
    """Gold labels: exactly one unless the task is multi-label; empty for span tasks."""
    spans: tuple[Span, ...] = ()
    """Gold spans of a span task, sorted, not overlapping; empty for the other types."""
    unit: str = ""
    """Name of the independent unit (document, claim...) the example belongs to; empty: itself."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A student's answer to one test item; stored without text."""

    labels: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One published file, pinned."""

    path: str
    """Where the file lies under ``<folder>/<task>/``; ``<path>.gz`` is accepted too."""
    splits: tuple[Split, ...]
    """The splits that cannot be read without this file."""
    url: str = ""
    """Where to fetch it, at a fixed commit; empty where the user must bring it."""
    sha256: str = ""
    """Digest of the unpacked content, where known."""
    git_blob: str = ""
    """Git blob id of the unpacked content: pins a file whose sha256 is not known."""
    task: str = ""
    """The task in whose folder the file lies too, where it is a source of that one as well."""


class RawFiles(Protocol):
    """The verified source files of one task, as a reader sees them."""

    def open(self, path: str) -> IO[str]:
        """Open a source as UTF-8 text with its line ends kept, unpacked where it is stored as gzip."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSpec:
    """Everything that is said of a task, said once: tables, docs and records derive from it."""

    name: str
    title: str
    type: TaskTypeName
    description: str
    """One sentence: what is read and what is to be decided."""
    labels: tuple[str, ...]
    """Label names; for span tasks the span types."""
    label_descriptions: Mapping[str, str]
    """What each label means, in words a generator may use; one entry for every label."""
    metric: MetricName
    """The main metric: the published one, unless it rewards a constant answer (docs/tasks.md)."""
    also: tuple[MetricName, ...] = ()
    """Further metrics that are reported."""
    negative_label: str | None = None
    """The label that F1 and micro F1 leave out: "no relation", "different"... Macro F1 leaves it out of three and more
    labels, never of two."""
    multi_label: bool = False
    markers: tuple[str, ...] = ()
    """Placeholders that every text holds, such as ``@GENE$``."""
    text_names: tuple[str, ...] = ("text",)
    """What the texts are in this task, for people: ("claim", "evidence")."""
    unit: Unit = "example"
    """Unit that is resampled for intervals: items of one unit are not independent."""
    sources: tuple[Source, ...]
    rows: Mapping[Split, int] = field(default_factory=dict[Split, int])
    """Examples in each split of the published files, where known."""
    licence: str = "not stated"
    access: Access
    homepage: str = ""
    apply: str = ""
    """For restricted tasks: where to ask for access and where to put the files."""
    citation: str = ""
    """BibTeX; empty for data that nobody can cite."""
    notes: tuple[str, ...] = ()
    """Known faults of the data and decisions of the reader, one sentence each."""
    topics: tuple[EntityKind, ...] = ()
    """The kinds of name that its texts are about: for relations those of the markers, in their order."""
    clingen_labels: tuple[str, ...] = ()
    """Our label for each ``_id`` of the released ClinGen files, in the order of their label.txt."""
    version: int = 1

    @property
    def is_span(self) -> bool:
        """Whether examples carry spans rather than labels."""
        return self.type in ("named_entity_recognition", "attribute_extraction")


Reader = Callable[[Split, RawFiles], Iterator[Example]]
"""Yields the examples of one split in published order; raises ``ValueError`` with the place on bad input."""


@dataclass(frozen=True, slots=True)
class Task:
    """A spec with its reader: what a module in ``tasks/`` amounts to."""

    spec: TaskSpec
    read: Reader
    folder: Path
    """Where the module lies; its bundled sample is ``samples/<name>/`` beside it."""
