"""Rows of a snapshot that hold scores and what follows from them. Scores are in [0, 1]."""

from __future__ import annotations

from typing import Literal

from clinsynth.core import TaskTypeName
from clinsynth.results import DataKind
from clinsynth.snapshot.descriptions import Place, Row
from clinsynth.standings import Verdict


class ConditionRow(Row):
    """One comparison on equal terms. Rows of different conditions are never in one table."""

    data: DataKind
    recipe: str
    """The student with its frozen settings."""
    rows: int
    """Training rows: the budget."""
    tasks: tuple[str, ...]
    """Tasks that any submission was scored on."""
    missing: tuple[str, ...]
    """Tasks of the benchmark without any result."""
    required: tuple[str, ...]
    """Tasks that a submission needs for an overall score."""
    resamples: int
    """Bootstrap resamples behind the intervals of F1 metrics; 0: the jackknife."""
    remarks: tuple[str, ...]
    """What a reader must know to read the tables rightly."""


class OverallRow(Row):
    """A submission over all tasks."""

    data: DataKind
    recipe: str
    rows: int
    submission: str
    place: Place
    reasons: tuple[str, ...]
    """Why it is not ranked, for a reader."""
    codes: tuple[str, ...]
    """The same as stable words, such as ``preliminary`` or ``unaudited``."""
    group: int | None
    """Tie group: 1 for the leader and all that are not shown to be worse."""
    rank_low: int | None
    """Best rank that is not ruled out."""
    rank_high: int | None
    """Worst rank that is not ruled out."""
    mean: float | None
    """Mean over the task types of the mean over their tasks; ``None`` if a task is missing."""
    low: float | None
    """95 % interval on these test sets."""
    high: float | None
    gap: float | None
    """Gap recovered, mean over the types and tasks that have one: 0 is the best constant answer, 1 is all real rows."""
    gap_tasks: tuple[str, ...]
    """Those tasks: where real data is clearly above the constant answer."""
    gap_reason: str
    """Why the gap is missing."""
    variance_task: str
    """The task with the largest share in the variance of the mean; empty where that is not known."""
    variance_share: float | None
    """The share of that task."""
    leader: str
    """Whom the next columns compare with: the first of the ranking, for that one itself the second; may be empty."""
    leader_difference: float | None
    """This row minus that one, paired by test unit and seed."""
    leader_low: float | None
    leader_high: float | None
    leader_p: float | None
    """Two-sided, adjusted for all pairs of the ranking where the row is ranked."""
    leader_probability: float | None
    """P(this row is better), adjusted alike."""
    leader_verdict: Verdict | None
    """The verdict on this row, by the comparison of the two alone."""
    detectable: float | None
    """The true difference to that one that would be found 4 times in 5."""
    tasks: int
    """Tasks with a score."""
    seeds: int
    """The fewest seeds of any task."""
    scored: str
    """The day of the newest run, ISO 8601; empty for what needs no run."""
    reproduced: Literal["reproduced", "in part", "not reproduced", "as handed in"]
    """Whether the runs were trained again from the rows: those of all tasks, of some, of one with another outcome, or
    of none."""
    borda: float | None
    """Points: on each task one for every ranked row beaten, a half for an equal one."""
    win_rate: float | None


class TypeRow(Row):
    """A submission on one task type."""

    data: DataKind
    recipe: str
    rows: int
    submission: str
    place: Place
    type: TaskTypeName
    mean: float | None
    """Mean over the tasks of the type; ``None`` if one is missing."""
    low: float | None
    high: float | None
    tasks: int
    of_tasks: int
    """Tasks of the type that any submission was scored on."""


class ScoreRow(Row):
    """A submission on one task."""

    data: DataKind
    recipe: str
    rows: int
    submission: str
    place: Place
    reasons: tuple[str, ...]
    task: str
    metric: str
    rows_used: int
    """Training rows that were used: all of them where there are fewer than the budget."""
    seeds: int
    mean: float
    """Mean over the seeds."""
    spread: float | None
    """Standard deviation over the seeds (n - 1); ``None`` for one seed."""
    low: float | None
    high: float | None
    interval_reason: str
    """Why there is no interval."""
    detectable: float | None
    """True difference to the leader that this test set would find 4 times in 5."""
    group: int | None
    """Tie group on this task among the contenders."""
    leader: str
    """Whom the next columns compare with: the best contender on the task, for that one itself the second best."""
    leader_difference: float | None
    leader_low: float | None
    leader_high: float | None
    leader_p: float | None
    leader_probability: float | None
    leader_verdict: Verdict | None
    variance_share: float | None
    """Share of the task in the variance of the row's overall score."""
    gap: float | None
    gap_low: float | None
    gap_high: float | None
    gap_reason: str
    worth: float | None
    """Real rows that give the same score."""
    worth_low: float | None
    worth_high: float | None
    worth_words: str
    """The same in words, such as ``< 100`` where it lies outside the curve; empty if there is no curve."""
    worth_reason: str
    """Why there is no curve."""
    balanced: float | None
    """Mean over the seeds of the same rows drawn with equal shares of the labels; ``None`` without such runs."""
    label_divergence: float | None
    """How far the label shares of the rows as drawn are from real ones, in bits; ``None`` where runs do not tell."""


class SummaryRow(Row):
    """What a task's test set can tell under one condition."""

    data: DataKind
    recipe: str
    rows: int
    task: str
    leader: str
    """The best contender; empty without contenders."""
    units: int | None
    """Independent units of the test set."""
    detectable: float | None
    """Median over the comparisons with the leader of the difference that would be found 4 times in 5."""
    floor: float | None
    """Score of the best constant answer."""
    constant: str
    """That answer in words."""
    ceiling: str
    """The other end of the gap; empty if it is absent."""
    real_rows: tuple[int, ...]
    """Budgets of the learning curve of real data."""
    unavailable: str
    """Why there are no statistics; empty if there are."""


class AgreementRow(Row):
    """Kendall's tau-b between two orders of the same submissions."""

    data: DataKind
    recipe: str
    rows: int
    kind: Literal["aggregates", "students"]
    first: str
    second: str
    names: int
    """Submissions that both orders have."""
    tau: float | None
    """``None`` for fewer than two, or where one order ties them all."""
    low: float | None
    """95 % interval of tau over resampled tasks; for students that have three in common."""
    high: float | None
    turned: tuple[str, ...]
    """Pairs that turn round: ``a > b`` where the first order has a ahead and the second one b."""


class SeedRow(Row):
    """One run."""

    data: DataKind
    recipe: str
    rows: int
    submission: str
    task: str
    seed: int
    score: float
    fit: str
    """fine-tuned, or constant where all rows had the same answer."""
    predictions_sha256: str
    """Digest of the stored answers."""
    training_fingerprint: str
    """Digest of the submission's rows."""
    commit: str
    """Commit of the harness; empty if it was not run from a checkout."""


class DifferenceRow(Row):
    """One submission minus another, paired by test unit and seed."""

    data: DataKind
    recipe: str
    rows: int
    base: str
    other: str
    scope: str
    """A task, ``mean: <type>`` or ``mean of the types``."""
    tasks: tuple[str, ...]
    seeds: int
    base_score: float | None
    other_score: float | None
    difference: float | None
    """The other minus the base."""
    low: float | None
    high: float | None
    p: float | None
    """Two-sided, of this comparison alone."""
    detectable: float | None
    confidence: float | None
    """P(the other is better)."""
    outcome: Verdict
    """Of the other, by p; undecided: no difference is shown, and with so few seeds or test items hardly could be."""
    reason: str
    """Why nothing is decided, or nothing can be compared."""
    remedy: str
    """What would help."""
    note: str
    """What else to know, such as other numbers of rows."""


class CurveRow(Row):
    """One point of a learning curve."""

    data: DataKind
    recipe: str
    submission: str
    kind: Literal["submission", "reference"]
    task: str
    """A task, or ``mean of the types``."""
    rows: int
    seeds: int
    mean: float
    low: float | None
    high: float | None
    area: float | None
    """Mean score over log rows, of the whole curve; the same at all its points."""
    area_low: float | None
    area_high: float | None


class CostRow(Row):
    """What a score cost."""

    data: DataKind
    recipe: str
    rows: int
    submission: str
    place: Place
    mean: float | None
    """The overall score."""
    dollars: float | None
    tokens: int | None
    """In and out; ``None`` unless both are known."""
    score_per_dollar: float | None
    score_per_million_tokens: float | None
    front_dollars: bool | None
    """Whether no other row has a higher score at a lower price; ``None`` where the cost is unknown."""
    front_tokens: bool | None
