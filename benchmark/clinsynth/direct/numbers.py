"""The direct track as numbers: what the command line, the plot and the leaderboard show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clinsynth.core import TASKS
from clinsynth.results import DataKind
from clinsynth.scoring.statistics import type_weights
from clinsynth.standings import Verdict


@dataclass(frozen=True, slots=True)
class DirectScore:
    """What a model's own answers to a task are worth."""

    metric: str
    score: float
    """Main metric, in [0, 1]."""
    unparsable: int
    """Answers that could not be read; they are in the score, as wrong."""
    asked: int
    of: int
    """Examples in the test set."""
    tokens_in: int | None
    tokens_out: int | None
    dollars: float | None
    low: float | None = None
    high: float | None = None
    """95 % interval over test units; ``None`` where the test set or the predictions are not here."""
    sameness: float | None = None
    """Share of the most frequent answer; ``None`` for mentions, or where it is not known."""

    @property
    def preliminary(self) -> bool:
        """Whether only a subset was asked."""
        return self.asked < self.of


@dataclass(frozen=True, slots=True)
class DirectRow:
    """One row of the direct track."""

    name: str
    """Of the folder."""
    title: str
    model: str
    snapshot: str
    row: str
    """zero-shot or few-shot."""
    shots: int
    scores: Mapping[str, DirectScore]
    """By task."""

    @property
    def label(self) -> str:
        """The row as a table heads it."""
        return f"{self.title} {self.row}" + (f" ({self.shots} a label)" if self.shots else "")

    def overall(self, tasks: Sequence[str]) -> float | None:
        """Mean of the type means over ``tasks``; ``None`` if one is missing or preliminary."""
        whole = {task: score.score for task, score in self.scores.items() if not score.preliminary}
        return _mean_of_types(whole, tasks)


@dataclass(frozen=True, slots=True)
class StudentScore:
    """A student trained on the model's rows."""

    metric: str
    mean: float
    """Over the seeds, on the whole test set."""
    seeds: int
    rows: int


@dataclass(frozen=True, slots=True)
class StudentRow:
    """A submission whose rows a model wrote."""

    name: str
    title: str
    model: str
    snapshot: str
    scores: Mapping[str, StudentScore]

    def overall(self, tasks: Sequence[str]) -> float | None:
        """Mean of the type means over ``tasks``; ``None`` if one is missing."""
        return _mean_of_types({task: score.mean for task, score in self.scores.items()}, tasks)


@dataclass(frozen=True, slots=True)
class Pair:
    """Ask, or train: one model, one task, one submission."""

    task: str
    metric: str
    model: str
    submission: str
    zero_shot: float | None
    few_shot: float | None
    """With the most demonstrations there are answers for; the other rows are in the track's own table."""
    shots: int
    """How many these are, a label; 0 where there are none."""
    student: float
    """On the examples that the model was asked."""
    asked: int
    preliminary: bool
    seeds: int
    difference: float
    """The student minus the better of the model's own answers."""
    low: float | None = None
    high: float | None = None
    """95 % interval of the difference, over test units and seeds; not known for one seed."""
    verdict: Verdict | None = None
    """Of the student; ``None`` where there is no interval."""

    @property
    def better(self) -> str:
        """What to do: ``train``, ``ask``, else the verdict; empty where that is not known."""
        return better_of(self.verdict)


def better_of(verdict: Verdict | None) -> str:
    """What to do, by the verdict on the student."""
    return {"better": "train", "worse": "ask"}.get(verdict, verdict) if verdict else ""


@dataclass(frozen=True, slots=True)
class DirectTable:
    """Everything of the direct track."""

    recipe: str
    budget: int
    kind: DataKind
    tasks: tuple[str, ...]
    direct: tuple[DirectRow, ...]
    students: tuple[StudentRow, ...]
    pairs: tuple[Pair, ...]
    remarks: tuple[str, ...]


def _mean_of_types(scores: Mapping[str, float], tasks: Sequence[str]) -> float | None:
    if not tasks or not set(tasks) <= scores.keys():
        return None
    weights = type_weights({task: TASKS[task].spec.type for task in tasks})
    return sum(weight * scores[task] for task, weight in weights.items())
