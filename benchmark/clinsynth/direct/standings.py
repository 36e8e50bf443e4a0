"""The standings' direct track, and the comparison that it is for: ask the model, or train on what it writes?

A model's own answers (zero-shot, few-shot) beside the students that were fine-tuned on rows written by the same model,
as in Tang et al. (2303.04360). Where only a subset of a test set was asked, the students are scored on that same
subset, from their stored predictions. A difference that its interval does not tell from 0 is a tie.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinsynth.core import TASKS, UserError
from clinsynth.data import ExampleStore
from clinsynth.direct.card import CARD_FILE, direct_folders, is_direct, read_card
from clinsynth.direct.intervals import Own, own_answers, score_interval, student_answers, student_minus_own
from clinsynth.direct.records import DirectRecord, DirectResults, slug
from clinsynth.results import DataKind, Results, RunRecord
from clinsynth.standings import (
    CEILING,
    AnswerFile,
    Answers,
    Entry,
    TestSet,
    TestSets,
    Verdict,
    overall_of,
    read_entry,
    select_runs,
    stored_at,
)
from clinsynth.submissions import Card, Llm, existing_card


@dataclass(frozen=True, slots=True)
class DirectScore:
    """The score of a model's own answers to a task."""

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

    def overall(self, tasks: Sequence[str]) -> float | None:
        """Mean of the type means over ``tasks``; ``None`` if one is missing or preliminary."""
        whole = {task: score.score for task, score in self.scores.items() if not score.preliminary}
        return overall_of(whole, tasks)


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
        """The better way: ``train`` or ``ask``, else the verdict; empty if it is not known."""
        return better_of(self.verdict)


def better_of(verdict: Verdict | None) -> str:
    """The better way by the verdict on the student: ``train`` or ``ask``, else the verdict."""
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


def direct_standings(
    places: Sequence[Path], recipe: str, budget: int, kind: DataKind, store: ExampleStore | None = None
) -> DirectTable:
    """Collect the direct track under ``places``, and the submissions there whose rows the same models wrote.

    Args:
        places: folders of the direct track or of submissions, or folders that hold some. All real rows (``CEILING``)
            among them set the scale of verdicts, as in ``compare``.
        recipe: of the students.
        budget: their training rows.
        kind: real data, or the sample.
        store: the test sets, for intervals and students' scores on subsets; without it these are left out.

    Raises:
        UserError: no folder of the direct track is there, or a card is faulty.
    """
    tests = TestSets(store)
    folders = direct_folders(places)
    if not folders:
        raise UserError(f"no direct track under {', '.join(map(str, places))}", expected=f"a folder with {CARD_FILE}")
    tracks = [track for folder in folders for track in _tracks(folder, kind, tests)]
    tracks.sort(key=lambda track: (track.row.title, track.row.shots))
    rows = [track.row for track in tracks]
    tasks = tuple(name for name in TASKS if any(name in row.scores for row in rows))
    written = [each for each in _written(places) if any(_same(row, each[2].name, each[2].snapshot) for row in rows)]
    written_by = (_student(folder, card, llm, recipe, budget, kind) for folder, card, llm in written)
    students = [student for student in written_by if student]
    top = _ceiling(places, recipe, kind)
    pairs = tuple(pair for task in tasks for student in students for pair in _pairs(task, student, tracks, tests, top))
    return DirectTable(recipe, budget, kind, tasks, tuple(rows), tuple(student.row for student in students), pairs)


@dataclass(frozen=True, slots=True)
class _Track:
    """A row, with the answers behind its scores where they are here."""

    row: DirectRow
    own: Mapping[str, Own]
    """By task."""


@dataclass(frozen=True, slots=True)
class _Student:
    """A row, with the runs behind it."""

    row: StudentRow
    results: Results
    runs: Mapping[str, Sequence[RunRecord]]
    """By task."""


def _tracks(folder: Path, kind: DataKind, tests: TestSets) -> Iterator[_Track]:
    card = read_card(folder)
    results = DirectResults(folder, kind)
    best: dict[int, dict[str, DirectRecord]] = defaultdict(dict)
    for record in results.records():
        have = best[record.shots].get(record.task)
        # The whole test set before any subset, a larger subset before a smaller one.
        # Another version of a task has another metric, test set or wording.
        current = record.task in TASKS and record.task_version == TASKS[record.task].spec.version
        if current and (have is None or record.asked > have.asked):
            best[record.shots][record.task] = record
    for shots, records in sorted(best.items()):
        own = {task: found for task, record in records.items()
               if (test := tests.of(task)) and (found := own_answers(record, results, test))}  # fmt: skip
        scores = {task: _score(record, results, own.get(task), tests.of(task)) for task, record in records.items()}
        row = "few-shot" if shots else "zero-shot"
        yield _Track(DirectRow(card.name, card.title, card.llm.name, card.llm.snapshot, row, shots, scores), own)


def _score(record: DirectRecord, results: DirectResults, own: Own | None, test: TestSet | None) -> DirectScore:
    use = record.usage
    low, high = score_interval(own, test) if own and test else (None, None)
    return DirectScore(record.metric, record.score, record.unparsable, record.asked, record.test.examples,
                       use.tokens_in, use.tokens_out, use.dollars, low, high, results.sameness(record))  # fmt: skip


def _written(places: Iterable[Path]) -> Iterator[tuple[Path, Card, Llm]]:
    """Submissions whose rows a language model wrote."""
    for place in places:
        for path in [place / "submission.toml", *sorted(place.glob("*/submission.toml"))]:
            card = existing_card(path.parent.absolute()) if path.is_file() else None
            if card and card.llm:
                yield path.parent.absolute(), card, card.llm


def _ceiling(places: Iterable[Path], recipe: str, kind: DataKind) -> Mapping[str, Sequence[RunRecord]]:
    """By task the runs of all real rows, where they are among the places."""
    for folder in (each for place in places for each in (place, place / CEILING)):
        if (folder / "submission.toml").is_file() and (card := existing_card(folder)) and card.name == CEILING:
            return read_entry(folder, recipe, kind).runs
    return {}


def _same(row: DirectRow, name: str, snapshot: str) -> bool:
    """Whether that is the model of ``row``; a snapshot that one of them does not tell may be any."""
    return slug(name) == slug(row.model) and snapshot in ("", row.snapshot or snapshot)


def _student(folder: Path, card: Card, llm: Llm, recipe: str, budget: int, kind: DataKind) -> _Student | None:
    stored = stored_at(folder, card, kind)
    chosen = {task: found for task, runs in stored.entry(recipe).runs.items()
              if task not in stored.faults and (found := select_runs(runs, budget, reference=False))}  # fmt: skip
    if not chosen:
        return None
    scores = {task: StudentScore(runs[0].metric, statistics.mean(run.score for run in runs), len(runs), runs[0].rows)
              for task, runs in chosen.items()}  # fmt: skip
    row = StudentRow(card.name, card.title, llm.name, llm.snapshot, scores)
    return _Student(row, Results(folder, kind), chosen)


def _pairs(
    task: str, student: _Student, tracks: Sequence[_Track], tests: TestSets,
    ceiling: Mapping[str, Sequence[RunRecord]],
) -> Iterator[Pair]:  # fmt: skip
    """A pair for each model that wrote the student's rows, and each part of the test set that it was asked."""
    if task not in student.row.scores:
        return
    groups: dict[tuple[str, int], list[_Track]] = defaultdict(list)
    for track in tracks:
        if task in track.row.scores and _same(track.row, student.row.model, student.row.snapshot):
            groups[track.row.name, track.row.scores[task].asked].append(track)
    for group in groups.values():
        if pair := _pair(task, student, group, tests.of(task), ceiling.get(task, ())):
            yield pair


def _pair(
    task: str, student: _Student, group: Sequence[_Track], test: TestSet | None, ceiling: Sequence[RunRecord]
) -> Pair | None:
    """The student beside the rows of one model that answered the same examples, in order of their shots."""
    trained, own = student.row.scores[task], {track.row.row: track for track in group}
    scores = {name: track.row.scores[task] for name, track in own.items()}
    best = own[max(scores, key=lambda name: scores[name].score)]
    asked = best.row.scores[task]
    answers = best.own.get(task)
    runs = student_answers(student.runs[task], student.results, test, answers) if test and answers else None
    if runs is None and asked.preliminary:
        return None
    mean = trained.mean if runs is None else float(runs.scores.mean())
    several = runs if runs and len(runs.seeds) > 1 else None
    measured = student_minus_own(several, answers, test, ceiling) if several and answers and test else None
    zero, few = scores.get("zero-shot"), scores.get("few-shot")
    return Pair(
        task, trained.metric, best.row.name, student.row.name, zero and zero.score, few and few.score,
        own["few-shot"].row.shots if few else 0, mean, asked.asked, asked.preliminary, trained.seeds,
        mean - asked.score, measured and measured.low, measured and measured.high,
        measured and measured.judgement.verdict,
    )  # fmt: skip


def split_shots(folder: Path) -> tuple[Path, int | None]:
    """A folder of the direct track, and the shots where it was given as ``<folder>/shots5``."""
    name = folder.name.removeprefix("shots")
    if folder.name.startswith("shots") and name.isdecimal() and is_direct(folder.parent):
        return folder.parent, int(name)
    return folder, None


def entry_at(place: Path, recipe: str, kind: DataKind) -> Entry:
    """The entry that ``compare`` is given for a submission's folder, or for one of the direct track.

    Raises:
        UserError: the card or a record cannot be read, or a folder of the direct track does not have one complete row.
    """
    return _direct_entry(place, kind) if is_direct(split_shots(place)[0]) else read_entry(place, recipe, kind)


def _direct_entry(place: Path, kind: DataKind) -> Entry:
    """The complete records of one row of a folder."""
    folder, shots = split_shots(place)
    card = read_card(folder)
    results = DirectResults(folder, kind)
    records = [r for r in results.records() if r.limit is None and r.task in TASKS]
    available = sorted({record.shots for record in records})
    if shots is None and len(available) > 1:
        raise UserError(f"{folder} has several rows", found=", ".join(f"shots{k}" for k in available),
                        remedy=f"name one: {folder}/shots{available[0]}")  # fmt: skip
    chosen = [record for record in records if shots in (None, record.shots)]
    if not chosen:
        raise UserError(
            f"{place} has no complete {kind} record", expected="whole test sets: a subset is preliminary",
            remedy="clinsynth direct without --limit",
        )  # fmt: skip
    name = f"{card.name}/shots{chosen[0].shots}"
    fixed = {record.task: _answers(name, record, results) for record in chosen}
    return Entry(name, True, results, {}, fixed)


def _answers(name: str, record: DirectRecord, results: DirectResults) -> Answers:
    file = AnswerFile(results.predictions_path(record.cell), record.predictions_sha256, record.score)
    return Answers(name, results.folder, record.test.fingerprint, (), (file,))
