"""Records in submissions' folders, read once, from which tables of any recipe and budget are made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from clinsynth.audit import copies
from clinsynth.core import CONSTANT, REFERENCES, TASKS, RecordFault, UserError
from clinsynth.results import (
    SEEDS,
    DataKind,
    Reproductions,
    Results,
    RunRecord,
    record_faults,
    repeated_seeds,
    reproduced_runs,
)
from clinsynth.standings.model import LeftOut
from clinsynth.standings.runs import Entry, mixed, select_runs
from clinsynth.submissions import Card, existing_card
from clinsynth.training import DEFAULT_RECIPE

Conditions = tuple[str, str, str]
_ODD = "another test set, recipe version or student than the other rows; score it again"
_MIXED = "its runs were made on different data; delete those of the older data, or score it again"


@dataclass(frozen=True)
class Stored:
    """A submission's folder and what is stored in it."""

    folder: Path
    card: Card
    kind: DataKind
    records: tuple[RunRecord, ...]
    """The runs that count, in path order: ``stored_at`` says which."""
    refused: tuple[RecordFault, ...] = ()
    """Run records that were refused, and why."""
    published: bool = False
    """Whether only runs that were reproduced are ranked."""
    left_out: tuple[LeftOut, ...] = ()
    """Stored runs that do not count, or were refused, and why."""

    @cached_property
    def faults(self) -> dict[str, str]:
        """By task, faults that its records show by themselves: an edit, or the run of another submission."""
        results = Results(self.folder, self.kind)
        faults: dict[str, str] = {}
        for record in self.records:
            for fault in record_faults(record, results):
                faults.setdefault(record.task, fault)
        for fault in self.refused:
            faults.setdefault(fault.task, fault.text)
        for same in repeated_seeds(self.records, results):
            faults.setdefault(same.cell.task, same.text)
        return faults

    @cached_property
    def balanced(self) -> tuple[RunRecord, ...]:
        """Runs on draws with equal shares of the labels: shown beside scores, never ranked."""
        results = Results(self.folder, self.kind, "balanced")
        return tuple(
            record for record in results.records() if record.task in TASKS and not any(record_faults(record, results))
        )

    @cached_property
    def reproductions(self) -> Reproductions:
        """The reproduction records of its runs."""
        return reproduced_runs(self.folder, self.kind)

    def entry(self, recipe: str) -> Entry:
        """Its runs of one recipe."""
        runs: dict[str, list[RunRecord]] = defaultdict(list)
        for record in self.records:
            if record.recipe == recipe:
                runs[record.task].append(record)
        return Entry(self.card.name, self.card.kind == "reference", Results(self.folder, self.kind), runs)

    def checked(self, recipe: str) -> Entry:
        """Its runs of one recipe, with the faults of its records and what is left out."""
        return replace(self.entry(recipe), faults=self.faults, left_out=self.left_out)


@dataclass(frozen=True, slots=True)
class Collection:
    """Submissions with their records of one kind of data."""

    kind: DataKind
    stored: tuple[Stored, ...]
    left_out: tuple[LeftOut, ...]
    """Why folders or records are not shown, and which submissions share text."""
    refused: tuple[RecordFault, ...] = ()
    """Run records that were refused, as typed reasons."""

    def budgets(self) -> dict[str, tuple[int, ...]]:
        """For each recipe with any run, the numbers of rows that some submission was cut to, or had."""
        budgets: dict[str, set[int]] = defaultdict(set)
        for each in self.stored:
            for record in each.records:
                budgets[record.recipe].add(record.rows)
        return {recipe: tuple(sorted(rows)) for recipe, rows in sorted(budgets.items())}

    def headline_recipe(self) -> str:
        """The recipe that a table opens with: the leaderboard's where anybody was run with it, else that of most runs.

        The leaderboard's if there are no runs at all.
        """
        counts = Counter(record.recipe for each in self.stored for record in each.records)
        return DEFAULT_RECIPE if not counts or DEFAULT_RECIPE in counts else counts.most_common(1)[0][0]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The runs that stand for a submission in one table."""

    stored: Stored
    entry: Entry
    runs: dict[str, list[RunRecord]]
    """By task, by seed: comparable with the other rows."""
    odd: dict[str, str]
    """Tasks that are kept out of the table, with the reason."""


def folders(places: Sequence[Path], *, some: bool = True) -> list[Path]:
    """Submission folders among ``places``: each is one, or holds some.

    Raises:
        UserError: there is none, and ``some`` says that there must be.
    """
    submissions: list[Path] = []
    for place in places:
        inside = [path.parent for path in sorted(place.glob("*/submission.toml"))]
        submissions += [place] if (place / "submission.toml").is_file() else inside
    if some and not submissions:
        raise UserError(f"no submission under {', '.join(map(str, places))}", expected="a folder with submission.toml")
    return submissions


def collect(places: Sequence[Path], kind: DataKind, *, published: bool = False) -> Collection:
    """Read cards and records under ``places``; no data, no predictions. Raises ``UserError`` if there is none.

    Args:
        places: folders of submissions, or folders that hold some.
        kind: real data, or the sample.
        published: rank only what was reproduced.
    """
    stored: list[Stored] = []
    refused: list[RecordFault] = []
    left_out: list[LeftOut] = []
    for folder in (each.absolute() for each in folders(places)):
        card = existing_card(folder)
        if card is None:
            text = f"{folder.name} is not shown: submission.toml is faulty; see clinsynth validate {folder}"
            left_out.append(LeftOut(folder.name, "", text))
            continue
        if card.name == CONSTANT:
            text = f"{folder.name} is not shown: {CONSTANT} is the name of the best constant answers; call it otherwise"
            left_out.append(LeftOut(folder.name, "", text))
            continue
        found = stored_at(folder, card, kind, published=published)
        stored.append(found)
        refused += found.refused
        left_out += found.left_out
    left_out += (LeftOut(copy.first, copy.task, copy.text) for copy in copies([each.folder for each in stored], kind))
    return Collection(kind, tuple(stored), tuple(left_out), tuple(refused))


def stored_at(folder: Path, card: Card, kind: DataKind, *, published: bool = False) -> Stored:
    """What is stored in a folder: the one place that decides which runs count, for every table and comparison.

    Those of the tasks as they are now count; of these, for each number of rows, the runs of the protocol's seeds, or
    all runs where it has none of those, which a table then states.
    """
    runs = Results(folder, kind).stored()
    known = [record for record in runs.records if record.task in TASKS]
    current = [record for record in known if _is_current(record)]
    records = _of_protocol(current)
    left_out = (*_outdated(folder.name, known), *_other_seeds(folder.name, current, records))
    refused = (
        LeftOut(folder.name, fault.task, f"{folder.name} lacks a run that is not shown: {fault.text}.")
        for fault in runs.faults
    )
    return Stored(folder, card, kind, records, runs.faults, published, (*left_out, *refused))


def read_entry(folder: Path, recipe: str, kind: DataKind) -> Entry:
    """The runs in a submission's folder that count. Raises ``UserError`` where the card cannot be read."""
    card = existing_card(folder.absolute())
    if card is None:
        raise UserError(f"no good submission.toml in {folder}", remedy=f"clinsynth validate {folder}")
    return stored_at(folder.absolute(), card, kind).checked(recipe)


def _of_protocol(records: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
    """Of each task, recipe and number of rows the runs of the protocol's seeds; all, if there is none."""
    with_own = {_place(record) for record in records if record.seed in SEEDS}
    return tuple(record for record in records if record.seed in SEEDS or _place(record) not in with_own)


def _place(record: RunRecord) -> tuple[str, str, int]:
    return record.task, record.recipe, record.rows


def _outdated(name: str, records: Sequence[RunRecord]) -> Iterator[LeftOut]:
    """What is said of runs that were made with another version of their task."""
    current = {record.task for record in records if _is_current(record)}
    for task in sorted({record.task for record in records if not _is_current(record)}):
        what = f"some runs of {name} on {task} are" if task in current else f"{name} on {task} is"
        its = "they" if task in current else "its runs"
        yield LeftOut(name, task, f"{what} not shown: {its} were made with another version of the task.")


def _other_seeds(name: str, records: Sequence[RunRecord], counting: Sequence[RunRecord]) -> Iterator[LeftOut]:
    """What is said of runs that do not count beside those of the protocol's seeds."""
    seeds: dict[str, set[int]] = defaultdict(set)
    for place, seed in {(_place(each), each.seed) for each in records} - {(_place(e), e.seed) for e in counting}:
        seeds[place[0]].add(seed)
    for task, others in sorted(seeds.items()):
        some = ", ".join(map(str, sorted(others)[:5])) + (", ..." if len(others) > 5 else "")
        why = f"beside the protocol's seeds, {SEEDS[0]} to {SEEDS[-1]}, no other counts"
        yield LeftOut(name, task, f"runs of {name} on {task} with the seeds {some} are not shown: {why}.")


def _is_current(record: RunRecord) -> bool:
    """Whether a run used the current version of its task: another one may have another metric, test set or unit."""
    return record.task_version == TASKS[record.task].spec.version


def choose(collection: Collection, recipe: str, budget: int) -> list[Chosen]:
    """The runs of each submission at a budget; a task whose conditions differ from the others' is set aside."""
    entries = [(stored, stored.entry(recipe)) for stored in collection.stored]
    selected = [
        (stored, entry, {task: select_runs(runs, budget, reference=entry.reference)
                         for task, runs in entry.runs.items()})
        for stored, entry in entries
    ]  # fmt: skip
    references = _usual(
        record
        for _, entry, runs in selected
        if entry.reference and entry.name in REFERENCES
        for r in runs.values()
        for record in r
    )
    usual = _usual(record for _, _, runs in selected for r in runs.values() for record in r) | references
    return [_chosen(stored, entry, runs, usual) for stored, entry, runs in selected]


def _conditions(record: RunRecord) -> Conditions:
    """Conditions that comparable runs share, besides task, recipe and budget."""
    return record.test.fingerprint, record.recipe_fingerprint, record.student_fingerprint


def _usual(records: Iterable[RunRecord]) -> dict[str, Conditions]:
    """For each task the conditions of most runs."""
    by_task: dict[str, Counter[Conditions]] = defaultdict(Counter)
    for record in records:
        by_task[record.task][_conditions(record)] += 1
    return {task: counts.most_common(1)[0][0] for task, counts in by_task.items()}


def _chosen(stored: Stored, entry: Entry, runs: dict[str, list[RunRecord]], usual: dict[str, Conditions]) -> Chosen:
    odd: dict[str, str] = {}
    for task, records in runs.items():
        if any(_conditions(record) != usual[task] for record in records):
            odd[task] = _ODD
        elif mixed(records):
            odd[task] = _MIXED
    good = {task: records for task, records in runs.items() if records and task not in odd}
    return Chosen(stored, entry, good, odd)


def headline_recipe(places: Sequence[Path], kind: DataKind) -> str:
    """The recipe that a table of these folders opens with: ``Collection.headline_recipe``, or the leaderboard's."""
    inside = folders(places, some=False)
    return collect(inside, kind).headline_recipe() if inside else DEFAULT_RECIPE
