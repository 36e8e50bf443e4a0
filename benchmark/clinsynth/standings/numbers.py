"""The numbers beside a score: intervals, differences, gaps, worth, places, curves, cost and agreement.

Scores and their intervals are in [0, 1], differences in [-1, 1], never times 100. ``None`` is a number that does not
exist or is not known; beside it stands the reason. Intervals hold 95 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
    p_holm: float | None
    """Adjusted for all comparisons with the leader; ``None`` for a row that is not one of the contenders."""
    probability: float
    """P(this row is better), of expected scores."""
    detectable: float
    """The true difference that would be found 4 times in 5: what the test set resolves for this pair."""


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
    """What is known of one score beside the mean and the spread. Needs the test set."""

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
    """Mean over types of the mean gap recovered of their tasks; ``None`` where a task has none."""
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
    """What the data cost to make, from the card, and the overall score for it. What is not known is ``None``."""

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
    """Nobody has more score for no more dollars, or as much for fewer. ``None``: not known."""
    on_token_front: bool | None

    @property
    def tokens(self) -> int | None:
        """In and out; ``None`` where one of the two is not known."""
        return None if self.tokens_in is None or self.tokens_out is None else self.tokens_in + self.tokens_out


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """What a task's test set can tell. Needs the test set."""

    task: str
    leader: str | None
    """The best contender; ``None`` without contenders."""
    units: int
    """Independent units of the test set."""
    detectable: float | None
    """Median over the comparisons with the leader of the difference that would be found 4 times in 5."""
    floor: str
    """Name of the floor of the gap; empty if it is absent."""
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
