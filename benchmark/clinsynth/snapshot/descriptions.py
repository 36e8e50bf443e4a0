"""Rows of a snapshot that describe tasks, submissions and their data, and what stands beside the scores."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from clinsynth.core import Access, TaskTypeName
from clinsynth.quality import Level
from clinsynth.results import DataKind
from clinsynth.standings import Verdict

Place = Literal["ranked", "reference", "unranked"]
"""ranked: above the line; reference: a floor or a ceiling, shown beside; unranked: below the line, with the reason."""


class Row(BaseModel):
    """One line of a table."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class TaskRow(Row):
    """A task, as the benchmark described it when the snapshot was made."""

    task: str
    title: str
    type: TaskTypeName
    metric: str
    """Main metric."""
    description: str
    labels: int
    """Labels, or span types."""
    access: Access
    licence: str
    homepage: str
    citation: str
    """BibTeX of the data set."""
    unit: str
    """What is independent in the test set: document, claim, question or example."""
    test: int | None
    """Test examples; ``None`` where they are not counted yet."""
    label_names: tuple[str, ...]
    label_texts: tuple[str, ...]
    """What each of the labels means; empty where the task says no more than its name."""
    notes: tuple[str, ...]
    """What a reader must know of the data."""


class SubmissionRow(Row):
    """A submission's card."""

    submission: str
    """The folder's name: the key in every other table."""
    title: str
    kind: Literal["submission", "reference"]
    authors: tuple[str, ...]
    generator: str
    """How the rows were made, in one line."""
    paper: str
    bibtex: str
    licence: str
    disclosures: tuple[str, ...]
    real_data: str
    """Real text the generator saw: none, few-shot, train or other."""
    real_details: str
    llm: str
    """The language model that wrote the rows; empty if none did."""
    llm_snapshot: str
    llm_parameters: float | None
    """In billions; ``None`` where the card does not say."""
    llm_open: bool | None
    """Whether its weights can be downloaded; ``None`` where the card does not say."""
    calls: int | None
    """Requests to the model; ``None`` where it is not known, as in all columns of the cost."""
    tokens_in: int | None
    tokens_out: int | None
    dollars: float | None
    price_source: str
    price_date: str
    seconds: float | None


class QualityRow(Row):
    """One number of a submission's data on one task."""

    data: DataKind
    submission: str
    task: str
    number: str
    title: str
    group: str
    show: Literal["share", "value", "count"]
    value: float | None
    spread: float | None
    """Standard deviation over draws."""
    reason: str
    """Why it is missing."""
    real: float | None
    """The same number of as many real rows."""
    rows: int
    """Rows of a draw."""


class BandRow(Row):
    """A number of a submission's data in words, beside the same number of real rows."""

    data: DataKind
    submission: str
    task: str
    number: str
    title: str
    level: Level
    words: str
    """Both numbers."""
    advice: str
    """What to do about it; empty where nothing needs doing."""


class ExampleRow(Row):
    """A row to look at: of a submission, or one that was written by hand to show what a task is."""

    submission: str
    """Empty: written by hand for the task."""
    task: str
    answer: str
    text: str
    """Its beginning where it is long."""


class AuditRow(Row):
    """The audit of a submission's rows for one task."""

    data: DataKind
    submission: str
    task: str
    state: Literal["clean", "failed", "stale", "unaudited"]
    reasons: tuple[str, ...]
    rows: int | None
    leaks: int | None
    """Rows that repeat a test example."""
    excused: int | None
    """Rows that do so by chance or because the publisher has the row elsewhere too."""
    touched: int | None
    """Test examples that any row repeats."""
    train_repeats: int | None
    """Rows that repeat real training text; ``None`` where there was none to compare with."""
    longest_words: float | None
    """The longest stretch of real text in a row, in words."""
    private_share: float | None
    """Share of the rows with what looks like protected health information."""
    private_real: float | None
    """The same of the task's real text."""
    canaries: int | None
    """Planted strings that came out again; ``None`` where none was looked for."""
    score_shift: float | None
    """Mean change of the score if the touched test examples are left out."""


class GenerationRow(Row):
    """How the rows of one task were generated, as its record says."""

    submission: str
    task: str
    baseline: str
    model: str
    candidates: int | None
    kept: int | None
    calls: int | None
    tokens_in: int | None
    tokens_out: int | None
    dollars: float | None
    stopped: str
    """Why it stopped before it had all rows; empty if it did not."""


class DropRow(Row):
    """Candidates that did not become rows, by reason."""

    submission: str
    task: str
    reason: str
    count: int


class DirectRow(Row):
    """A language model that answers a task itself: another track, never ranked with submissions."""

    data: DataKind
    submission: str
    """The folder that holds the record."""
    model: str
    task: str
    metric: str
    shots: int
    score: float
    low: float | None
    high: float | None
    examples: int
    limited: bool
    """Whether only part of the test set was answered: preliminary."""
    unparsed: int | None
    """Answers that could not be read; they count as wrong."""
    tokens_in: int | None
    tokens_out: int | None
    dollars: float | None
    reasons: tuple[str, ...]


class DirectPairRow(Row):
    """Ask or train: a language model's own answers beside a student that was trained on rows it wrote."""

    data: DataKind
    recipe: str
    """The student."""
    rows: int
    """Its training rows."""
    direct: str
    """The folder of the direct track."""
    submission: str
    """Whose rows the student was trained on."""
    task: str
    metric: str
    zero_shot: float | None
    few_shot: float | None
    """Score with the most demonstrations that there are answers for."""
    shots: int
    """How many these are, a label; 0 where there are none."""
    student: float
    """Mean over the seeds, on the examples that the model was asked."""
    difference: float
    """The student minus the better of the model's own answers."""
    low: float | None
    high: float | None
    """95 % interval of the difference."""
    verdict: Verdict | None
    """Of the student; ``None`` where there is no interval."""
    examples: int
    """Test examples that the model was asked."""
    limited: bool
    """Whether these are only part of the test set: preliminary."""
    seeds: int

    @property
    def caption(self) -> str:
        """Names the pair in a plot, with the way of asking that the student stands against, the better of the two."""
        shown = self.few_shot is not None and (self.zero_shot is None or self.few_shot > self.zero_shot)
        return f"{self.task}, {f'{self.shots}-shot' if shown else 'zero-shot'}: {self.submission}"


class SuiteRow(Row):
    """One measure of a language model on one set of a suite: the evaluation of another paper, never ranked."""

    suite: str
    set: str
    area: str
    submission: str
    """The folder that holds the record."""
    model: str
    measure: str
    value: float
    """In [0, 1]."""
    examples: int
    """Questions that were asked."""
    limited: bool
    """Whether these are only part of the set: preliminary."""
    unread: int
    """Answers that could not be read; they count as wrong."""
    cut: int
    """Answers that ended at their limit of tokens."""


class GradeRow(Row):
    """What a judge gave a language model's answers to one kind of request about notes."""

    suite: str
    """Which notes: ``asclepius-notes`` for synthetic ones, ``asclepius-<set>`` for real ones."""
    submission: str
    """The folder that holds the record."""
    model: str
    notes: str
    """sha256 of the rows that were asked: only grades on the same rows compare."""
    judge: str
    kind: str
    """Kind of request; ``all`` for all kinds together."""
    grade: float | None
    """Mean, from 1 to 4, of the replies that were grades."""
    examples: int
    """Answers of that kind."""
    ungraded: int | None
    """Replies without a grade; known for all kinds together."""
    limited: bool


class ElsewhereRow(Row):
    """A figure published by others, on other splits and by other metrics: never ranked."""

    dataset: str
    task: str
    """The benchmark's task on the same data set; empty if there is none."""
    system: str
    metric: str
    low: float
    high: float
    """Equal to ``low`` for a single figure; else the range that was published."""
    sample: str
    """The test items it is on, where that is stated."""
    source: str
    url: str


class LeftOutRow(Row):
    """What is left out, with the reason: a submission that is in no table, or a record that cannot be shown."""

    submission: str
    """Its name, or that of a folder of the direct track."""
    reason: str
