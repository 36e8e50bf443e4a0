"""Standings as typed numbers, which the command line, the README, snapshots and the app format.

Scores and their intervals are in [0, 1], differences in [-1, 1], never times 100. ``None`` is a number that does not
exist or is not known; beside it stands the reason. Intervals hold 95 %.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from clinsynth.core import TASKS
from clinsynth.results import DataKind
from clinsynth.scoring.statistics import mean_of_types
from clinsynth.standings.verdicts import RANKED_SEEDS, Judgement, Reason


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of 95 %."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A row minus another one, paired by test unit and by seed."""

    other: str
    """Name of the other: the leader."""
    value: float
    low: float
    high: float
    p: float
    """Two-sided, of this comparison alone."""
    p_adjusted: float | None
    """Adjusted for all pairs of contenders: the leader was chosen by the scores. ``None`` for a row that is none."""
    probability: float
    """P(this row is better), of expected scores; of a contender it is adjusted as ``p_adjusted`` is."""
    detectable: float
    """The true difference that would be found 4 times in 5: what the test set resolves for this pair."""
    judgement: Judgement
    """The verdict on the two, by ``p``: it does not depend on the other rows of the table."""


@dataclass(frozen=True, slots=True)
class GapRecovered:
    """(score - floor) / (ceiling - floor): 0 at the floor, 1 at the ceiling; below and above are possible."""

    value: float | None
    low: float | None
    high: float | None
    reason: str
    """Why something is missing; empty if nothing is."""


@dataclass(frozen=True, slots=True)
class WorthReal:
    """How many real examples the score is worth, read off the learning curve of real data (``gold-n``)."""

    rows: float | None
    """``None``: outside the curve, or there is no curve."""
    low: float | None
    """``None``: not even the fewest real examples of the curve are ruled out."""
    high: float | None
    """``None``: not even the most are."""
    words: str
    """Such as ``340 (210 to > 1,000)`` or ``> 300``; empty where there is no curve, and ``reason`` says why."""
    reason: str


@dataclass(frozen=True, slots=True)
class TaskStatistics:
    """Statistics of one score besides mean and spread. They need the test set."""

    interval: Interval | None
    """Of the expected score, over other seeds and other test units, cut to [0, 1]; ``None`` for a single seed."""
    group: int | None
    """Tie group on this task among the contenders, from 1; ``None`` for a row that does not take part."""
    leader: Difference | None
    """Against the best contender on this task (the second best for that one itself, as ``other`` says)."""
    gap: GapRecovered
    worth: WorthReal


@dataclass(frozen=True, slots=True)
class Overall:
    """The mean of the type means over the table's required tasks, and what it is worth. Only where no task is missing.

    ``ranks`` to ``win_rate`` are for ranked rows alone, and among these.
    """

    mean: float
    interval: Interval | None
    """Cut to [0, 1]; ``None`` where a task has a single seed, or no statistics."""
    leader: Difference | None
    """Against the first of the ranking (the second for the first itself, as ``other`` says)."""
    gap: float | None
    """Mean over types of the mean gap recovered of their tasks, of those that have one; ``None`` where none has."""
    gap_tasks: tuple[str, ...]
    """Tasks that ``gap`` is the mean over: those on which real data is clearly above the constant answer."""
    variance_shares: dict[str, float]
    """By task, its share in the variance of ``mean``; empty where it is not known."""
    group: int | None
    """Dense tie group, from 1."""
    ranks: tuple[int, int] | None
    """Best and worst rank that are not ruled out."""
    borda: float | None
    """Points: on each task one for every ranked row beaten, a half for an equal one."""
    win_rate: float | None
    """Mean share of the other ranked rows that are beaten on a task."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A score at one number of rows."""

    rows: int
    mean: float
    interval: Interval | None
    seeds: int


@dataclass(frozen=True, slots=True)
class Curve:
    """A submission's scores over the number of rows, on one task or over all of them."""

    task: str | None
    """``None``: the mean of the type means, at budgets where no required task is missing."""
    points: tuple[CurvePoint, ...]
    """By rows."""
    area: float | None
    """Mean score over log rows from the first point to the last; ``None`` for a single point."""
    area_interval: Interval | None


@dataclass(frozen=True, slots=True)
class CostOfData:
    """Cost of generating the data, from the card, and overall score per cost. Unknown values are ``None``."""

    calls: int | None
    tokens_in: int | None
    tokens_out: int | None
    dollars: float | None
    price_source: str | None
    price_date: str | None
    """ISO 8601."""
    seconds: float | None
    per_dollar: float | None
    """Overall score for a dollar; ``None`` where one of the two is not known, or nothing was paid."""
    per_million_tokens: float | None
    """Overall score for a million tokens, in and out."""
    on_dollar_front: bool | None
    """Whether no other row has more score for no more dollars, or as much for fewer. ``None``: unknown."""
    on_token_front: bool | None

    @property
    def tokens(self) -> int | None:
        """In and out; ``None`` where one of the two is not known."""
        return None if self.tokens_in is None or self.tokens_out is None else self.tokens_in + self.tokens_out


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """Resolution and reference points of a task's test set. They need the test set."""

    task: str
    leader: str | None
    """The best contender; ``None`` without contenders."""
    units: int
    """Independent units of the test set."""
    detectable: float | None
    """Median over the comparisons with the leader of the difference that would be found 4 times in 5."""
    floor: float
    """Score of the best constant answer."""
    constant: str
    """The best constant answer in words."""
    ceiling: str
    """Name of its ceiling; empty if it is absent."""
    real_rows: tuple[int, ...]
    """Budgets of the learning curve of real data."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Kendall's tau-b between two orders of the same rows."""

    kind: Literal["aggregates", "students"]
    first: str
    """Such as ``mean``, or a recipe with its budget."""
    second: str
    names: int
    """Rows that both orders have."""
    tau: float | None
    """``None`` for fewer than two rows, or where one order ties them all."""
    interval: Interval | None = None
    """Of tau, over resampled tasks; for students that have three in common."""
    turned: tuple[tuple[str, str], ...] = ()
    """Pairs of which the first order has the first one ahead, and the second order the other."""


MEAN_OF_TYPES = "mean of the types"
"""Name of the overall score, in place of a task's name."""
SAMPLE_REMARK = "SAMPLE: the test items are a few hand-written ones. These numbers try the machinery, no more."


def task_types(tasks: Iterable[str]) -> dict[str, str]:
    """The type of each task."""
    return {task: TASKS[task].spec.type for task in tasks}


def overall_of(scores: Mapping[str, float], tasks: Sequence[str]) -> float | None:
    """Mean of the type means over ``tasks``; ``None`` if one has no score: a gap never moves it."""
    complete = bool(tasks) and set(tasks) <= scores.keys()
    return mean_of_types(scores, task_types(tasks)) if complete else None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A result that is left out of a table."""

    submission: str
    task: str
    """Empty: all of it."""
    text: str
    """The reason, for a reader; it names both."""


@dataclass(frozen=True, slots=True)
class LabelMix:
    """How far the label shares of the rows are from real ones, and the score without them."""

    balanced: float | None
    """Mean over the seeds of the same rows drawn with equal shares of the labels; ``None`` without such runs."""
    seeds: int
    """How many seeds that is the mean of."""
    divergence: float | None
    """Of the label shares of the rows as drawn from those of real rows, in bits; ``None`` where it is not known."""


@dataclass(frozen=True, slots=True)
class Score:
    """A submission's result on one task: the raw scores of the seeds, and statistics."""

    task: str
    metric: str
    rows: int
    """Training rows that were used."""
    by_seed: dict[int, float]
    """Main metric for each seed, in [0, 1]; empty for an answer that no seed changes."""
    fixed: float | None = None
    """The score of such an answer."""
    statistics: TaskStatistics | None = None
    """``None``: not computed, and ``missing`` says why."""
    missing: str = "not asked for"
    """Why there are no statistics; empty if there are."""
    mix: LabelMix | None = None
    """``None``: there are no balanced draws of these rows."""

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return math.fsum(self.by_seed.values()) / len(self.by_seed) if self.fixed is None else self.fixed

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over the seeds; ``None`` for one seed, or for an answer without any."""
        return statistics.stdev(self.by_seed.values()) if len(self.by_seed) > 1 else None


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of the table."""

    name: str
    title: str
    kind: str
    """submission or reference."""
    scores: dict[str, Score]
    """By task."""
    reasons: tuple[Reason, ...] = ()
    """Why it has no rank; empty for a ranked row, and for every row where no ranking was asked for."""
    statistics: Overall | None = None
    """``None`` where a required task is missing."""
    types: dict[str, Interval] = field(default_factory=dict[str, Interval])
    """Intervals of the type means, for types of which no required task is missing."""
    curves: tuple[Curve, ...] = ()
    cost: CostOfData | None = None

    def type_means(self, tasks: Iterable[str] | None = None) -> dict[str, float]:
        """Mean over the tasks (for ``None`` all, else those among ``tasks``) of each type that has any score."""
        by_type: dict[str, list[float]] = defaultdict(list)
        for task, score in self.scores.items():
            if tasks is None or task in tasks:
                by_type[TASKS[task].spec.type].append(score.mean)
        return {name: statistics.mean(values) for name, values in sorted(by_type.items())}

    def overall(self, tasks: Sequence[str]) -> float | None:
        """Mean of the type means over ``tasks``; ``None`` if one has no score: a gap never moves it."""
        return overall_of({task: score.mean for task, score in self.scores.items()}, tasks)

    @property
    def seeds(self) -> int:
        """The fewest seeds of any task; 0 for an answer that no seed changes."""
        return min(len(score.by_seed) for score in self.scores.values())

    @property
    def preliminary(self) -> bool:
        """Whether it has fewer seeds than a rank needs."""
        return any(score.fixed is None and len(score.by_seed) < RANKED_SEEDS for score in self.scores.values())

    @property
    def ranked(self) -> bool:
        """Whether it has a place in the ranking."""
        return self.statistics is not None and self.statistics.group is not None


@dataclass(frozen=True, slots=True)
class Standings:
    """A table of comparable results: one recipe, one budget, one kind of data."""

    recipe: str
    budget: int
    kind: DataKind
    tasks: tuple[str, ...]
    """Tasks with any score: the columns."""
    rows: tuple[Standing, ...]
    """Ranked rows first, best first; then, below the line, complete ones by their mean; then the others by name."""
    left_out: tuple[LeftOut, ...]
    """Results that are left out, with the reason."""
    required: tuple[str, ...] = ()
    """Tasks that a row needs for an overall score: those of ``REFERENCES``, else those of submissions."""
    summaries: dict[str, TaskSummary] = field(default_factory=dict[str, TaskSummary])
    """By task; empty without statistics."""
    agreements: tuple[Agreement, ...] = ()
    unavailable: dict[str, str] = field(default_factory=dict[str, str])
    """Tasks without statistics, and why; empty where none were asked for."""
    resamples: int = 0
    """Bootstrap resamples of F1 metrics; 0: none, the jackknife was used."""
    computed: bool = False
    """Whether statistics were asked for."""

    def missing(self) -> list[str]:
        """Tasks of the benchmark that no row has."""
        return [name for name in TASKS if name not in self.tasks]

    def remarks(self) -> list[str]:
        """Remarks that a reader needs, apart from those on the recipe, the number of rows and results left out."""
        out: list[str] = []
        if self.kind == "sample":
            out.append(SAMPLE_REMARK)
        few = [row.name for row in self.rows if row.preliminary]
        if few:
            out.append(f"Preliminary, fewer than {RANKED_SEEDS} seeds: {', '.join(few)}.")
        for words, differ in (("fewer", int.__lt__), ("more", int.__gt__)):
            rows = {row.name: [score.rows for score in row.scores.values() if score.fixed is None] for row in self.rows}
            others = [
                f"{name} ({min(used)}-{max(used)} rows)"
                for name, used in rows.items()
                if any(differ(rows, self.budget) for rows in used)
            ]
            if others:
                out.append(f"Had {words} rows and used all of them: {', '.join(others)}.")
        extra = [task for task in self.tasks if task not in self.required]
        if extra:
            out.append(f"Not in any overall score, for no reference has a result: {', '.join(extra)}.")
        if self.missing():
            out.append(
                f"No overall score is that of the whole benchmark: no result yet on {', '.join(self.missing())}."
            )
        for reason in dict.fromkeys(self.unavailable.values()):
            tasks = ", ".join(task for task, why in self.unavailable.items() if why == reason)
            out.append(f"No statistics on {tasks}: {reason}.")
        return out
