"""The record of an audit, ``audit/<task>.json`` in a submission's folder.

A record holds counts, numbers of rows and of test examples, never text of either. Rows are numbered from 1 in the order
of the data file, blank lines left out; test examples from 0, as in the stored predictions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from clinsynth.audit.leakage import Method
from clinsynth.core import Part, RecordKind, TaskRecord, write_sealed
from clinsynth.results import DataKind, base_of

AUDIT_VERSION = 4
"""Raised whenever a threshold, a pattern or a comparison changes: older records are then made anew."""


REAL_SHARE = 0.01
"""Share of the rows that may repeat real training text and still count as synthetic."""
Tier = Literal["synthetic", "real"]


class RowMatch(Part):
    """A row and the test examples that it repeats."""

    row: int
    tests: tuple[int, ...]
    method: Method
    """The surest one for any of these."""
    reason: Literal["leak", "short", "public"]
    """short: so few words that chance may repeat them; public: the publisher has the same row in train or dev too."""


class TestLeaks(Part):
    """Overlap of the rows with the test split."""

    examples: int
    """Examples of the split."""
    matches: tuple[RowMatch, ...]
    one_side: tuple[int, ...]
    """Rows of a pair task of which one text alone is in a test example."""
    nearest: dict[str, float]
    """Quantiles of the cosine between a row's text and the nearest test text."""
    touched: int
    """Test examples that any row repeats, for whatever reason."""


class Repeats(Part):
    """Rows that repeat examples of other splits; allowed if the card declares it."""

    split: str
    examples: int
    rows: dict[str, int]
    """Rows by the surest method; short ones left out."""
    few_words: int
    """Rows that are repeated exactly but have so few words that chance may do it."""


class Draw(Part):
    """The draw of one seed: the rows that a student is trained on, out of a file that may hold many more."""

    budget: int
    seed: int
    exact: int
    """Drawn rows that are a test example word for word (short and public ones left out)."""
    leaks: int
    """Drawn rows that repeat a test example by any method."""
    real: int
    """Drawn rows that repeat real training text."""
    nearer_test: float | None
    """Share of the drawn rows that are nearer to test text than to real text; ``None`` without ``Nearness``."""


class Nearness(Part):
    """Whether the rows are nearer to the text of the test split than to as much other real text.

    A generator that has not seen the test split is no nearer to it than to as much of the train split; real rows are
    not either. Rows that are much alike are all near the same few sentences, and which block of real text has these is
    luck: so there are several blocks, and ``spread`` says what luck can do.
    """

    split: str
    """Where the other real text comes from."""
    items: int
    """Examples of the test split that a row was compared with, and of each block."""
    blocks: int = 1
    """Blocks of other real text; audits of version 2 and before had one."""
    test: float
    """Share of the rows that are nearer to a test example than to any of a block: the mean over the blocks."""
    real: float
    """Share of the rows that are nearer to one of the block."""
    usual: float
    """``test`` of real rows, those of the first block: what is usual for the task."""
    spread: float = 0.0
    """Standard deviation, over the blocks, of what ``test`` is where the block stands in the test split's place."""


class Sketch(Part):
    """A sample of the runs of words in the rows, as hashes: enough to see that two submissions hold the same text."""

    runs: int
    """Distinct runs of words in all the rows."""
    smallest: tuple[int, ...]
    """The smallest of their hashes, sorted."""


class Verbatim(Part):
    """The longest stretch of real text in each row: quantiles over the rows, by unit (words, characters)."""

    split: str
    """Where the real text comes from."""
    quantiles: dict[str, dict[str, float]]
    longest_row: int
    """The row with the longest stretch, in words."""
    over: dict[str, int]
    """Rows that share at least so many words in a row."""


class Privacy(Part):
    """Findings that look like protected health information."""

    rows: dict[str, tuple[int, ...]]
    """Rows with a strong finding, by kind."""
    weak: dict[str, int]
    """Number of rows with a weak finding, by kind: reported, never judged."""
    share: float
    """Share of the rows with any strong finding."""
    real_share: float | None
    """The same for the task's own real text; ``None`` where none is here."""


class CanarySightings(Part):
    """Planted strings that came out again."""

    hashes: str
    """Fingerprint of the file of hashes."""
    planted: int
    exact: dict[int, tuple[int, ...]]
    """Rows that hold a whole canary, by its number."""
    near: dict[int, tuple[int, ...]]
    """Rows that hold part of one."""


class Rescored(Part):
    """One stored run, scored again with and without the touched test examples."""

    recipe: str
    rows: int
    seed: int
    metric: str
    score: float
    """On the whole test set."""
    without: float | None
    """On the untouched examples; ``None`` if none is left."""
    untouched: int


class AuditRecord(TaskRecord):
    """The audit of a submission's rows for one task."""

    format: Literal[1] = 1
    audit: int
    """``AUDIT_VERSION`` at the time."""
    submission: str
    task: str
    task_version: int
    kind: DataKind
    declared: str
    """Real text the generator saw, as the card says."""
    reference: bool
    rows: int
    data_fingerprint: str
    """sha256 over the submission's rows, as in the run records."""
    splits: dict[str, str]
    """Fingerprints of the splits that were compared; always test."""
    thresholds: dict[str, float]
    packages: dict[str, str]
    embedder: str
    """What made the embeddings; empty if there were none."""
    test: TestLeaks
    train: Repeats | None
    few_shot: Repeats | None
    verbatim: Verbatim | None
    privacy: Privacy
    canaries: CanarySightings | None
    nearness: Nearness | None = None
    """``None`` where there is too little real text, or none."""
    draws: tuple[Draw, ...] = ()
    """By budget and seed, of budgets below the number of rows."""
    sketch: Sketch | None = None
    scores: tuple[Rescored, ...]
    failures: tuple[str, ...]
    """Why the audit failed; empty if it passed."""
    seconds: dict[str, float]
    created: str
    """UTC, ISO 8601."""

    @property
    def clean(self) -> bool:
        """Whether the audit passed."""
        return not self.failures

    @property
    def tier(self) -> Tier:
        """Whether more of the rows repeat real text than chance explains, declared or not."""
        repeated = sum(self.train.rows.values()) if self.train else 0
        return "real" if repeated > int(REAL_SHARE * self.rows) else "synthetic"


AUDIT_RECORD = RecordKind("an audit record", "delete it and audit again")


def audit_path(folder: Path, task: str, kind: DataKind) -> Path:
    """Where the audit of a task lies."""
    return base_of(folder, kind) / "audit" / f"{task}.json"


def write_audit(folder: Path, record: AuditRecord) -> AuditRecord:
    """Seal and store a record."""
    return write_sealed(audit_path(folder, record.task, record.kind), record)
