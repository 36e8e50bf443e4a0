"""What the standings say, as typed numbers: the command line, the README, snapshots and the app format these.

Scores and their intervals are in [0, 1], differences in [-1, 1], never times 100. ``None`` is a number that does not
exist or is not known; beside it stands the reason. Intervals hold 95 %.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from clinsynth.registry import TASKS
from clinsynth.results import DataKind
from clinsynth.standings.numbers import Agreement, CostOfData, Curve, Interval, Overall, TaskStatistics, TaskSummary

RANKED_SEEDS = 5
"""Seeds of a row that may be ranked (protocol); with fewer it is preliminary."""

ReasonCode = Literal[
    "reference", "sample", "incomplete", "preliminary", "unaudited", "leaks", "failed-verify", "unchecked", "mixed"
]
"""Why a row has no rank.

reference: a floor or a ceiling; sample: made on the bundled sample; incomplete: a task is missing; preliminary: fewer
than ``RANKED_SEEDS`` seeds; unaudited: no audit of these rows, or one by older rules; leaks: the audit failed;
failed-verify: what is stored contradicts itself; unchecked: the test set or the predictions are not on this machine;
mixed: other conditions than the rest of the table, or runs that do not belong together.
"""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for which a row has no rank."""

    code: ReasonCode
    text: str
    """For a reader: what is the matter, with the tasks."""


@dataclass(frozen=True, slots=True)
class Score:
    """A submission's result on one task: the seeds' raw scores, and what follows from them."""

    task: str
    metric: str
    rows: int
    """Training rows that were used."""
    by_seed: dict[int, float]
    """Main metric for each seed, in [0, 1]."""
    statistics: TaskStatistics | None = None
    """``None``: not computed, and ``missing`` says why."""
    missing: str = "not asked for"
    """Why there are no statistics; empty if there are."""

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(self.by_seed.values())

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over the seeds; ``None`` for one seed."""
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
        complete = bool(tasks) and set(tasks) <= self.scores.keys()
        return statistics.mean(self.type_means(tasks).values()) if complete else None

    @property
    def seeds(self) -> int:
        """The fewest seeds of any task."""
        return min(len(score.by_seed) for score in self.scores.values())

    @property
    def ranked(self) -> bool:
        """Whether it has a place in the ranking."""
        return self.statistics is not None and self.statistics.group is not None


@dataclass(frozen=True, slots=True)
class Standings:
    """All that is comparable: one recipe, one budget, one kind of data."""

    recipe: str
    budget: int
    kind: DataKind
    tasks: tuple[str, ...]
    """Tasks with any score: the columns."""
    rows: tuple[Standing, ...]
    """Ranked rows first, best first; then, below the line, complete ones by their mean; then the others by name."""
    left_out: tuple[str, ...]
    """What is not in the table, with the reason."""
    required: tuple[str, ...] = ()
    """Tasks that a row needs for an overall score: those with a result of a reference; of anybody if there is none."""
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

    def contenders(self) -> list[Standing]:
        """The rows that are ranked, best first."""
        return [row for row in self.rows if row.ranked]

    def below_the_line(self) -> list[Standing]:
        """The others; each has a reason if statistics were asked for."""
        return [row for row in self.rows if not row.ranked]

    def remarks(self) -> list[str]:
        """What a reader must know to read the table rightly."""
        out = [
            f"Students were fine-tuned by {self.recipe} on {self.budget:,} rows. Scores x 100: mean (SD over seeds)."
        ]
        if self.kind == "sample":
            out.append("SAMPLE: the test items are a few hand-written ones. These numbers try the machinery, no more.")
        few = [row.name for row in self.rows if row.seeds < RANKED_SEEDS]
        if few:
            out.append(f"Preliminary, fewer than {RANKED_SEEDS} seeds: {', '.join(few)}.")
        for words, differ in (("fewer", int.__lt__), ("more", int.__gt__)):
            rows = {row.name: [score.rows for score in row.scores.values()] for row in self.rows}
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
        return [*out, *self.left_out]
