"""The standings' direct track, and the comparison that it is for: ask the model, or train on what it writes?

A model's own answers (zero-shot, few-shot) beside the students that were fine-tuned on rows written by the same model,
as in Tang et al. (2303.04360). Where only a subset of a test set was asked, the students' score on that same subset
stands beside it too, from their stored predictions.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clinsynth.comparable import select_runs
from clinsynth.data.store import ExampleStore
from clinsynth.direct.card import is_direct, read_card
from clinsynth.direct.records import DirectRecord, DirectResults, slug
from clinsynth.direct.run import subset
from clinsynth.errors import NotPreparedError, UserError
from clinsynth.registry import TASKS
from clinsynth.results import DataKind, Results, RunRecord, read_predictions
from clinsynth.scoring.metrics import METRICS
from clinsynth.scoring.statistics.overall import type_weights
from clinsynth.submissions.card import Card
from clinsynth.submissions.writing import existing_card


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
    subsets: Mapping[int, float] = field(default_factory=dict[int, float])
    """Mean on the first so many of the seeded order that ``--limit`` asks, where it could be computed."""


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

    @property
    def difference(self) -> float | None:
        """The student minus the better of the model's own answers."""
        own = [score for score in (self.zero_shot, self.few_shot) if score is not None]
        return self.student - max(own) if own else None


@dataclass(frozen=True, slots=True)
class DirectTable:
    """Everything of the direct track, as numbers: what the command line, the README and the leaderboard show."""

    recipe: str
    budget: int
    kind: DataKind
    tasks: tuple[str, ...]
    direct: tuple[DirectRow, ...]
    students: tuple[StudentRow, ...]
    pairs: tuple[Pair, ...]
    remarks: tuple[str, ...]


def direct_standings(
    places: Sequence[Path], recipe: str, budget: int, kind: DataKind, store: ExampleStore | None = None
) -> DirectTable:
    """Collect the direct track under ``places``, and the submissions there whose rows the same models wrote.

    Args:
        places: folders of the direct track or of submissions, or folders that hold some.
        recipe: of the students.
        budget: their training rows.
        kind: real data, or the sample.
        store: the test sets, for students' scores on subsets; without it these are left out.

    Raises:
        UserError: no folder of the direct track is there, or a record cannot be read.
    """
    remarks: list[str] = []
    rows = [row for folder in direct_folders(places) for row in _rows(folder, kind)]
    rows.sort(key=lambda row: (row.title, row.shots))
    tasks = tuple(name for name in TASKS if any(name in row.scores for row in rows))
    limits = _limits(rows)
    students: list[StudentRow] = []
    for folder, card in _written(places):
        if not any(_same(row, card) for row in rows):
            remarks.append(f"{card.name} is not shown: no answers of {card.llm.name if card.llm else '?'} are here.")
        elif found := _student(folder, card, recipe, budget, kind, limits, store):
            students.append(found)
        else:
            remarks.append(f"{card.name} is not shown: no {kind} run of {recipe} on {budget:,} rows.")
    pairs = tuple(_pairs(rows, students, tasks))
    return DirectTable(recipe, budget, kind, tasks, tuple(rows), tuple(students), pairs,
                       (*_remarks(rows, pairs, recipe, budget, kind), *remarks))  # fmt: skip


def direct_folders(places: Iterable[Path]) -> list[Path]:
    """Folders of the direct track among ``places``: each is one, or holds some. Raises ``UserError`` for none."""
    found: list[Path] = []
    for place in places:
        inside = sorted(path for path in place.glob("*") if is_direct(path)) if place.is_dir() else []
        found += [place] if is_direct(place) else inside
    if not found:
        raise UserError(f"no direct track under {', '.join(map(str, places))}", expected="a folder with direct.toml")
    return [folder.absolute() for folder in dict.fromkeys(found)]


def _rows(folder: Path, kind: DataKind) -> Iterator[DirectRow]:
    card = read_card(folder)
    best: dict[int, dict[str, DirectRecord]] = defaultdict(dict)
    for record in DirectResults(folder, kind).records():
        have = best[record.shots].get(record.task)
        # The whole test set before any subset, a larger subset before a smaller one.
        if record.task in TASKS and (have is None or _asked(record) > _asked(have)):
            best[record.shots][record.task] = record
    for shots, records in sorted(best.items()):
        scores = {task: _score(record) for task, record in records.items()}
        row = "few-shot" if shots else "zero-shot"
        yield DirectRow(card.name, card.title, card.llm.name, card.llm.snapshot, row, shots, scores)


def _asked(record: DirectRecord) -> int:
    return sum(record.answers.values())


def _score(record: DirectRecord) -> DirectScore:
    use = record.usage
    return DirectScore(record.metric, record.score, record.unparsable, _asked(record), record.test.examples,
                       use.tokens_in, use.tokens_out, use.dollars)  # fmt: skip


def _limits(rows: Sequence[DirectRow]) -> dict[str, set[int]]:
    limits: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        for task, score in row.scores.items():
            if score.preliminary:
                limits[task].add(score.asked)
    return limits


def _written(places: Iterable[Path]) -> Iterator[tuple[Path, Card]]:
    """Submissions whose rows a language model wrote."""
    for place in places:
        for path in [place / "submission.toml", *sorted(place.glob("*/submission.toml"))]:
            card = existing_card(path.parent.absolute()) if path.is_file() else None
            if card and card.llm:
                yield path.parent.absolute(), card


def _same(row: DirectRow, card: Card) -> bool:
    if card.llm is None or slug(card.llm.name) != slug(row.model):
        return False
    return not (card.llm.snapshot and row.snapshot) or card.llm.snapshot == row.snapshot


def _student(
    folder: Path, card: Card, recipe: str, budget: int, kind: DataKind, limits: Mapping[str, set[int]],
    store: ExampleStore | None,
) -> StudentRow | None:  # fmt: skip
    results = Results(folder, kind)
    by_task: dict[str, list[RunRecord]] = defaultdict(list)
    for record in results.records():
        if record.recipe == recipe and record.task in TASKS:
            by_task[record.task].append(record)
    scores: dict[str, StudentScore] = {}
    for task, stored in by_task.items():
        if runs := select_runs(stored, budget, reference=False):
            subsets = {n: value for n in sorted(limits.get(task, ()))
                       if (value := _on_subset(results, runs, n, store)) is not None}  # fmt: skip
            mean = statistics.mean(run.score for run in runs)
            scores[task] = StudentScore(runs[0].metric, mean, len(runs), runs[0].rows, subsets)
    llm = card.llm
    return StudentRow(card.name, card.title, llm.name, llm.snapshot, scores) if llm and scores else None


def _on_subset(results: Results, runs: Sequence[RunRecord], size: int, store: ExampleStore | None) -> float | None:
    """The mean over seeds on what a model was asked; ``None`` where test set or predictions are not here."""
    task = TASKS[runs[0].task]
    try:
        if store is None or store.fingerprint(task, "test") != runs[0].test.fingerprint:
            return None
        gold = store.examples(task, "test")
        positions = subset(len(gold), size)
        metric = METRICS[task.spec.metric]
        said = [read_predictions(results.predictions_path(run.cell))[0] for run in runs]
    except (NotPreparedError, UserError):
        return None
    if any(len(each) != len(gold) for each in said):
        return None
    asked = [gold[k] for k in positions]
    return statistics.mean(metric.score(task.spec, asked, [each[k] for k in positions]) for each in said)


def _pairs(rows: Sequence[DirectRow], students: Sequence[StudentRow], tasks: Sequence[str]) -> Iterator[Pair]:
    for task in tasks:
        for student in students:
            if (trained := student.scores.get(task)) is None:
                continue
            own: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
            whole: dict[tuple[str, int], bool] = {}
            shots: dict[tuple[str, int], int] = defaultdict(int)
            for row in rows:
                same = slug(row.model) == slug(student.model)
                same = same and not (row.snapshot and student.snapshot and row.snapshot != student.snapshot)
                if same and (score := row.scores.get(task)):
                    own[row.name, score.asked][row.row] = score.score
                    whole[row.name, score.asked] = not score.preliminary
                    shots[row.name, score.asked] = row.shots
            for (name, asked), scores in own.items():
                value = trained.mean if whole[name, asked] else trained.subsets.get(asked)
                if value is not None:
                    yield Pair(task, trained.metric, name, student.name, scores.get("zero-shot"),
                               scores.get("few-shot"), shots[name, asked], value, asked, not whole[name, asked],
                               trained.seeds)  # fmt: skip


def _mean_of_types(scores: Mapping[str, float], tasks: Sequence[str]) -> float | None:
    if not tasks or not set(tasks) <= scores.keys():
        return None
    weights = type_weights({task: TASKS[task].spec.type for task in tasks})
    return sum(weight * scores[task] for task, weight in weights.items())


def _remarks(
    rows: Sequence[DirectRow], pairs: Sequence[Pair], recipe: str, budget: int, kind: DataKind
) -> Iterator[str]:
    yield "Direct track: a language model answers by itself; what it wrote and could not be read is scored as wrong."
    if kind == "sample":
        yield "SAMPLE: the test items are a few hand-written ones. These numbers try the machinery, no more."
    early = [row.label for row in rows if any(score.preliminary for score in row.scores.values())]
    if early:
        yield f"Preliminary, a seeded subset of the test set (marked *): {', '.join(early)}."
    if pairs:
        yield (
            f"Students: {recipe} on {budget:,} rows that the same model wrote, mean over seeds; against a subset, on "
            "that subset. What a difference is worth is said by clinsynth compare, on whole test sets."
        )
